package main

import (
	"github.com/pkg/errors"
	"github.com/spf13/cobra"

	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/zoo"
)

func drawCommand() *cobra.Command {
	format := "svg"
	config := zoo.Config{Blank: true} // a drawing needs no weights
	c := &cobra.Command{
		Use:   "draw NAME",
		Short: "Draw the layers of a network to standard output, as SVG or in Graphviz's language",
		Args:  cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			m, err := zoo.New(args[0], config)
			if err != nil {
				return err
			}
			mode := graph.Eval
			if config.Aux { // auxiliary heads stand in the training graph only
				mode = graph.Train
			}
			b, err := m.Build(mode, 1, nil)
			if err != nil {
				return err
			}
			switch format {
			case "svg":
				return b.Graph.WriteSVG(c.OutOrStdout())
			case "dot":
				return b.Graph.WriteDOT(c.OutOrStdout())
			}
			return errors.Errorf("format %q, want svg or dot", format)
		},
	}
	c.Flags().StringVar(&format, "format", format, "svg or dot")
	c.Flags().BoolVar(&config.Aux, "aux", false, "with the auxiliary heads")
	return c
}
