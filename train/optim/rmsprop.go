package optim

import (
	"github.com/pkg/errors"
	"github.com/stheno-ml/stheno/internal/kernel/vec"
)

// RMSProp divides the gradient by a running average of its size (Tieleman and Hinton 2012, lecture 6.5; centred
// after Graves 2013, section 2.4).
//
//	d  = g + WeightDecay·w
//	v  = Alpha·v + (1 − Alpha)·d²
//	a  = Alpha·a + (1 − Alpha)·d               (Centered)
//	u  = d/(√v + Eps), or d/(√max(v − a², 0) + Eps) when Centered
//	w −= rate·u, or with momentum: buf = Momentum·buf + u; w −= rate·buf
type RMSProp struct {
	Alpha       float64 // 0 means 0.99
	Eps         float64 // 0 means 1e-8
	Momentum    float64
	Centered    bool
	WeightDecay float64 // an L2 penalty
}

var (
	squareAvg      = Slot{Name: "square_avg"}
	momentumBuffer = Slot{Name: "momentum_buffer"}
	gradAvg        = Slot{Name: "grad_avg"}

	rmsSlots         = []Slot{squareAvg}
	rmsMomentumSlots = []Slot{squareAvg, momentumBuffer}
	rmsCenteredSlots = []Slot{squareAvg, momentumBuffer, gradAvg}
)

// Slots is square_avg, then momentum_buffer if there is momentum or the average is centred, then grad_avg if
// it is centred.
func (o RMSProp) Slots() []Slot {
	switch {
	case o.Centered:
		return rmsCenteredSlots
	case o.Momentum != 0:
		return rmsMomentumSlots
	}
	return rmsSlots
}

// Check complains of settings that make no sense.
func (o RMSProp) Check() error {
	return errors.WithMessage(first(fraction("α", o.Alpha), nonNegative("ε", o.Eps), fraction("momentum", o.Momentum),
		nonNegative("weight decay", o.WeightDecay)), "RMSProp")
}

// Update makes one step.
func (o RMSProp) Update(p *Param, rate float64, step int) error {
	if err := first(o.Check(), p.check(o.Slots(), step)); err != nil {
		return err
	}
	s := vec.RMSPropStep{
		Rate: p.rate(rate), Alpha: def(o.Alpha, 0.99), Eps: def(o.Eps, 1e-8), Momentum: o.Momentum,
		WeightDecay: p.decay(o.WeightDecay), GradScale: def(p.GradScale, 1),
	}
	switch {
	case o.Centered && p.single():
		centred(p.Value.Float32s(), p.Grad.Float32s(), p.slot32(0), p.slot32(1), p.slot32(2), s)
	case o.Centered:
		centred(p.Value.Float64s(), p.Grad.Float64s(), p.slot64(0), p.slot64(1), p.slot64(2), s)
	case p.single():
		vec.RMSProp(p.Value.Float32s(), p.Grad.Float32s(), p.slot32(0), p.slot32(1), s)
	default:
		vec.RMSProp(p.Value.Float64s(), p.Grad.Float64s(), p.slot64(0), p.slot64(1), s)
	}
	return nil
}

// centred holds v − a² at 0 or above: rounding can push it below, and PyTorch then makes a NaN of the weight.
func centred[T vec.Float](w, g, v, buf, a []T, s vec.RMSPropStep) {
	scale, decay, eps, rate := T(s.GradScale), T(s.WeightDecay), T(s.Eps), T(s.Rate)
	alpha, rest, momentum := T(s.Alpha), T(1-s.Alpha), T(s.Momentum)
	g, v, buf, a = g[:len(w)], v[:len(w)], buf[:len(w)], a[:len(w)]
	for i := range w {
		d := scale*g[i] + decay*w[i]
		v[i] = alpha*v[i] + rest*d*d
		a[i] = alpha*a[i] + rest*d
		buf[i] = momentum*buf[i] + d/(sqrt(max(v[i]-a[i]*a[i], 0))+eps)
		w[i] -= rate * buf[i]
	}
}
