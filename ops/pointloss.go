package ops

import (
	"github.com/pkg/errors"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/internal/exec"
	"github.com/stheno-ml/stheno/internal/kernel/par"
	"github.com/stheno-ml/stheno/internal/kernel/vec"
)

// LossConfig says what a loss makes of its terms. Its zero value is their mean.
type LossConfig struct {
	Reduction Reduction
	Weights   *Node // of the terms, of a shape that broadcasts to theirs; nil for ones. They get no derivative.
}

// pointLoss is a loss whose terms are f(x, t), element by element: its inputs are a prediction x, a target t
// of the same shape, one parameter p for each element if f has one, and weights w if there are any.
//
//	L = reduction of w · f(x, t; p)
//
// A mean is over the number of terms, whatever their weights.
type pointLoss struct {
	f         function
	k         float64 // a constant of f
	reduction Reduction
	parameter bool // there is an input p
	weighted  bool // there is an input w
}

// function is a family of losses of one prediction and one target. d stands for x − t.
type function uint8

const (
	squaredError        function = iota // d²
	absoluteError                       // |d|
	huberError                          // d²/2 where |d| ≤ k, else k·(|d| − k/2)
	smoothError                         // d²/(2k) where |d| < k, else |d| − k/2
	logitCrossEntropy                   // (1−t)·x + (1+(p−1)·t)·softplus(−x)
	binaryCrossEntropy                  // −t·ln x − (1−t)·ln(1−x)
	hingeLoss                           // max(0, k − t·x)
	hingeEmbedding                      // x where t > 0, else max(0, k − x)
	divergence                          // t·(ln t − x)
	logTargetDivergence                 // eᵗ·(t − x)
)

var functionNames = map[function]string{
	squaredError: "mean squared error", absoluteError: "L1 loss", huberError: "Huber loss", smoothError: "smooth L1 loss",
	logitCrossEntropy: "binary cross-entropy on logits", binaryCrossEntropy: "binary cross-entropy", hingeLoss: "hinge loss",
	hingeEmbedding: "hinge embedding loss", divergence: "KL divergence", logTargetDivergence: "KL divergence (log target)",
}

// constant tells whether ∂ⁱ⁺ʲf/∂xⁱ∂tʲ does not change with x (or t), where it changes smoothly at all.
func (l pointLoss) constant(i, j int, inX bool) bool {
	if inX {
		i++
	} else {
		j++
	}
	switch l.f {
	case hingeLoss, hingeEmbedding: // a target says which side is right: it is no variable
		return j > 0 || i > 1
	case absoluteError:
		return i+j > 1
	case squaredError, huberError, smoothError:
		return i+j > 2
	case logitCrossEntropy, binaryCrossEntropy:
		return j > 1
	case divergence:
		return i > 1 || i+j > 2 && i > 0
	case logTargetDivergence:
		return i > 1
	}
	return false
}

// newPointLoss adds a loss to the graph; parameter may be nil.
func newPointLoss(l pointLoss, x, t, parameter *Node, c LossConfig) (*Node, error) {
	if x == nil || t == nil {
		return nil, errors.Errorf("%s: prediction or target is nil", l.name())
	}
	if err := c.Reduction.check(); err != nil {
		return nil, errors.Wrap(err, l.name())
	}
	l.reduction = c.Reduction
	in := gorgonia.Nodes{x, t}
	for _, extra := range []struct {
		name string
		node *Node
		is   *bool
	}{{"parameter", parameter, &l.parameter}, {"weights", c.Weights, &l.weighted}} {
		if extra.node == nil {
			continue
		}
		n := extra.node
		if !sameShape(n.Shape(), x.Shape()) {
			var err error
			if n, err = BroadcastTo(n, x.Shape()...); err != nil {
				return nil, errors.Wrapf(err, "%s: %s", l.name(), extra.name)
			}
		}
		*extra.is = true
		in = append(in, n)
	}
	return apply(l, in...)
}

func (l pointLoss) name() string { return functionNames[l.f] }

