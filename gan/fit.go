package gan

import (
	"context"
	"slices"
	"time"

	"github.com/pkg/errors"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/nn"
	"github.com/stheno-ml/stheno/train/data"
	"github.com/stheno-ml/stheno/train/optim"
	"github.com/stheno-ml/stheno/zoo/weights"
)

// Fit trains a generator against a discriminator. The generator makes pictures [N, C, H, W] from −1 to 1 of latent
// vectors, which are drawn from the standard normal distribution; the discriminator gives one logit a picture, as its
// result or, where it goes on to a sigmoid, marked "logits". A network with classes marks its input of them "labels"
// (see Conditional).
//
// An epoch is one pass over the pictures in batches of one size; what is left over is left out, other pictures each
// time. When ctx ends it stops after the step in hand and returns ctx's error together with what there is. When it
// returns without an error the generator has the averaged weights, if Config.EMA asks for them.
func Fit(ctx context.Context, generator, discriminator *nn.Model, ds data.Dataset, c Config) (*Run, error) {
	f, err := newFit(generator, discriminator, ds, c)
	if err != nil {
		return nil, errors.WithMessage(err, "gan")
	}
	err = f.run(ctx)
	if err == nil && f.average != nil {
		f.average.Swap()
		f.averaged = true
	}
	f.Err = err
	for _, cb := range f.Config.Callbacks {
		if e := cb.End(&f.Run); e != nil && err == nil {
			err = e
		}
	}
	return &f.Run, err
}

// fit is a run with what callbacks need not see.
type fit struct {
	Run
	loader  *data.Loader
	step    *stepper
	average *optim.EMA // of the generator; nil for none
	sampler *Sampler
	fixed   *tensor.Dense // latent vectors of Samples
	classes int           // of the networks; 0 for none

	averaged bool // the generator's weights are the average now

	done  int // batches of the epoch that are over
	turns int // of these, with a step of the generator
	sums  Figures
	spent time.Duration // on the epoch, a part before a resume included

	torn  bool // a step or a callback failed half-way: what there is now is not a state to go on from
	saved int  // step of the last checkpoint
}

func newFit(generator, discriminator *nn.Model, ds data.Dataset, c Config) (*fit, error) {
	if generator == nil || discriminator == nil || ds == nil {
		return nil, errors.New("no generator, no discriminator or no data set")
	}
	c, err := c.withDefaults()
	if err != nil {
		return nil, err
	}
	f := &fit{Run: Run{Generator: generator, Discriminator: discriminator, Config: c}}
	f.Run.fit = f
	if err := f.load(ds); err != nil {
		return nil, err
	}
	if f.step, err = newStepper(generator, discriminator, c); err != nil {
		return nil, err
	}
	if f.step.classes != nil {
		f.Classes = data.Classes(ds)
		if f.classes, err = classesOf(generator); err != nil {
			return nil, err
		}
	}
	if c.EMA != 0 {
		var live []weights.Named
		for _, v := range generator.Store().Variables() {
			live = append(live, weights.Named{Name: v.Name, Value: v.Value})
		}
		if f.average, err = optim.NewEMA(c.EMA, true, live); err != nil {
			return nil, err
		}
	}
	if f.fixed, err = Latents(generator, c.Samples, c.Seed); err != nil {
		return nil, err
	}
	if f.sampler, err = NewSampler(generator, min(c.Samples, c.Batch)); err != nil {
		return nil, err
	}
	return f, f.resume()
}

// load prepares the pictures.
func (f *fit) load(ds data.Dataset) error {
	c, want := f.Config, f.Discriminator.Input
	if len(want) != 3 {
		return errors.Errorf("the discriminator looks at %v, want pictures [C, H, W]", want)
	}
	if n := ds.Len(); n < c.Batch {
		how := "take more pictures"
		if n > 1 {
			how += ", or a smaller Config.Batch"
		}
		return errors.Errorf("pictures: the data set has %d, want at least a batch of %d: %s", n, c.Batch, how)
	}
	if c.Transform == nil {
		if t, ok := ds.(data.Transformer); ok {
			c.Transform = t.Transform()
		}
	}
	if c.Transform == nil {
		if want[0] != 1 && want[0] != 3 {
			return errors.Errorf("the discriminator looks at pictures of %d channels: without a Config.Transform they have 1 or 3", want[0])
		}
		c.Transform = Pictures(want[0], want[1], want[2])
	}
	var err error
	f.loader, err = data.NewLoader(ds, data.LoaderConfig{Batch: c.Batch, Shuffle: !data.Ordered(ds), Seed: c.Seed, Workers: c.Workers,
		DropLast: true, Transform: c.Transform, Skip: c.Skip})
	if err != nil {
		return err
	}
	f.Batches = f.loader.Batches()
	if s := f.loader.Shape(); !slices.Equal(want, s[:]) {
		return errors.Errorf("pictures have shape %v [C, H, W], the discriminator looks at %v", s, want)
	}
	return nil
}

