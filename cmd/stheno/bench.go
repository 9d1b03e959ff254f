package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/pkg/errors"
	"github.com/spf13/cobra"

	"github.com/stheno-ml/stheno/internal/bench"
	"github.com/stheno-ml/stheno/internal/kernel/cpu"
)

func benchCommand() *cobra.Command {
	c := &cobra.Command{Use: "bench", Short: "Measure speed"}
	c.AddCommand(benchOps(), benchModels(), benchPictures())
	return c
}

func benchOps() *cobra.Command {
	var o opsOptions
	c := &cobra.Command{
		Use:   "ops",
		Short: "Measure the kernels of convolution, matrix product, batch norm and pooling",
		Long: `Measures each kernel on the shapes of docs/bench, channels-last, float32, filters packed at each call.
GFLOP/s are those of a direct computation, also where a road (Winograd) makes fewer operations.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return o.run(c.OutOrStdout()) },
	}
	f := c.Flags()
	f.BoolVar(&o.json, "json", false, "print a list of {name, pass, ms, gflops, gbs, road}")
	f.BoolVar(&o.shapes, "shapes", false, "print the convolutions' shapes as JSON and measure nothing")
	f.StringVar(&o.only, "only", "", "measure ops whose name begins so")
	f.StringVar(&o.road, "road", "", "force the instructions: generic, avx2 or avx512")
	f.StringVar(&o.against, "against", "", "measure other instructions in turn with these and print the ratio of processor times; for one thread (GOMAXPROCS=1)")
	f.DurationVar(&o.sampling.MinSample, "sample", 150*time.Millisecond, "length of a sample")
	f.IntVar(&o.sampling.Samples, "samples", 7, "undisturbed samples to take; the median is printed")
	f.DurationVar(&o.sampling.Limit, "limit", 15*time.Second, "longest time for one measurement")
	return c
}

type opsOptions struct {
	json, shapes bool
	only, road   string
	against      string
	sampling     bench.Sampling
}

func (o *opsOptions) run(w io.Writer) error {
	if o.shapes {
		return errors.Wrap(json.NewEncoder(w).Encode(bench.Convolutions), "shapes")
	}
	if err := force(o.road); err != nil {
		return err
	}
	if o.against != "" {
		return o.compare(w)
	}
	if o.json {
		rows := []bench.Row{}
		err := bench.Ops(o.sampling, o.only, func(r bench.Row) error {
			rows = append(rows, r)
			return nil
		})
		if err != nil {
			return err
		}
		e := json.NewEncoder(w)
		e.SetIndent("", " ")
		return errors.Wrap(e.Encode(rows), "bench")
	}
	peak := bench.Peak()
	fmt.Fprintf(w, "road %v, measured peak %.0f GFLOP/s\n", cpu.Current(), peak)
	fmt.Fprintf(w, "%-22s %-10s %9s %9s %7s %8s %7s  %s\n", "op", "pass", "ms", "GFLOP/s", "peak", "GB/s", "clean", "road")
	return bench.Ops(o.sampling, o.only, func(r bench.Row) error {
		share := "-"
		if peak > 0 && r.Gflops > 0 {
			share = fmt.Sprintf("%.0f %%", 100*r.Gflops/peak)
		}
		_, err := fmt.Fprintf(w, "%-22s %-10s %9.3f %9.1f %7s %8.1f %4d/%-3d  %s\n", r.Name, r.Pass, r.Ms, r.Gflops, share, r.GBs, r.Clean, r.All, r.Road)
		return err
	})
}

// compare measures the road in force beside the other one.
func (o *opsOptions) compare(w io.Writer) error {
	roads := [2]cpu.Road{cpu.Current()}
	if err := force(o.against); err != nil {
		return err
	}
	roads[1] = cpu.Current()
	fmt.Fprintf(w, "%-22s %-10s %9v %9v %6s  %s\n", "op", "pass", roads[0], roads[1], "ratio", "road")
	return bench.Compare(o.sampling, o.only, roads, func(a, b bench.Row) error {
		_, err := fmt.Fprintf(w, "%-22s %-10s %9.3f %9.3f %6.2f  %s\n", a.Name, a.Pass, a.CPUMs, b.CPUMs, b.CPUMs/a.CPUMs, a.Road)
		return err
	})
}

func benchModels() *cobra.Command {
	var o bench.ModelOptions
	var s bench.Sampling
	var list, profile bool
	var road string
	c := &cobra.Command{
		Use:   "models",
		Short: "Measure training steps and inference of the zoo's networks",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := force(road); err != nil {
				return err
			}
			if profile {
				o.Profile = c.ErrOrStderr()
			}
			return printModelSpeeds(c.OutOrStdout(), s, o, list)
		},
	}
	f := c.Flags()
	f.BoolVar(&list, "json", false, "print a list instead of a table")
	f.StringVar(&o.Only, "only", "", "measure one network")
	f.StringVar(&o.Mode, "mode", "", "train or infer; both if empty")
	f.IntVar(&o.Batch, "batch", 0, "pictures a step; 0 for the sizes of docs/bench")
	f.StringVar(&road, "road", "", "force the instructions: generic, avx2 or avx512")
	f.BoolVar(&profile, "profile", false, "print what each op costs to standard error")
	f.BoolVar(&o.Options.NoFuse, "no-fuse", false, "leave every op an instruction of its own")
	f.BoolVar(&o.Options.NoLayout, "no-layout", false, "keep pictures row-major between ops")
	f.DurationVar(&s.MinSample, "sample", 150*time.Millisecond, "length of a sample")
	f.IntVar(&s.Samples, "samples", 7, "undisturbed samples to take; the median is printed")
	f.DurationVar(&s.Limit, "limit", 60*time.Second, "longest time for one measurement")
	return c
}

func printModelSpeeds(w io.Writer, s bench.Sampling, o bench.ModelOptions, list bool) error {
	if list {
		rows := []bench.ModelRow{}
		err := bench.Models(s, o, func(r bench.ModelRow) error {
			rows = append(rows, r)
			return nil
		})
		if err != nil {
			return err
		}
		e := json.NewEncoder(w)
		e.SetIndent("", " ")
		return errors.Wrap(e.Encode(rows), "bench")
	}
	fmt.Fprintf(w, "road %v\n", cpu.Current())
	fmt.Fprintf(w, "%-14s %-6s %5s %11s %9s %9s %7s %9s %9s %9s %10s %7s\n", "network", "mode", "batch", "pictures/s", "ms", "GFLOP/s", "peak", "plan MiB", "vars MiB", "RSS MiB", "compile ms", "clean")
	return bench.Models(s, o, func(r bench.ModelRow) error {
		share := "-"
		if r.Peak > 0 {
			share = fmt.Sprintf("%.0f %%", 100*r.Gflops/r.Peak)
		}
		_, err := fmt.Fprintf(w, "%-14s %-6s %5d %11.2f %9.2f %9.1f %7s %9.1f %9.1f %9.1f %10.1f %3d/%-3d\n", r.Name, r.Mode, r.Batch, r.Pictures, r.Ms, r.Gflops, share, r.Planned, r.Leaves+r.Slots, r.Resident, r.Compile, r.Clean, r.All)
		return err
	})
}

// force takes the road of a name; the empty name leaves the best one.
func force(name string) error {
	if name == "" {
		return nil
	}
	var have []string
	for _, r := range cpu.Roads() {
		if r.String() == name {
			cpu.Force(r)
			return nil
		}
		have = append(have, r.String())
	}
	return errors.Errorf("road %q: this processor and this build have %s", name, strings.Join(have, ", "))
}
