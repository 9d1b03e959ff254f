// Classify says what is on pictures.
//
//	go run ./examples/classify -model resnet50 -weights resnet50-0676ba61.pth dog.jpg cat.png
//
// Without -weights it downloads published ones into the user's cache folder. Weights are safetensors files, PyTorch
// state dicts, Keras or NumPy files.
package main

import (
	"context"
	"flag"
	"fmt"
	"image"
	"io"
	"os"
	"strings"

	"github.com/pkg/errors"

	"github.com/stheno-ml/stheno/train/data"
	"github.com/stheno-ml/stheno/zoo"
	"github.com/stheno-ml/stheno/zoo/hub"
)

func main() {
	name := flag.String("model", "resnet50", "network of the zoo, or published weights such as resnet50.v2")
	file := flag.String("weights", "", "file of weights; none means to download published ones")
	untrained := flag.Bool("untrained", false, "use no weights at all, to see that the program runs")
	top := flag.Int("top", 5, "classes to print for each picture")
	flag.Parse()
	m, err := open(*name, *file, *untrained)
	if err == nil {
		err = classify(os.Stdout, m, *top, flag.Args())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "classify:", err)
		os.Exit(1)
	}
}

func open(name, file string, untrained bool) (*zoo.Model, error) {
	if file == "" && !untrained {
		return zoo.PretrainedWith(context.Background(), name, zoo.Config{}, hub.Options{
			Notice: func(format string, a ...any) { fmt.Fprintf(os.Stderr, format+"\n", a...) },
		})
	}
	m, err := zoo.New(name, zoo.Config{})
	if err != nil || untrained {
		return m, err
	}
	return m, m.Load(file)
}

func classify(out io.Writer, m *zoo.Model, k int, paths []string) error {
	if len(paths) == 0 {
		return errors.New("name a picture")
	}
	pictures := make([]image.Image, len(paths))
	for i, path := range paths {
		b, err := os.ReadFile(path)
		if err != nil {
			return errors.WithStack(err)
		}
		if pictures[i], err = data.Decode(b, data.DecodeConfig{}); err != nil {
			return errors.WithMessage(err, path)
		}
	}
	all, err := m.PredictBatch(context.Background(), pictures, k)
	if err != nil {
		return err
	}
	for i, labels := range all {
		fmt.Fprintln(out, paths[i])
		for _, l := range labels {
			short, _, _ := strings.Cut(l.Name, ",") // the first of the synonyms
			fmt.Fprintf(out, "%7.2f%%  %s (class %d)\n", 100*l.Probability, short, l.Index)
		}
	}
	return nil
}
