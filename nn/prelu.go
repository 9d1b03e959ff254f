package nn

import (
	"github.com/pkg/errors"

	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/ops"
)

// PReLU is x where x > 0, and a learnt slope times x elsewhere (He et al. 2015, "Delving Deep into Rectifiers",
// section 2.1). Its variable is weight [C], or [1] with Shared.
type PReLU struct {
	Name   string
	Shared bool // one slope for all channels, PyTorch's default

	Init graph.Init // nil means 0.25, as in the paper
}

// Apply adds the activation of x [N, C, …].
func (l PReLU) Apply(g *graph.Graph, x *Node) *Node {
	return g.Apply("prelu", l.Name, func(g *graph.Graph) (*Node, error) {
		s := x.Shape()
		if len(s) < 2 {
			return nil, errors.Errorf("input has shape %v, want [N, C, …]", s)
		}
		n := s[1]
		if l.Shared {
			n = 1
		}
		slope := g.Parameter("weight", or(l.Init, Constant(0.25)), n)
		if err := g.Err(); err != nil {
			return nil, err
		}
		return ops.PReLU(x, slope)
	}, x)
}
