package vec

import (
	"math"
	"testing"
)

// The references below are PyTorch 1.13's formulas (torch/optim/sgd.py, adam.py, adamw.py, rmsprop.py,
// adagrad.py), one element at a time in float64.

func refSGD(p, g, buf float64, s SGDStep) (p1, buf1 float64) {
	d := g*s.GradScale + s.WeightDecay*p
	if s.Momentum != 0 {
		if s.First {
			buf = d
		} else {
			buf = s.Momentum*buf + (1-s.Dampening)*d
		}
		if s.Nesterov {
			d += s.Momentum * buf
		} else {
			d = buf
		}
	}
	return p - s.Rate*d, buf
}

func refAdam(p, g, m, v float64, s AdamStep) (p1, m1, v1 float64) {
	g *= s.GradScale
	if s.Decoupled {
		p *= 1 - s.Rate*s.WeightDecay
	} else {
		g += s.WeightDecay * p
	}
	m = s.Beta1*m + (1-s.Beta1)*g
	v = s.Beta2*v + (1-s.Beta2)*g*g
	c1, c2 := 1-math.Pow(s.Beta1, float64(s.Step)), 1-math.Pow(s.Beta2, float64(s.Step))
	return p - s.Rate/c1*m/(math.Sqrt(v)/math.Sqrt(c2)+s.Eps), m, v
}

// check compares after some steps. tol is the error allowed relative to 1, the size of the operands.
func check[T Float](t *testing.T, what string, got []T, want []float64, tol float64) {
	t.Helper()
	for i := range got {
		if !(math.Abs(float64(got[i])-want[i]) <= tol*(1+math.Abs(want[i]))) {
			t.Fatalf("%s[%d] is %v, want %v", what, i, got[i], want[i])
		}
	}
	checkGuards(t, got)
}

func wide[T Float](x []T) []float64 {
	y := make([]float64, len(x))
	for i, v := range x {
		y[i] = float64(v)
	}
	return y
}

func testOptimisers[T Float](t *testing.T, tol float64) {
	for _, n := range []int{0, 1, 15, 16, 33, 1000, 9001} {
		for _, s := range []SGDStep{
			{Rate: 0.1, GradScale: 1},
			{Rate: 0.1, WeightDecay: 0.01, GradScale: 0.5},
			{Rate: 0.1, Momentum: 0.9, WeightDecay: 0.01, GradScale: 1},
			{Rate: 0.1, Momentum: 0.9, Dampening: 0.3, GradScale: 1},
			{Rate: 0.1, Momentum: 0.9, WeightDecay: 0.01, Nesterov: true, GradScale: 2},
		} {
			p, buf := random[T](1, n), guarded[T](n)
			wp, wb := wide(p), make([]float64, n)
			for i := range buf {
				buf[i] = T(math.NaN()) // what the buffer held before the first step must not matter
			}
			for step := range 3 {
				g := random[T](uint64(10+step), n)
				s.First = step == 0
				for i := range wp {
					wp[i], wb[i] = refSGD(wp[i], float64(g[i]), wb[i], s)
				}
				SGD(p, g, buf, s)
			}
			check(t, "sgd p", p, wp, tol)
			if s.Momentum != 0 {
				check(t, "sgd buf", buf, wb, tol)
			}
		}
		for _, s := range []AdamStep{
			{Rate: 0.01, Beta1: 0.9, Beta2: 0.999, Eps: 1e-8, GradScale: 1},
			{Rate: 0.01, Beta1: 0.5, Beta2: 0.99, Eps: 1e-4, WeightDecay: 0.1, GradScale: 0.5},
			{Rate: 0.01, Beta1: 0.9, Beta2: 0.999, Eps: 1e-8, WeightDecay: 0.1, Decoupled: true, GradScale: 1},
		} {
			p, m, v := random[T](1, n), guarded[T](n), guarded[T](n)
			clear(m)
			clear(v)
			wp, wm, wv := wide(p), make([]float64, n), make([]float64, n)
			for step := range 3 {
				g := random[T](uint64(10+step), n)
				s.Step = step + 1
				for i := range wp {
					wp[i], wm[i], wv[i] = refAdam(wp[i], float64(g[i]), wm[i], wv[i], s)
				}
				Adam(p, g, m, v, s)
			}
			check(t, "adam p", p, wp, tol)
			check(t, "adam m", m, wm, tol)
			check(t, "adam v", v, wv, tol)
		}
		for _, s := range []RMSPropStep{
			{Rate: 0.01, Alpha: 0.99, Eps: 1e-8, GradScale: 1},
			{Rate: 0.01, Alpha: 0.9, Eps: 1e-3, Momentum: 0.9, WeightDecay: 0.1, GradScale: 2},
		} {
			p, v, buf := random[T](1, n), guarded[T](n), guarded[T](n)
			clear(v)
			clear(buf)
			q, sum := append([]T(nil), p...), make([]T, n)
			wp, wv, wb := wide(p), make([]float64, n), make([]float64, n)
			wq, ws := wide(q), make([]float64, n)
			for step := range 3 {
				g := random[T](uint64(10+step), n)
				for i := range wp {
					d := float64(g[i])*s.GradScale + s.WeightDecay*wp[i]
					wv[i] = s.Alpha*wv[i] + (1-s.Alpha)*d*d
					wb[i] = s.Momentum*wb[i] + d/(math.Sqrt(wv[i])+s.Eps)
					wp[i] -= s.Rate * wb[i]
					d = float64(g[i])*s.GradScale + s.WeightDecay*wq[i]
					ws[i] += d * d
					wq[i] -= s.Rate * d / (math.Sqrt(ws[i]) + s.Eps)
				}
				if s.Momentum != 0 {
					RMSProp(p, g, v, buf, s)
				} else {
					RMSProp(p, g, v, nil, s)
				}
				AdaGrad(q, g, sum, AdaGradStep{Rate: s.Rate, Eps: s.Eps, WeightDecay: s.WeightDecay, GradScale: s.GradScale})
			}
			check(t, "rmsprop p", p, wp, tol)
			check(t, "rmsprop v", v, wv, tol)
			for i := range q {
				if !(math.Abs(float64(q[i])-wq[i]) <= tol*(1+math.Abs(wq[i]))) {
					t.Fatalf("adagrad p[%d] is %v, want %v", i, q[i], wq[i])
				}
			}
		}
	}
}

func TestOptimisers(t *testing.T) {
	eachRoad(t, func(t *testing.T) {
		// Three steps of some roundings each.
		t.Run("float32", func(t *testing.T) { testOptimisers[float32](t, 2e-6) })
		t.Run("float64", func(t *testing.T) { testOptimisers[float64](t, 1e-14) })
	})
}
