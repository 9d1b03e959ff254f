package optim

import (
	"github.com/pkg/errors"
	"github.com/stheno-ml/stheno/internal/kernel/vec"
)

// Adagrad divides the gradient by the root of the sum of its squares (Duchi, Hazan and Singer 2011).
//
//	d  = g + WeightDecay·w
//	s += d²                                    (s = Initial before the first step)
//	w −= rate/(1 + (step − 1)·RateDecay) · d/(√s + Eps)
type Adagrad struct {
	RateDecay   float64
	Initial     float64 // start of the sum of squares
	Eps         float64 // 0 means 1e-10
	WeightDecay float64 // an L2 penalty
}

// Slots is sum.
func (o Adagrad) Slots() []Slot { return []Slot{{Name: "sum", Init: o.Initial}} }

// adagradSlots is Slots for check, which does not ask where a sum starts.
var adagradSlots = []Slot{{Name: "sum"}}

// Check complains of settings that make no sense.
func (o Adagrad) Check() error {
	return errors.WithMessage(first(nonNegative("rate decay", o.RateDecay), nonNegative("initial sum", o.Initial),
		nonNegative("ε", o.Eps), nonNegative("weight decay", o.WeightDecay)), "Adagrad")
}

// Update makes one step.
func (o Adagrad) Update(p *Param, rate float64, step int) error {
	if err := first(o.Check(), p.check(adagradSlots, step)); err != nil {
		return err
	}
	s := vec.AdaGradStep{
		Rate: p.rate(rate) / (1 + float64(step-1)*o.RateDecay), Eps: def(o.Eps, 1e-10),
		WeightDecay: p.decay(o.WeightDecay), GradScale: p.GradScale,
	}
	if p.single() {
		vec.AdaGrad(p.Value.Float32s(), p.Grad.Float32s(), p.slot32(0), s)
	} else {
		vec.AdaGrad(p.Value.Float64s(), p.Grad.Float64s(), p.slot64(0), s)
	}
	return nil
}
