package nn

import "github.com/stheno-ml/stheno/graph"

// Node is a value in a graph.
type Node = graph.Node

// Layer is a part of a network: it adds itself to a graph, on top of x, and returns its result. Layers are
// plain structs of settings; their weights live in the graph's store.
type Layer interface {
	Apply(g *graph.Graph, x *Node) *Node
}

// Func makes a Layer of a function.
type Func func(g *graph.Graph, x *Node) *Node

// Apply calls f.
func (f Func) Apply(g *graph.Graph, x *Node) *Node { return f(g, x) }

// Sequential applies layers one after the other.
type Sequential []Layer

// Apply applies all layers.
func (s Sequential) Apply(g *graph.Graph, x *Node) *Node {
	for _, l := range s {
		x = l.Apply(g, x)
	}
	return x
}

// Named puts a layer into a scope of its own: its variables' names begin with Name and a dot.
type Named struct {
	Name  string
	Layer Layer
}

// Apply applies the layer inside the scope.
func (n Named) Apply(g *graph.Graph, x *Node) *Node {
	return g.Apply("block", n.Name, func(g *graph.Graph) (*Node, error) { return n.Layer.Apply(g, x), g.Err() }, x)
}

// Checkpointed applies a layer whose inner values are computed again in the backward pass instead of being kept:
// training takes more time and less memory, and gives the same numbers (Chen et al. 2016).
type Checkpointed struct{ Layer Layer }

// Apply applies the layer.
func (c Checkpointed) Apply(g *graph.Graph, x *Node) *Node {
	return g.Checkpoint(func() *Node { return c.Layer.Apply(g, x) })
}
