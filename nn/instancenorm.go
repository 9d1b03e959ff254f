package nn

import (
	"github.com/pkg/errors"

	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/ops"
)

// InstanceNorm normalises each channel of each picture by itself, in training and in evaluation (Ulyanov,
// Vedaldi and Lempitsky 2016). With Affine it has the variables weight (γ) and bias (β), as in PyTorch.
type InstanceNorm struct {
	Name   string
	Eps    float64 // 0 means 1e-5
	Affine bool

	Init graph.Init // of γ; nil means ones
}

// Apply adds the normalisation of x [N, C, H, W].
func (l InstanceNorm) Apply(g *graph.Graph, x *Node) *Node {
	return g.Apply("instance norm", l.Name, func(g *graph.Graph) (*Node, error) {
		if err := wantPicture(x); err != nil {
			return nil, err
		}
		s := x.Shape()
		if s[2]*s[3] < 2 {
			return nil, errors.Errorf("input has shape %v: one number a channel, which would become 0", s)
		}
		gamma, beta, err := affine(g, !l.Affine, l.Init, s[1])
		if err != nil {
			return nil, err
		}
		return ops.InstanceNorm(x, gamma, beta, l.Eps)
	}, x)
}
