package ops

import (
	"github.com/pkg/errors"

	"github.com/stheno-ml/stheno/internal/exec"
)

// LayerNorm normalises each sample over its last axes (Ba, Kiros and Hinton 2016, "Layer Normalization"):
//
//	y = γ · (x − μ) / √(σ² + ε) + β
//
// with the mean μ and the biased variance σ² over the last axes of x, so many as axes says. gamma and beta have
// the sizes of these axes, or are nil (1 and 0). eps is ε, 0 means 1e-5. It can be differentiated twice.
//
// It is an error if x has fewer axes, gamma or beta does not fit, or eps is negative.
func LayerNorm(x, gamma, beta *Node, axes int, eps float64) (*Node, error) {
	const name = "layer norm"
	if x == nil {
		return nil, errors.New(name + ": x is nil")
	}
	s := x.Shape()
	if axes < 1 || axes > len(s) {
		return nil, errors.Errorf("%s: over %d axes of x %v, want 1 to %d", name, axes, s, len(s))
	}
	return runsNorm(name, x, gamma, beta, exec.Size(s[:len(s)-axes]), channels{last: axes}, eps)
}

// GroupNorm normalises each sample over groups of neighbouring channels (Wu and He 2018, "Group Normalization"):
//
//	y = γ · (x − μ) / √(σ² + ε) + β
//
// with the mean μ and the biased variance σ² over C/groups channels and all pixels. x is [N, C] or
// [N, C, H, W], gamma and beta are [C] or nil (1 and 0). eps is ε, 0 means 1e-5. It can be differentiated twice.
//
// It is an error if groups do not divide C, gamma or beta is not [C], or eps is negative.
func GroupNorm(x, gamma, beta *Node, groups int, eps float64) (*Node, error) {
	const name = "group norm"
	if x == nil {
		return nil, errors.New(name + ": x is nil")
	}
	s := x.Shape()
	if len(s) < 2 || groups < 1 || s[1]%groups != 0 {
		return nil, errors.Errorf("%s: %d groups of x %v, want a divisor of C in [N, C] or [N, C, H, W]", name, groups, s)
	}
	return runsNorm(name, x, gamma, beta, s[0]*groups, channels{}, eps)
}

// InstanceNorm normalises each channel of each picture (Ulyanov, Vedaldi and Lempitsky 2016, "Instance
// Normalization"): GroupNorm with as many groups as channels.
//
// x is [N, C, H, W], gamma and beta are [C] or nil (1 and 0). eps is ε, 0 means 1e-5. It can be differentiated
// twice. Errors are those of GroupNorm.
func InstanceNorm(x, gamma, beta *Node, eps float64) (*Node, error) {
	const name = "instance norm"
	if x == nil {
		return nil, errors.New(name + ": x is nil")
	}
	if err := checkPicture("x", x.Shape()); err != nil {
		return nil, errors.Wrap(err, name)
	}
	return runsNorm(name, x, gamma, beta, x.Shape()[0]*x.Shape()[1], channels{}, eps)
}

// runsNorm normalises runs of elements, each by its own statistics, and then applies one γ and β a channel.
func runsNorm(name string, x, gamma, beta *Node, runs int, affine channels, eps float64) (*Node, error) {
	for _, p := range []struct {
		what string
		n    *Node
	}{{"gamma", gamma}, {"beta", beta}} {
		if p.n == nil {
			continue
		}
		if err := affine.check(p.what, p.n.Shape(), x.Shape()); err != nil {
			return nil, errors.Wrap(err, name)
		}
	}
	eps, err := epsilon(eps, 1e-5)
	if err != nil {
		return nil, errors.Wrap(err, name)
	}
	r := norming{c: channels{runs: runs}, eps: eps}
	stats, err := apply(channelStats{r.c}, x)
	if err != nil {
		return nil, errors.Wrap(err, name)
	}
	y, err := normalized(r, x, stats, nil, nil)
	if err == nil && gamma != nil {
		y, err = apply(channelScale{affine}, y, gamma)
	}
	if err == nil && beta != nil {
		y, err = apply(channelAdd{affine}, y, beta)
	}
	return y, errors.Wrap(err, name)
}
