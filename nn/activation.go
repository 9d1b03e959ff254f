package nn

import (
	"cmp"

	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/ops"
)

// unary applies an op without settings or variables.
func unary(g *graph.Graph, kind string, x *Node, f func(x *Node) (*Node, error)) *Node {
	return g.Apply(kind, "", func(*graph.Graph) (*Node, error) { return f(x) }, x)
}

// ReLU is max(x, 0).
type ReLU struct{}

// LeakyReLU is x where x > 0, and Slope·x elsewhere. DCGAN's Slope is 0.2.
type LeakyReLU struct{ Slope float64 }

// Sigmoid is 1/(1+e^−x).
type Sigmoid struct{}

// Tanh is the hyperbolic tangent.
type Tanh struct{}

// ELU is x where x > 0, and Alpha·(e^x − 1) elsewhere (Clevert, Unterthiner and Hochreiter 2015).
type ELU struct{ Alpha float64 } // 0 means 1

// SELU is ELU with the two constants under which activations normalise themselves (Klambauer et al. 2017).
type SELU struct{}

// GELU is x·Φ(x) with the normal distribution's Φ (Hendrycks and Gimpel 2016), or, with Tanh, its approximation by tanh.
type GELU struct{ Tanh bool }

// SiLU is x·sigmoid(x), also called swish.
type SiLU struct{}

// HardSwish is x·min(max(x + 3, 0), 6)/6 (Howard et al. 2019, "Searching for MobileNetV3").
type HardSwish struct{}

// HardSigmoid is min(max(x/6 + ½, 0), 1), as PyTorch and Keras 3 have it.
type HardSigmoid struct{}

// Softplus is log(1 + e^x).
type Softplus struct{}

// Softmax makes the last axis a distribution. For training, leave it to the loss.
type Softmax struct{}

// Flatten makes [N, …] into [N, D].
type Flatten struct{}

func (ReLU) Apply(g *graph.Graph, x *Node) *Node    { return unary(g, "relu", x, ops.ReLU) }
func (Sigmoid) Apply(g *graph.Graph, x *Node) *Node { return unary(g, "sigmoid", x, ops.Sigmoid) }
func (Tanh) Apply(g *graph.Graph, x *Node) *Node    { return unary(g, "tanh", x, ops.Tanh) }
func (Flatten) Apply(g *graph.Graph, x *Node) *Node { return unary(g, "flatten", x, ops.Flatten) }

func (SELU) Apply(g *graph.Graph, x *Node) *Node { return unary(g, "selu", x, ops.SELU) }
func (SiLU) Apply(g *graph.Graph, x *Node) *Node { return unary(g, "silu", x, ops.SiLU) }
func (HardSwish) Apply(g *graph.Graph, x *Node) *Node {
	return unary(g, "hard swish", x, ops.HardSwish)
}
func (Softplus) Apply(g *graph.Graph, x *Node) *Node { return unary(g, "softplus", x, ops.Softplus) }

func (HardSigmoid) Apply(g *graph.Graph, x *Node) *Node {
	return unary(g, "hard sigmoid", x, func(x *Node) (*Node, error) { return ops.HardSigmoid(x, 1.0/6, 0.5) })
}

func (l ELU) Apply(g *graph.Graph, x *Node) *Node {
	return unary(g, "elu", x, func(x *Node) (*Node, error) { return ops.ELU(x, cmp.Or(l.Alpha, 1)) })
}

func (l GELU) Apply(g *graph.Graph, x *Node) *Node {
	if l.Tanh {
		return unary(g, "gelu", x, ops.GELUTanh)
	}
	return unary(g, "gelu", x, ops.GELU)
}

func (l LeakyReLU) Apply(g *graph.Graph, x *Node) *Node {
	return unary(g, "leaky relu", x, func(x *Node) (*Node, error) { return ops.LeakyReLU(x, l.Slope) })
}

func (Softmax) Apply(g *graph.Graph, x *Node) *Node {
	return unary(g, "softmax", x, func(x *Node) (*Node, error) { return ops.Softmax(x, len(x.Shape())-1) })
}
