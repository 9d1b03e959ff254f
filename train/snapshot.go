package train

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strconv"
	"time"

	"github.com/pkg/errors"

	"github.com/stheno-ml/stheno/train/checkpoint"
	"github.com/stheno-ml/stheno/train/schedule"
)

// state is all of a run that is not arrays, as a checkpoint has it.
type state struct {
	Seed      uint64 // the next six must be the resumed run's too
	Batch     int
	Batches   int
	Examples  int
	Optimizer string // its type and settings
	Extras    string // accumulation, averaging and mixing

	Epoch, Done   int // epochs, and batches of the next, that are over
	Step, Updates int
	RNGStep       uint64
	Waiting       bool // the optimiser has gradients that wait for more batches
	Seen, Correct int  // of the epoch so far
	Loss, LossSum checkpoint.Number
	Mean          checkpoint.Number
	Accuracy      checkpoint.Number
	Rate          checkpoint.Number
	Spent         time.Duration
	Waited        time.Duration
	Stepped       time.Duration

	Frozen    []string // variables
	Still     []string // parameters that the optimiser leaves alone
	History   []epochState
	Best      *bestValue             `json:",omitempty"`
	Plateau   *schedule.PlateauState `json:",omitempty"`
	Callbacks map[string]json.RawMessage
}

// epochState is an Epoch.
type epochState struct {
	Epoch                int
	Loss, Accuracy       checkpoint.Number
	Validated            bool
	ValLoss, ValAccuracy checkpoint.Number
	Metrics              map[string]checkpoint.Number `json:",omitempty"`
	Rate, Speed          checkpoint.Number
	Wait, Took           time.Duration
	Stepping, Validating time.Duration
}

// Parts of a checkpoint.
const (
	modelPart   = "model"
	optimPart   = "optim"
	averagePart = "average"
)

// identity is what a resumed run must have in common with the one before.
func (f *fit) identity() state {
	c := f.Config
	o := fmt.Sprintf("%T%+v", c.Optimizer, c.Optimizer)
	e := fmt.Sprintf("accumulate %d, EMA %+v, mix %T", max(c.Updates.Accumulate, 1), c.EMA, c.Mix)
	return state{Seed: c.Seed, Batch: f.loader.BatchSize(), Batches: f.Batches, Examples: f.loader.Examples(), Optimizer: o, Extras: e}
}

