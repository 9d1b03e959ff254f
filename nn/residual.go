package nn

import (
	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/ops"
)

// Residual adds what Body makes of x to x, or to what Shortcut makes of it, and then applies After
// (He et al. 2016).
type Residual struct {
	Name     string
	Body     Layer
	Shortcut Layer // nil means x itself
	After    Layer // nil means nothing
}

// Apply adds the block. Its layers' names begin with Name.
func (l Residual) Apply(g *graph.Graph, x *Node) *Node {
	return g.Apply("residual", l.Name, func(g *graph.Graph) (*Node, error) {
		y := l.Body.Apply(g, x)
		short := x
		if l.Shortcut != nil {
			short = l.Shortcut.Apply(g, x)
		}
		if err := g.Err(); err != nil {
			return nil, err
		}
		sum, err := ops.Sum(y, short)
		if err != nil || l.After == nil {
			return sum, err
		}
		return l.After.Apply(g, sum), g.Err()
	}, x)
}
