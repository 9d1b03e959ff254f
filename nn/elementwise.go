package nn

import (
	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/ops"
)

// ReLU6 is min(max(x, 0), 6).
type ReLU6 struct{}

// Apply adds the activation.
func (ReLU6) Apply(g *graph.Graph, x *Node) *Node { return unary(g, "relu6", x, ops.ReLU6) }

// Scale multiplies by a number.
type Scale float64

// Apply adds the product.
func (s Scale) Apply(g *graph.Graph, x *Node) *Node {
	return unary(g, "scale", x, func(x *Node) (*Node, error) { return ops.MulScalar(x, float64(s)) })
}
