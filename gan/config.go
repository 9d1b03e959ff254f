package gan

import (
	"math"
	"slices"

	"github.com/pkg/errors"

	"github.com/stheno-ml/stheno/train/data"
	"github.com/stheno-ml/stheno/train/optim"
	"github.com/stheno-ml/stheno/train/schedule"
)

// Config says how Fit trains. Epochs must be set; the rest has useful zero values.
type Config struct {
	Epochs int
	Batch  int // pictures a step; 0 means 64

	Loss            Loss    // zero means NonSaturating
	Critics         int     // steps of the discriminator for one of the generator; 0 means 1
	Smooth          float64 // one-sided label smoothing: the target of real pictures is 1 less this (Salimans et al. 2016, section 3.4)
	Clip            float64 // weights of the discriminator are kept within ± this; 0 means not
	GradientPenalty float64 // λ of WGAN-GP, on pictures between real and generated ones; 0 means none
	R1              float64 // γ of R1, on real pictures; 0 means none

	// Noise is the standard deviation of what is added to all that the discriminator sees, while a run goes
	// from 0 to 1 (Sønderby et al. 2017; Arjovsky and Bottou 2017); nil means none. See Fading.
	Noise func(progress float64) float64

	Generator     Side
	Discriminator Side
	EMA           float64 // share that an update keeps in the generator's averaged weights, such as 0.999; 0 means no average

	Transform data.Transform // of pictures; nil means the data set's own, or else Pictures of the discriminator's size
	Seed      uint64         // of the order of pictures, of transforms, of latent vectors and noise
	Workers   int            // goroutines that prepare pictures; 0 means GOMAXPROCS

	// Skip is told of each picture that cannot be read, for which another of its batch takes its place. When it
	// is nil such a picture ends the run with an error.
	Skip func(name string, err error)

	Samples int // drawn from fixed latent vectors after each epoch, for callbacks; 0 means 64

	Checkpoint Checkpoint // kept in its Dir; the zero value keeps none
	// Resume is the folder of an earlier run's checkpoints, to go on with the same bits; without any in it, the
	// run starts anew. The rest of Config must be the same, but for Epochs, Workers and Callbacks; Noise and
	// schedules that go by Epochs want the same Epochs too.
	Resume string

	Callbacks []Callback
}

// Side is how one of the two networks is updated.
type Side struct {
	Optimizer optim.Optimizer   // nil means Adam with β₁ = 0.5, as DCGAN has it
	Schedule  schedule.Schedule // learning rate by this network's own steps; nil means 0.0002 throughout
	Updates   optim.Config      // parameter groups and clipping; its Optimizer is the one above
}

// Checkpoint says what Fit keeps of a run in a folder. One is written after each epoch, and when the context
// ends. A folder that has checkpoints is refused, unless the run goes on from them.
type Checkpoint struct {
	Dir   string
	Keep  int // of the last; 0 means 2
	Steps int // also after every so many steps; 0 means not
}

// Fading is noise for Config.Noise that falls from start to 0 in a straight line until the given part of the run.
func Fading(start, until float64) func(float64) float64 {
	return func(progress float64) float64 { return start * max(0, 1-progress/until) }
}

func (s Side) withDefaults() Side {
	if s.Optimizer == nil {
		s.Optimizer = optim.Adam{Beta1: 0.5}
	}
	if s.Schedule == nil {
		s.Schedule = schedule.Constant(2e-4)
	}
	s.Updates.Optimizer = s.Optimizer
	return s
}

// withDefaults fills in what was left at 0, and complains of what makes no sense.
func (c Config) withDefaults() (Config, error) {
	setDefault(&c.Batch, 64)
	setDefault(&c.Critics, 1)
	setDefault(&c.Samples, 64)
	if c.Loss.Real == nil && c.Loss.Fake == nil && c.Loss.Generator == nil {
		c.Loss = NonSaturating
	}
	c.Generator, c.Discriminator = c.Generator.withDefaults(), c.Discriminator.withDefaults()
	switch {
	case c.Epochs < 1:
		return c, errors.Errorf("%d epochs, want at least 1", c.Epochs)
	case c.Batch < 2:
		return c, errors.Errorf("batch of %d, want at least 2 pictures", c.Batch)
	case c.Critics < 1:
		return c, errors.Errorf("%d steps of the discriminator for one of the generator, want at least 1", c.Critics)
	case c.Samples < 1:
		return c, errors.Errorf("%d samples, want at least 1", c.Samples)
	case c.Loss.Real == nil || c.Loss.Fake == nil || c.Loss.Generator == nil:
		return c, errors.Errorf("loss %q lacks a part", c.Loss.Name)
	case c.Smooth != 0 && !c.Loss.Smooths:
		return c, errors.Errorf("loss %q has no labels that could be smoothed", c.Loss.Name)
	case !(c.Smooth >= 0 && c.Smooth < 0.5):
		return c, errors.Errorf("label smoothing %v, want 0 to 0.5", c.Smooth)
	case !(c.EMA >= 0 && c.EMA < 1):
		return c, errors.Errorf("EMA %v, want 0 to 1", c.EMA)
	case c.Checkpoint.Dir == "" && c.Checkpoint != (Checkpoint{}):
		return c, errors.New("Config.Checkpoint: no Dir")
	case c.Checkpoint.Keep < 0 || c.Checkpoint.Steps < 0:
		return c, errors.Errorf("Config.Checkpoint: Keep %d, Steps %d, want none below 0", c.Checkpoint.Keep, c.Checkpoint.Steps)
	case c.Generator.Updates.Accumulate > 1 || c.Discriminator.Updates.Accumulate > 1:
		return c, errors.New("gradients are not accumulated over steps here: take a larger batch")
	}
	if i := slices.IndexFunc([]float64{c.Clip, c.GradientPenalty, c.R1}, func(v float64) bool { return !(v >= 0) || math.IsInf(v, 0) }); i >= 0 {
		return c, errors.Errorf("Clip %v, GradientPenalty %v, R1 %v, want finite numbers from 0", c.Clip, c.GradientPenalty, c.R1)
	}
	for _, s := range []schedule.Schedule{c.Generator.Schedule, c.Discriminator.Schedule} {
		if err := schedule.Check(s); err != nil {
			return c, err
		}
		if schedule.PlateauOf(s) != nil {
			return c, errors.New("a schedule that goes by a measured value: no figure of adversarial training tells when it stands still")
		}
	}
	return c, nil
}
