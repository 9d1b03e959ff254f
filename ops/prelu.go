package ops

import (
	"github.com/pkg/errors"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/internal/exec"
	"github.com/stheno-ml/stheno/internal/kernel/vec"
)

// PReLU is the rectified linear unit with a learnt slope (He et al. 2015, "Delving Deep into Rectifiers",
// section 2.1), element by element:
//
//	y = x where x > 0, else slope · x
//
// x is [N, C, …]; slope is a scalar, [1], or [C] with one slope a channel.
func PReLU(x, slope *Node) (*Node, error) {
	if x == nil || slope == nil {
		return nil, errors.New("prelu: an input is nil")
	}
	xs, s := x.Shape(), slope.Shape()
	switch {
	case exec.Size(s) == 1 && len(s) <= 1:
	case len(s) == 1 && len(xs) >= 2 && s[0] == xs[1]:
		to := make(tensor.Shape, len(xs)-1) // [C, 1, …]
		for k := range to {
			to[k] = 1
		}
		to[0] = s[0]
		var err error
		if slope, err = reshapeTo(slope, to); err != nil {
			return nil, err
		}
	default:
		return nil, errors.Errorf("prelu: the slope has shape %v, x %v: want one slope, or one for each channel of [N, C, …]", s, xs)
	}
	return apply(prelu{}, x, slope)
}

type prelu struct{ broadcasting }

func (prelu) name() string           { return "prelu" }
func (prelu) inPlace() []int         { return []int{0} }
func (prelu) run(c *exec.Call) error { return onRows(c, preluRow[float32], preluRow[float64]) }

func preluRow[T exec.Float](y, x, a []T, sx, sa int) {
	if sx == 1 && sa == 0 {
		vec.LeakyReLU(y, x, a[0])
		return
	}
	for i := range y {
		v := x[i*sx]
		y[i] = max(v, 0) + a[i*sa]*min(v, 0) // no branch: signs of activations cannot be foretold
	}
}

func (prelu) grad(in gorgonia.Nodes, _, dy *Node) (gorgonia.Nodes, error) {
	x, slope := in[0], in[1]
	var e expr
	dx := e.mul(dy, e.op(preluSlope{}, x, slope))
	da := e.mul(dy, e.mul(x, e.op(notPositive{}, x)))
	return e.nodes(dx, e.to(da, slope.Shape()))
}

// preluSlope is the derivative of PReLU by x: 1 where x > 0, else the slope.
type preluSlope struct{ broadcasting }

func (preluSlope) name() string              { return "prelu slope" }
func (preluSlope) inPlace() []int            { return []int{0} }
func (preluSlope) differentiable(int) []bool { return []bool{false, true} }

func (preluSlope) run(c *exec.Call) error {
	return onRows(c, preluSlopeRow[float32], preluSlopeRow[float64])
}

func preluSlopeRow[T exec.Float](y, x, a []T, sx, sa int) {
	for i := range y {
		s := T(1)
		if x[i*sx] <= 0 {
			s = a[i*sa]
		}
		y[i] = s
	}
}

func (preluSlope) grad(in gorgonia.Nodes, _, dy *Node) (gorgonia.Nodes, error) {
	var e expr
	return e.nodes(nil, e.to(e.mul(dy, e.op(notPositive{}, in[0])), in[1].Shape()))
}
