package vec

import (
	"math"
	"unsafe"

	"github.com/stheno-ml/stheno/internal/kernel/par"
)

// SGDStep says how SGD updates a parameter. The formula is PyTorch's torch.optim.SGD.
type SGDStep struct {
	Rate        float64 // learning rate
	Momentum    float64
	Dampening   float64
	WeightDecay float64 // L2 penalty, added to the gradient
	Nesterov    bool
	First       bool    // the first update: the buffer becomes the gradient, without dampening
	GradScale   float64 // factor on the gradient before all else (clipping); 0 means 1
}

// SGD updates p by its gradient g, in one pass:
//
//	d   = GradScale·g + WeightDecay·p
//	buf = Momentum·buf + (1 − Dampening)·d     (buf = d at the first update)
//	d   = d + Momentum·buf with Nesterov, else buf
//	p  −= Rate·d
//
// Without momentum, buf is not used and may be nil.
func SGD[T Float](p, g, buf []T, s SGDStep) {
	if len(p) == 0 {
		return
	}
	u := update[T]{kind: updateSGD, p: p, g: g[:len(p)]}
	u.grad, u.decay, u.rate = scaleOf[T](s.GradScale), T(s.WeightDecay), T(s.Rate)
	if s.Momentum != 0 {
		u.kind = updateMomentum
		u.m = buf[:len(p)]
		u.beta1, u.rest1 = T(s.Momentum), T(1-s.Dampening)
		if s.First {
			// Multiplying what buf holds by 0 would keep a NaN.
			Fill(u.m, 0)
			u.rest1 = 1
		}
		if s.Nesterov {
			u.look, u.keep = u.beta1, 1
		} else {
			u.look = 1
		}
	}
	u.do()
}

// AdamStep says how Adam updates a parameter. The formulas are PyTorch's torch.optim.Adam and AdamW.
type AdamStep struct {
	Rate         float64 // learning rate
	Beta1, Beta2 float64
	Eps          float64
	WeightDecay  float64
	Decoupled    bool    // AdamW: weights shrink by Rate·WeightDecay instead of an L2 penalty in the gradient
	Step         int     // number of this update, from 1
	GradScale    float64 // factor on the gradient before all else (clipping); 0 means 1
}

// Adam updates p by its gradient g and the moments m and v, in one pass (Kingma and Ba 2015; Loshchilov and
// Hutter 2019 when decoupled):
//
//	d  = GradScale·g + WeightDecay·p           (p ·= 1 − Rate·WeightDecay instead, when decoupled)
//	m  = Beta1·m + (1 − Beta1)·d
//	v  = Beta2·v + (1 − Beta2)·d²
//	p −= Rate/(1 − Beta1^Step) · m / (√v/√(1 − Beta2^Step) + Eps)
func Adam[T Float](p, g, m, v []T, s AdamStep) {
	if len(p) == 0 {
		return
	}
	u := update[T]{kind: updateAdam, p: p, g: g[:len(p)], m: m[:len(p)], v: v[:len(p)]}
	u.grad, u.shrink = scaleOf[T](s.GradScale), 1
	if s.Decoupled {
		u.shrink = T(1 - s.Rate*s.WeightDecay)
	} else {
		u.decay = T(s.WeightDecay)
	}
	u.beta1, u.rest1 = T(s.Beta1), T(1-s.Beta1)
	u.beta2, u.rest2 = T(s.Beta2), T(1-s.Beta2)
	u.rate = T(s.Rate / (1 - math.Pow(s.Beta1, float64(s.Step))))
	u.root = T(1 / math.Sqrt(1-math.Pow(s.Beta2, float64(s.Step))))
	u.eps = T(s.Eps)
	u.do()
}

// RMSPropStep says how RMSProp updates a parameter. The formula is PyTorch's torch.optim.RMSprop, not centred.
type RMSPropStep struct {
	Rate        float64 // learning rate
	Alpha       float64 // smoothing of the squared gradient
	Eps         float64
	Momentum    float64
	WeightDecay float64
	GradScale   float64 // factor on the gradient before all else (clipping); 0 means 1
}

