package nn

import (
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

// Softmax makes the last axis a distribution. For training, leave it to the loss.
type Softmax struct{}

// Flatten makes [N, …] into [N, D].
type Flatten struct{}

func (ReLU) Apply(g *graph.Graph, x *Node) *Node    { return unary(g, "relu", x, ops.ReLU) }
func (Sigmoid) Apply(g *graph.Graph, x *Node) *Node { return unary(g, "sigmoid", x, ops.Sigmoid) }
func (Tanh) Apply(g *graph.Graph, x *Node) *Node    { return unary(g, "tanh", x, ops.Tanh) }
func (Flatten) Apply(g *graph.Graph, x *Node) *Node { return unary(g, "flatten", x, ops.Flatten) }

func (l LeakyReLU) Apply(g *graph.Graph, x *Node) *Node {
	return unary(g, "leaky relu", x, func(x *Node) (*Node, error) { return ops.LeakyReLU(x, l.Slope) })
}

func (Softmax) Apply(g *graph.Graph, x *Node) *Node {
	return unary(g, "softmax", x, func(x *Node) (*Node, error) { return ops.Softmax(x, len(x.Shape())-1) })
}
