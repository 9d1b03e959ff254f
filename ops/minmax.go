package ops

import (
	"gorgonia.org/gorgonia"

	"github.com/stheno-ml/stheno/internal/exec"
	"github.com/stheno-ml/stheno/internal/kernel/vec"
)

// Maximum is the larger of a and b, element by element, broadcast as Add does; NaN where either is. Where
// they are equal, each gets half of the gradient, as in PyTorch.
func Maximum(a, b *Node) (*Node, error) { return apply(larger{}, a, b) }

// Minimum is the smaller of a and b; see Maximum.
func Minimum(a, b *Node) (*Node, error) { return apply(smaller{}, a, b) }

type larger struct{ broadcasting }

func (larger) name() string           { return "maximum" }
func (larger) run(c *exec.Call) error { return onRows(c, maximumRow[float32], maximumRow[float64]) }

func maximumRow[T exec.Float](y, a, b []T, sa, sb int) {
	if sa == 1 && sb == 1 {
		vec.Maximum(y, a, b)
		return
	}
	for i := range y {
		y[i] = max(a[i*sa], b[i*sb])
	}
}

func (larger) grad(in gorgonia.Nodes, _, dy *Node) (gorgonia.Nodes, error) {
	return pickGrad(in[0], in[1], in, dy)
}

type smaller struct{ broadcasting }

func (smaller) name() string           { return "minimum" }
func (smaller) run(c *exec.Call) error { return onRows(c, minimumRow[float32], minimumRow[float64]) }

func minimumRow[T exec.Float](y, a, b []T, sa, sb int) {
	if sa == 1 && sb == 1 {
		vec.Minimum(y, a, b)
		return
	}
	for i := range y {
		y[i] = min(a[i*sa], b[i*sb])
	}
}

func (smaller) grad(in gorgonia.Nodes, _, dy *Node) (gorgonia.Nodes, error) {
	return pickGrad(in[1], in[0], in, dy)
}

// pickGrad gives dy to input 0 as far as high exceeds low, and the rest to input 1.
func pickGrad(high, low *Node, in gorgonia.Nodes, dy *Node) (gorgonia.Nodes, error) {
	var e expr
	da := e.mul(dy, e.op(exceeds{}, high, low))
	db := e.sub(dy, da)
	return e.nodes(e.to(da, in[0].Shape()), e.to(db, in[1].Shape()))
}

// exceeds is 1 where a > b, ½ where they are equal, else 0.
type exceeds struct {
	broadcasting
	stepped
}

func (exceeds) name() string           { return "exceeds" }
func (exceeds) run(c *exec.Call) error { return onRows(c, exceedsRow[float32], exceedsRow[float64]) }

func exceedsRow[T exec.Float](y, a, b []T, sa, sb int) {
	for i := range y {
		switch u, v := a[i*sa], b[i*sb]; {
		case u > v:
			y[i] = 1
		case u == v:
			y[i] = 0.5
		default:
			y[i] = 0
		}
	}
}
