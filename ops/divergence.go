package ops

import (
	"math"

	"github.com/pkg/errors"
)

// KLDivergence is the Kullback-Leibler divergence of a predicted distribution, given by its logarithms x,
// from a target distribution t, element by element:
//
//	L = reduction of w · t · (ln t − x)
//
// BatchMeanReduction on [N, C] gives the mean divergence of the rows; MeanReduction divides by C too.
// Where t is 0 a term is 0. Both arguments have derivatives.
func KLDivergence(x, target *Node, c LossConfig) (*Node, error) {
	return newPointLoss(pointLoss{f: divergence}, x, target, nil, c)
}

// KLDivergenceLog is KLDivergence for a target that is given by its logarithms too:
//
//	L = reduction of w · exp(t) · (t − x)
func KLDivergenceLog(x, target *Node, c LossConfig) (*Node, error) {
	return newPointLoss(pointLoss{f: logTargetDivergence}, x, target, nil, c)
}

// DistillConfig says how a student learns from a teacher.
type DistillConfig struct {
	Temperature float64            // T > 0; 0 means 1
	Soft        float64            // α in [0, 1], the part of the teacher in the loss
	Hard        CrossEntropyConfig // of the loss against the labels; its reduction must be the mean
}

// Distill is the loss of a student network that learns from a teacher's logits and from labels (Hinton,
// Vinyals and Dean 2015, section 2):
//
//	L = α · T² · mean_n KL(softmax(teacher/T) ‖ softmax(student/T)) + (1−α) · cross-entropy(student, labels)
//
// T² keeps the gradient's size when T changes. Both logits are [N, C], labels are [N] of type int (or
// distributions [N, C]) and may be nil where α is 1; the result is a scalar. The student has a derivative, and
// so has the teacher.
func Distill(student, teacher, labels *Node, c DistillConfig) (*Node, error) {
	const name = "distillation"
	temperature := c.Temperature
	if temperature == 0 {
		temperature = 1
	}
	switch {
	case student == nil || teacher == nil:
		return nil, errors.Errorf("%s: the student's or the teacher's logits are nil", name)
	case !(temperature > 0) || math.IsInf(temperature, 0):
		return nil, errors.Errorf("%s: temperature %v, want a positive number", name, c.Temperature)
	case !(c.Soft >= 0 && c.Soft <= 1):
		return nil, errors.Errorf("%s: the teacher's part is %v, want 0 to 1", name, c.Soft)
	case c.Hard.Reduction != MeanReduction:
		return nil, errors.Errorf("%s: reduction of the hard loss is %v, want %v", name, c.Hard.Reduction, MeanReduction)
	case labels == nil && c.Soft != 1:
		return nil, errors.Errorf("%s: no labels, but their part in the loss is %v", name, 1-c.Soft)
	case !sameShape(student.Shape(), teacher.Shape()) || student.Dims() != 2:
		return nil, errors.Errorf("%s: the student's logits have shape %v, the teacher's %v: want equal shapes [N, C]", name, student.Shape(), teacher.Shape())
	}
	var e expr
	loss := func() *Node {
		soft := func(logits *Node) *Node {
			scaled := e.scale(logits, 1/temperature)
			return e.node(func() (*Node, error) { return LogSoftmax(scaled, 1) })
		}
		s, t := soft(student), soft(teacher)
		return e.node(func() (*Node, error) {
			return KLDivergenceLog(s, t, LossConfig{Reduction: BatchMeanReduction})
		})
	}
	hard := func() *Node {
		return e.node(func() (*Node, error) { return CrossEntropy(student, labels, c.Hard) })
	}
	var total *Node
	switch c.Soft {
	case 0:
		total = hard()
	case 1:
		total = e.scale(loss(), temperature*temperature)
	default:
		total = e.add(e.scale(loss(), c.Soft*temperature*temperature), e.scale(hard(), 1-c.Soft))
	}
	return total, errors.Wrap(e.err, name)
}
