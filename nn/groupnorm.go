package nn

import (
	"cmp"

	"github.com/pkg/errors"

	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/ops"
)

// GroupNorm normalises groups of neighbouring channels of each sample, the same in training and in evaluation (Wu and He
// 2018). Its variables are weight (γ) and bias (β), both [C], as in PyTorch.
type GroupNorm struct {
	Name     string
	Groups   int     // 0 means 32, the paper's
	Eps      float64 // 0 means 1e-5
	NoAffine bool    // no γ and β

	Init graph.Init // of γ; nil means ones
}

// Apply adds the normalisation of x [N, C] or [N, C, H, W].
func (l GroupNorm) Apply(g *graph.Graph, x *Node) *Node {
	return g.Apply("group norm", l.Name, func(g *graph.Graph) (*Node, error) {
		s := x.Shape()
		if len(s) < 2 {
			return nil, errors.Errorf("input has shape %v, want [N, C] or [N, C, H, W]", s)
		}
		gamma, beta, err := affine(g, l.NoAffine, l.Init, s[1])
		if err != nil {
			return nil, err
		}
		return ops.GroupNorm(x, gamma, beta, cmp.Or(l.Groups, 32), l.Eps)
	}, x)
}

// LayerNorm normalises each sample over its last axes, the same in training and in evaluation (Ba, Kiros and Hinton
// 2016). Its variables are weight (γ) and bias (β) of the sizes of these axes, as in PyTorch.
type LayerNorm struct {
	Name     string
	Axes     int     // how many; 0 means all but the first
	Eps      float64 // 0 means 1e-5
	NoAffine bool    // no γ and β

	Init graph.Init // of γ; nil means ones
}

// Apply adds the normalisation of x [N, …].
func (l LayerNorm) Apply(g *graph.Graph, x *Node) *Node {
	return g.Apply("layer norm", l.Name, func(g *graph.Graph) (*Node, error) {
		s := x.Shape()
		axes := cmp.Or(l.Axes, len(s)-1)
		if axes < 1 || axes > len(s) {
			return nil, errors.Errorf("over %d axes of an input of shape %v, want 1 to %d", axes, s, len(s))
		}
		gamma, beta, err := affine(g, l.NoAffine, l.Init, s[len(s)-axes:]...)
		if err != nil {
			return nil, err
		}
		return ops.LayerNorm(x, gamma, beta, axes, l.Eps)
	}, x)
}

// affine makes γ and β of a normalisation, or neither.
func affine(g *graph.Graph, none bool, init graph.Init, shape ...int) (gamma, beta *Node, err error) {
	if none {
		return nil, nil, nil
	}
	gamma, beta = g.Parameter("weight", or(init, Constant(1)), shape...), g.Parameter("bias", Zeros{}, shape...)
	return gamma, beta, g.Err()
}
