package nn

import (
	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/ops"
)

// Parallel applies every layer to x and joins the channels of their results, as an Inception block does
// (Szegedy et al. 2015, figure 2).
type Parallel []Layer

// Apply adds the branches, in order, and joins them along axis 1.
func (p Parallel) Apply(g *graph.Graph, x *Node) *Node {
	branches := make([]*Node, len(p))
	for i, l := range p {
		branches[i] = l.Apply(g, x)
	}
	return g.Apply("concat", "", func(*graph.Graph) (*Node, error) { return ops.Concat(1, branches...) }, branches...)
}

// Mark names what a layer computes, so that it can be asked for (graph.Graph.Mark).
type Mark struct {
	Name  string
	Layer Layer
}

// Apply adds the layer and marks its result.
func (m Mark) Apply(g *graph.Graph, x *Node) *Node {
	return g.Mark(m.Name, m.Layer.Apply(g, x))
}

// Identity changes nothing.
type Identity struct{}

// Apply returns x.
func (Identity) Apply(_ *graph.Graph, x *Node) *Node { return x }
