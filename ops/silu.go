package ops

import (
	"gorgonia.org/gorgonia"

	"github.com/stheno-ml/stheno/internal/exec"
	"github.com/stheno-ml/stheno/internal/kernel/vec"
)

// SiLU, also called swish, is x · sigmoid(x), element by element (Elfwing et al. 2018; Ramachandran et al.
// 2017).
func SiLU(x *Node) (*Node, error) { return apply(silu{}, x) }

// Softplus is ln(1 + exp(x)), element by element, without overflow for large x and without loss for small.
func Softplus(x *Node) (*Node, error) { return apply(softplus{}, x) }

// Softsign is x / (1 + |x|), element by element (Glorot and Bengio 2010).
func Softsign(x *Node) (*Node, error) { return apply(softsign{}, x) }

type silu struct{ elementwise }

func (silu) name() string           { return "silu" }
func (silu) run(c *exec.Call) error { return on1(c, vec.SiLU[float32], vec.SiLU[float64]) }

func (silu) grad(in gorgonia.Nodes, _, dy *Node) (gorgonia.Nodes, error) {
	var e expr
	return e.nodes(e.op(siluGrad{}, dy, in[0]))
}

// siluGrad is dx = dy·s·(1 + x·(1−s)), where s = sigmoid(x).
type siluGrad struct{ gradient }

func (siluGrad) name() string           { return "silu gradient" }
func (siluGrad) run(c *exec.Call) error { return on2(c, vec.SiLUGrad[float32], vec.SiLUGrad[float64]) }

// The second derivative is s·(1−s)·(2 + x·(1−2s)).
func (siluGrad) grad(in gorgonia.Nodes, _, ddx *Node) (gorgonia.Nodes, error) {
	dy, x := in[0], in[1]
	var e expr
	s := e.op(sigmoid{}, x)
	inner := e.addScalar(e.mul(x, e.addScalar(e.scale(s, -2), 1)), 2)
	curve := e.mul(e.sub(s, e.op(square{}, s)), inner)
	return e.nodes(e.op(siluGrad{}, ddx, x), e.mul(e.mul(ddx, dy), curve))
}

type softplus struct{ elementwise }

func (softplus) name() string           { return "softplus" }
func (softplus) run(c *exec.Call) error { return on1(c, vec.Softplus[float32], vec.Softplus[float64]) }

func (softplus) grad(in gorgonia.Nodes, _, dy *Node) (gorgonia.Nodes, error) {
	var e expr
	return e.nodes(e.op(softplusGrad{}, dy, in[0]))
}

// softplusGrad is dx = dy·sigmoid(x).
type softplusGrad struct{ gradient }

func (softplusGrad) name() string { return "softplus gradient" }
func (softplusGrad) run(c *exec.Call) error {
	return on2(c, vec.SoftplusGrad[float32], vec.SoftplusGrad[float64])
}

func (softplusGrad) grad(in gorgonia.Nodes, _, ddx *Node) (gorgonia.Nodes, error) {
	dy, x := in[0], in[1]
	var e expr
	return e.nodes(e.op(softplusGrad{}, ddx, x), e.op(sigmoidGrad{}, e.mul(ddx, dy), e.op(sigmoid{}, x)))
}

type softsign struct{ elementwise }

func (softsign) name() string { return "softsign" }

func (softsign) run(c *exec.Call) error {
	return onLoop(c, softsignLoop[float32], softsignLoop[float64], 0, 0)
}

func softsignLoop[T exec.Float](y, x, _ []T, _, _ T) {
	for i, v := range x {
		y[i] = v / (1 + max(v, -v))
	}
}

func (softsign) grad(in gorgonia.Nodes, _, dy *Node) (gorgonia.Nodes, error) {
	var e expr
	return e.nodes(e.op(softsignGrad{}, dy, in[0]))
}

// softsignGrad is dx = dy / (1 + |x|)².
type softsignGrad struct{ gradient }

func (softsignGrad) name() string { return "softsign gradient" }

func (softsignGrad) run(c *exec.Call) error {
	return onLoop(c, softsignGradLoop[float32], softsignGradLoop[float64], 0, 0)
}

func softsignGradLoop[T exec.Float](dx, dy, x []T, _, _ T) {
	for i, v := range x {
		d := 1 + max(v, -v)
		dx[i] = dy[i] / (d * d)
	}
}

// The second derivative is −2·sign(x) / (1 + |x|)³.
func (softsignGrad) grad(in gorgonia.Nodes, _, ddx *Node) (gorgonia.Nodes, error) {
	dy, x := in[0], in[1]
	var e expr
	d := e.addScalar(e.op(absolute{}, x), 1)
	cube := e.scale(e.op(powScalar{p: -3}, d), -2)
	return e.nodes(e.op(softsignGrad{}, ddx, x), e.op(absGrad{}, e.mul(e.mul(ddx, dy), cube), x))
}
