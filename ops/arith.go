package ops

import (
	"gorgonia.org/gorgonia"

	"github.com/stheno-ml/stheno/internal/exec"
	"github.com/stheno-ml/stheno/internal/kernel/vec"
)

// Add is a + b, element by element. The inputs are broadcast as in NumPy: shapes are aligned at their last
// axes, and an axis of size 1 is repeated. The gradient of an input is summed over the axes along which it
// was repeated.
func Add(a, b *Node) (*Node, error) { return apply(addition{}, a, b) }

// Sub is a − b, element by element, broadcast as Add does.
func Sub(a, b *Node) (*Node, error) { return apply(subtraction{}, a, b) }

// Mul is a · b, element by element, broadcast as Add does.
func Mul(a, b *Node) (*Node, error) { return apply(multiplication{}, a, b) }

// Div is a / b, element by element, broadcast as Add does. Division by zero gives infinities and NaN.
func Div(a, b *Node) (*Node, error) { return apply(division{}, a, b) }

type addition struct{ broadcasting }

func (addition) name() string           { return "add" }
func (addition) run(c *exec.Call) error { return onRows(c, addRow[float32], addRow[float64]) }

func addRow[T exec.Float](y, a, b []T, sa, sb int) {
	switch {
	case sa == 1 && sb == 1:
		vec.Add(y, a, b)
	case sa == 1:
		vec.AddScalar(y, a, b[0])
	default:
		vec.AddScalar(y, b, a[0])
	}
}

func (addition) grad(in gorgonia.Nodes, _, dy *Node) (gorgonia.Nodes, error) {
	var e expr
	return e.nodes(e.to(dy, in[0].Shape()), e.to(dy, in[1].Shape()))
}

type subtraction struct{ broadcasting }

func (subtraction) name() string           { return "subtract" }
func (subtraction) run(c *exec.Call) error { return onRows(c, subRow[float32], subRow[float64]) }

func subRow[T exec.Float](y, a, b []T, sa, sb int) {
	switch {
	case sa == 1 && sb == 1:
		vec.Sub(y, a, b)
	case sa == 1:
		vec.AddScalar(y, a, -b[0])
	default:
		for i := range y {
			y[i] = a[i*sa] - b[i*sb]
		}
	}
}

func (subtraction) grad(in gorgonia.Nodes, _, dy *Node) (gorgonia.Nodes, error) {
	var e expr
	return e.nodes(e.to(dy, in[0].Shape()), e.scale(e.to(dy, in[1].Shape()), -1))
}

type multiplication struct{ broadcasting }

func (multiplication) name() string           { return "multiply" }
func (multiplication) run(c *exec.Call) error { return onRows(c, mulRow[float32], mulRow[float64]) }

func mulRow[T exec.Float](y, a, b []T, sa, sb int) {
	switch {
	case sa == 1 && sb == 1:
		vec.Mul(y, a, b)
	case sa == 1:
		vec.Scale(y, a, b[0])
	default:
		vec.Scale(y, b, a[0])
	}
}

func (multiplication) grad(in gorgonia.Nodes, _, dy *Node) (gorgonia.Nodes, error) {
	a, b := in[0], in[1]
	var e expr
	return e.nodes(e.to(e.mul(dy, b), a.Shape()), e.to(e.mul(dy, a), b.Shape()))
}

type division struct{ broadcasting }

func (division) name() string           { return "divide" }
func (division) run(c *exec.Call) error { return onRows(c, divRow[float32], divRow[float64]) }

func divRow[T exec.Float](y, a, b []T, sa, sb int) {
	if sa == 1 && sb == 1 {
		vec.Div(y, a, b)
		return
	}
	for i := range y {
		y[i] = a[i*sa] / b[i*sb]
	}
}

// With q = dy/b, the gradients are q and −q·y.
func (division) grad(in gorgonia.Nodes, y, dy *Node) (gorgonia.Nodes, error) {
	var e expr
	q := e.div(dy, in[1])
	return e.nodes(e.to(q, in[0].Shape()), e.scale(e.to(e.mul(q, y), in[1].Shape()), -1))
}

// ratio is a / b, and 0 where b is 0.
type ratio struct{ broadcasting }

func (ratio) name() string           { return "ratio" }
func (ratio) run(c *exec.Call) error { return onRows(c, ratioRow[float32], ratioRow[float64]) }

func ratioRow[T exec.Float](y, a, b []T, sa, sb int) {
	for i := range y {
		q := T(0)
		if v := b[i*sb]; v != 0 {
			q = a[i*sa] / v
		}
		y[i] = q
	}
}

func (ratio) grad(in gorgonia.Nodes, y, dy *Node) (gorgonia.Nodes, error) {
	var e expr
	q := e.op(ratio{}, dy, in[1])
	return e.nodes(e.to(q, in[0].Shape()), e.scale(e.to(e.mul(q, y), in[1].Shape()), -1))
}
