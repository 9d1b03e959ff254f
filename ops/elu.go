package ops

import (
	"github.com/pkg/errors"
	"gorgonia.org/gorgonia"

	"github.com/stheno-ml/stheno/internal/exec"
	"github.com/stheno-ml/stheno/internal/kernel/vec"
)

// ELU is the exponential linear unit (Clevert et al. 2016, section 3), element by element:
//
//	y = x where x > 0, else alpha · (exp(x) − 1)
//
// alpha must not be negative; its usual value is 1.
func ELU(x *Node, alpha float64) (*Node, error) {
	if !(alpha >= 0) {
		return nil, errors.Errorf("elu: alpha %g, want 0 or more", alpha)
	}
	return apply(elu{alpha: alpha, scale: 1}, x)
}

// SELU is the scaled exponential linear unit (Klambauer et al. 2017, equation 2), element by element:
//
//	y = 1.0507 · ELU(x) with alpha 1.6733
func SELU(x *Node) (*Node, error) {
	return apply(elu{alpha: 1.6732632423543772, scale: 1.0507009873554805}, x)
}

type elu struct {
	elementwise
	alpha, scale float64
}

func (elu) name() string { return "elu" }

func (r elu) run(c *exec.Call) error {
	return on1(c,
		func(y, x []float32) { vec.ELU(y, x, float32(r.alpha), float32(r.scale)) },
		func(y, x []float64) { vec.ELU(y, x, r.alpha, r.scale) })
}

func (r elu) grad(_ gorgonia.Nodes, y, dy *Node) (gorgonia.Nodes, error) {
	var e expr
	return e.nodes(e.op(eluGrad{alpha: r.alpha, scale: r.scale}, dy, y))
}

// eluGrad is dx = dy · (scale where y > 0, else y + alpha·scale).
type eluGrad struct {
	gradient
	alpha, scale float64
}

func (eluGrad) name() string { return "elu gradient" }

func (r eluGrad) run(c *exec.Call) error {
	return on2(c,
		func(dx, dy, y []float32) { vec.ELUGrad(dx, dy, y, float32(r.alpha), float32(r.scale)) },
		func(dx, dy, y []float64) { vec.ELUGrad(dx, dy, y, r.alpha, r.scale) })
}

func (r eluGrad) grad(in gorgonia.Nodes, _, ddx *Node) (gorgonia.Nodes, error) {
	dy, y := in[0], in[1]
	var e expr
	return e.nodes(e.op(r, ddx, y), e.mul(e.mul(ddx, dy), e.op(notPositive{}, y)))
}

// notPositive is 0 where x > 0, else 1.
type notPositive struct {
	elementwise
	stepped
}

func (notPositive) name() string { return "not positive" }

func (notPositive) run(c *exec.Call) error {
	return onLoop(c, notPositiveLoop[float32], notPositiveLoop[float64], 0, 0)
}

func notPositiveLoop[T exec.Float](y, x, _ []T, _, _ T) {
	for i, v := range x {
		y[i] = 1
		if v > 0 {
			y[i] = 0
		}
	}
}
