package ops

import "github.com/pkg/errors"

// MSE is the squared error between a prediction and a target of equal shapes:
//
//	L = reduction of w · (x − t)²
//
// Both have derivatives, of first and second order.
func MSE(x, target *Node, c LossConfig) (*Node, error) {
	return newPointLoss(pointLoss{f: squaredError}, x, target, nil, c)
}

// L1 is the absolute error between a prediction and a target of equal shapes:
//
//	L = reduction of w · |x − t|
//
// The derivative at 0 is 0.
func L1(x, target *Node, c LossConfig) (*Node, error) {
	return newPointLoss(pointLoss{f: absoluteError}, x, target, nil, c)
}

// Huber is quadratic near 0 and linear beyond delta (Huber 1964), with d = x − t:
//
//	L = reduction of w · (d²/2 where |d| ≤ δ, else δ·(|d| − δ/2))
//
// Delta must be positive.
func Huber(x, target *Node, delta float64, c LossConfig) (*Node, error) {
	if !(delta > 0) {
		return nil, errors.Errorf("Huber loss: delta %v, want a positive number", delta)
	}
	return newPointLoss(pointLoss{f: huberError, k: delta}, x, target, nil, c)
}

// SmoothL1 is Huber's loss divided by beta (Girshick 2015, section 2.3, where beta is 1), with d = x − t:
//
//	L = reduction of w · (d²/(2β) where |d| < β, else |d| − β/2)
//
// Beta must be positive; for 0 use L1.
func SmoothL1(x, target *Node, beta float64, c LossConfig) (*Node, error) {
	if !(beta > 0) {
		return nil, errors.Errorf("smooth L1 loss: beta %v, want a positive number", beta)
	}
	return newPointLoss(pointLoss{f: smoothError, k: beta}, x, target, nil, c)
}
