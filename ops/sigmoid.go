package ops

import (
	"gorgonia.org/gorgonia"

	"github.com/stheno-ml/stheno/internal/exec"
	"github.com/stheno-ml/stheno/internal/kernel/vec"
)

// Sigmoid is the logistic function, element by element, without overflow for any x:
//
//	y = 1/(1 + exp(−x))
func Sigmoid(x *Node) (*Node, error) { return apply(sigmoid{}, x) }

// Tanh is the hyperbolic tangent, element by element.
func Tanh(x *Node) (*Node, error) { return apply(tanh{}, x) }

type sigmoid struct{ elementwise }

func (sigmoid) name() string           { return "sigmoid" }
func (sigmoid) run(c *exec.Call) error { return on1(c, vec.Sigmoid[float32], vec.Sigmoid[float64]) }

func (sigmoid) grad(_ gorgonia.Nodes, y, dy *Node) (gorgonia.Nodes, error) {
	var e expr
	return e.nodes(e.op(sigmoidGrad{}, dy, y))
}

// sigmoidGrad is dx = dy·y·(1−y).
type sigmoidGrad struct{ gradient }

func (sigmoidGrad) name() string { return "sigmoid gradient" }
func (sigmoidGrad) run(c *exec.Call) error {
	return on2(c, vec.SigmoidGrad[float32], vec.SigmoidGrad[float64])
}

func (sigmoidGrad) grad(in gorgonia.Nodes, _, ddx *Node) (gorgonia.Nodes, error) {
	dy, y := in[0], in[1]
	var e expr
	slope := e.addScalar(e.scale(y, -2), 1) // 1 − 2y
	return e.nodes(e.op(sigmoidGrad{}, ddx, y), e.mul(e.mul(ddx, dy), slope))
}

type tanh struct{ elementwise }

func (tanh) name() string           { return "tanh" }
func (tanh) run(c *exec.Call) error { return on1(c, vec.Tanh[float32], vec.Tanh[float64]) }

func (tanh) grad(_ gorgonia.Nodes, y, dy *Node) (gorgonia.Nodes, error) {
	var e expr
	return e.nodes(e.op(tanhGrad{}, dy, y))
}

// tanhGrad is dx = dy·(1−y²).
type tanhGrad struct{ gradient }

func (tanhGrad) name() string           { return "tanh gradient" }
func (tanhGrad) run(c *exec.Call) error { return on2(c, vec.TanhGrad[float32], vec.TanhGrad[float64]) }

func (tanhGrad) grad(in gorgonia.Nodes, _, ddx *Node) (gorgonia.Nodes, error) {
	dy, y := in[0], in[1]
	var e expr
	return e.nodes(e.op(tanhGrad{}, ddx, y), e.mul(e.mul(ddx, dy), e.scale(y, -2)))
}
