package optim

import (
	"math"
	"strings"

	"github.com/pkg/errors"
	"github.com/stheno-ml/stheno/internal/kernel/vec"
	"gorgonia.org/tensor"
)

// Config says how a State updates the parameters of a network.
type Config struct {
	Optimizer Optimizer
	Groups    []Group // the first that matches a parameter's name counts
	DecayAll  bool    // decay biases and the scales and shifts of norms too; else only parameters of rank 2 and up

	// At most one of these; 0 means none.
	ClipValue      float64 // each number of a gradient is kept within ± this, in place
	ClipNorm       float64 // the gradient of each parameter is shortened to this norm
	ClipGlobalNorm float64 // all gradients, taken as one vector, are shortened to this norm

	// Accumulate averages the gradients of so many batches for one step; 0 means 1. With batches of one
	// size that is the step of one batch as large as all of them.
	Accumulate int
}

// Group is a set of parameters with settings of their own.
type Group struct {
	// Names lists parameters and scopes: layer1 is layer1 itself and all that starts with "layer1.".
	Names     []string
	RateScale float64 // factor on the learning rate; 0 means 1
	NoDecay   bool
	Frozen    bool // not updated (see State.Freeze)
}

// State updates parameters and keeps what that takes from step to step. A gradient may be replaced between
// steps: State.Params()[i].Grad is the one that counts.
type State struct {
	cfg    Config
	slots  []Slot
	params []*entry
	byName map[string]*entry
	norm   float64
}

// entry is a parameter with its history.
type entry struct {
	Param
	frozen  bool
	steps   int           // updates so far
	sum     *tensor.Dense // accumulated gradients
	pending int           // how many are in sum
}

// New checks the configuration and makes a state without history. Only Name and Value of the parameters are
// read, and Grad where it is set; the rest comes from the configuration.
func New(cfg Config, params []Param) (*State, error) {
	if cfg.Optimizer == nil {
		return nil, errors.New("optim: no optimiser")
	}
	if c, ok := cfg.Optimizer.(interface{ Check() error }); ok {
		if err := c.Check(); err != nil {
			return nil, err
		}
	}
	clips := 0
	for _, c := range []float64{cfg.ClipValue, cfg.ClipNorm, cfg.ClipGlobalNorm} {
		if err := nonNegative("optim: clipping at", c); err != nil {
			return nil, err
		}
		if c > 0 {
			clips++
		}
	}
	if clips > 1 {
		return nil, errors.New("optim: more than one kind of clipping")
	}
	if cfg.Accumulate < 0 {
		return nil, errors.Errorf("optim: accumulation over %d batches, want 0 or more", cfg.Accumulate)
	}
	cfg.Accumulate = max(cfg.Accumulate, 1)
	s := &State{cfg: cfg, slots: cfg.Optimizer.Slots(), byName: make(map[string]*entry, len(params))}
	for _, p := range params {
		if err := s.add(p); err != nil {
			return nil, err
		}
	}
	return s, s.checkGroups()
}

func (s *State) add(p Param) error {
	if s.byName[p.Name] != nil {
		return errors.Errorf("optim: two parameters have the name %q", p.Name)
	}
	if p.Value == nil || p.Value.Dtype() != tensor.Float32 && p.Value.Dtype() != tensor.Float64 {
		return errors.Errorf("optim: parameter %q is not of float32 or float64", p.Name)
	}
	g := s.group(p.Name)
	e := &entry{Param: Param{Name: p.Name, Value: p.Value, Grad: p.Grad, RateScale: g.RateScale}, frozen: g.Frozen}
	e.NoDecay = g.NoDecay || len(p.Value.Shape()) < 2 && !s.cfg.DecayAll
	s.params = append(s.params, e)
	s.byName[p.Name] = e
	return nil
}

func (s *State) group(name string) Group {
	for _, g := range s.cfg.Groups {
		for _, scope := range g.Names {
			if inScope(name, scope) {
				return g
			}
		}
	}
	return Group{}
}

