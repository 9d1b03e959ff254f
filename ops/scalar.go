package ops

import (
	"gorgonia.org/gorgonia"

	"github.com/stheno-ml/stheno/internal/exec"
	"github.com/stheno-ml/stheno/internal/kernel/vec"
)

// AddScalar is x + s, element by element.
func AddScalar(x *Node, s float64) (*Node, error) { return apply(shifting{s: s}, x) }

// MulScalar is s · x, element by element.
func MulScalar(x *Node, s float64) (*Node, error) { return apply(scaling{s: s}, x) }

// Neg is −x, element by element.
func Neg(x *Node) (*Node, error) { return apply(scaling{s: -1}, x) }

type shifting struct {
	elementwise
	s float64
}

func (shifting) name() string { return "add scalar" }

func (r shifting) run(c *exec.Call) error {
	return on1(c,
		func(y, x []float32) { vec.AddScalar(y, x, float32(r.s)) },
		func(y, x []float64) { vec.AddScalar(y, x, r.s) })
}

func (shifting) grad(_ gorgonia.Nodes, _, dy *Node) (gorgonia.Nodes, error) {
	return gorgonia.Nodes{dy}, nil
}

type scaling struct {
	elementwise
	s float64
}

func (scaling) name() string { return "scale" }

func (r scaling) run(c *exec.Call) error {
	return on1(c,
		func(y, x []float32) { vec.Scale(y, x, float32(r.s)) },
		func(y, x []float64) { vec.Scale(y, x, r.s) })
}

func (r scaling) grad(_ gorgonia.Nodes, _, dy *Node) (gorgonia.Nodes, error) {
	var e expr
	return e.nodes(e.scale(dy, r.s))
}
