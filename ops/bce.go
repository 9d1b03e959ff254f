package ops

// BCEConfig says how binary cross-entropy is taken. Its zero value is the mean over all elements.
type BCEConfig struct {
	Reduction Reduction
	Weights   *Node // of the terms, of a shape that broadcasts to theirs; nil for ones. They get no derivative.
	Positive  *Node // a weight p of the positive side, of a shape that broadcasts to the logits'; nil for ones
}

// BCEWithLogits is the cross-entropy of sigmoid(x) against targets t in [0, 1], element by element:
//
//	L = reduction of w · (−p·t·ln σ(x) − (1−t)·ln σ(−x))
//
// It is computed as (1−t)·x + (1+(p−1)·t)·softplus(−x), which neither overflows nor loses the digits of small
// losses. Logits and targets have equal shapes; both have derivatives, of first and second order. Weights for
// classes on axis 1 of a picture have the shape [C, 1, 1].
func BCEWithLogits(x, target *Node, c BCEConfig) (*Node, error) {
	return newPointLoss(pointLoss{f: logitCrossEntropy}, x, target, c.Positive, LossConfig{c.Reduction, c.Weights})
}

// BCE is the cross-entropy of probabilities x in [0, 1] against targets t in [0, 1], element by element:
//
//	L = reduction of w · (−t·ln x − (1−t)·ln(1−x))
//
// A logarithm is at least −100, as in PyTorch. Prefer BCEWithLogits, which does not lose what lies near 0
// and 1. Both arguments have derivatives.
func BCE(x, target *Node, c LossConfig) (*Node, error) {
	return newPointLoss(pointLoss{f: binaryCrossEntropy}, x, target, nil, c)
}