// snapshot is the state as it is. Its tensors are the run's own.
func (f *fit) snapshot() (*checkpoint.Checkpoint, error) {
	s := f.identity()
	s.Epoch, s.Done, s.Step, s.Updates, s.RNGStep, s.Waiting = f.Epoch, f.done, f.Step, f.Updates, f.rng.Step, f.waiting
	s.Seen, s.Correct, s.Loss, s.LossSum, s.Rate, s.Spent = f.Seen, f.correct, checkpoint.Number(f.Loss), checkpoint.Number(f.lossSum), checkpoint.Number(f.Rate), f.spent
	s.Waited, s.Stepped = f.waited, f.stepped
	s.Mean, s.Accuracy, s.Best = checkpoint.Number(f.Mean), checkpoint.Number(f.Accuracy), f.best
	if p := schedule.PlateauOf(f.Config.Schedule); p != nil {
		ps := p.State()
		s.Plateau = &ps
	}
	for _, e := range f.History {
		h := epochState{Epoch: e.Epoch, Loss: checkpoint.Number(e.Loss), Accuracy: checkpoint.Number(e.Accuracy), Validated: e.Validated,
			ValLoss: checkpoint.Number(e.ValLoss), ValAccuracy: checkpoint.Number(e.ValAccuracy), Rate: checkpoint.Number(e.Rate), Speed: checkpoint.Number(e.Speed), Wait: e.Wait, Took: e.Took, Stepping: e.Stepping, Validating: e.Validating}
		for name, v := range e.Metrics {
			if h.Metrics == nil {
				h.Metrics = make(map[string]checkpoint.Number)
			}
			h.Metrics[name] = checkpoint.Number(v)
		}
		s.History = append(s.History, h)
	}
	c := &checkpoint.Checkpoint{Step: f.Step}
	for _, v := range f.Model.Store().Variables() {
		if v.Frozen {
			s.Frozen = append(s.Frozen, v.Name)
		}
	}
	for i, p := range f.optim.Params() {
		if f.optim.Frozen(i) {
			s.Still = append(s.Still, p.Name)
		}
	}
	c.PutStore(modelPart, f.Model.Store())
	c.Put(optimPart, f.optim.Export())
	if f.average != nil {
		c.Put(averagePart, f.average.Export())
	}
	s.Callbacks = make(map[string]json.RawMessage)
	err := f.stateful(func(key string, cb Stateful) error {
		b, err := cb.State()
		s.Callbacks[key] = b
		return err
	})
	if err != nil {
		return nil, err
	}
	c.State, err = json.Marshal(s)
	return c, errors.WithStack(err)
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

// resume puts the run where the newest whole checkpoint was, if there is one, and prepares the folder for
// the next ones.
func (f *fit) resume() error {
	var c *checkpoint.Checkpoint
	if f.Config.Resume != "" {
		var err error
		if c, f.Damaged, err = checkpoint.Latest(f.Config.Resume); err != nil {
			return err
		}
	}
	if err := f.prepareFolder(f.Config.Resume != "" && filepath.Clean(f.Config.Resume) == filepath.Clean(f.Config.Checkpoint.Dir)); err != nil || c == nil {
		return err
	}
	return errors.WithMessagef(f.restore(c), "%s: checkpoint of step %d", f.Config.Resume, c.Step)
}

// restore checks all before it changes the model.
func (f *fit) restore(c *checkpoint.Checkpoint) error {
	var s state
	if err := json.Unmarshal(c.State, &s); err != nil {
		return errors.WithStack(err)
	}
	if err := f.fits(&s); err != nil {
		return err
	}
	load, err := c.MatchStore(modelPart, f.Model.Store())
	if err != nil {
		return err
	}
	if err := f.optim.Import(c.Part(optimPart)); err != nil {
		return err
	}
	if f.average != nil {
		if err := f.average.Import(c.Part(averagePart)); err != nil {
			return err
		}
	}
	if p := schedule.PlateauOf(f.Config.Schedule); p != nil {
		if s.Plateau == nil {
			return errors.New("the schedule goes by a measured value, the checkpoint's did not")
		}
		if err := p.Restore(*s.Plateau); err != nil {
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
	if err := f.restoreFrozen(&s); err != nil {
		return err
	}
	if err := load(); err != nil {
		return err
	}
	f.restoreProgress(&s)
	return nil
}

// fits compares the checkpoint's run with this one.
func (f *fit) fits(s *state) error {
	want := f.identity()
	for _, c := range []struct {
		what      string
		got, want any
	}{
		{"seed", s.Seed, want.Seed},
		{"batch size", s.Batch, want.Batch},
		{"examples in an epoch", s.Examples, want.Examples},
		{"batches in an epoch", s.Batches, want.Batches},
		{"optimiser", s.Optimizer, want.Optimizer},
		{"settings", s.Extras, want.Extras},
	} {
		if c.got != c.want {
			return errors.Errorf("another run's: its %s: %v, this run's: %v", c.what, c.got, c.want)
		}
	}
	last := len(s.History)
	if s.Epoch < 0 || s.Done < 0 || s.Done > f.Batches || s.Step < 0 || s.Updates < 0 || s.Seen < 0 || s.Correct < 0 || s.Correct > s.Seen || last != s.Epoch {
		return errors.Errorf("it says epoch %d, batch %d of %d, step %d, %d updates, %d of %d right, %d epochs in its history: no place in a run",
			s.Epoch, s.Done, f.Batches, s.Step, s.Updates, s.Correct, s.Seen, last)
	}
	return nil
}

func (f *fit) restoreFrozen(s *state) error {
	if err := f.optim.Freeze(true, s.Still...); err != nil {
		return err
	}
	still := make(map[string]bool)
	for _, name := range s.Still {
		still[name] = true
	}
	for i, p := range f.optim.Params() {
		if f.optim.Frozen(i) && !still[p.Name] {
			if err := f.optim.Freeze(false, p.Name); err != nil {
				return err
			}
		}
	}
	frozen := make(map[string]bool)
	for _, name := range s.Frozen {
		frozen[name] = true
	}
	for _, v := range f.Model.Store().Variables() {
		v.Frozen = frozen[v.Name]
	}
	return nil
}

func (f *fit) restoreProgress(s *state) {
	f.Epoch, f.done, f.Step, f.Updates, f.rng.Step, f.waiting = s.Epoch, s.Done, s.Step, s.Updates, s.RNGStep, s.Waiting
	f.Seen, f.correct, f.Loss, f.lossSum, f.Rate, f.spent = s.Seen, s.Correct, float64(s.Loss), float64(s.LossSum), float64(s.Rate), s.Spent
	f.waited, f.stepped = s.Waited, s.Stepped
	f.Mean, f.Accuracy, f.best = float64(s.Mean), float64(s.Accuracy), s.Best
	f.Batch = max(s.Done-1, 0)
	f.saved, f.Resumed = s.Step, true
	for _, h := range s.History {
		e := Epoch{Epoch: h.Epoch, Loss: float64(h.Loss), Accuracy: float64(h.Accuracy), Validated: h.Validated,
			ValLoss: float64(h.ValLoss), ValAccuracy: float64(h.ValAccuracy), Rate: float64(h.Rate), Speed: float64(h.Speed), Wait: h.Wait, Took: h.Took, Stepping: h.Stepping, Validating: h.Validating}
		for name, v := range h.Metrics {
			if e.Metrics == nil {
				e.Metrics = make(map[string]float64)
			}
			e.Metrics[name] = float64(v)
		}
		f.History = append(f.History, e)
	}
}
