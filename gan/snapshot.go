package gan

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/pkg/errors"

	"github.com/stheno-ml/stheno/train/checkpoint"
)

// state is all of a run that is not arrays, as a checkpoint has it. Random numbers are functions of seed and step.
type state struct {
	Identity identity

	Epoch, Done, Turns int // epochs, batches of the next that are over, and of these with a step of the generator
	Step, Updates      int
	StepsD, StepsG     int // of the optimisers
	Seen               int
	Last, Mean, Sums   savedFigures
	RateD, RateG       checkpoint.Number
	RealSpread         checkpoint.Number
	Spent              time.Duration
	History            []savedEpoch
	Callbacks          map[string]json.RawMessage
	FrozenD, FrozenG   []string // parameters that the optimisers leave alone
}

// identity is what a resumed run must have in common with the one before.
type identity struct {
	Seed           uint64
	Batch, Batches int
	Loss           string
	Generator      string // its optimiser
	Discriminator  string
	Extras         string
}

type savedFigures struct{ D, G, Real, Fake checkpoint.Number }

type savedEpoch struct {
	Epoch                            int
	Figures                          savedFigures
	Spread, RealSpread, RateD, RateG checkpoint.Number
	Speed                            checkpoint.Number
	Took                             time.Duration
}

func saveFigures(f Figures) savedFigures {
	return savedFigures{checkpoint.Number(f.D), checkpoint.Number(f.G), checkpoint.Number(f.Real), checkpoint.Number(f.Fake)}
}

func (f savedFigures) figures() Figures {
	return Figures{float64(f.D), float64(f.G), float64(f.Real), float64(f.Fake)}
}

// Parts of a checkpoint.
const (
	generatorPart      = "generator"
	discriminatorPart  = "discriminator"
	generatorOptim     = "generator_optim"
	discriminatorOptim = "discriminator_optim"
	averagePart        = "average"
)

func (f *fit) identity() identity {
	c := f.Config
	return identity{Seed: c.Seed, Batch: c.Batch, Batches: f.Batches, Loss: c.Loss.Name,
		Generator:     fmt.Sprintf("%T%+v", c.Generator.Optimizer, c.Generator.Optimizer),
		Discriminator: fmt.Sprintf("%T%+v", c.Discriminator.Optimizer, c.Discriminator.Optimizer),
		Extras: fmt.Sprintf("critics %d, smooth %v, clip %v, gradient penalty %v, R1 %v, noise %v, EMA %v",
			c.Critics, c.Smooth, c.Clip, c.GradientPenalty, c.R1, c.Noise != nil, c.EMA)}
}

// snapshot is the state as it is. Its tensors are the run's own.
func (f *fit) snapshot() (*checkpoint.Checkpoint, error) {
	d, g := f.step.discriminatorSide, f.step.generatorSide
	s := state{Identity: f.identity(), Epoch: f.Epoch, Done: f.done, Turns: f.turns, Step: f.Step, Updates: f.Updates,
		StepsD: d.steps, StepsG: g.steps, Seen: f.Seen, Last: saveFigures(f.Last), Mean: saveFigures(f.Mean), Sums: saveFigures(f.sums),
		RateD: checkpoint.Number(d.rate), RateG: checkpoint.Number(g.rate), RealSpread: checkpoint.Number(f.RealSpread), Spent: f.spent,
		FrozenD: d.frozen(), FrozenG: g.frozen(), Callbacks: make(map[string]json.RawMessage)}
	for _, e := range f.History {
		s.History = append(s.History, savedEpoch{e.Epoch, saveFigures(e.Figures), checkpoint.Number(e.Spread), checkpoint.Number(e.RealSpread), checkpoint.Number(e.RateD), checkpoint.Number(e.RateG), checkpoint.Number(e.Speed), e.Took})
	}
	err := f.stateful(func(key string, cb Stateful) error {
		b, err := cb.State()
		s.Callbacks[key] = b
		return err
	})
	if err != nil {
		return nil, err
	}
	c := &checkpoint.Checkpoint{Step: f.Step}
	c.PutStore(generatorPart, f.Generator.Store())
	c.PutStore(discriminatorPart, f.Discriminator.Store())
	c.Put(generatorOptim, g.state.Export())
	c.Put(discriminatorOptim, d.state.Export())
	if f.average != nil {
		c.Put(averagePart, f.average.Export())
	}
	c.State, err = json.Marshal(s)
	return c, errors.WithStack(err)
}

// save writes a checkpoint of the state as it is.
func (f *fit) save() error {
	c, err := f.snapshot()
	if err != nil {
		return err
	}
	keep := f.Config.Checkpoint.Keep
	setDefault(&keep, 2)
	if _, err := checkpoint.Save(f.Config.Checkpoint.Dir, c, keep); err != nil {
		return err
	}
	f.saved = f.Step
	return nil
}

