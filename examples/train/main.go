// Train trains a network on small pictures, tests it after each epoch, and leaves weights,
// checkpoints, curves, a confusion matrix and a log in a folder.
//
//	go run ./examples/train -data mnist
//	go run ./examples/train -data fashion -dir /usr/share/datasets/fashion-mnist
//	go run ./examples/train -data folder -dir pets
//
// A folder holds train and test, each with a folder of pictures for every class; or the classes themselves, and
// then a fifth of the pictures is kept for the test. Stopped or killed, the same command goes on with -resume.
package main

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/pkg/errors"

	"github.com/stheno-ml/stheno/train"
	"github.com/stheno-ml/stheno/train/data"
	"github.com/stheno-ml/stheno/train/optim"
	"github.com/stheno-ml/stheno/train/schedule"
	"github.com/stheno-ml/stheno/zoo"
)

type settings struct {
	data, dir, out, model string
	side, epochs, batch   int
	rate                  float64
	seed                  uint64
	resume, findRate      bool
}

func main() {
	var s settings
	flag.StringVar(&s.data, "data", "mnist", "data set: mnist, fashion or folder")
	flag.StringVar(&s.dir, "dir", "", "where it is; empty for the copy of MNIST that comes with a Go module")
	flag.StringVar(&s.out, "out", "", "folder for what comes out; empty for runs/ and the data set's name")
	flag.StringVar(&s.model, "model", "", "small, or a network of the zoo (go run ./cmd/stheno models lists them); empty for what suits the data set")
	flag.IntVar(&s.side, "size", 0, "height and width of the network's input in pixels; 0 for 28, or 32 for a folder")
	flag.IntVar(&s.epochs, "epochs", 0, "times that the training pictures are seen; 0 for what suits the data set")
	flag.IntVar(&s.batch, "batch", 128, "pictures a step")
	flag.Float64Var(&s.rate, "rate", 0, "highest learning rate; 0 for what suits the data set")
	flag.Uint64Var(&s.seed, "seed", 1, "of weights, order and augmentation")
	flag.BoolVar(&s.resume, "resume", false, "go on from the checkpoints in the folder")
	flag.BoolVar(&s.findRate, "find-rate", false, "do not train: try learning rates and draw the loss over them")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, s, os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "train:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, s settings, out, progress io.Writer) error {
	if s.out == "" {
		s.out = filepath.Join("runs", s.data)
	}
	p, err := open(s.data, s.dir, s.side, s.seed)
	if err != nil {
		return err
	}
	s.model, s.epochs, s.rate = cmp.Or(s.model, p.model), cmp.Or(s.epochs, p.epochs), cmp.Or(s.rate, p.rate)
	model, err := network(s.model, p, s.seed)
	if err != nil {
		return err
	}
	model.Name = s.data + ": " + s.model // stands over the curves
	// The names of the classes, and what pictures must go through, belong to the weights and are saved with them.
	model.Labels = p.classes
	if model.Preprocess, err = p.prepare(); err != nil {
		return err
	}
	plain, err := data.Preprocess(model.Preprocess, p.channels)
	if err != nil {
		return err
	}

	config := train.Config{
		Epochs:     s.epochs,
		Batch:      s.batch,
		Seed:       s.seed,
		Loss:       model.Loss,
		Optimizer:  optim.SGD{Momentum: 0.9, Nesterov: true, WeightDecay: 5e-4},
		Schedule:   schedule.OneCycle{Peak: s.rate},
		Transform:  p.augmented(model.Preprocess),
		Validate:   data.With(p.test, plain),
		Checkpoint: train.Checkpoint{Dir: filepath.Join(s.out, "checkpoints")},
		Callbacks: []train.Callback{
			train.Progress(progress),
			train.CSV(filepath.Join(s.out, "log.csv")),
			train.Curves(filepath.Join(s.out, "curves.png")),
			train.ConfusionMatrix(filepath.Join(s.out, "confusion.png")),
			&train.TensorBoard{Dir: filepath.Join(s.out, "tensorboard")},
		},
	}
	if s.resume {
		config.Resume = config.Checkpoint.Dir
	}
	if s.findRate {
		return findRate(ctx, model, p.train, config, filepath.Join(s.out, "rates.png"), out)
	}
	fmt.Fprintf(out, "%s: %d pictures to train, %d to test, %d classes\n", s.data, p.train.Len(), p.test.Len(), len(p.classes))
	fit, err := train.Fit(ctx, model.Model, p.train, config)
	if errors.Is(err, context.Canceled) {
		fmt.Fprintln(out, "stopped; the same command goes on with -resume")
		return nil
	}
	if err != nil {
		return err
	}
	if err := model.Save(filepath.Join(s.out, "weights.safetensors")); err != nil {
		return err
	}
	fmt.Fprintln(out, "weights, checkpoints, curves, confusion matrix and log are in", s.out)
	fmt.Fprintf(out, "test accuracy %.2f %%\n", 100*fit.History[len(fit.History)-1].ValAccuracy)
	return nil
}

// findRate draws the loss over the learning rate.
func findRate(ctx context.Context, m *zoo.Model, ds data.Dataset, c train.Config, path string, out io.Writer) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return errors.WithStack(err)
	}
	rates, err := train.FindRate(ctx, m.Model, ds, c, train.RateRange{From: 1e-4})
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "the loss falls most steeply at a rate of %.1g and is lowest at %.1g: take one between; the curve is in %s\n", rates.Best, rates.Lowest, path)
	return rates.Plot(path)
}
