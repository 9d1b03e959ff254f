package optim

import (
	"github.com/pkg/errors"
	"github.com/stheno-ml/stheno/internal/kernel/vec"
)

// SGD is stochastic gradient descent, with momentum (Polyak 1964; Sutskever et al. 2013) if asked. The zero
// value is w −= rate·g.
//
//	d   = g + WeightDecay·w
//	buf = Momentum·buf + (1 − Dampening)·d     (buf = d at the first step)
//	w  −= rate·buf, or with Nesterov rate·(d + Momentum·buf)
type SGD struct {
	Momentum    float64
	Dampening   float64
	Nesterov    bool // look ahead; needs Momentum and no Dampening
	WeightDecay float64
}

// Slots is momentum_buffer, or nothing without momentum.
func (o SGD) Slots() []Slot {
	if o.Momentum == 0 {
		return nil
	}
	return sgdSlots
}

var sgdSlots = []Slot{{Name: "momentum_buffer"}}

// Check complains of settings that make no sense.
func (o SGD) Check() error {
	if o.Nesterov && (o.Momentum == 0 || o.Dampening != 0) {
		return errors.Errorf("SGD: Nesterov needs momentum and no dampening, not %v and %v", o.Momentum, o.Dampening)
	}
	return errors.WithMessage(first(fraction("momentum", o.Momentum), nonNegative("weight decay", o.WeightDecay)), "SGD")
}

// Update makes one step.
func (o SGD) Update(p *Param, rate float64, step int) error {
	if err := first(o.Check(), p.check(o.Slots(), step)); err != nil {
		return err
	}
	s := vec.SGDStep{
		Rate: p.rate(rate), Momentum: o.Momentum, Dampening: o.Dampening, WeightDecay: p.decay(o.WeightDecay),
		Nesterov: o.Nesterov, First: step == 1, GradScale: p.GradScale,
	}
	if p.single() {
		vec.SGD(p.Value.Float32s(), p.Grad.Float32s(), p.slot32(0), s)
	} else {
		vec.SGD(p.Value.Float64s(), p.Grad.Float64s(), p.slot64(0), s)
	}
	return nil
}