// inScope tells whether a parameter is, or lies within, a scope.
func inScope(name, scope string) bool {
	return strings.HasPrefix(name, scope) && (len(name) == len(scope) || name[len(scope)] == '.')
}

// checkGroups finds names that mean nothing: a slip of the pen would leave a layer at the full rate.
func (s *State) checkGroups() error {
	for _, g := range s.cfg.Groups {
		if err := nonNegative("optim: rate scale of a group", g.RateScale); err != nil {
			return err
		}
		for _, scope := range g.Names {
			if err := s.inSome(scope); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *State) inSome(scope string) error {
	for _, e := range s.params {
		if inScope(e.Name, scope) {
			return nil
		}
	}
	return errors.Errorf("optim: no parameter is named, or lies within, %q", scope)
}

// Params lists the parameters in the order that New got them.
func (s *State) Params() []*Param {
	out := make([]*Param, len(s.params))
	for i, e := range s.params {
		out[i] = &e.Param
	}
	return out
}

// Freeze stops the updates of parameters by name or scope, or lets them go on. What their slots hold stays.
func (s *State) Freeze(frozen bool, names ...string) error {
	for _, scope := range names {
		if err := s.inSome(scope); err != nil {
			return err
		}
	}
	for _, e := range s.params {
		for _, scope := range names {
			if inScope(e.Name, scope) {
				e.frozen = frozen
			}
		}
	}
	return nil
}

// Frozen tells whether parameter i is left alone, so that its gradient need not be computed.
func (s *State) Frozen(i int) bool { return s.params[i].frozen }

// Immediate tells whether parameters can be updated one by one with Update. Clipping by global norm has to
// see all gradients first; then Step is the only way.
func (s *State) Immediate() bool { return s.cfg.ClipGlobalNorm == 0 }

// Update takes in the gradient of parameter i, which is complete, and updates the parameter if that was the
// last of the batches to accumulate. Each parameter must be given once a batch.
func (s *State) Update(i int, rate float64) error {
	if !s.Immediate() {
		return errors.New("optim: clipping by global norm needs all gradients; use Step")
	}
	e := s.params[i]
	if e.frozen {
		return nil
	}
	ready, err := s.gather(e)
	if err != nil || !ready {
		return err
	}
	return s.apply(e, rate, 1)
}

// Step does what Update does for every parameter that is not frozen. It tells whether they were updated, or
// their gradients only gathered.
func (s *State) Step(rate float64) (updated bool, err error) {
	for _, e := range s.params {
		if e.frozen {
			continue
		}
		ready, err := s.gather(e)
		if err != nil {
			return false, err
		}
		updated = updated || ready
	}
	if !updated {
		return false, nil
	}
	return true, s.applyAll(rate)
}

// Flush makes the step that Accumulate still waits for with the batches that there are, such as at the end
// of an epoch. Without any it does nothing.
func (s *State) Flush(rate float64) error {
	for _, e := range s.params {
		if e.pending > 0 {
			return s.applyAll(rate)
		}
	}
	return nil
}

// GlobalNorm is the norm of all gradients together before the last step clipped it; 0 without ClipGlobalNorm.
func (s *State) GlobalNorm() float64 { return s.norm }

// gather adds a gradient to those of the batches before, and tells whether there are enough.
func (s *State) gather(e *entry) (ready bool, err error) {
	if e.Grad == nil || e.Grad.Dtype() != e.Value.Dtype() || elements(e.Grad) != elements(e.Value) {
		return false, errors.Errorf("optim: parameter %q of shape %v has no gradient of its type and size", e.Name, e.Value.Shape())
	}
	if s.cfg.Accumulate == 1 {
		return true, nil
	}
	if e.sum == nil {
		e.sum = tensor.New(tensor.Of(e.Value.Dtype()), tensor.WithShape(elements(e.Value)))
	}
	switch {
	case e.single() && e.pending == 0:
		vec.Copy(e.sum.Float32s(), e.Grad.Float32s())
	case e.single():
		vec.Axpy(e.sum.Float32s(), 1, e.Grad.Float32s())
	case e.pending == 0:
		vec.Copy(e.sum.Float64s(), e.Grad.Float64s())
	default:
		vec.Axpy(e.sum.Float64s(), 1, e.Grad.Float64s())
	}
	e.pending++
	return e.pending == s.cfg.Accumulate, nil
}

// gradient is the average that the step goes by, as a tensor and a factor.
func (e *entry) gradient() (*tensor.Dense, float64) {
	if e.pending == 0 {
		return e.Grad, 1
	}
	return e.sum, 1 / float64(e.pending)
}

// applyAll steps every parameter, first shortening all gradients together if asked.
func (s *State) applyAll(rate float64) error {
	scale := 1.0
	if s.cfg.ClipGlobalNorm > 0 {
		var squares float64
		for _, e := range s.params {
			if e.frozen {
				continue
			}
			n, err := e.norm()
			if err != nil {
				return err
			}
			squares += n * n
		}
		s.norm = math.Sqrt(squares)
		scale = shorten(s.norm, s.cfg.ClipGlobalNorm)
	}
	for _, e := range s.params {
		if e.frozen {
			continue
		}
		if err := s.apply(e, rate, scale); err != nil {
			return err
		}
	}
	return nil
}

// apply steps one parameter by its gradient times scale, clipped as asked.
func (s *State) apply(e *entry, rate, scale float64) error {
	if e.Slots == nil {
		e.Slots = s.newSlots(e.Value)
	}
	grad, mean := e.gradient()
	scale *= mean
	if s.cfg.ClipNorm > 0 {
		n, err := e.norm()
		if err != nil {
			return err
		}
		scale *= shorten(n, s.cfg.ClipNorm)
	}
	if s.cfg.ClipValue > 0 {
		clamp(grad, s.cfg.ClipValue/scale) // the bound is on the average
	}
	batch := e.Grad
	e.Grad, e.GradScale = grad, scale
	err := s.cfg.Optimizer.Update(&e.Param, rate, e.steps+1)
	e.Grad, e.GradScale = batch, 0
	if err != nil {
		return err
	}
	e.steps++
	e.pending = 0
	return nil
}

// norm is the Euclidean norm of the average gradient. Clipping by a norm that is not finite would make NaN
// of every weight, so that is an error.
func (e *entry) norm() (float64, error) {
	grad, mean := e.gradient()
	var squares float64
	if e.single() {
		squares = vec.SumSquares(grad.Float32s())
	} else {
		squares = vec.SumSquares(grad.Float64s())
	}
	n := math.Sqrt(squares) * mean
	if math.IsNaN(n) || math.IsInf(n, 0) {
		return 0, errors.Errorf("optim: the gradient of parameter %q has norm %v: nothing was updated by it", e.Name, n)
	}
	return n, nil
}

// shorten is PyTorch's factor for clipping a norm, with its guard against division by 0.
func shorten(norm, limit float64) float64 { return min(limit/(norm+1e-6), 1) }

func clamp(t *tensor.Dense, limit float64) {
	if t.Dtype() == tensor.Float32 {
		x := t.Float32s()
		vec.Clamp(x, x, float32(-limit), float32(limit))
	} else {
		x := t.Float64s()
		vec.Clamp(x, x, -limit, limit)
	}
}

// newSlots makes the slots of a parameter; parameters that are never updated have none.
func (s *State) newSlots(value *tensor.Dense) []*tensor.Dense {
	slots := make([]*tensor.Dense, len(s.slots))
	for i, slot := range s.slots {
		if slot.Scalar {
			slots[i] = tensor.New(tensor.FromScalar(slot.Init))
			continue
		}
		slots[i] = tensor.New(tensor.Of(value.Dtype()), tensor.WithShape(value.Shape()...))
		if value.Dtype() == tensor.Float32 {
			vec.Fill(slots[i].Float32s(), float32(slot.Init))
		} else {
			vec.Fill(slots[i].Float64s(), slot.Init)
		}
	}
	return slots
}
