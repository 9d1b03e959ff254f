package gan

import (
	"github.com/pkg/errors"

	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/ops"
)

// inputGradient is ∂Σlogits/∂x: the gradient of each picture's logit for the picture x [N, …], as long as the logit of
// one picture does not depend on the others of the batch, as with batch norm it does.
func inputGradient(logits, x *graph.Node) (*graph.Node, ops.Over, error) {
	total, err := ops.SumAxes(logits, ops.Over{})
	if err != nil {
		return nil, ops.Over{}, err
	}
	grad, err := graph.Differentiate(total, x)
	if err != nil {
		return nil, ops.Over{}, err
	}
	var each ops.Over // picture
	for axis := 1; axis < x.Dims(); axis++ {
		each.Axes = append(each.Axes, axis)
	}
	return grad[0], each, nil
}

// gradientPenalty is λ · mean (‖∂D/∂x‖ − 1)², for x between real and generated pictures (Gulrajani et al. 2017,
// equation 3).
func gradientPenalty(logits, x *graph.Node, lambda float64) (*graph.Node, error) {
	grad, each, err := inputGradient(logits, x)
	if err != nil {
		return nil, errors.Wrap(err, "gradient penalty")
	}
	norm, err := ops.L2Norm(grad, each) // [N]
	if err != nil {
		return nil, err
	}
	one, err := like(norm, 1)
	if err != nil {
		return nil, err
	}
	loss, err := ops.MSE(norm, one, ops.LossConfig{})
	if err != nil {
		return nil, err
	}
	return ops.MulScalar(loss, lambda)
}

// realPenalty is γ/2 · mean ‖∂D/∂x‖² on real pictures: R1 of Mescheder, Geiger and Nowozin 2018, equation 9.
func realPenalty(logits, x *graph.Node, gamma float64) (*graph.Node, error) {
	grad, each, err := inputGradient(logits, x)
	if err != nil {
		return nil, errors.Wrap(err, "R1")
	}
	square, err := ops.Square(grad)
	if err != nil {
		return nil, err
	}
	if square, err = ops.SumAxes(square, each); err != nil { // [N]
		return nil, err
	}
	m, err := ops.Mean(square, ops.Over{})
	if err != nil {
		return nil, err
	}
	return ops.MulScalar(m, gamma/2)
}
