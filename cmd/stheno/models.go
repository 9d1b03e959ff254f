package main

import (
	"encoding/json"
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/pkg/errors"
	"github.com/spf13/cobra"

	"github.com/stheno-ml/stheno/zoo"
)

func modelsCommand() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "models",
		Short: "List the networks of the zoo",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if asJSON {
				e := json.NewEncoder(c.OutOrStdout())
				e.SetIndent("", " ")
				return errors.Wrap(e.Encode(zoo.Models()), "models")
			}
			return printModels(c.OutOrStdout())
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print a list of {name, params, aux_params, macs, input, top1, paper}")
	return c
}

func printModels(w io.Writer) error {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "name\tparameters\tauxiliary\tmultiply-adds\tinput\ttop-1\tpaper")
	for _, m := range zoo.Models() {
		top1, aux := "-", "-"
		if m.Top1 > 0 {
			top1 = fmt.Sprintf("%.1f", m.Top1)
		}
		if m.AuxParams > 0 {
			aux = fmt.Sprint(m.AuxParams)
		}
		fmt.Fprintf(tw, "%s\t%d\t%s\t%d\t%d\t%s\t%s\n", m.Name, m.Params, aux, m.MACs, m.Input, top1, m.Paper)
	}
	return errors.Wrap(tw.Flush(), "models")
}
