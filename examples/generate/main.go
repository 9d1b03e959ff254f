// Generate draws new pictures from a generator that examples/dcgan has trained.
//
//	go run ./examples/generate -generator runs/dcgan/generator.safetensors -count 100
//	go run ./examples/generate -generator runs/dcgan/generator.safetensors -interpolate -count 8
package main

import (
	"context"
	"flag"
	"fmt"
	"image"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/pkg/errors"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/gan"
)

type settings struct {
	generator, out, each string
	count, columns       int
	interpolate          bool
	steps                int
	class                string
	seed                 uint64
}

func main() {
	var s settings
	flag.StringVar(&s.generator, "generator", "runs/dcgan/generator.safetensors", "file that gan.Save has written")
	flag.StringVar(&s.out, "out", "generated.png", "sheet to write")
	flag.StringVar(&s.each, "each", "", "folder to write each picture into, at its own size; empty for none")
	flag.IntVar(&s.count, "count", 64, "pictures, or with -interpolate rows")
	flag.IntVar(&s.columns, "columns", 0, "of the sheet; 0 means as many as rows")
	flag.BoolVar(&s.interpolate, "interpolate", false, "each row goes from one random picture to another")
	flag.IntVar(&s.steps, "steps", 10, "pictures in a row with -interpolate")
	flag.StringVar(&s.class, "class", "", "name of the class to draw; empty for all in turn")
	flag.Uint64Var(&s.seed, "seed", 1, "another seed gives other pictures")
	flag.Parse()
	if err := run(context.Background(), s, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "generate:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, s settings, out io.Writer) error {
	if s.count < 1 || s.steps < 2 {
		return errors.Errorf("-count %d, -steps %d, want at least 1 and 2", s.count, s.steps)
	}
	pair, generator, names, err := gan.Open(s.generator)
	if err != nil {
		return err
	}
	latent, err := gan.Latents(generator, s.count, s.seed)
	if err != nil {
		return err
	}
	repeat := 1
	if s.interpolate {
		ends, err := gan.Latents(generator, s.count, s.seed+1)
		if err != nil {
			return err
		}
		if latent, err = gan.Interpolate(latent, ends, s.steps); err != nil {
			return err
		}
		repeat, s.columns = s.steps, s.steps
	}
	classes, err := s.classes(pair.Classes, names, repeat)
	if err != nil {
		return err
	}
	sampler, err := gan.NewSampler(generator, min(latent.Shape()[0], 32))
	if err != nil {
		return err
	}
	made, err := sampler.Draw(ctx, latent, classes)
	if err != nil {
		return err
	}
	return s.write(made, out)
}

// classes is that of each picture: the one asked for, or all in turn; nil for a generator without.
func (s *settings) classes(n int, names []string, repeat int) ([]int, error) {
	if n == 0 {
		if s.class != "" {
			return nil, errors.Errorf("-class %q: the generator was trained without classes", s.class)
		}
		return nil, nil
	}
	chosen := -1
	if s.class != "" {
		for i := range n {
			if i < len(names) && names[i] == s.class || fmt.Sprint(i) == s.class && len(names) == 0 {
				chosen = i
			}
		}
		if chosen < 0 {
			return nil, errors.Errorf("-class %q: the generator has %d classes: %s", s.class, n, strings.Join(names, ", "))
		}
	}
	var classes []int
	for i := range s.count * repeat {
		c := chosen
		if c < 0 {
			c = i / repeat % n
		}
		classes = append(classes, c)
	}
	return classes, nil
}

func (s *settings) write(made *tensor.Dense, out io.Writer) error {
	pictures, err := gan.Images(made)
	if err != nil {
		return err
	}
	if err := gan.SavePNG(s.out, gan.Grid(pictures, s.columns)); err != nil {
		return err
	}
	fmt.Fprintf(out, "%d pictures are in %s\n", len(pictures), s.out)
	if s.each == "" {
		return nil
	}
	return writeEach(s.each, pictures)
}

func writeEach(dir string, pictures []image.Image) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return errors.WithStack(err)
	}
	for i, p := range pictures {
		if err := gan.SavePNG(filepath.Join(dir, fmt.Sprintf("%05d.png", i)), p); err != nil {
			return err
		}
	}
	return nil
}
