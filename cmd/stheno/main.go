// Command stheno looks at networks and measures them.
package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"
)

func main() {
	root := &cobra.Command{
		Use:           "stheno",
		Short:         "Image models in Go, from symbolic graph to trained weights",
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.CompletionOptions.DisableDefaultCmd = true
	root.AddCommand(benchCommand(), modelsCommand(), summaryCommand(), drawCommand())
	root.SetArgs(longFlags(os.Args[1:]))
	if err := root.Execute(); err != nil {
		fmt.Fprintln(os.Stderr, "stheno:", err)
		os.Exit(1)
	}
}
