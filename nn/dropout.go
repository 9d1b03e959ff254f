package nn

import (
	"hash/fnv"

	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/ops"
)

// Dropout drops elements with probability P in training; in evaluation it is the identity. What it drops
// depends on the graph's RNG and on the layer's path, so it does not change when other layers come or go.
type Dropout struct {
	Name string
	P    float64
}

// Apply adds the dropout.
func (l Dropout) Apply(g *graph.Graph, x *Node) *Node {
	if g.Mode() == graph.Eval {
		return x
	}
	return g.Apply("dropout", l.Name, func(g *graph.Graph) (*Node, error) {
		return ops.Dropout(x, ops.DropoutConfig{P: l.P, RNG: g.RNG(), Stream: stream(g)})
	}, x)
}

// stream tells the random layers of a network apart.
func stream(g *graph.Graph) uint64 {
	h := fnv.New64a()
	h.Write([]byte(g.Path()))
	return h.Sum64()
}
