package nn

import (
	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/ops"
)

// LRN is local response normalisation across Size neighbouring channels (Krizhevsky, Sutskever and Hinton
// 2012, section 3.3): x / (K + Alpha/Size · Σ x²)^Beta.
type LRN struct {
	Size  int     // channels in the window
	Alpha float64 // 0 means 1e-4
	Beta  float64 // 0 means 0.75
	K     float64 // 0 means 1
}

// Apply adds the normalisation of x [N, C, H, W].
func (l LRN) Apply(g *graph.Graph, x *Node) *Node {
	return unary(g, "local response norm", x, func(x *Node) (*Node, error) {
		return ops.LocalResponseNorm(x, ops.LRN{Size: l.Size, Alpha: l.Alpha, Beta: l.Beta, K: l.K})
	})
}