func (l pointLoss) shape(in []tensor.Shape) (tensor.Shape, error) {
	if !sameShape(in[0], in[1]) {
		return nil, errors.Errorf("prediction has shape %v, target %v: want equal shapes", in[0], in[1])
	}
	if l.reduction == BatchMeanReduction && len(in[0]) == 0 {
		return nil, errors.New("the mean over a batch wants a first axis, the prediction is a scalar")
	}
	return l.reduction.reduced(in[0]), nil
}

func (l pointLoss) flows(in []tensor.Shape, _ tensor.Shape) ([]exec.Flow, exec.Flow) {
	return follow(len(in))
}

func (l pointLoss) differentiable(inputs int) []bool {
	diff := make([]bool, inputs)
	diff[0], diff[1] = true, !l.constant(0, 0, false)
	return diff
}

func (l pointLoss) flops(in []tensor.Shape, _ tensor.Shape) int64 { return 4 * int64(exec.Size(in[0])) }

func (l pointLoss) scratch(c *exec.Call) int {
	chunks := par.Chunks(c.In[0].Len(), loopGrain)
	return exec.ScratchSize[float64](chunks) + floatScratch(c.In[0].Dtype, chunks*pointBuffers*pointBlock)
}

func (l pointLoss) run(c *exec.Call) error {
	return exec.OnFloat(c, func(c *exec.Call) { pointLossRun[float32](l, c) }, func(c *exec.Call) { pointLossRun[float64](l, c) })
}

func pointLossRun[T exec.Float](l pointLoss, c *exec.Call) {
	k := operandsOf[T](l, c.In, c)
	y := exec.Data[T](&c.Out)
	if l.reduction == NoReduction {
		k.y = y
		par.For(len(k.x), loopGrain, k)
		return
	}
	k.sums = exec.Scratch[float64](c, par.Chunks(len(k.x), loopGrain))
	par.For(len(k.x), loopGrain, k)
	total := 0.0
	for _, s := range k.sums {
		total += s
	}
	y[0] = T(total * l.scale(c.In[0].Shape))
}

// scale is what the reduction multiplies the sum by.
func (l pointLoss) scale(x tensor.Shape) float64 {
	switch l.reduction {
	case MeanReduction:
		return 1 / float64(exec.Size(x))
	case BatchMeanReduction:
		return 1 / float64(x[0])
	}
	return 1
}

// pointTask computes one derivative of f over all elements, times weights and upstream gradient: into y, or
// summed, one sum for each chunk.
type pointTask[T exec.Float] struct {
	of         pointLoss
	i, j       int
	x, t, p, w []T
	g          []T // upstream gradient: as long as x, or of one element, or nil for 1
	scale      float64
	y          []T
	sums       []float64
	buffers    []T // pointBuffers blocks for each chunk
}

func operandsOf[T exec.Float](l pointLoss, in []exec.Array, c *exec.Call) pointTask[T] {
	k := pointTask[T]{of: l, x: exec.Data[T](&in[0]), t: exec.Data[T](&in[1]), scale: 1}
	k.buffers = exec.Scratch[T](c, par.Chunks(len(k.x), loopGrain)*pointBuffers*pointBlock)
	next := 2
	if l.parameter {
		k.p = exec.Data[T](&in[next])
		next++
	}
	if l.weighted {
		k.w = exec.Data[T](&in[next])
	}
	return k
}

const (
	pointBlock   = 512 // elements that are taken at a time: they stay in the first-level cache
	pointBuffers = 3   // one for terms that are summed, two for what they are made of
)

func (k *pointTask[T]) Run(lo, hi int) {
	at := lo / loopGrain * pointBuffers * pointBlock
	buffers := k.buffers[at : at+pointBuffers*pointBlock]
	sum := 0.0
	for from := lo; from < hi; from += pointBlock {
		to := min(from+pointBlock, hi)
		y := buffers[2*pointBlock:][:to-from]
		if k.sums == nil {
			y = k.y[from:to]
		}
		k.terms(y, from, to, buffers[:to-from], buffers[pointBlock:][:to-from])
		if k.sums != nil {
			sum += vec.Sum(y)
		}
	}
	if k.sums != nil {
		k.sums[lo/loopGrain] = sum
	}
}

