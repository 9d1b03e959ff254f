package nn

import (
	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/ops"
)

// AdaptiveAvgPool2D averages over Size windows that are spread over the picture whatever its size is:
// [N, C, H, W] becomes [N, C, Size[0], Size[1]].
type AdaptiveAvgPool2D struct{ Size [2]int }

// Apply adds the pooling.
func (l AdaptiveAvgPool2D) Apply(g *graph.Graph, x *Node) *Node {
	return unary(g, "adaptive average pool", x, func(x *Node) (*Node, error) { return ops.AdaptiveAvgPool2D(x, l.Size) })
}
