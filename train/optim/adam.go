package optim

import (
	"github.com/pkg/errors"
	"github.com/stheno-ml/stheno/internal/kernel/vec"
)

// Adam is adaptive moment estimation (Kingma and Ba 2015, algorithm 1). WeightDecay is an L2 penalty, added
// to the gradient; AdamW is mostly the better choice.
//
//	d  = g + WeightDecay·w
//	m  = Beta1·m + (1 − Beta1)·d
//	v  = Beta2·v + (1 − Beta2)·d²
//	w −= rate · m/(1 − Beta1^step) / (√(v/(1 − Beta2^step)) + Eps)
type Adam struct {
	Beta1       float64 // 0 means 0.9
	Beta2       float64 // 0 means 0.999
	Eps         float64 // 0 means 1e-8
	WeightDecay float64
}

// AdamW is Adam with decoupled weight decay (Loshchilov and Hutter 2019): before Adam's step without a
// penalty, w −= rate·WeightDecay·w.
type AdamW struct {
	Beta1       float64 // 0 means 0.9
	Beta2       float64 // 0 means 0.999
	Eps         float64 // 0 means 1e-8
	WeightDecay float64 // 0 means 0.01
}

var adamSlots = []Slot{{Name: "exp_avg"}, {Name: "exp_avg_sq"}}

// Slots is exp_avg and exp_avg_sq.
func (o Adam) Slots() []Slot { return adamSlots }

// Slots is exp_avg and exp_avg_sq.
func (o AdamW) Slots() []Slot { return adamSlots }

// Check complains of settings that make no sense.
func (o Adam) Check() error {
	return errors.WithMessage(checkAdam(o.Beta1, o.Beta2, o.Eps, o.WeightDecay), "Adam")
}

// Check complains of settings that make no sense.
func (o AdamW) Check() error {
	return errors.WithMessage(checkAdam(o.Beta1, o.Beta2, o.Eps, o.WeightDecay), "AdamW")
}

func checkAdam(beta1, beta2, eps, decay float64) error {
	return first(fraction("β₁", beta1), fraction("β₂", beta2), nonNegative("ε", eps), nonNegative("weight decay", decay))
}

// Update makes one step.
func (o Adam) Update(p *Param, rate float64, step int) error {
	if err := o.Check(); err != nil {
		return err
	}
	return adam(p, vec.AdamStep{
		Rate: p.rate(rate), Beta1: def(o.Beta1, 0.9), Beta2: def(o.Beta2, 0.999), Eps: def(o.Eps, 1e-8),
		WeightDecay: p.decay(o.WeightDecay), Step: step, GradScale: p.GradScale,
	})
}

// Update makes one step.
func (o AdamW) Update(p *Param, rate float64, step int) error {
	if err := o.Check(); err != nil {
		return err
	}
	return adam(p, vec.AdamStep{
		Rate: p.rate(rate), Beta1: def(o.Beta1, 0.9), Beta2: def(o.Beta2, 0.999), Eps: def(o.Eps, 1e-8),
		WeightDecay: p.decay(def(o.WeightDecay, 0.01)), Decoupled: true, Step: step, GradScale: p.GradScale,
	})
}

func adam(p *Param, s vec.AdamStep) error {
	if err := p.check(adamSlots, s.Step); err != nil {
		return err
	}
	if p.single() {
		vec.Adam(p.Value.Float32s(), p.Grad.Float32s(), p.slot32(0), p.slot32(1), s)
	} else {
		vec.Adam(p.Value.Float64s(), p.Grad.Float64s(), p.slot64(0), p.slot64(1), s)
	}
	return nil
}
