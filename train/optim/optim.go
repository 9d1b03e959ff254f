package optim

import (
	"github.com/pkg/errors"
	"gorgonia.org/tensor"
)

// Optimizer is a rule that updates a parameter by its gradient.
type Optimizer interface {
	// Slots lists the arrays that the rule keeps for each parameter.
	Slots() []Slot
	// Update changes one parameter and its slots. rate is the learning rate, step the number of this
	// update of this parameter, from 1. Parameters are independent: each can be updated as soon as its
	// gradient is complete. The gradient is left as it is.
	Update(p *Param, rate float64, step int) error
}

// Slot is an array that an Optimizer keeps for each parameter.
type Slot struct {
	Name   string
	Scalar bool    // one float64 a parameter; else shape and type of the parameter
	Init   float64 // value before the first update
}

// Param is a parameter as an Optimizer sees it. Value, Grad and the slots are row-major and of one shape and
// type, float32 or float64.
type Param struct {
	Name      string
	Value     *tensor.Dense
	Grad      *tensor.Dense
	Slots     []*tensor.Dense // in the order of Optimizer.Slots
	NoDecay   bool            // weight decay leaves it alone
	RateScale float64         // factor on the learning rate; 0 means 1
	GradScale float64         // factor on the gradient; 0 means 1
}

// Zero is for a setting that shall be 0 where the field's 0 means a default: Adam{Beta1: optim.Zero} keeps
// no momentum. It is so small that it acts as 0 in every formula here.
const Zero = 0x1p-1070

// def is the setting, or its default when it was left at 0.
func def(v, otherwise float64) float64 {
	if v == 0 {
		return otherwise
	}
	return v
}

// check compares what a Param holds with what the optimiser needs.
func (p *Param) check(slots []Slot, step int) error {
	if p.Value == nil || p.Grad == nil {
		return errors.Errorf("parameter %q has no value or no gradient", p.Name)
	}
	dt, n := p.Value.Dtype(), elements(p.Value)
	if dt != tensor.Float32 && dt != tensor.Float64 {
		return errors.Errorf("parameter %q holds %v, want float32 or float64", p.Name, dt)
	}
	if p.Grad.Dtype() != dt || elements(p.Grad) != n {
		return errors.Errorf("parameter %q is %v of shape %v, its gradient %v of shape %v", p.Name, dt, p.Value.Shape(), p.Grad.Dtype(), p.Grad.Shape())
	}
	if step < 1 {
		return errors.Errorf("parameter %q: step %d, want 1 or later", p.Name, step)
	}
	if len(p.Slots) != len(slots) {
		return errors.Errorf("parameter %q has %d slots, the optimiser keeps %d", p.Name, len(p.Slots), len(slots))
	}
	for i, s := range slots {
		want, size := dt, n
		if s.Scalar {
			want, size = tensor.Float64, 1
		}
		if got := p.Slots[i]; got == nil || got.Dtype() != want || elements(got) != size {
			return errors.Errorf("parameter %q: slot %s is missing, or not of %d %v", p.Name, s.Name, size, want)
		}
	}
	return nil
}

// elements counts without tensor.Dense.Data, which allocates.
func elements(t *tensor.Dense) int {
	n := 1
	for _, d := range t.Shape() {
		n *= d
	}
	return n
}

func (p *Param) single() bool { return p.Value.Dtype() == tensor.Float32 }

func (p *Param) rate(rate float64) float64 { return rate * def(p.RateScale, 1) }

func (p *Param) decay(weightDecay float64) float64 {
	if p.NoDecay {
		return 0
	}
	return weightDecay
}

// slot32 and slot64 are the numbers of slot i, nil when there is none.
func (p *Param) slot32(i int) []float32 {
	if i >= len(p.Slots) {
		return nil
	}
	return p.Slots[i].Float32s()
}

func (p *Param) slot64(i int) []float64 {
	if i >= len(p.Slots) {
		return nil
	}
	return p.Slots[i].Float64s()
}

func nonNegative(name string, v float64) error {
	if !(v >= 0) {
		return errors.Errorf("%s %v, want 0 or more", name, v)
	}
	return nil
}

func fraction(name string, v float64) error {
	if !(v >= 0 && v < 1) {
		return errors.Errorf("%s %v, want 0 ≤ %s < 1", name, v, name)
	}
	return nil
}

func first(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
