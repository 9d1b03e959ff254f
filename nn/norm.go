package nn

import (
	"github.com/pkg/errors"

	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/ops"
)

// BatchNorm normalises each channel of [N, C] or [N, C, H, W] (Ioffe and Szegedy 2015): by the batch's mean and
// variance in training, by running ones in evaluation. The running ones follow the batches as the training
// step ends. Its variables are weight (γ), bias (β), running_mean and running_var, as in PyTorch.
//
// When weight and bias are frozen the layer uses its running statistics in training as well, and leaves them
// as they are: a frozen layer does not change at all.
type BatchNorm struct {
	Name     string
	Eps      float64 // 0 means 1e-5 (Keras has 1e-3)
	Momentum float64 // weight of the new batch in the running statistics; 0 means 0.1 (Keras writes 1 − that)
	NoScale  bool    // no γ
	NoShift  bool    // no β
	Biased   bool    // running variance as Keras computes it, without n/(n−1)
	ZeroInit bool    // γ begins at 0: last norm of a residual branch (Goyal et al. 2017, section 5.1)

	Init graph.Init // of γ; nil means ones, or zeros with ZeroInit
}

// Apply adds the normalisation.
func (l BatchNorm) Apply(g *graph.Graph, x *Node) *Node {
	return g.Apply("batch norm", l.Name, func(g *graph.Graph) (*Node, error) {
		s := x.Shape()
		if len(s) != 2 && len(s) != 4 {
			return nil, errors.Errorf("input has shape %v, want [N, C] or [N, C, H, W]", s)
		}
		c := s[1]
		var gamma, beta *Node
		if !l.NoScale {
			first := Constant(1)
			if l.ZeroInit {
				first = 0
			}
			gamma = g.Parameter("weight", or(l.Init, first), c)
		}
		if !l.NoShift {
			beta = g.Parameter("bias", Zeros{}, c)
		}
		mean, variance := g.Statistic("running_mean", 0, c), g.Statistic("running_var", 1, c)
		if err := g.Err(); err != nil {
			return nil, err
		}
		a := ops.BatchNorm{Eps: l.Eps}
		if g.Mode() == graph.Eval || l.frozen(g) {
			return ops.BatchNormEval(x, gamma, beta, mean, variance, a)
		}
		y, stats, err := ops.BatchNormTrain(x, gamma, beta, a)
		if err != nil {
			return nil, err
		}
		count := s.TotalSize() / c
		newMean, newVariance, err := ops.RunningUpdate(mean, variance, stats, count, ops.Running{Momentum: l.Momentum, Biased: l.Biased})
		if err != nil {
			return nil, err
		}
		g.Assign(mean, newMean)
		g.Assign(variance, newVariance)
		return y, nil
	}, x)
}

// frozen says whether nothing of the layer is trained. A layer without γ and β is frozen with its statistics.
func (l BatchNorm) frozen(g *graph.Graph) bool {
	switch {
	case !l.NoScale:
		return g.Frozen("weight") && (l.NoShift || g.Frozen("bias"))
	case !l.NoShift:
		return g.Frozen("bias")
	}
	return g.Frozen("running_mean")
}