func (f *fit) run(ctx context.Context) error {
	if err := f.sample(ctx); err != nil {
		return err
	}
	for _, cb := range f.Config.Callbacks {
		if err := cb.Begin(&f.Run); err != nil {
			return err
		}
	}
	for f.Epoch < f.Config.Epochs && !f.stopped {
		if err := f.epoch(ctx); err != nil {
			if ctx.Err() != nil && !f.torn && f.Config.Checkpoint.Dir != "" && f.Step > f.saved {
				// The state is that of the last complete step: nothing of it is to be lost.
				if e := f.save(); e != nil {
					return errors.Wrapf(err, "%v; after", e)
				}
			}
			return err
		}
	}
	return nil
}

func (f *fit) epoch(ctx context.Context) error {
	start := time.Now().Add(-f.spent)
	for batch, err := range f.loader.Epoch(ctx, f.Epoch, f.done) {
		if err != nil {
			return err
		}
		if err := f.play(batch, start); err != nil {
			f.torn = true
			return errors.WithMessagef(err, "epoch %d, batch %d", f.Epoch+1, batch.Number+1)
		}
		for _, cb := range f.Config.Callbacks {
			if err := cb.StepEnd(&f.Run); err != nil {
				f.torn = true
				return err
			}
		}
		f.spent = time.Since(start)
		if f.stopped {
			break
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if n := f.Config.Checkpoint.Steps; f.Config.Checkpoint.Dir != "" && n > 0 && f.Step%n == 0 && f.done < f.Batches {
			if err := f.save(); err != nil {
				return err
			}
		}
	}
	if f.done < f.Batches {
		// Stopped in mid-epoch: a resumed run goes on here.
		if f.Config.Checkpoint.Dir != "" {
			return f.save()
		}
		return nil
	}
	return f.close(ctx, start)
}

// play makes one step.
func (f *fit) play(batch *data.Batch, start time.Time) error {
	if err := copyPictures(f.step.pixels, batch.Images); err != nil {
		return err
	}
	if f.step.classes != nil {
		for i, label := range batch.Labels {
			if label < 0 || label >= f.classes {
				return errors.Errorf("picture %d is of class %d, want 0 to %d: the networks have %d classes", batch.Index[i], label, f.classes-1, f.classes)
			}
		}
		copy(f.step.labels.Ints(), batch.Labels)
	}
	last, turn, err := f.step.run(place{f.Step, f.Epoch, f.Config.Epochs, f.Batches})
	if err != nil {
		return err
	}
	if turn {
		f.turns++
		f.Updates++
		f.sums.G += last.G
		if f.average != nil {
			f.average.Update()
		}
	} else {
		last.G = f.Last.G
	}
	f.Last = last
	f.Step++
	f.Batch, f.done = batch.Number, batch.Number+1
	f.Seen += len(batch.Labels)
	f.sums.D += last.D
	f.sums.Real += last.Real
	f.sums.Fake += last.Fake
	f.Mean = f.mean()
	f.Speed = float64(f.Seen) / time.Since(start).Seconds()
	if f.done == f.Batches {
		f.RealSpread = spread(f.step.pixels)
	}
	return nil
}

// mean is the means of the epoch so far.
func (f *fit) mean() Figures {
	n := float64(max(f.done, 1))
	return Figures{D: f.sums.D / n, G: f.sums.G / float64(max(f.turns, 1)), Real: f.sums.Real / n, Fake: f.sums.Fake / n}
}

// close ends a complete epoch.
func (f *fit) close(ctx context.Context, start time.Time) error {
	if err := f.sample(ctx); err != nil {
		return err
	}
	f.torn = true // until all have seen the epoch
	f.History = append(f.History, Epoch{Epoch: f.Epoch + 1, Figures: f.Mean, Spread: f.Spread, RealSpread: f.RealSpread,
		RateD: f.step.discriminatorSide.rate, RateG: f.step.generatorSide.rate, Speed: f.Speed, Took: time.Since(start)})
	for _, cb := range f.Config.Callbacks {
		if err := cb.EpochEnd(&f.Run); err != nil {
			return err
		}
	}
	f.torn = false
	f.Epoch++
	f.done, f.turns, f.spent, f.Seen, f.sums = 0, 0, 0, 0, Figures{}
	if f.Config.Checkpoint.Dir != "" {
		return f.save()
	}
	return nil
}

// sample draws the pictures that callbacks show.
func (f *fit) sample(ctx context.Context) error {
	var classes []int
	if f.step.classes != nil {
		for i := range f.Config.Samples {
			classes = append(classes, i%f.classes)
		}
	}
	var err error
	if f.Samples, err = f.draw(ctx, f.fixed, classes); err != nil {
		return err
	}
	f.Spread = spread(f.Samples)
	return nil
}

func (f *fit) draw(ctx context.Context, latent *tensor.Dense, classes []int) (*tensor.Dense, error) {
	if f.average != nil && !f.averaged {
		f.average.Swap()
		defer f.average.Swap()
	}
	return f.sampler.Draw(ctx, latent, classes)
}
