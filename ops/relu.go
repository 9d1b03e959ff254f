package ops

import (
	"github.com/pkg/errors"
	"gorgonia.org/gorgonia"

	"github.com/stheno-ml/stheno/internal/exec"
	"github.com/stheno-ml/stheno/internal/kernel/vec"
)

// ReLU is the rectified linear unit (Nair and Hinton 2010), element by element:
//
//	y = max(x, 0)
//
// Its derivative at 0 is 0, as in PyTorch and TensorFlow. NaN stays NaN.
func ReLU(x *Node) (*Node, error) { return apply(relu{}, x) }

type relu struct{ elementwise }

func (relu) name() string           { return "relu" }
func (relu) run(c *exec.Call) error { return on1(c, vec.ReLU[float32], vec.ReLU[float64]) }

// The gradient reads the result rather than the input, so that the input need not be kept.
func (relu) grad(_ gorgonia.Nodes, y, dy *Node) (gorgonia.Nodes, error) {
	var e expr
	return e.nodes(e.op(reluGrad{}, dy, y))
}

// reluGrad is dx = dy where y > 0, else 0; linear in dy, and constant in y but for the kink.
type reluGrad struct{ gradient }

func (reluGrad) name() string              { return "relu gradient" }
func (reluGrad) differentiable(int) []bool { return []bool{true, false} }
func (reluGrad) run(c *exec.Call) error {
	return on2(c, vec.ReLUGrad[float32], vec.ReLUGrad[float64])
}

func (reluGrad) grad(in gorgonia.Nodes, _, ddx *Node) (gorgonia.Nodes, error) {
	var e expr
	return e.nodes(e.op(reluGrad{}, ddx, in[1]), nil)
}

// LeakyReLU is the leaky rectified linear unit (Maas et al. 2013), element by element:
//
//	y = x where x > 0, else slope · x
//
// The slope must not be negative; its usual value is 0.01, in DCGAN 0.2.
func LeakyReLU(x *Node, slope float64) (*Node, error) {
	if !(slope >= 0) {
		return nil, errors.Errorf("leaky relu: slope %g, want 0 or more", slope)
	}
	return apply(leaky{slope: slope}, x)
}

type leaky struct {
	elementwise
	slope float64
}

func (leaky) name() string { return "leaky relu" }

func (r leaky) run(c *exec.Call) error {
	return on1(c,
		func(y, x []float32) { vec.LeakyReLU(y, x, float32(r.slope)) },
		func(y, x []float64) { vec.LeakyReLU(y, x, r.slope) })
}

// The result has the sign of the input, so it serves for the gradient.
func (r leaky) grad(_ gorgonia.Nodes, y, dy *Node) (gorgonia.Nodes, error) {
	var e expr
	return e.nodes(e.op(leakyGrad{slope: r.slope}, dy, y))
}

type leakyGrad struct {
	gradient
	slope float64
}

func (leakyGrad) name() string              { return "leaky relu gradient" }
func (leakyGrad) differentiable(int) []bool { return []bool{true, false} }

func (r leakyGrad) run(c *exec.Call) error {
	return on2(c,
		func(dx, dy, y []float32) { vec.LeakyReLUGrad(dx, dy, y, float32(r.slope)) },
		func(dx, dy, y []float64) { vec.LeakyReLUGrad(dx, dy, y, r.slope) })
}

func (r leakyGrad) grad(in gorgonia.Nodes, _, ddx *Node) (gorgonia.Nodes, error) {
	var e expr
	return e.nodes(e.op(r, ddx, in[1]), nil)
}
