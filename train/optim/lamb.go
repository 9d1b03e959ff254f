package optim

import (
	"math"

	"github.com/pkg/errors"
	"github.com/stheno-ml/stheno/internal/kernel/vec"
)

// LAMB is Adam whose step in each parameter is scaled to the size of the parameter, for large batches (You et
// al. 2020, algorithm 2, with φ(z) = z).
//
//	r  = m/(1 − Beta1^step) / (√(v/(1 − Beta2^step)) + Eps) + WeightDecay·w
//	w −= rate · ‖w‖/‖r‖ · r                    (· 1 when either norm is 0)
//
// with m and v as in Adam without a penalty.
type LAMB struct {
	Beta1       float64 // 0 means 0.9
	Beta2       float64 // 0 means 0.999
	Eps         float64 // 0 means 1e-6
	WeightDecay float64 // 0 means 0.01
}

// Slots is exp_avg and exp_avg_sq.
func (o LAMB) Slots() []Slot { return adamSlots }

// Check complains of settings that make no sense.
func (o LAMB) Check() error {
	return errors.WithMessage(checkAdam(o.Beta1, o.Beta2, o.Eps, o.WeightDecay), "LAMB")
}

// Update makes one step.
func (o LAMB) Update(p *Param, rate float64, step int) error {
	if err := first(o.Check(), p.check(adamSlots, step)); err != nil {
		return err
	}
	beta1, beta2, t := def(o.Beta1, 0.9), def(o.Beta2, 0.999), float64(step)
	c := lambStep{
		rate: p.rate(rate), scale: def(p.GradScale, 1), decay: p.decay(def(o.WeightDecay, 0.01)),
		beta1: beta1, beta2: beta2, eps: def(o.Eps, 1e-6),
		correct1: 1 / (1 - math.Pow(beta1, t)), correct2: 1 / math.Sqrt(1-math.Pow(beta2, t)),
	}
	if p.single() {
		lamb(p.Value.Float32s(), p.Grad.Float32s(), p.slot32(0), p.slot32(1), c)
	} else {
		lamb(p.Value.Float64s(), p.Grad.Float64s(), p.slot64(0), p.slot64(1), c)
	}
	return nil
}

type lambStep struct {
	rate, scale, decay, beta1, beta2, eps float64
	correct1, correct2                    float64 // 1/(1 − β₁^t) and 1/√(1 − β₂^t)
}

// lamb goes over the parameter twice, for the norm of the whole step and for the step, and computes r anew
// rather than keep it.
func lamb[T vec.Float](w, g, m, v []T, c lambStep) {
	scale, decay, eps := T(c.scale), T(c.decay), T(c.eps)
	beta1, rest1, beta2, rest2 := T(c.beta1), T(1-c.beta1), T(c.beta2), T(1-c.beta2)
	correct1, correct2 := T(c.correct1), T(c.correct2)
	g, m, v = g[:len(w)], m[:len(w)], v[:len(w)]
	var squares float64
	for i := range w {
		d := scale * g[i]
		m[i] = beta1*m[i] + rest1*d
		v[i] = beta2*v[i] + rest2*d*d
		r := m[i]*correct1/(sqrt(v[i])*correct2+eps) + decay*w[i]
		squares += float64(r) * float64(r)
	}
	trust := 1.0
	if ww := vec.SumSquares(w); ww > 0 && squares > 0 {
		trust = math.Sqrt(ww / squares)
	}
	rate := T(c.rate * trust)
	for i := range w {
		w[i] -= rate * (m[i]*correct1/(sqrt(v[i])*correct2+eps) + decay*w[i])
	}
}
