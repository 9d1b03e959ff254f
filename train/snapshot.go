package train

import (
	"encoding/json"
	"fmt"
	"math"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/pkg/errors"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/train/checkpoint"
	"github.com/stheno-ml/stheno/train/schedule"
	"github.com/stheno-ml/stheno/zoo/weights"
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
	Loss, LossSum number
	Mean          number
	Accuracy      number
	Rate          number
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
	Loss, Accuracy       number
	Validated            bool
	ValLoss, ValAccuracy number
	Metrics              map[string]number `json:",omitempty"`
	Rate, Speed          number
	Wait, Took           time.Duration
	Stepping, Validating time.Duration
}

// number is a float64 in JSON, to the bit for all that are numbers; NaN and infinities are strings.
type number float64

func (n number) MarshalJSON() ([]byte, error) {
	s := strconv.FormatFloat(float64(n), 'g', -1, 64)
	if math.IsNaN(float64(n)) || math.IsInf(float64(n), 0) {
		s = `"` + s + `"`
	}
	return []byte(s), nil
}

func (n *number) UnmarshalJSON(b []byte) error {
	v, err := strconv.ParseFloat(strings.Trim(string(b), `"`), 64)
	*n = number(v)
	return errors.Wrap(err, "number")
}

// Prefixes of the tensors in a checkpoint.
const (
	modelPrefix   = "model/"
	optimPrefix   = "optim/"
	averagePrefix = "average/"
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
	s.Seen, s.Correct, s.Loss, s.LossSum, s.Rate, s.Spent = f.Seen, f.correct, number(f.Loss), number(f.lossSum), number(f.Rate), f.spent
	s.Waited, s.Stepped = f.waited, f.stepped
	s.Mean, s.Accuracy, s.Best = number(f.Mean), number(f.Accuracy), f.best
	if p := schedule.PlateauOf(f.Config.Schedule); p != nil {
		ps := p.State()
		s.Plateau = &ps
	}
	for _, e := range f.History {
		h := epochState{Epoch: e.Epoch, Loss: number(e.Loss), Accuracy: number(e.Accuracy), Validated: e.Validated,
			ValLoss: number(e.ValLoss), ValAccuracy: number(e.ValAccuracy), Rate: number(e.Rate), Speed: number(e.Speed), Wait: e.Wait, Took: e.Took, Stepping: e.Stepping, Validating: e.Validating}
		for name, v := range e.Metrics {
			if h.Metrics == nil {
				h.Metrics = make(map[string]number)
			}
			h.Metrics[name] = number(v)
		}
		s.History = append(s.History, h)
	}
	c := &checkpoint.Checkpoint{Step: f.Step}
	for _, v := range f.Model.Store().Variables() {
		if v.Frozen {
			s.Frozen = append(s.Frozen, v.Name)
		}
		c.Tensors = append(c.Tensors, weights.Named{Name: modelPrefix + v.Name, Value: v.Value})
	}
	for i, p := range f.optim.Params() {
		if f.optim.Frozen(i) {
			s.Still = append(s.Still, p.Name)
		}
	}
	for _, t := range f.optim.Export() {
		c.Tensors = append(c.Tensors, weights.Named{Name: optimPrefix + t.Name, Value: t.Value})
	}
	if f.average != nil {
		for _, t := range f.average.Export() {
			c.Tensors = append(c.Tensors, weights.Named{Name: averagePrefix + t.Name, Value: t.Value})
		}
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
	parts := make(map[string][]weights.Named)
	for _, t := range c.Tensors {
		for _, prefix := range []string{modelPrefix, optimPrefix, averagePrefix} {
			if name, ok := strings.CutPrefix(t.Name, prefix); ok {
				parts[prefix] = append(parts[prefix], weights.Named{Name: name, Value: t.Value})
			}
		}
	}
	values, err := f.match(parts[modelPrefix])
	if err != nil {
		return err
	}
	if err := f.optim.Import(parts[optimPrefix]); err != nil {
		return err
	}
	if f.average != nil {
		if err := f.average.Import(parts[averagePrefix]); err != nil {
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
	for i, v := range f.Model.Store().Variables() {
		if err := tensor.Copy(v.Value, values[i]); err != nil {
			return errors.Wrap(err, v.Name)
		}
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

// match finds the value of each variable of the model.
func (f *fit) match(tensors []weights.Named) ([]*tensor.Dense, error) {
	byName := make(map[string]*tensor.Dense, len(tensors))
	for _, t := range tensors {
		byName[t.Name] = t.Value
	}
	var values []*tensor.Dense
	for _, v := range f.Model.Store().Variables() {
		t := byName[v.Name]
		if t == nil {
			return nil, errors.Errorf("variable %s is missing", v.Name)
		}
		if t.Dtype() != v.Value.Dtype() || !t.Shape().Eq(v.Value.Shape()) {
			return nil, errors.Errorf("variable %s is %v %v, the model's %v %v", v.Name, t.Dtype(), t.Shape(), v.Value.Dtype(), v.Value.Shape())
		}
		values = append(values, t)
	}
	if len(byName) != len(values) {
		return nil, errors.Errorf("it has %d variables, the model has %d", len(byName), len(values))
	}
	return values, nil
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
