package ops

import (
	"math"

	"gorgonia.org/gorgonia"

	"github.com/stheno-ml/stheno/internal/exec"
	"github.com/stheno-ml/stheno/internal/kernel/vec"
)

// Exp is e to the power of x, element by element.
func Exp(x *Node) (*Node, error) { return apply(exponential{}, x) }

// Log is the natural logarithm, element by element: -Inf of 0, NaN of negative x.
func Log(x *Node) (*Node, error) { return apply(logarithm{}, x) }

// Sqrt is the square root, element by element: NaN of negative x. Its gradient at 0 is infinite.
func Sqrt(x *Node) (*Node, error) { return apply(squareRoot{}, x) }

// Square is x², element by element.
func Square(x *Node) (*Node, error) { return apply(square{}, x) }

// Reciprocal is 1/x, element by element: infinite at 0.
func Reciprocal(x *Node) (*Node, error) { return apply(reciprocal{}, x) }

// Abs is |x|, element by element. Its gradient at 0 is 0.
func Abs(x *Node) (*Node, error) { return apply(absolute{}, x) }

// Sign is −1, 0 or 1, element by element; NaN of NaN. It has no gradient.
func Sign(x *Node) (*Node, error) { return apply(signum{}, x) }

type exponential struct{ elementwise }

func (exponential) name() string           { return "exp" }
func (exponential) run(c *exec.Call) error { return on1(c, vec.Exp[float32], vec.Exp[float64]) }

func (exponential) grad(_ gorgonia.Nodes, y, dy *Node) (gorgonia.Nodes, error) {
	var e expr
	return e.nodes(e.mul(dy, y))
}

type logarithm struct{ elementwise }

func (logarithm) name() string           { return "log" }
func (logarithm) run(c *exec.Call) error { return on1(c, vec.Log[float32], vec.Log[float64]) }

func (logarithm) grad(in gorgonia.Nodes, _, dy *Node) (gorgonia.Nodes, error) {
	var e expr
	return e.nodes(e.div(dy, in[0]))
}

type squareRoot struct{ elementwise }

func (squareRoot) name() string           { return "square root" }
func (squareRoot) run(c *exec.Call) error { return on1(c, vec.Sqrt[float32], vec.Sqrt[float64]) }

func (squareRoot) grad(_ gorgonia.Nodes, y, dy *Node) (gorgonia.Nodes, error) {
	var e expr
	return e.nodes(e.scale(e.div(dy, y), 0.5))
}

type square struct{ elementwise }

func (square) name() string { return "square" }

func (square) run(c *exec.Call) error {
	return on1(c,
		func(y, x []float32) { vec.Mul(y, x, x) },
		func(y, x []float64) { vec.Mul(y, x, x) })
}

func (square) grad(in gorgonia.Nodes, _, dy *Node) (gorgonia.Nodes, error) {
	var e expr
	return e.nodes(e.mul(e.scale(dy, 2), in[0]))
}

type reciprocal struct{ elementwise }

func (reciprocal) name() string { return "reciprocal" }

func (reciprocal) run(c *exec.Call) error {
	return onLoop(c, reciprocalLoop[float32], reciprocalLoop[float64], 0, 0)
}

func reciprocalLoop[T exec.Float](y, x, _ []T, _, _ T) {
	for i, v := range x {
		y[i] = 1 / v
	}
}

func (reciprocal) grad(_ gorgonia.Nodes, y, dy *Node) (gorgonia.Nodes, error) {
	var e expr
	return e.nodes(e.scale(e.mul(dy, e.op(square{}, y)), -1))
}

type absolute struct{ elementwise }

func (absolute) name() string           { return "abs" }
func (absolute) run(c *exec.Call) error { return on1(c, vec.Abs[float32], vec.Abs[float64]) }

func (absolute) grad(in gorgonia.Nodes, _, dy *Node) (gorgonia.Nodes, error) {
	var e expr
	return e.nodes(e.op(absGrad{}, dy, in[0]))
}

// absGrad is dx = dy·sign(x).
type absGrad struct{ gradient }

func (absGrad) name() string              { return "abs gradient" }
func (absGrad) differentiable(int) []bool { return []bool{true, false} }
func (absGrad) run(c *exec.Call) error    { return on2(c, vec.AbsGrad[float32], vec.AbsGrad[float64]) }

func (absGrad) grad(in gorgonia.Nodes, _, ddx *Node) (gorgonia.Nodes, error) {
	var e expr
	return e.nodes(e.op(absGrad{}, ddx, in[1]), nil)
}

type signum struct {
	elementwise
	stepped
}

func (signum) name() string { return "sign" }
func (signum) run(c *exec.Call) error {
	return onLoop(c, signumLoop[float32], signumLoop[float64], 0, 0)
}

func signumLoop[T exec.Float](y, x, _ []T, _, _ T) {
	for i, v := range x {
		switch {
		case v > 0:
			v = 1
		case v < 0:
			v = -1
		}
		y[i] = v
	}
}

// PowScalar is x to the power of p, element by element: NaN of negative x unless p is whole.
func PowScalar(x *Node, p float64) (*Node, error) {
	switch p {
	case 2:
		return Square(x)
	case 0.5:
		return Sqrt(x)
	case -1:
		return Reciprocal(x)
	}
	return apply(powScalar{p: p}, x)
}

type powScalar struct {
	elementwise
	p float64
}

func (powScalar) name() string { return "power" }

func (r powScalar) run(c *exec.Call) error {
	return on1(c,
		func(y, x []float32) { vec.Pow(y, x, float32(r.p)) },
		func(y, x []float64) { vec.Pow(y, x, r.p) })
}

func (r powScalar) grad(in gorgonia.Nodes, _, dy *Node) (gorgonia.Nodes, error) {
	var e expr
	if r.p == 0 { // 0·x⁻¹ would be NaN at 0
		return e.nodes(e.scale(dy, 0))
	}
	slope := e.node(func() (*Node, error) { return PowScalar(in[0], r.p-1) })
	return e.nodes(e.mul(e.scale(dy, r.p), slope))
}

// Pow is a to the power of b, element by element, broadcast as Add does: NaN of negative a unless b is whole.
// The gradient for b is 0 where a is 0.
func Pow(a, b *Node) (*Node, error) { return apply(power{}, a, b) }

type power struct{ broadcasting }

func (power) name() string           { return "power" }
func (power) run(c *exec.Call) error { return onRows(c, powRow[float32], powRow[float64]) }

func powRow[T exec.Float](y, a, b []T, sa, sb int) {
	for i := range y {
		y[i] = T(math.Pow(float64(a[i*sa]), float64(b[i*sb])))
	}
}

// By a: b·a^(b−1), 0 where b is 0. By b: y·ln a, 0 where a is 0.
func (power) grad(in gorgonia.Nodes, y, dy *Node) (gorgonia.Nodes, error) {
	a, b := in[0], in[1]
	var e expr
	one := e.constant(a, 1)
	zero := e.equal(b, e.constant(b, 0))
	exponent := e.where(zero, one, b)
	da := e.mul(dy, e.mul(b, e.op(power{}, a, e.addScalar(exponent, -1))))
	base := e.where(e.equal(a, e.constant(a, 0)), one, a)
	db := e.mul(dy, e.mul(y, e.op(logarithm{}, base)))
	return e.nodes(e.to(da, a.Shape()), e.to(db, b.Shape()))
}
