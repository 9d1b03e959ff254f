package main

import (
	"github.com/pkg/errors"
	"github.com/spf13/cobra"

	"github.com/stheno-ml/stheno/zoo"
)

func summaryCommand() *cobra.Command {
	var config zoo.Config
	var size []int
	c := &cobra.Command{
		Use:   "summary NAME",
		Short: "Print the layers of a network: shapes, parameters, multiply-adds",
		Args:  cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			var err error
			if config.InputSize, err = pair(size); err != nil {
				return err
			}
			return zoo.Summary(c.OutOrStdout(), args[0], config)
		},
	}
	f := c.Flags()
	f.IntVar(&config.Classes, "classes", 0, "classes, instead of the published number")
	f.IntVar(&config.Channels, "channels", 0, "channels of the pictures, instead of 3")
	f.IntSliceVar(&size, "size", nil, "height and width of the pictures, or one number for both")
	f.BoolVar(&config.Headless, "headless", false, "without the classifier")
	f.BoolVar(&config.Aux, "aux", false, "with the auxiliary heads")
	return c
}

// pair is the height and width that a flag names; none is 0, 0.
func pair(size []int) ([2]int, error) {
	switch len(size) {
	case 0:
		return [2]int{}, nil
	case 1:
		return [2]int{size[0], size[0]}, nil
	case 2:
		return [2]int(size), nil
	}
	return [2]int{}, errors.Errorf("size %v: want one or two numbers", size)
}
