package main

import (
	"encoding/json"
	"fmt"

	"github.com/pkg/errors"
	"github.com/spf13/cobra"

	"github.com/stheno-ml/stheno/internal/bench"
)

func benchPictures() *cobra.Command {
	var asJSON bool
	var size, epochs int
	c := &cobra.Command{
		Use:   "pictures FOLDER",
		Short: "Measure how fast pictures are decoded and augmented",
		Long:  `Reads a folder with a folder of pictures for each class as in training on ImageNet: decode, crop and resize by chance, flip, normalise.`,
		Args:  cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if size < 1 || epochs < 1 {
				return errors.Errorf("-size %d, -epochs %d: want at least 1", size, epochs)
			}
			r, err := bench.Pictures(args[0], size, epochs)
			if err != nil {
				return err
			}
			if asJSON {
				return errors.Wrap(json.NewEncoder(c.OutOrStdout()).Encode(r), "bench")
			}
			_, err = fmt.Fprintf(c.OutOrStdout(), "%d files to %d×%d with %d workers: %.0f pictures/s (best epoch %.0f), %.2f ms of processor time each\n",
				r.Files, r.Size, r.Size, r.Workers, r.Speed, r.Best, r.CPU)
			return err
		},
	}
	f := c.Flags()
	f.BoolVar(&asJSON, "json", false, "print as JSON")
	f.IntVar(&size, "size", 224, "pixels on a side of what comes out")
	f.IntVar(&epochs, "epochs", 5, "times that the files are read")
	return c
}
