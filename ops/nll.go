package ops

import (
	"github.com/pkg/errors"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/internal/exec"
)

// NLLConfig says how the negative log-likelihood is taken. Its zero value is the mean over all labels.
type NLLConfig struct {
	Reduction Reduction
	Ignore    *int  // a label that counts as none: its loss and gradient are 0; nil for no such label
	Weights   *Node // [C], a weight for each class; nil for ones. It gets no derivative.
}

// NLL is the negative log-likelihood of labels under logarithms of probabilities x:
//
//	L[n, …] = −w[y] · x[n, y, …],  y = labels[n, …]
//
// x is [N, C] or [N, C, d1, d2, …], labels are [N] or [N, d1, d2, …] of type int. MeanReduction divides by
// Σ w[label] over the labels that are not ignored, as PyTorch's nll_loss and ONNX's
// NegativeLogLikelihoodLoss do; if every label is ignored, the mean is NaN. From logits, CrossEntropy is
// faster and better conditioned than LogSoftmax and NLL. A label outside 0 to C−1 is an error of the run.
func NLL(x, labels *Node, c NLLConfig) (*Node, error) {
	r := nll{crossEntropy{reduction: c.Reduction}}
	if err := c.Reduction.check(); err != nil {
		return nil, errors.Wrap(err, r.name())
	}
	if labels != nil && labels.Dtype() != tensor.Int {
		return nil, errors.Errorf("%s: labels of type %v, want int", r.name(), labels.Dtype())
	}
	if c.Ignore != nil {
		r.of.ignores, r.of.ignored = true, *c.Ignore
	}
	if c.Weights == nil {
		return apply(r, x, labels)
	}
	return apply(r, x, labels, c.Weights)
}

// nll has shapes, labels, weights and reductions as cross-entropy has them.
type nll struct{ of crossEntropy }

func (nll) name() string                                    { return "negative log-likelihood" }
func (r nll) shape(in []tensor.Shape) (tensor.Shape, error) { return r.of.shape(in) }
func (nll) differentiable(inputs int) []bool                { return []bool{true, false, false}[:inputs] }
func (nll) flops(in []tensor.Shape, out tensor.Shape) int64 { return int64(exec.Size(in[1])) }

func (r nll) run(c *exec.Call) error {
	if err := r.of.checkLabels(c); err != nil {
		return err
	}
	return exec.OnFloat(c, func(c *exec.Call) { nllRun[float32](r.of, c) }, func(c *exec.Call) { nllRun[float64](r.of, c) })
}

func nllRun[T exec.Float](r crossEntropy, c *exec.Call) {
	x, labels, y := exec.Data[T](&c.In[0]), exec.Data[int](&c.In[1]), exec.Data[T](&c.Out)
	weights := weightsOf[T](c, 2)
	p := classIndexOf(c.In[0].Shape)
	total := 0.0
	for i, label := range labels {
		v := T(0)
		if !r.ignores || label != r.ignored {
			v = -x[p.at(i, label)]
			if weights != nil {
				v *= weights[label]
			}
		}
		if r.reduction == NoReduction {
			y[i] = v
		}
		total += float64(v)
	}
	if r.reduction != NoReduction {
		y[0] = T(total / labelDivisor(r, labels, weights, r.divisor(len(labels), c.In[0].Shape[0])))
	}
}

// classIndex finds a class of a position in row-major [N, C, d1, …].
type classIndex struct{ classes, inner int }

func classIndexOf(s tensor.Shape) classIndex {
	return classIndex{s[1], exec.Size(s) / (s[0] * s[1])}
}

func (p classIndex) at(i, class int) int {
	return (i/p.inner*p.classes+class)*p.inner + i%p.inner
}

func (r nll) grad(in gorgonia.Nodes, _, dout *Node) (gorgonia.Nodes, error) {
	grads := make(gorgonia.Nodes, len(in))
	var err error
	grads[0], err = apply(nllGrad{r.of}, append(gorgonia.Nodes{dout}, in...)...)
	return grads, err
}

// nllGrad is −w[label]·dL at the label and 0 elsewhere; its inputs are dout and those of nll. It is linear in
// dout and reads no more than the shape of x.
type nllGrad struct{ of crossEntropy }

func (nllGrad) name() string                                  { return "negative log-likelihood gradient" }
func (nllGrad) shape(in []tensor.Shape) (tensor.Shape, error) { return in[1].Clone(), nil }
func (nllGrad) differentiable(inputs int) []bool {
	return append([]bool{true}, make([]bool, inputs-1)...)
}

func (r nllGrad) run(c *exec.Call) error {
	inner := exec.Call{In: c.In[1:]}
	if err := r.of.checkLabels(&inner); err != nil {
		return err
	}
	return exec.OnFloat(c, func(c *exec.Call) { nllGradRun[float32](r.of, c) }, func(c *exec.Call) { nllGradRun[float64](r.of, c) })
}

func nllGradRun[T exec.Float](r crossEntropy, c *exec.Call) {
	dout, labels, dx := exec.Data[T](&c.In[0]), exec.Data[int](&c.In[2]), exec.Data[T](&c.Out)
	weights := weightsOf[T](c, 3)
	p := classIndexOf(c.Out.Shape)
	g := dout[0]
	if r.reduction != NoReduction {
		g = T(float64(g) / labelDivisor(r, labels, weights, r.divisor(len(labels), c.Out.Shape[0])))
	}
	clear(dx)
	for i, label := range labels {
		if r.ignores && label == r.ignored {
			continue
		}
		if r.reduction == NoReduction {
			g = dout[i]
		}
		v := -g
		if weights != nil {
			v *= weights[label]
		}
		dx[p.at(i, label)] = v
	}
}

// The gradient for dout of a linear function is the same function's adjoint: nll itself.
func (r nllGrad) grad(in gorgonia.Nodes, _, ddx *Node) (gorgonia.Nodes, error) {
	grads := make(gorgonia.Nodes, len(in))
	var err error
	grads[0], err = apply(nll(r), append(gorgonia.Nodes{ddx}, in[2:]...)...)
	return grads, err
}