// terms sets y to the elements from … to−1; a and b are buffers of the same length.
func (k *pointTask[T]) terms(y []T, from, to int, a, b []T) {
	x, t := k.x[from:to], k.t[from:to]
	var p []T
	if k.p != nil {
		p = k.p[from:to]
	}
	fillTerms(k.of, k.i, k.j, y, x, t, p, a, b)
	if k.w != nil {
		vec.Mul(y, y, k.w[from:to])
	}
	scale := k.scale
	switch len(k.g) {
	case 0:
	case 1:
		scale *= float64(k.g[0])
	default:
		vec.Mul(y, y, k.g[from:to])
	}
	if scale != 1 {
		vec.Scale(y, y, T(scale))
	}
}

func (l pointLoss) grad(in gorgonia.Nodes, _, dout *Node) (gorgonia.Nodes, error) {
	grads := make(gorgonia.Nodes, len(in))
	var e expr
	grads[0] = e.op(pointGrad{l, 1, 0}, append(gorgonia.Nodes{dout}, in...)...)
	if !l.constant(0, 0, false) {
		grads[1] = e.op(pointGrad{l, 0, 1}, append(gorgonia.Nodes{dout}, in...)...)
	}
	return grads, e.err
}

// pointGrad is ∂ⁱ⁺ʲf/∂xⁱ∂tʲ · w · g, element by element and scaled as the reduction says; its inputs are the
// upstream gradient g and those of the loss.
type pointGrad struct {
	of   pointLoss
	i, j int
}

func (r pointGrad) name() string                                { return r.of.name() + " gradient" }
func (pointGrad) shape(in []tensor.Shape) (tensor.Shape, error) { return in[1].Clone(), nil }
func (pointGrad) inPlace() []int                                { return []int{1, 2} } // g is read last
func (pointGrad) flows(in []tensor.Shape, _ tensor.Shape) ([]exec.Flow, exec.Flow) {
	return follow(len(in))
}

func (r pointGrad) differentiable(inputs int) []bool {
	diff := make([]bool, inputs)
	diff[0], diff[1], diff[2] = true, !r.of.constant(r.i, r.j, true), !r.of.constant(r.i, r.j, false)
	return diff
}

func (pointGrad) scratch(c *exec.Call) int {
	return floatScratch(c.Out.Dtype, par.Chunks(c.Out.Len(), loopGrain)*pointBuffers*pointBlock)
}

func (r pointGrad) run(c *exec.Call) error {
	return exec.OnFloat(c, func(c *exec.Call) { pointGradRun[float32](r, c) }, func(c *exec.Call) { pointGradRun[float64](r, c) })
}

func pointGradRun[T exec.Float](r pointGrad, c *exec.Call) {
	k := operandsOf[T](r.of, c.In[1:], c)
	k.i, k.j, k.scale = r.i, r.j, r.of.scale(c.In[1].Shape)
	k.g, k.y = exec.Data[T](&c.In[0]), exec.Data[T](&c.Out)
	par.For(len(k.x), loopGrain, k)
}

func (r pointGrad) grad(in gorgonia.Nodes, _, v *Node) (gorgonia.Nodes, error) {
	if r.i+r.j > 1 {
		return nil, errors.New("third derivatives are not offered")
	}
	grads := make(gorgonia.Nodes, len(in))
	var e expr
	// Linear in g; where that is one number for all elements, its gradient is a sum.
	single := r
	single.of.reduction = NoReduction
	grads[0] = e.op(single, append(gorgonia.Nodes{v}, in[1:]...)...)
	if r.of.reduction != NoReduction {
		grads[0] = e.scale(e.op(sumOver{over: over{axes: allAxes(len(v.Shape()))}}, grads[0]), r.of.scale(in[1].Shape()))
	}
	if !r.of.constant(r.i, r.j, true) {
		grads[1] = e.mul(v, e.op(pointGrad{r.of, r.i + 1, r.j}, in...))
	}
	if !r.of.constant(r.i, r.j, false) {
		grads[2] = e.mul(v, e.op(pointGrad{r.of, r.i, r.j + 1}, in...))
	}
	return grads, e.err
}
