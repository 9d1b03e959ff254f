package optim

import (
	"math"

	"github.com/pkg/errors"
	"github.com/stheno-ml/stheno/internal/kernel/vec"
)

// NAdam is Adam with Nesterov's momentum (Dozat 2016, algorithm 2, with the momentum schedule of its
// section 2.2).
//
//	μ_t = Beta1·(1 − ½·0.96^(t·MomentumDecay))
//	w  −= rate · ( (1 − μ_t)·d/(1 − ∏_{i≤t} μ_i) + μ_{t+1}·m/(1 − ∏_{i≤t+1} μ_i) ) / (√(v/(1 − Beta2^t)) + Eps)
//
// with d, m and v as in Adam.
type NAdam struct {
	Beta1         float64 // 0 means 0.9
	Beta2         float64 // 0 means 0.999
	Eps           float64 // 0 means 1e-8
	MomentumDecay float64 // 0 means 0.004
	WeightDecay   float64 // an L2 penalty, as Adam's
}

var nadamSlots = []Slot{{Name: "exp_avg"}, {Name: "exp_avg_sq"}, {Name: "mu_product", Scalar: true, Init: 1}}

// Slots is exp_avg, exp_avg_sq and mu_product.
func (o NAdam) Slots() []Slot { return nadamSlots }

// Check complains of settings that make no sense.
func (o NAdam) Check() error {
	return errors.WithMessage(first(checkAdam(o.Beta1, o.Beta2, o.Eps, o.WeightDecay), nonNegative("momentum decay", o.MomentumDecay)), "NAdam")
}

// Update makes one step.
func (o NAdam) Update(p *Param, rate float64, step int) error {
	if err := first(o.Check(), p.check(nadamSlots, step)); err != nil {
		return err
	}
	t := float64(step)
	beta1, beta2 := def(o.Beta1, 0.9), def(o.Beta2, 0.999)
	mu := func(t float64) float64 { return beta1 * (1 - 0.5*math.Pow(0.96, t*def(o.MomentumDecay, 0.004))) }
	product := p.Slots[2].Float64s()
	product[0] *= mu(t)
	r := p.rate(rate)
	c := nadamStep{
		scale: def(p.GradScale, 1), decay: p.decay(o.WeightDecay), beta1: beta1, beta2: beta2, eps: def(o.Eps, 1e-8),
		now:  r * (1 - mu(t)) / (1 - product[0]),
		next: r * mu(t+1) / (1 - product[0]*mu(t+1)),
		root: 1 / math.Sqrt(1-math.Pow(beta2, t)),
	}
	if p.single() {
		nadam(p.Value.Float32s(), p.Grad.Float32s(), p.slot32(0), p.slot32(1), c)
	} else {
		nadam(p.Value.Float64s(), p.Grad.Float64s(), p.slot64(0), p.slot64(1), c)
	}
	return nil
}

type nadamStep struct {
	scale, decay, beta1, beta2, eps float64
	now, next                       float64 // weights of the gradient and of the momentum
	root                            float64 // 1/√(1 − β₂^t)
}

func nadam[T vec.Float](w, g, m, v []T, c nadamStep) {
	scale, decay, eps := T(c.scale), T(c.decay), T(c.eps)
	beta1, rest1, beta2, rest2 := T(c.beta1), T(1-c.beta1), T(c.beta2), T(1-c.beta2)
	now, next, root := T(c.now), T(c.next), T(c.root)
	g, m, v = g[:len(w)], m[:len(w)], v[:len(w)]
	for i := range w {
		d := scale*g[i] + decay*w[i]
		m[i] = beta1*m[i] + rest1*d
		v[i] = beta2*v[i] + rest2*d*d
		w[i] -= (now*d + next*m[i]) / (sqrt(v[i])*root + eps)
	}
}

func sqrt[T vec.Float](x T) T { return T(math.Sqrt(float64(x))) }
