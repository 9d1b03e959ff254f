package gan

import (
	"strings"

	"github.com/pkg/errors"
	"gorgonia.org/gorgonia"

	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/ops"
)

// Loss is what discriminator and generator minimise: means over the discriminator's logits [N] of a batch. The
// discriminator's loss is Real + Fake.
type Loss struct {
	Name string

	// Real is the discriminator's loss on real pictures, whose target is 1, or less with label smoothing.
	Real func(logits *graph.Node, target float64) (*graph.Node, error)
	Fake func(logits *graph.Node) (*graph.Node, error) // the discriminator's on generated ones

	Generator func(logits *graph.Node) (*graph.Node, error) // the generator's

	Probability bool // σ(logit) is the probability that a picture is real; else the logit is a score without bounds
	Smooths     bool // Real goes by its target
	Vanishes    bool // the discriminator's loss is 0 where it tells all pictures apart, and then teaches nothing
}

// Minimax is the game as first written (Goodfellow et al. 2014, equation 1): the generator minimises
// ln(1 − D(G(z))), whose gradient vanishes where the discriminator is sure.
var Minimax = Loss{Name: "minimax", Real: bceReal, Fake: bceFake, Probability: true, Smooths: true, Vanishes: true,
	Generator: func(logits *graph.Node) (*graph.Node, error) {
		loss, err := bce(logits, 0)
		if err != nil {
			return nil, err
		}
		return ops.Neg(loss)
	}}

// NonSaturating is binary cross-entropy on logits; the generator maximises ln D(G(z)) (Goodfellow et al. 2014,
// section 3).
var NonSaturating = Loss{Name: "non-saturating", Real: bceReal, Fake: bceFake, Probability: true, Smooths: true, Vanishes: true,
	Generator: func(logits *graph.Node) (*graph.Node, error) { return bce(logits, 1) }}

// LeastSquares is half the squared distance of logits from 1 for real and 0 for generated pictures (Mao et al.
// 2017, equation 9).
var LeastSquares = Loss{Name: "least-squares", Smooths: true, Vanishes: true,
	Real:      halfSquare,
	Fake:      func(logits *graph.Node) (*graph.Node, error) { return halfSquare(logits, 0) },
	Generator: func(logits *graph.Node) (*graph.Node, error) { return halfSquare(logits, 1) }}

// Wasserstein is the difference of mean scores (Arjovsky, Chintala and Bottou 2017). The discriminator must be
// kept smooth: by Config.Clip, as there, or by Config.GradientPenalty or spectral norm.
var Wasserstein = Loss{Name: "wasserstein",
	Real:      func(logits *graph.Node, _ float64) (*graph.Node, error) { return negativeMean(logits) },
	Fake:      mean,
	Generator: negativeMean}

// Hinge is the hinge loss of Lim and Ye 2017, as in Miyato et al. 2018, equations 16 and 17.
var Hinge = Loss{Name: "hinge", Vanishes: true,
	Real:      func(logits *graph.Node, _ float64) (*graph.Node, error) { return hinge(logits, 1) },
	Fake:      func(logits *graph.Node) (*graph.Node, error) { return hinge(logits, -1) },
	Generator: negativeMean}

// WassersteinGP names the loss Wasserstein with a gradient penalty (Gulrajani et al. 2017); see Named.
const WassersteinGP = "wgan-gp"

// Losses lists the names that Named takes.
func Losses() []string {
	return []string{Minimax.Name, NonSaturating.Name, LeastSquares.Name, Wasserstein.Name, WassersteinGP, Hinge.Name}
}

// Named sets the loss of a configuration by name, and what its paper has with it where the configuration leaves it
// at 0: for wasserstein clipping at 0.01 and 5 steps of the discriminator for one of the generator, for wgan-gp a
// penalty of 10 and 5 steps.
func Named(name string, c Config) (Config, error) {
	switch name {
	case Minimax.Name:
		c.Loss = Minimax
	case NonSaturating.Name:
		c.Loss = NonSaturating
	case LeastSquares.Name:
		c.Loss = LeastSquares
	case Hinge.Name:
		c.Loss = Hinge
	case Wasserstein.Name:
		c.Loss = Wasserstein
		setDefault(&c.Clip, 0.01)
		setDefault(&c.Critics, 5)
	case WassersteinGP:
		c.Loss = Wasserstein
		setDefault(&c.GradientPenalty, 10)
		setDefault(&c.Critics, 5)
	default:
		return c, errors.Errorf("gan: no loss %q; there are %s", name, strings.Join(Losses(), ", "))
	}
	return c, nil
}

func setDefault[T comparable](v *T, otherwise T) {
	var zero T
	if *v == zero {
		*v = otherwise
	}
}

func bceReal(logits *graph.Node, target float64) (*graph.Node, error) { return bce(logits, target) }
func bceFake(logits *graph.Node) (*graph.Node, error)                 { return bce(logits, 0) }

func bce(logits *graph.Node, target float64) (*graph.Node, error) {
	t, err := like(logits, target)
	if err != nil {
		return nil, err
	}
	return ops.BCEWithLogits(logits, t, ops.BCEConfig{})
}

func halfSquare(logits *graph.Node, target float64) (*graph.Node, error) {
	t, err := like(logits, target)
	if err != nil {
		return nil, err
	}
	loss, err := ops.MSE(logits, t, ops.LossConfig{})
	if err != nil {
		return nil, err
	}
	return ops.MulScalar(loss, 0.5)
}

func hinge(logits *graph.Node, side float64) (*graph.Node, error) {
	t, err := like(logits, side)
	if err != nil {
		return nil, err
	}
	return ops.Hinge(logits, t, 1, ops.LossConfig{})
}

func mean(logits *graph.Node) (*graph.Node, error) { return ops.Mean(logits, ops.Over{}) }

func negativeMean(logits *graph.Node) (*graph.Node, error) {
	m, err := mean(logits)
	if err != nil {
		return nil, err
	}
	return ops.Neg(m)
}

// like is a constant of a node's shape.
func like(n *graph.Node, v float64) (*gorgonia.Node, error) {
	return ops.Full(n.Graph(), n.Dtype(), v, n.Shape()...)
}