// RMSProp updates p by its gradient g, the mean square v and, with momentum, the buffer buf, in one pass:
//
//	d   = GradScale·g + WeightDecay·p
//	v   = Alpha·v + (1 − Alpha)·d²
//	buf = Momentum·buf + d/(√v + Eps)
//	p  −= Rate·buf
//
// Without momentum, buf is not used and may be nil.
func RMSProp[T Float](p, g, v, buf []T, s RMSPropStep) {
	if len(p) == 0 {
		return
	}
	u := update[T]{kind: updateRMSProp, p: p, g: g[:len(p)], v: v[:len(p)]}
	u.grad, u.decay, u.rate, u.eps = scaleOf[T](s.GradScale), T(s.WeightDecay), T(s.Rate), T(s.Eps)
	u.beta1, u.beta2, u.rest2 = T(s.Momentum), T(s.Alpha), T(1-s.Alpha)
	if s.Momentum != 0 {
		u.m = buf[:len(p)]
	}
	u.do()
}

// AdaGradStep says how AdaGrad updates a parameter. The formula is PyTorch's torch.optim.Adagrad; a decaying
// rate is the caller's.
type AdaGradStep struct {
	Rate        float64 // learning rate
	Eps         float64
	WeightDecay float64
	GradScale   float64 // factor on the gradient before all else (clipping); 0 means 1
}

// AdaGrad updates p by its gradient g and the sum of squares v, in one pass (Duchi et al. 2011):
//
//	d  = GradScale·g + WeightDecay·p
//	v += d²
//	p −= Rate·d/(√v + Eps)
func AdaGrad[T Float](p, g, v []T, s AdaGradStep) {
	if len(p) == 0 {
		return
	}
	u := update[T]{kind: updateRMSProp, p: p, g: g[:len(p)], v: v[:len(p)]}
	u.grad, u.decay, u.rate, u.eps = scaleOf[T](s.GradScale), T(s.WeightDecay), T(s.Rate), T(s.Eps)
	u.beta2, u.rest2 = 1, 1
	u.do()
}

func scaleOf[T Float](s float64) T {
	if s == 0 {
		return 1
	}
	return T(s)
}

type updateKind uint8

const (
	updateSGD updateKind = iota
	updateMomentum
	updateAdam
	updateRMSProp
	numUpdates
)

// update holds the operands and, in T, the coefficients of one optimiser's formula.
type update[T Float] struct {
	coefficients[T]
	p, g, m, v []T
	kind       updateKind
}

// coefficients is what the assembly reads, in this order.
type coefficients[T Float] struct {
	grad, decay  T // d = grad·g + decay·p
	beta1, rest1 T // m = beta1·m + rest1·d
	beta2, rest2 T // v = beta2·v + rest2·d²
	rate         T
	look, keep   T // momentum: p −= rate·(keep·d + look·m)
	shrink       T // Adam: p ·= shrink before the step
	root, eps    T // Adam: denominator √v·root + eps
}

func (u *update[T]) do() {
	if n := len(u.p); n <= grainMath {
		u.Run(0, n)
	} else {
		par.For(n, grainMath, *u)
	}
}

func (u *update[T]) Run(lo, hi int) {
	if isFloat32[T]() {
		c := (*float32)(unsafe.Pointer(&u.coefficients))
		if updateKernel(u.kind, first(u.p[lo:hi]), first(u.g[lo:hi]), first(part(u.m, lo, hi)), first(part(u.v, lo, hi)), hi-lo, c) {
			return
		}
	}
	u.loop(lo, hi)
}

// loop is the update in plain Go.
func (u *update[T]) loop(lo, hi int) {
	p, g := u.p[lo:hi], u.g[lo:hi]
	m, v := part(u.m, lo, hi), part(u.v, lo, hi)
	switch u.kind {
	case updateSGD:
		for i := range p {
			p[i] -= u.rate * (u.grad*g[i] + u.decay*p[i])
		}
	case updateMomentum:
		for i := range p {
			d := u.grad*g[i] + u.decay*p[i]
			m[i] = u.beta1*m[i] + u.rest1*d
			p[i] -= u.rate * (u.keep*d + u.look*m[i])
		}
	case updateAdam:
		for i := range p {
			d := u.grad*g[i] + u.decay*p[i]
			m[i] = u.beta1*m[i] + u.rest1*d
			v[i] = u.beta2*v[i] + u.rest2*d*d
			p[i] = p[i]*u.shrink - u.rate*m[i]/(sqrt(v[i])*u.root+u.eps)
		}
	case updateRMSProp:
		for i := range p {
			d := u.grad*g[i] + u.decay*p[i]
			v[i] = u.beta2*v[i] + u.rest2*d*d
			d /= sqrt(v[i]) + u.eps
			if m != nil {
				d += u.beta1 * m[i]
				m[i] = d
			}
			p[i] -= u.rate * d
		}
	}
}

func sqrt[T Float](x T) T { return T(math.Sqrt(float64(x))) }
