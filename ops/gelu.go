package ops

import (
	"math"

	"gorgonia.org/gorgonia"

	"github.com/stheno-ml/stheno/internal/exec"
	"github.com/stheno-ml/stheno/internal/kernel/vec"
)

// GELU is the Gaussian error linear unit (Hendrycks and Gimpel 2016, section 2), element by element:
//
//	y = x·Φ(x) = x/2 · (1 + erf(x/√2))
func GELU(x *Node) (*Node, error) { return apply(gelu{}, x) }

// GELUTanh is the approximation of GELU that GPT-2 made common (same paper, section 2), element by element:
//
//	y = x/2 · (1 + tanh(√(2/π) · (x + 0.044715·x³)))
func GELUTanh(x *Node) (*Node, error) { return apply(geluTanh{}, x) }

type gelu struct{ elementwise }

func (gelu) name() string           { return "gelu" }
func (gelu) run(c *exec.Call) error { return on1(c, vec.GELU[float32], vec.GELU[float64]) }

func (gelu) grad(in gorgonia.Nodes, _, dy *Node) (gorgonia.Nodes, error) {
	var e expr
	return e.nodes(e.op(geluGrad{}, dy, in[0]))
}

// geluGrad is dx = dy · (Φ(x) + x·φ(x)).
type geluGrad struct{ gradient }

func (geluGrad) name() string           { return "gelu gradient" }
func (geluGrad) run(c *exec.Call) error { return on2(c, vec.GELUGrad[float32], vec.GELUGrad[float64]) }

// The second derivative is φ(x)·(2 − x²).
func (geluGrad) grad(in gorgonia.Nodes, _, ddx *Node) (gorgonia.Nodes, error) {
	dy, x := in[0], in[1]
	var e expr
	xx := e.op(square{}, x)
	density := e.scale(e.op(exponential{}, e.scale(xx, -0.5)), 1/math.Sqrt(2*math.Pi))
	curve := e.mul(density, e.addScalar(e.scale(xx, -1), 2))
	return e.nodes(e.op(geluGrad{}, ddx, x), e.mul(e.mul(ddx, dy), curve))
}

// With s = sigmoid(2u), (1 + tanh u)/2 is s; the argument is 2u = geluA·x + geluB·x³.
const (
	geluA = 1.5957691216057308 // 2·√(2/π)
	geluB = geluA * 0.044715
)

type geluTanh struct{ elementwise }

func (geluTanh) name() string   { return "gelu (tanh)" }
func (geluTanh) inPlace() []int { return nil } // x is read after y has been written
func (geluTanh) run(c *exec.Call) error {
	return onLoop(c, geluTanhLoop[float32], geluTanhLoop[float64], 0, 0)
}

func geluTanhLoop[T exec.Float](y, x, _ []T, _, _ T) {
	for i, v := range x {
		y[i] = v * (geluA + geluB*v*v)
	}
	vec.Sigmoid(y, y)
	vec.Mul(y, y, x)
}

func (geluTanh) grad(in gorgonia.Nodes, _, dy *Node) (gorgonia.Nodes, error) {
	var e expr
	return e.nodes(e.op(geluTanhGrad{}, dy, in[0]))
}

// geluTanhGrad is dx = dy·(s + x·s·(1−s)·p), where p = geluA + 3·geluB·x² is the slope of the argument.
type geluTanhGrad struct{ gradient }

func (geluTanhGrad) name() string   { return "gelu (tanh) gradient" }
func (geluTanhGrad) inPlace() []int { return nil }
func (geluTanhGrad) run(c *exec.Call) error {
	return onLoop(c, geluTanhGradLoop[float32], geluTanhGradLoop[float64], 0, 0)
}

func geluTanhGradLoop[T exec.Float](dx, dy, x []T, _, _ T) {
	for i, v := range x {
		dx[i] = v * (geluA + geluB*v*v)
	}
	vec.Sigmoid(dx, dx)
	for i, s := range dx {
		v := x[i]
		slope := s
		if s != 0 && s != 1 { // 0·Inf far out would be NaN
			slope += v * s * (1 - s) * (geluA + 3*geluB*v*v)
		}
		dx[i] = dy[i] * slope
	}
}

// The second derivative is s·(1−s)·(2p + x·((1−2s)·p² + 6·geluB·x)).
func (geluTanhGrad) grad(in gorgonia.Nodes, _, ddx *Node) (gorgonia.Nodes, error) {
	dy, x := in[0], in[1]
	var e expr
	xx := e.op(square{}, x)
	s := e.op(sigmoid{}, e.mul(x, e.addScalar(e.scale(xx, geluB), geluA)))
	p := e.addScalar(e.scale(xx, 3*geluB), geluA)
	turn := e.mul(e.addScalar(e.scale(s, -2), 1), e.op(square{}, p))
	inner := e.add(e.scale(p, 2), e.mul(x, e.add(turn, e.scale(x, 6*geluB))))
	curve := e.mul(e.sub(s, e.op(square{}, s)), inner)
	return e.nodes(e.op(geluTanhGrad{}, ddx, x), e.mul(e.mul(ddx, dy), curve))
}
