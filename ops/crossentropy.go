package ops

import (
	"slices"

	"github.com/pkg/errors"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/internal/exec"
	"github.com/stheno-ml/stheno/internal/kernel/vec"
)

// CrossEntropyConfig says how cross-entropy is taken. Its zero value is the mean over all labels.
type CrossEntropyConfig struct {
	Reduction Reduction
	Smoothing float64 // ε in [0, 1]: a target q becomes (1−ε)·q + ε/C (Szegedy et al. 2016, section 7)
	Ignore    *int    // a label that counts as none: its loss and gradient are 0; nil for no such label
	Weights   *Node   // [C], a weight for each class; nil for ones. It gets no derivative.
}

// SoftmaxCrossEntropy is the mean over the batch of the cross-entropy between softmax(logits) and labels:
//
//	L = 1/N · Σ_n −ln softmax(logits[n])[labels[n]]
//
// Logits are [N, C], labels [N] of type int, the result is a scalar. It is computed from the logits in one
// op, which neither overflows nor loses the digits of small losses. A label outside 0 to C−1 is an error of
// the run, which names row, label and number of classes.
func SoftmaxCrossEntropy(logits, labels *Node) (*Node, error) {
	return CrossEntropy(logits, labels, CrossEntropyConfig{})
}

// CrossEntropy is the cross-entropy between softmax(logits), taken over axis 1, and a target:
//
//	L[n, …] = −Σ_c w[c] · q[n, c, …] · ln softmax(logits)[n, c, …]
//
// Logits are [N, C] or [N, C, d1, d2, …]. The target is either of type int, [N] or [N, d1, d2, …], one label
// a position (q is then 1 at the label and 0 elsewhere), or of the logits' type and shape: q itself. The
// result without reduction has the shape of labels.
//
// MeanReduction divides by Σ w[label] over the labels that are not ignored, and by the number of positions
// for a target of distributions; both are as in PyTorch's cross_entropy and, for labels, ONNX's
// SoftmaxCrossEntropyLoss. If every label is ignored, the mean is NaN.
//
// The logits and a target of distributions have derivatives, of first and second order.
func CrossEntropy(logits, target *Node, c CrossEntropyConfig) (*Node, error) {
	if logits == nil || target == nil {
		return nil, errors.New("cross-entropy: logits or target is nil")
	}
	r := crossEntropy{reduction: c.Reduction, smoothing: c.Smoothing, soft: isFloat(target.Dtype())}
	if err := c.Reduction.check(); err != nil {
		return nil, errors.Wrap(err, r.name())
	}
	if !(c.Smoothing >= 0 && c.Smoothing <= 1) {
		return nil, errors.Errorf("%s: smoothing %v, want 0 to 1", r.name(), c.Smoothing)
	}
	if !r.soft && target.Dtype() != tensor.Int {
		return nil, errors.Errorf("%s: target of type %v, want labels of type int or distributions of type %v", r.name(), target.Dtype(), logits.Dtype())
	}
	if c.Ignore != nil {
		if r.soft {
			return nil, errors.Errorf("%s: label %d is to be ignored, but the target holds distributions", r.name(), *c.Ignore)
		}
		r.ignores, r.ignored = true, *c.Ignore
	}
	if c.Weights == nil {
		return apply(r, logits, target)
	}
	return apply(r, logits, target, c.Weights)
}

// crossEntropy has the inputs logits, target and, perhaps, class weights.
type crossEntropy struct {
	reduction Reduction
	smoothing float64
	soft      bool // the target holds distributions
	ignores   bool
	ignored   int
}

func (crossEntropy) name() string { return "cross-entropy" }

func (r crossEntropy) shape(in []tensor.Shape) (tensor.Shape, error) {
	logits := in[0]
	if len(logits) < 2 {
		return nil, errors.Errorf("logits have shape %v, want [N, C] or [N, C, d1, …]", logits)
	}
	terms := append(tensor.Shape{logits[0]}, logits[2:]...)
	want := terms
	if r.soft {
		want = logits
	}
	if !sameShape(in[1], want) {
		return nil, errors.Errorf("target has shape %v, want %v for logits of shape %v", in[1], want, logits)
	}
	if len(in) > 2 && !sameShape(in[2], tensor.Shape{logits[1]}) {
		return nil, errors.Errorf("weights have shape %v, want (%d), one for each class", in[2], logits[1])
	}
	return r.reduction.reduced(terms), nil
}

func (r crossEntropy) differentiable(inputs int) []bool {
	return []bool{true, r.soft, false}[:inputs]
}

// Pictures of logits are wanted channels-last: the classes of a position then lie side by side.
func (r crossEntropy) flows(in []tensor.Shape, _ tensor.Shape) ([]exec.Flow, exec.Flow) {
	f := make([]exec.Flow, len(in))
	f[0] = exec.Last
	if r.soft {
		f[1] = exec.Last
	}
	return f, exec.Plain
}

func (r crossEntropy) flops(in []tensor.Shape, _ tensor.Shape) int64 {
	return 5 * int64(exec.Size(in[0]))
}

func (r crossEntropy) scratch(c *exec.Call) int {
	positions := c.In[0].Len() / c.In[0].Shape[1]
	return r.rowScratch(c) + floatScratch(c.In[0].Dtype, positions)
}

func (r crossEntropy) run(c *exec.Call) error {
	if err := r.checkLabels(c); err != nil {
		return err
	}
	return exec.OnFloat(c, func(c *exec.Call) { crossEntropyRun[float32](r, c) }, func(c *exec.Call) { crossEntropyRun[float64](r, c) })
}

func crossEntropyRun[T exec.Float](r crossEntropy, c *exec.Call) {
	q := rowsOf[T](r, c, weightsOf[T](c, 2))
	y := exec.Data[T](&c.Out)
	loss := y
	if r.reduction != NoReduction {
		loss = exec.Scratch[T](c, q.rows)
	}
	if q.labels != nil {
		vec.SoftmaxCrossEntropy(loss, q.x, q.labels, T(r.smoothing), q.rows, q.cols)
		if q.weight != nil {
			vec.Mul(loss, loss, q.weight)
		}
	} else {
		vec.SoftCrossEntropy(loss, q.x, q.target, q.rows, q.cols)
	}
	if r.reduction != NoReduction {
		y[0] = T(vec.Sum(loss) / q.divisor)
	}
}

func (r crossEntropy) grad(in gorgonia.Nodes, _, dout *Node) (gorgonia.Nodes, error) {
	grads := make(gorgonia.Nodes, len(in))
	var e expr
	grads[0] = e.op(crossEntropyGrad{r}, append(gorgonia.Nodes{dout}, in...)...)
	if r.soft { // dq = −(1−ε) · w · ln softmax(logits) · dL
		grads[1] = r.ofTarget(&e, e.op(logSoftmax{axis: 1}, in[0]), dout, in)
	}
	return grads, e.err
}

// ofTarget is −(1−ε) · w · dL · x, where x has the shape of the logits and dL is what dout is for each
// position.
func (r crossEntropy) ofTarget(e *expr, x, dout *Node, in gorgonia.Nodes) *Node {
	logits := in[0].Shape()
	one := slices.Repeat(tensor.Shape{1}, len(logits))
	if len(in) > 2 {
		one[1] = logits[1]
		x = e.mul(x, e.reshape(in[2], one))
	}
	if r.reduction == NoReduction {
		each := logits.Clone()
		each[1] = 1
		dout = e.reshape(dout, each)
	}
	positions := exec.Size(logits) / logits[1]
	return e.mul(e.scale(x, -(1-r.smoothing)/r.divisor(positions, logits[0])), dout)
}
