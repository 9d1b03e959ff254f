// Features prints how alike pictures are to a network: the cosine of the angle between their pooled features.
//
//	go run ./examples/features -model resnet50 -weights resnet50-0676ba61.pth a.jpg b.jpg c.jpg
//
// With -stage it takes another stage's features, averaged over the picture; -list prints the stages.
package main

import (
	"flag"
	"fmt"
	"io"
	"math"
	"os"
	"strings"

	"github.com/pkg/errors"

	"github.com/stheno-ml/stheno/train/data"
	"github.com/stheno-ml/stheno/zoo"
	"github.com/stheno-ml/stheno/zoo/weights"
)

func main() {
	name := flag.String("model", "resnet50", "network of the zoo")
	file := flag.String("weights", "", "file of weights; none means an untrained network")
	stage := flag.String("stage", "pooled", "whose features to compare")
	list := flag.Bool("list", false, "print the names of the stages")
	flag.Parse()
	if err := run(os.Stdout, *name, *file, *stage, *list, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "features:", err)
		os.Exit(1)
	}
}

func run(out io.Writer, name, file, stage string, list bool, paths []string) error {
	m, err := zoo.New(name, zoo.Config{Headless: true})
	if err != nil {
		return err
	}
	if list {
		stages, err := m.Stages()
		if err != nil {
			return err
		}
		_, err = fmt.Fprintln(out, strings.Join(stages, "\n"))
		return err
	}
	if len(paths) == 0 {
		return errors.New("name some pictures")
	}
	if file != "" {
		if err := m.Load(file, weights.SkipHead()); err != nil {
			return err
		}
	}
	var all [][]float64
	for _, path := range paths {
		f, err := features(m, stage, path)
		if err != nil {
			return errors.WithMessage(err, path)
		}
		all = append(all, f)
	}
	for i, a := range all {
		fmt.Fprint(out, paths[i])
		for _, b := range all {
			fmt.Fprintf(out, "\t%.4f", cosine(a, b))
		}
		fmt.Fprintln(out)
	}
	return nil
}

// features is the mean over the picture of each channel of a stage.
func features(m *zoo.Model, stage, path string) ([]float64, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, errors.WithStack(err)
	}
	img, err := data.Decode(b, data.DecodeConfig{})
	if err != nil {
		return nil, err
	}
	t, err := m.Features(img, stage) // [1, C, H, W] or [1, D]
	if err != nil {
		return nil, err
	}
	channels := make([]float64, t.Shape()[1])
	values := t.Float32s()
	each := len(values) / len(channels)
	for i, v := range values {
		channels[i/each] += float64(v) / float64(each)
	}
	return channels, nil
}

func cosine(a, b []float64) float64 {
	var ab, aa, bb float64
	for i := range a {
		ab += a[i] * b[i]
		aa += a[i] * a[i]
		bb += b[i] * b[i]
	}
	if aa == 0 || bb == 0 {
		return 0
	}
	return ab / math.Sqrt(aa*bb)
}
