// Finetune teaches a network that knows other pictures a few classes of yours, from a handful of pictures of
// each, and tests it on the rest.
//
//	go run ./examples/train -data folder -dir cifar10 -out runs/cifar10
//	go run ./examples/finetune -weights runs/cifar10/weights.safetensors -dir pets
//
// The folder has a folder of pictures for every class. Without -weights the network starts from nothing: so much
// is what it knew worth. Stopped or killed, the same command goes on with -resume.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/pkg/errors"

	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/train"
	"github.com/stheno-ml/stheno/train/augment"
	"github.com/stheno-ml/stheno/train/data"
	"github.com/stheno-ml/stheno/train/metric"
	"github.com/stheno-ml/stheno/train/optim"
	"github.com/stheno-ml/stheno/train/schedule"
	"github.com/stheno-ml/stheno/zoo"
	"github.com/stheno-ml/stheno/zoo/weights"
)

type settings struct {
	dir, model, weights, out string
	side, each               int
	epochs, batch            int
	rate                     float64
	seed                     uint64
	resume                   bool
}

func main() {
	var s settings
	flag.StringVar(&s.dir, "dir", "", "folder with a folder of pictures for every class")
	flag.StringVar(&s.model, "model", "cifar_resnet20", "network of the zoo (go run ./cmd/stheno models lists them)")
	flag.StringVar(&s.weights, "weights", "", "its weights: safetensors, a PyTorch state dict or a Keras file; empty to start from nothing")
	flag.StringVar(&s.out, "out", "runs/finetune", "folder for what comes out")
	flag.IntVar(&s.side, "size", 64, "height and width of the network's input in pixels")
	flag.IntVar(&s.each, "per-class", 20, "pictures of each class to learn from; the others are for the test")
	flag.IntVar(&s.epochs, "epochs", 60, "times that they are seen")
	flag.IntVar(&s.batch, "batch", 20, "pictures a step")
	flag.Float64Var(&s.rate, "rate", 0.05, "highest learning rate")
	flag.Uint64Var(&s.seed, "seed", 1, "of the choice of pictures, weights, order and augmentation")
	flag.BoolVar(&s.resume, "resume", false, "go on from the checkpoints in the folder")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, s, os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "finetune:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, s settings, out, progress io.Writer) error {
	if s.dir == "" {
		return errors.New("name a folder of pictures with -dir")
	}
	all, err := data.Folder(s.dir)
	if err != nil {
		return err
	}
	rest, few, err := data.SplitCount(all, s.each, s.seed)
	if err != nil {
		return err
	}
	model, err := zoo.New(s.model, zoo.Config{Classes: len(all.Classes()), InputSize: [2]int{s.side, s.side}, Seed: s.seed})
	if err != nil {
		return err
	}
	config := train.Config{
		Epochs:     s.epochs,
		Batch:      s.batch,
		Seed:       s.seed,
		Loss:       train.SmoothCrossEntropy(0.1),
		Optimizer:  optim.SGD{Momentum: 0.9, Nesterov: true, WeightDecay: 5e-4},
		Schedule:   schedule.OneCycle{Peak: s.rate},
		Checkpoint: train.Checkpoint{Dir: filepath.Join(s.out, "checkpoints")},
		Callbacks: []train.Callback{
			train.Progress(progress),
			train.CSV(filepath.Join(s.out, "log.csv")),
			train.Curves(filepath.Join(s.out, "curves.png")),
			train.ConfusionMatrix(filepath.Join(s.out, "confusion.png")),
		},
	}
	if s.resume {
		config.Resume = config.Checkpoint.Dir
	}
	if s.weights != "" {
		// All but the classifier comes from the file, and so does what pictures must go through.
		if err := model.Load(s.weights, weights.SkipHead()); err != nil {
			return err
		}
		names := parts(model.Store())
		if len(names) < 4 {
			return errors.Errorf("%s has the parts %q: too few to unfreeze them one after the other", s.model, names)
		}
		known := names[:len(names)-1]
		last, before := known[len(known)-1], known[len(known)-2]
		// At first the new classifier learns alone. Then the last two stages join in, the earlier one slower.
		// The first layers see edges and colours, which are the same everywhere: they stay as they are, and
		// their batch norms stay still.
		if err := model.Freeze(known...); err != nil {
			return err
		}
		config.Callbacks = append(config.Callbacks, train.UnfreezeAt(s.epochs/6, last), train.UnfreezeAt(s.epochs/3, before))
		config.Updates.Groups = []optim.Group{{Names: []string{last}, RateScale: 0.3}, {Names: []string{before}, RateScale: 0.1}}
	}
	model.Labels = all.Classes()
	plain, err := data.Preprocess(model.Preprocess, 3)
	if err != nil {
		return err
	}
	config.Validate = data.With(rest, plain)
	config.Transform = augment.Pipeline{
		Channels: 3, Height: s.side, Width: s.side,
		Ops: []augment.Op{
			augment.RandomResizedCrop{Height: s.side, Width: s.side, Scale: [2]float64{0.5, 1}},
			augment.RandomHorizontalFlip{},
			augment.ColorJitter{Brightness: 0.3, Contrast: 0.3, Saturation: 0.3},
		},
		Floats: []augment.FloatOp{augment.Prepared(model.Preprocess)},
	}

	fmt.Fprintf(out, "%d classes, %d pictures to learn from, %d to test\n", len(model.Labels), few.Len(), rest.Len())
	_, err = train.Fit(ctx, model.Model, few, config)
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
	return report(ctx, model, config.Validate, out)
}

// parts lists a network's stages from the first layer to the classifier, by the first word of their variables'
// names: conv1, bn1, layer1, layer2, …, fc.
func parts(s *graph.Store) []string {
	var names []string
	for _, v := range s.Variables() {
		name, _, _ := strings.Cut(v.Name, ".")
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// report says how the network does class by class: where one class has most of the pictures, the accuracy says
// little about the others.
func report(ctx context.Context, m *zoo.Model, test data.Dataset, out io.Writer) error {
	table, err := metric.NewConfusion(len(m.Labels))
	if err != nil {
		return err
	}
	if _, err := train.Evaluate(ctx, m.Model, test, train.EvaluateConfig{Metrics: []metric.Metric{table}}); err != nil {
		return err
	}
	fmt.Fprintf(out, "%-20s %8s %9s %6s\n", "class", "pictures", "precision", "recall")
	for i, name := range m.Labels {
		c := table.Class(i)
		fmt.Fprintf(out, "%-20s %8d %9.3f %6.3f\n", name, c.Support, c.Precision, c.Recall)
	}
	fmt.Fprintf(out, "mean recall of the classes %.2f %%\n", 100*table.Macro().Recall)
	fmt.Fprintf(out, "test accuracy %.2f %%\n", 100*table.Value())
	return nil
}
