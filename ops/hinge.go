package ops

import (
	"github.com/pkg/errors"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/internal/exec"
)

// Hinge is the hinge loss of scores x against sides t, −1 or 1, element by element:
//
//	L = reduction of w · max(0, margin − t·x)
//
// With margin 1 it is the loss of a support vector machine, and of a discriminator that is trained with it
// (Lim and Ye 2017). A ranking loss of two scores is Hinge(a − b, t). Scores have a derivative, sides have
// none.
func Hinge(x, side *Node, margin float64, c LossConfig) (*Node, error) {
	return newPointLoss(pointLoss{f: hingeLoss, k: margin}, x, side, nil, c)
}

// HingeEmbedding is a loss of distances x between pairs that are alike (t = 1) or not (t = −1), element by
// element, as PyTorch's HingeEmbeddingLoss:
//
//	L = reduction of w · (x where t > 0, else max(0, margin − x))
func HingeEmbedding(x, side *Node, margin float64, c LossConfig) (*Node, error) {
	return newPointLoss(pointLoss{f: hingeEmbedding, k: margin}, x, side, nil, c)
}

// MultiMarginConfig says how the multi-class hinge loss is taken. Its zero value is what PyTorch's is:
// margin 1, power 1, the mean over the batch.
type MultiMarginConfig struct {
	Margin    *float64 // nil means 1
	Squared   bool     // take the square of each violation
	Reduction Reduction
	Weights   *Node // [C], a weight for each class, of which the label's counts; nil for ones. It gets no derivative.
}

// MultiMargin is the multi-class hinge loss (Crammer and Singer 2001, in the form of PyTorch's
// MultiMarginLoss) of scores x [N, C] against labels y [N] of type int:
//
//	L[n] = w[y] · 1/C · Σ_{c≠y} max(0, margin − x[n, y] + x[n, c])ᵖ,  p = 1, or 2 if squared
//
// Scores have a derivative. A label outside 0 to C−1 is an error of the run.
func MultiMargin(x, labels *Node, c MultiMarginConfig) (*Node, error) {
	r := multiMargin{margin: 1, squared: c.Squared, reduction: c.Reduction}
	if err := c.Reduction.check(); err != nil {
		return nil, errors.Wrap(err, r.name())
	}
	if c.Margin != nil {
		r.margin = *c.Margin
	}
	if labels != nil && labels.Dtype() != tensor.Int {
		return nil, errors.Errorf("%s: labels of type %v, want int", r.name(), labels.Dtype())
	}
	if c.Weights == nil {
		return apply(r, x, labels)
	}
	return apply(r, x, labels, c.Weights)
}

type multiMargin struct {
	margin    float64
	squared   bool
	reduction Reduction
}

func (multiMargin) name() string { return "multi-class hinge loss" }

func (r multiMargin) shape(in []tensor.Shape) (tensor.Shape, error) {
	x := in[0]
	switch {
	case len(x) != 2:
		return nil, errors.Errorf("scores have shape %v, want [N, C]", x)
	case !sameShape(in[1], tensor.Shape{x[0]}):
		return nil, errors.Errorf("labels have shape %v, want (%d) for scores of shape %v", in[1], x[0], x)
	case len(in) > 2 && !sameShape(in[2], tensor.Shape{x[1]}):
		return nil, errors.Errorf("weights have shape %v, want (%d), one for each class", in[2], x[1])
	}
	return r.reduction.reduced(tensor.Shape{x[0]}), nil
}

func (multiMargin) differentiable(inputs int) []bool { return []bool{true, false, false}[:inputs] }

// scale is what a row's sum counts in the result.
func (r multiMargin) scale(rows, classes int) float64 {
	s := 1 / float64(classes)
	if r.reduction == MeanReduction || r.reduction == BatchMeanReduction {
		s /= float64(rows)
	}
	return s
}

// violation is a class's term, and its derivative for the class's score.
func (r multiMargin) violation(x, label float64) (value, slope float64) {
	v := r.margin - label + x
	switch {
	case v <= 0:
		return 0, 0
	case r.squared:
		return v * v, 2 * v
	}
	return v, 1
}

func (r multiMargin) run(c *exec.Call) error {
	if err := checkLabels(&c.In[1], c.In[0].Shape[1], false, 0); err != nil {
		return err
	}
	return exec.OnFloat(c, func(c *exec.Call) { multiMarginRun[float32](r, c) }, func(c *exec.Call) { multiMarginRun[float64](r, c) })
}

func multiMarginRun[T exec.Float](r multiMargin, c *exec.Call) {
	x, labels, y := exec.Data[T](&c.In[0]), exec.Data[int](&c.In[1]), exec.Data[T](&c.Out)
	weights := weightsOf[T](c, 2)
	classes := c.In[0].Shape[1]
	scale, total := r.scale(len(labels), classes), 0.0
	for n, label := range labels {
		row, sum := x[n*classes:(n+1)*classes], 0.0
		for k, v := range row {
			if k != label {
				value, _ := r.violation(float64(v), float64(row[label]))
				sum += value
			}
		}
		if weights != nil {
			sum *= float64(weights[label])
		}
		if r.reduction == NoReduction {
			y[n] = T(sum * scale)
		}
		total += sum
	}
	if r.reduction != NoReduction {
		y[0] = T(total * scale)
	}
}

func (r multiMargin) grad(in gorgonia.Nodes, _, dout *Node) (gorgonia.Nodes, error) {
	grads := make(gorgonia.Nodes, len(in))
	var err error
	grads[0], err = apply(multiMarginGrad{r}, append(gorgonia.Nodes{dout}, in...)...)
	return grads, err
}

// multiMarginGrad has the inputs dout and those of multiMargin.
type multiMarginGrad struct{ of multiMargin }

func (multiMarginGrad) name() string                                  { return "multi-class hinge loss gradient" }
func (multiMarginGrad) shape(in []tensor.Shape) (tensor.Shape, error) { return in[1].Clone(), nil }
func (multiMarginGrad) differentiable(inputs int) []bool              { return make([]bool, inputs) }

func (r multiMarginGrad) run(c *exec.Call) error {
	if err := checkLabels(&c.In[2], c.In[1].Shape[1], false, 0); err != nil {
		return err
	}
	return exec.OnFloat(c, func(c *exec.Call) { multiMarginGradRun[float32](r.of, c) }, func(c *exec.Call) { multiMarginGradRun[float64](r.of, c) })
}

func multiMarginGradRun[T exec.Float](r multiMargin, c *exec.Call) {
	dout, x, labels, dx := exec.Data[T](&c.In[0]), exec.Data[T](&c.In[1]), exec.Data[int](&c.In[2]), exec.Data[T](&c.Out)
	weights := weightsOf[T](c, 3)
	classes := c.In[1].Shape[1]
	for n, label := range labels {
		g := r.scale(len(labels), classes)
		if r.reduction == NoReduction {
			g *= float64(dout[n])
		} else {
			g *= float64(dout[0])
		}
		if weights != nil {
			g *= float64(weights[label])
		}
		row, to, sum := x[n*classes:(n+1)*classes], dx[n*classes:(n+1)*classes], 0.0
		for k, v := range row {
			if k != label {
				_, slope := r.violation(float64(v), float64(row[label]))
				to[k] = T(slope * g)
				sum += slope
			}
		}
		to[label] = T(-sum * g)
	}
}

func (multiMarginGrad) grad(gorgonia.Nodes, *Node, *Node) (gorgonia.Nodes, error) {
	return nil, errors.New("it has no derivative")
}
