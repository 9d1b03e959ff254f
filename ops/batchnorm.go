package ops

import (
	"github.com/pkg/errors"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// BatchNorm is how batch normalisation computes. The zero value is PyTorch's.
type BatchNorm struct {
	Eps float64 // added to the variance; 0 means 1e-5 (PyTorch; Keras has 1e-3)
}

// BatchNormTrain normalises each channel by the mean μ and the biased variance σ² that it has in the batch
// (Ioffe and Szegedy 2015, "Batch Normalization", algorithm 1):
//
//	y = γ · (x − μ) / √(σ² + ε) + β
//
// x is [N, C] or [N, C, H, W], gamma and beta are [C] or nil (1 and 0), y has x's shape. stats is [2, C]: μ
// and σ², for RunningUpdate. The gradient takes into account that μ and σ² depend on x; it can be
// differentiated again. stats themselves have no derivative.
//
// It is an error if x has fewer than two axes, gamma or beta is not [C], or Eps is negative. A channel of one
// value is not an error; it becomes β.
func BatchNormTrain(x, gamma, beta *Node, a BatchNorm) (y, stats *Node, err error) {
	const name = "batch norm"
	if x == nil {
		return nil, nil, errors.New(name + ": x is nil")
	}
	r, err := a.norming()
	if err != nil {
		return nil, nil, errors.Wrap(err, name)
	}
	if stats, err = apply(channelStats{r.c}, x); err != nil {
		return nil, nil, err
	}
	y, err = normalized(r, x, stats, gamma, beta)
	return y, stats, err
}

// BatchNormEval normalises each channel by a mean and a variance that are given, the running statistics:
//
//	y = γ · (x − mean) / √(variance + ε) + β
//
// x is [N, C] or [N, C, H, W], mean and variance are [C], gamma and beta [C] or nil (1 and 0). It is batch norm
// for inference, and frozen batch norm in a training graph: gradients flow to x, gamma and beta, and none to
// mean and variance. It can be differentiated any number of times.
//
// Errors are those of BatchNormTrain.
func BatchNormEval(x, gamma, beta, mean, variance *Node, a BatchNorm) (*Node, error) {
	const name = "batch norm"
	if x == nil || mean == nil || variance == nil {
		return nil, errors.New(name + ": x, mean or variance is nil")
	}
	r, err := a.norming()
	if err != nil {
		return nil, errors.Wrap(err, name)
	}
	r.fixed = true
	for _, v := range []*Node{mean, variance} {
		if err := r.c.check("a statistic", v.Shape(), x.Shape()); err != nil {
			return nil, errors.Wrap(err, name)
		}
	}
	stats, err := apply(stackRows{}, mean, variance)
	if err != nil {
		return nil, err
	}
	return normalized(r, x, stats, gamma, beta)
}

func (a BatchNorm) norming() (norming, error) {
	eps, err := epsilon(a.Eps, 1e-5)
	return norming{eps: eps}, err
}

// epsilon is what is added to a variance, usual unless it is given.
func epsilon(given, usual float64) (float64, error) {
	switch {
	case given == 0:
		return usual, nil
	case given > 0:
		return given, nil
	}
	return 0, errors.Errorf("Eps is %g, want at least 0", given)
}

// Running says how running statistics follow those of batches. The zero value is PyTorch's.
type Running struct {
	Momentum float64 // weight of the batch (PyTorch's convention); 0 means 0.1 unless Decay is given
	Decay    float64 // weight of what was there, 1 − Momentum (the convention of Keras, TensorFlow, ONNX): give one or the other
	Biased   bool    // keep the batch's biased variance (Keras, ONNX) rather than variance · count/(count−1) (PyTorch)
}

// RunningUpdate moves running statistics towards those of a batch:
//
//	mean ← (1−m)·mean + m·μ,   variance ← (1−m)·variance + m·σ²
//
// mean and variance are [C], stats is what BatchNormTrain gave, count the number of values a channel had in
// the batch (N·H·W), which the unbiased variance needs. The results have no derivative; assign them to
// the variables after the step.
//
// It is an error if Momentum or Decay lies outside 0 to 1 or both are given, if count is not positive, and if shapes do not fit.
func RunningUpdate(mean, variance, stats *Node, count int, a Running) (newMean, newVariance *Node, err error) {
	const name = "running statistics"
	m := a.Momentum
	switch {
	case m < 0 || m > 1 || a.Decay < 0 || a.Decay > 1 || m != 0 && a.Decay != 0:
		return nil, nil, errors.Errorf("%s: Momentum is %g and Decay %g, want one of them, from 0 to 1", name, m, a.Decay)
	case count <= 0:
		return nil, nil, errors.Errorf("%s: count is %d, want the positive number of values a channel has in the batch", name, count)
	case a.Decay != 0:
		m = 1 - a.Decay
	case m == 0:
		m = 0.1
	}
	if newMean, err = apply(runningStep{row: 0, weight: m, scale: 1}, mean, stats); err != nil {
		return nil, nil, err
	}
	scale := 1.0
	if !a.Biased {
		scale = float64(count) / float64(max(count-1, 1)) // of a single value there is no unbiased variance
	}
	newVariance, err = apply(runningStep{row: 1, weight: m, scale: scale}, variance, stats)
	return newMean, newVariance, err
}

// normalized applies the affine part where it is given.
func normalized(r norming, x, stats, gamma, beta *Node) (*Node, error) {
	n := normalize{norming: r}
	in := gorgonia.Nodes{x, stats}
	if gamma != nil {
		n.scale = true
		in = append(in, gamma)
	}
	if beta != nil {
		n.shift = true
		in = append(in, beta)
	}
	return apply(n, in...)
}

// rowShape wants statistics [2, C] and gives [C].
func rowShape(stats tensor.Shape) (tensor.Shape, error) {
	if len(stats) != 2 || stats[0] != 2 {
		return nil, errors.Errorf("statistics have shape %v, want [2, C]", stats)
	}
	return tensor.Shape{stats[1]}, nil
}
