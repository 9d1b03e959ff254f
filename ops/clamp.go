package ops

import (
	"math"

	"github.com/pkg/errors"
	"gorgonia.org/gorgonia"

	"github.com/stheno-ml/stheno/internal/exec"
	"github.com/stheno-ml/stheno/internal/kernel/vec"
)

// Clamp holds x between lo and hi, element by element; math.Inf leaves a side open. The gradient is that of
// the result where lo ≤ x ≤ hi, and 0 elsewhere. NaN stays NaN. Where lo is larger than hi it is an error.
func Clamp(x *Node, lo, hi float64) (*Node, error) {
	if !(lo <= hi) {
		return nil, errors.Errorf("clamp: between %g and %g, want the lower bound first", lo, hi)
	}
	return apply(clamp{lo: lo, hi: hi}, x)
}

// ReLU6 is min(max(x, 0), 6), element by element (Krizhevsky 2010; MobileNet). Its gradient is 0 at 0 and 6.
func ReLU6(x *Node) (*Node, error) { return apply(clamp{lo: 0, hi: 6, open: true}, x) }

// HardSigmoid is sigmoid made of straight lines, element by element:
//
//	y = min(max(alpha·x + beta, 0), 1)
//
// PyTorch, Keras 3 and MobileNetV3 have alpha 1/6 and beta 1/2; ONNX and Keras 2 alpha 0.2 and beta 1/2.
// alpha must be positive.
func HardSigmoid(x *Node, alpha, beta float64) (*Node, error) {
	if !(alpha > 0) {
		return nil, errors.Errorf("hard sigmoid: alpha %g, want more than 0", alpha)
	}
	return apply(hardSigmoid{alpha: alpha, beta: beta}, x)
}

// HardSwish is x · min(max(x/6 + 1/2, 0), 1), element by element (Howard et al. 2019, "Searching for
// MobileNetV3", section 5.2).
func HardSwish(x *Node) (*Node, error) { return apply(hardSwish{}, x) }

type clamp struct {
	elementwise
	lo, hi float64
	open   bool // no gradient at the bounds themselves
}

func (clamp) name() string { return "clamp" }

func (r clamp) run(c *exec.Call) error {
	return on1(c,
		func(y, x []float32) { vec.Clamp(y, x, float32(r.lo), float32(r.hi)) },
		func(y, x []float64) { vec.Clamp(y, x, r.lo, r.hi) })
}

// Without the bounds, the result tells as much as the input, which then need not be kept.
func (r clamp) grad(in gorgonia.Nodes, y, dy *Node) (gorgonia.Nodes, error) {
	var e expr
	if r.open {
		return e.nodes(e.op(clampGrad{lo: r.lo, hi: r.hi, open: true, factor: 1}, dy, y))
	}
	return e.nodes(e.op(clampGrad{lo: r.lo, hi: r.hi, factor: 1}, dy, in[0]))
}

// clampGrad is dx = factor·dy where x is between lo and hi, else 0.
type clampGrad struct {
	gradient
	lo, hi float64
	open   bool
	factor float64
}

func (clampGrad) name() string              { return "clamp gradient" }
func (clampGrad) differentiable(int) []bool { return []bool{true, false} }

func (r clampGrad) run(c *exec.Call) error {
	return on2(c,
		func(dx, dy, x []float32) {
			lo, hi := float32(r.lo), float32(r.hi)
			if r.open {
				lo, hi = math.Nextafter32(lo, hi), math.Nextafter32(hi, lo)
			}
			vec.ClampGrad(dx, dy, x, lo, hi)
			if r.factor != 1 {
				vec.Scale(dx, dx, float32(r.factor))
			}
		},
		func(dx, dy, x []float64) {
			lo, hi := r.lo, r.hi
			if r.open {
				lo, hi = math.Nextafter(lo, hi), math.Nextafter(hi, lo)
			}
			vec.ClampGrad(dx, dy, x, lo, hi)
			if r.factor != 1 {
				vec.Scale(dx, dx, r.factor)
			}
		})
}

func (r clampGrad) grad(in gorgonia.Nodes, _, ddx *Node) (gorgonia.Nodes, error) {
	var e expr
	return e.nodes(e.op(r, ddx, in[1]), nil)
}

type hardSigmoid struct {
	elementwise
	alpha, beta float64
}

func (hardSigmoid) name() string { return "hard sigmoid" }

func (r hardSigmoid) run(c *exec.Call) error {
	return onLoop(c, hardSigmoidLoop[float32], hardSigmoidLoop[float64], r.alpha, r.beta)
}

func hardSigmoidLoop[T exec.Float](y, x, _ []T, alpha, beta T) {
	vec.Scale(y, x, alpha)
	vec.AddScalar(y, y, beta)
	vec.Clamp(y, y, 0, 1)
}

func (r hardSigmoid) grad(_ gorgonia.Nodes, y, dy *Node) (gorgonia.Nodes, error) {
	var e expr
	return e.nodes(e.op(clampGrad{lo: 0, hi: 1, open: true, factor: r.alpha}, dy, y))
}

type hardSwish struct{ elementwise }

func (hardSwish) name() string   { return "hard swish" }
func (hardSwish) inPlace() []int { return nil } // x is read after y has been written

func (hardSwish) run(c *exec.Call) error {
	return onLoop(c, hardSwishLoop[float32], hardSwishLoop[float64], 0, 0)
}

func hardSwishLoop[T exec.Float](y, x, _ []T, _, _ T) {
	vec.AddScalar(y, x, 3)
	vec.Clamp(y, y, 0, 6)
	vec.Mul(y, y, x)
	vec.Scale(y, y, 1./6)
}

func (hardSwish) grad(in gorgonia.Nodes, _, dy *Node) (gorgonia.Nodes, error) {
	var e expr
	return e.nodes(e.op(hardSwishGrad{}, dy, in[0]))
}

// hardSwishGrad is dx = dy · (x/3 + 1/2) for −3 < x < 3, dy above, 0 below.
type hardSwishGrad struct{ gradient }

func (hardSwishGrad) name() string { return "hard swish gradient" }

func (hardSwishGrad) run(c *exec.Call) error {
	return onLoop(c, hardSwishGradLoop[float32], hardSwishGradLoop[float64], 0, 0)
}

func hardSwishGradLoop[T exec.Float](dx, dy, x []T, _, _ T) {
	for i, v := range x {
		switch {
		case v < -3:
			dx[i] = 0
		case v <= 3:
			dx[i] = dy[i] * (v/3 + 0.5)
		default:
			dx[i] = dy[i]
		}
	}
}

func (hardSwishGrad) grad(in gorgonia.Nodes, _, ddx *Node) (gorgonia.Nodes, error) {
	dy, x := in[0], in[1]
	var e expr
	curve := e.op(clampGrad{lo: -3, hi: 3, open: true, factor: 1. / 3}, e.mul(ddx, dy), x)
	return e.nodes(e.op(hardSwishGrad{}, ddx, x), curve)
}
