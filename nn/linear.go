package nn

import (
	"github.com/pkg/errors"

	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/ops"
)

// Linear is x·Wᵀ + b with weights [Units, D] and, unless NoBias, a bias [Units].
type Linear struct {
	Name     string
	Units    int
	NoBias   bool
	Spectral bool // spectral norm (see SpectralNorm)

	Init     graph.Init // nil means GlorotUniform{}
	BiasInit graph.Init // nil means zeros
}

// Apply adds the product for x [N, D].
func (l Linear) Apply(g *graph.Graph, x *Node) *Node {
	return g.Apply("linear", l.Name, func(g *graph.Graph) (*Node, error) {
		s := x.Shape()
		if len(s) != 2 {
			return nil, errors.Errorf("input has shape %v, want [N, D]; flatten or pool first", s)
		}
		if l.Units < 1 {
			return nil, errors.Errorf("%d units, want at least 1", l.Units)
		}
		w := weight(g, l.Spectral, 0, or(l.Init, GlorotUniform{}), l.Units, s[1])
		b := bias(g, l.NoBias, l.BiasInit, l.Units)
		if err := g.Err(); err != nil {
			return nil, err
		}
		return ops.Linear(x, w, b)
	}, x)
}