// stateful calls do with each callback that has a state, and a key that no other has.
func (f *fit) stateful(do func(key string, cb Stateful) error) error {
	seen := make(map[string]int)
	for _, cb := range f.Config.Callbacks {
		s, ok := cb.(Stateful)
		if !ok {
			continue
		}
		key := s.Key()
		seen[key]++
		if n := seen[key]; n > 1 {
			key += " " + strconv.Itoa(n)
		}
		if err := do(key, s); err != nil {
			return errors.WithMessage(err, "callback "+key)
		}
	}
	return nil
}

// resume puts the run where the newest whole checkpoint was, if there is one, and prepares the folder for the next
// ones.
func (f *fit) resume() error {
	var c *checkpoint.Checkpoint
	from, to := f.Config.Resume, f.Config.Checkpoint.Dir
	if from != "" {
		var err error
		if c, f.Damaged, err = checkpoint.Latest(from); err != nil {
			return err
		}
	}
	if to != "" {
		if err := os.MkdirAll(to, 0o755); err != nil {
			return errors.Wrap(err, "Config.Checkpoint")
		}
		if there, err := checkpoint.Any(to); err != nil {
			return err
		} else if there && (from == "" || filepath.Clean(from) != filepath.Clean(to)) {
			return errors.Errorf("%s holds the checkpoints of another run; set Config.Resume to it to go on, or choose another folder", to)
		}
	}
	if c == nil {
		return nil
	}
	return errors.WithMessagef(f.restore(c), "%s: checkpoint of step %d", from, c.Step)
}

// restore checks all before it changes the networks.
func (f *fit) restore(c *checkpoint.Checkpoint) error {
	var s state
	if err := json.Unmarshal(c.State, &s); err != nil {
		return errors.WithStack(err)
	}
	if err := f.fits(&s); err != nil {
		return err
	}
	loadGenerator, err := c.MatchStore(generatorPart, f.Generator.Store())
	if err != nil {
		return err
	}
	loadDiscriminator, err := c.MatchStore(discriminatorPart, f.Discriminator.Store())
	if err != nil {
		return err
	}
	d, g := f.step.discriminatorSide, f.step.generatorSide
	if err := g.state.Import(c.Part(generatorOptim)); err != nil {
		return errors.WithMessage(err, "generator")
	}
	if err := d.state.Import(c.Part(discriminatorOptim)); err != nil {
		return errors.WithMessage(err, "discriminator")
	}
	if f.average != nil {
		if err := f.average.Import(c.Part(averagePart)); err != nil {
			return err
		}
	}
	err = f.stateful(func(key string, cb Stateful) error {
		b, ok := s.Callbacks[key]
		if !ok {
			return nil
		}
		return cb.Restore(b)
	})
	if err != nil {
		return err
	}
	if err := g.state.Freeze(true, s.FrozenG...); err != nil {
		return err
	}
	if err := d.state.Freeze(true, s.FrozenD...); err != nil {
		return err
	}
	if err := loadGenerator(); err != nil {
		return err
	}
	if err := loadDiscriminator(); err != nil {
		return err
	}
	d.steps, g.steps, d.rate, g.rate = s.StepsD, s.StepsG, float64(s.RateD), float64(s.RateG)
	f.Epoch, f.done, f.turns, f.Step, f.Updates, f.Seen = s.Epoch, s.Done, s.Turns, s.Step, s.Updates, s.Seen
	f.Last, f.Mean, f.sums, f.spent, f.RealSpread = s.Last.figures(), s.Mean.figures(), s.Sums.figures(), s.Spent, float64(s.RealSpread)
	f.Batch, f.saved, f.Resumed = max(s.Done-1, 0), s.Step, true
	for _, e := range s.History {
		f.History = append(f.History, Epoch{e.Epoch, e.Figures.figures(), float64(e.Spread), float64(e.RealSpread), float64(e.RateD), float64(e.RateG), float64(e.Speed), e.Took})
	}
	return nil
}

// fits compares the checkpoint's run with this one.
func (f *fit) fits(s *state) error {
	got, want := s.Identity, f.identity()
	for _, c := range []struct {
		what      string
		got, want any
	}{
		{"seed", got.Seed, want.Seed},
		{"batch size", got.Batch, want.Batch},
		{"batches in an epoch", got.Batches, want.Batches},
		{"loss", got.Loss, want.Loss},
		{"generator's optimiser", got.Generator, want.Generator},
		{"discriminator's optimiser", got.Discriminator, want.Discriminator},
		{"settings", got.Extras, want.Extras},
	} {
		if c.got != c.want {
			return errors.Errorf("another run's: its %s: %v, this run's: %v", c.what, c.got, c.want)
		}
	}
	if min(s.Epoch, s.Done, s.Turns, s.Step, s.Updates, s.StepsD, s.StepsG, s.Seen) < 0 || s.Done > f.Batches || s.Turns > s.Done ||
		s.Step != s.Epoch*f.Batches+s.Done || s.StepsD != s.Step || s.StepsG != s.Updates || len(s.History) != s.Epoch {
		return errors.Errorf("it says epoch %d, batch %d of %d, step %d, %d updates, %d epochs in its history: no place in a run",
			s.Epoch, s.Done, f.Batches, s.Step, s.Updates, len(s.History))
	}
	return nil
}
