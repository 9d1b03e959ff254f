package ops

import (
	"fmt"
	"strconv"

	"github.com/pkg/errors"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/internal/exec"
	"github.com/stheno-ml/stheno/internal/kernel/layout"
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
// The logits and a target of distributions have derivatives.
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
	var err error
	if grads[0], err = apply(crossEntropyGrad{r}, append(gorgonia.Nodes{dout}, in...)...); err != nil || !r.soft {
		return grads, err
	}
	grads[1], err = apply(crossEntropyTargetGrad{r}, append(gorgonia.Nodes{dout}, in...)...)
	return grads, err
}

// crossEntropyGrad is the gradient for the logits; its inputs are dout and those of crossEntropy.
//
//	dlogits[r, c] = dL[r] · (softmax(logits)[r, c] · Σ_k w[k]·q[r, k] − w[c]·q[r, c])
type crossEntropyGrad struct{ of crossEntropy }

func (crossEntropyGrad) name() string                                  { return "cross-entropy gradient" }
func (crossEntropyGrad) shape(in []tensor.Shape) (tensor.Shape, error) { return in[1].Clone(), nil }
func (r crossEntropyGrad) flops(in []tensor.Shape, _ tensor.Shape) int64 {
	return 5 * int64(exec.Size(in[1]))
}
func (r crossEntropyGrad) differentiable(inputs int) []bool { return make([]bool, inputs) }

func (r crossEntropyGrad) flows(in []tensor.Shape, out tensor.Shape) ([]exec.Flow, exec.Flow) {
	f, _ := r.of.flows(in[1:], out)
	return append([]exec.Flow{exec.Plain}, f...), exec.Last
}

func (r crossEntropyGrad) scratch(c *exec.Call) int {
	inner := *c
	inner.In = c.In[1:]
	x := &c.In[1]
	n := r.of.rowScratch(&inner) + floatScratch(x.Dtype, x.Len()/x.Shape[1])
	if !byRows(&c.Out) {
		n += floatScratch(x.Dtype, x.Len())
	}
	return n
}

func (r crossEntropyGrad) run(c *exec.Call) error {
	inner := exec.Call{In: c.In[1:]}
	if err := r.of.checkLabels(&inner); err != nil {
		return err
	}
	return exec.OnFloat(c, func(c *exec.Call) { crossEntropyGradRun[float32](r.of, c) }, func(c *exec.Call) { crossEntropyGradRun[float64](r.of, c) })
}

func crossEntropyGradRun[T exec.Float](r crossEntropy, c *exec.Call) {
	dout := exec.Data[T](&c.In[0])
	weights := weightsOf[T](c, 3)
	inner := exec.Call{In: c.In[1:], Scratch: c.Scratch}
	q := rowsOf[T](r, &inner, weights)
	dloss := exec.Scratch[T](&inner, q.rows)
	if r.reduction == NoReduction {
		copy(dloss, dout)
	} else {
		vec.Fill(dloss, T(float64(dout[0])/q.divisor))
	}
	dx := exec.Data[T](&c.Out)
	if !byRows(&c.Out) {
		dx = exec.Scratch[T](&inner, len(dx))
	}
	if q.labels != nil {
		if q.weight != nil {
			vec.Mul(dloss, dloss, q.weight)
		}
		vec.SoftmaxCrossEntropyGrad(dx, q.x, q.labels, dloss, T(r.smoothing), q.rows, q.cols)
	} else {
		vec.SoftCrossEntropyGrad(dx, q.x, q.target, dloss, q.rows, q.cols)
	}
	fromRows(&c.Out, dx)
}

// No network that we know trains on a gradient of this gradient; a penalty on gradients is taken of scores.
func (crossEntropyGrad) grad(gorgonia.Nodes, *Node, *Node) (gorgonia.Nodes, error) {
	return nil, errors.New("it has no derivative; build the loss from LogSoftmax to differentiate twice")
}

// crossEntropyTargetGrad is the gradient for a target of distributions; its inputs are dout and those of
// crossEntropy.
//
//	dq[r, c] = −(1−ε) · w[c] · ln softmax(logits)[r, c] · dL[r]
type crossEntropyTargetGrad struct{ of crossEntropy }

func (crossEntropyTargetGrad) name() string { return "cross-entropy gradient for the target" }
func (crossEntropyTargetGrad) shape(in []tensor.Shape) (tensor.Shape, error) {
	return in[1].Clone(), nil
}
func (crossEntropyTargetGrad) differentiable(inputs int) []bool { return make([]bool, inputs) }
func (r crossEntropyTargetGrad) grad(in gorgonia.Nodes, out, dout *Node) (gorgonia.Nodes, error) {
	return crossEntropyGrad(r).grad(in, out, dout)
}

func (r crossEntropyTargetGrad) flows(in []tensor.Shape, out tensor.Shape) ([]exec.Flow, exec.Flow) {
	return crossEntropyGrad(r).flows(in, out)
}

func (r crossEntropyTargetGrad) scratch(c *exec.Call) int {
	x := &c.In[1]
	if byRows(x) && byRows(&c.Out) {
		return 0
	}
	return 2 * floatScratch(x.Dtype, x.Len())
}

func (r crossEntropyTargetGrad) run(c *exec.Call) error {
	return exec.OnFloat(c, func(c *exec.Call) { crossEntropyTargetGradRun[float32](r.of, c) }, func(c *exec.Call) { crossEntropyTargetGradRun[float64](r.of, c) })
}

func crossEntropyTargetGradRun[T exec.Float](r crossEntropy, c *exec.Call) {
	dout, cols := exec.Data[T](&c.In[0]), c.Out.Shape[1]
	weights := weightsOf[T](c, 3)
	dq := exec.Data[T](&c.Out)
	rows := len(dq) / cols
	var x []T
	if byRows(&c.In[1]) && byRows(&c.Out) {
		x = exec.Data[T](&c.In[1])
	} else {
		x = toRows(&c.In[1], exec.Scratch[T](c, len(dq)))
		dq = exec.Scratch[T](c, len(dq))
	}
	vec.LogSoftmax(dq, x, rows, cols)
	scale := -T(1 - r.smoothing)
	if r.reduction != NoReduction {
		scale *= dout[0] / T(r.divisor(rows, c.Out.Shape[0]))
	}
	for i := range rows {
		s := scale
		if r.reduction == NoReduction {
			s *= dout[i]
		}
		row := dq[i*cols : (i+1)*cols]
		for k := range row {
			if weights != nil {
				row[k] *= weights[k] * s
			} else {
				row[k] *= s
			}
		}
	}
	fromRows(&c.Out, dq)
}

// divisor is what the sum over all positions is divided by, labels that are ignored or weighted aside.
func (r crossEntropy) divisor(positions, batch int) float64 {
	switch r.reduction {
	case MeanReduction:
		return float64(positions)
	case BatchMeanReduction:
		return float64(batch)
	}
	return 1
}

// classRows is the input of cross-entropy with one row of classes a position.
type classRows[T exec.Float] struct {
	rows, cols int
	x          []T     // [rows, cols] logits
	labels     []int   // [rows], −1 for one that is ignored; nil where target says more
	weight     []T     // [rows] of each label; nil for ones
	target     []T     // [rows, cols] weighted distributions; nil where labels do
	divisor    float64 // of the sum
}

// rowScratch is the scratch memory, in bytes, that rowsOf takes.
func (r crossEntropy) rowScratch(c *exec.Call) int {
	x, target := &c.In[0], &c.In[1]
	all, positions := floatScratch(x.Dtype, x.Len()), x.Len()/x.Shape[1]
	weighted := len(c.In) > 2
	n := 0
	if !byRows(x) {
		n += all
	}
	switch {
	case r.soft && byRows(target) && !weighted && r.smoothing == 0:
	case r.soft, weighted && r.smoothing != 0:
		n += all
	default:
		if weighted {
			n += floatScratch(x.Dtype, positions)
		}
		if r.ignores {
			n += exec.ScratchSize[int](positions)
		}
	}
	return n
}

// rowsOf brings the inputs of a call into rows.
func rowsOf[T exec.Float](r crossEntropy, c *exec.Call, weights []T) classRows[T] {
	cols := c.In[0].Shape[1]
	q := classRows[T]{rows: c.In[0].Len() / cols, cols: cols}
	if byRows(&c.In[0]) {
		q.x = exec.Data[T](&c.In[0])
	} else {
		q.x = toRows(&c.In[0], exec.Scratch[T](c, q.rows*cols))
	}
	q.divisor = r.divisor(q.rows, c.In[0].Shape[0])
	switch {
	case r.soft && byRows(&c.In[1]) && weights == nil && r.smoothing == 0:
		q.target = exec.Data[T](&c.In[1])
	case r.soft:
		q.target = toRows(&c.In[1], exec.Scratch[T](c, q.rows*cols))
		smoothRows(q.target, cols, T(r.smoothing), weights)
	case weights != nil && r.smoothing != 0:
		labels := exec.Data[int](&c.In[1])
		q.target = exec.Scratch[T](c, q.rows*cols)
		clear(q.target)
		for i, label := range labels {
			if !r.ignores || label != r.ignored {
				row := q.target[i*cols : (i+1)*cols]
				row[label] = 1
				smoothRows(row, cols, T(r.smoothing), weights)
			}
		}
		q.divisor = labelDivisor(r, labels, weights, q.divisor)
	default:
		labels := exec.Data[int](&c.In[1])
		q.divisor = labelDivisor(r, labels, weights, q.divisor)
		q.labels = labels
		if r.ignores {
			q.labels = exec.Scratch[int](c, q.rows)
			for i, label := range labels {
				if label == r.ignored {
					label = -1
				}
				q.labels[i] = label
			}
		}
		if weights != nil {
			q.weight = exec.Scratch[T](c, q.rows)
			for i, label := range q.labels {
				q.weight[i] = 0
				if label >= 0 {
					q.weight[i] = weights[label]
				}
			}
		}
	}
	return q
}

// labelDivisor is the weight of the labels that count, where a mean is asked for.
func labelDivisor[T exec.Float](r crossEntropy, labels []int, weights []T, otherwise float64) float64 {
	if r.reduction != MeanReduction {
		return otherwise
	}
	total := 0.0
	for _, label := range labels {
		switch {
		case r.ignores && label == r.ignored:
		case weights != nil:
			total += float64(weights[label])
		default:
			total++
		}
	}
	return total
}

// smoothRows sets q to w·((1−ε)·q + ε/C), row by row.
func smoothRows[T exec.Float](q []T, cols int, epsilon T, weights []T) {
	for i := 0; i < len(q); i += cols {
		row := q[i : i+cols]
		for k, v := range row {
			if epsilon != 0 {
				v = (1-epsilon)*v + epsilon/T(cols)
			}
			if weights != nil {
				v *= weights[k]
			}
			row[k] = v
		}
	}
}

// checkLabels finds labels that name no class.
func (r crossEntropy) checkLabels(c *exec.Call) error {
	if r.soft {
		return nil
	}
	return checkLabels(&c.In[1], c.In[0].Shape[1], r.ignores, r.ignored)
}

// checkLabels finds labels outside 0 to classes−1, but for the one that is ignored.
func checkLabels(labels *exec.Array, classes int, ignores bool, ignored int) error {
	for i, label := range exec.Data[int](labels) {
		if (label < 0 || label >= classes) && !(ignores && label == ignored) {
			return errors.Errorf("label %d of row %s is outside the %d classes (0 to %d)", label, position(labels.Shape, i), classes, classes-1)
		}
	}
	return nil
}

// position is where element i of an array lies, as text.
func position(shape tensor.Shape, i int) string {
	if len(shape) == 1 {
		return strconv.Itoa(i)
	}
	at := make([]int, len(shape))
	for a := len(shape) - 1; a >= 0; a-- {
		at[a], i = i%shape[a], i/shape[a]
	}
	return fmt.Sprint(at)
}

// weightsOf is the class weights of a call, nil if it has none.
func weightsOf[T exec.Float](c *exec.Call, input int) []T {
	if len(c.In) <= input {
		return nil
	}
	return exec.Data[T](&c.In[input])
}

// byRows tells whether the classes (axis 1) of a position lie side by side.
func byRows(a *exec.Array) bool {
	return a.Order == exec.ChannelsLast || a.Len() == a.Shape[0]*a.Shape[1]
}

// toRows copies a into dst so that the classes of a position lie side by side.
func toRows[T exec.Float](a *exec.Array, dst []T) []T {
	src := exec.Data[T](a)
	if byRows(a) {
		copy(dst, src)
	} else {
		n, classes := a.Shape[0], a.Shape[1]
		layout.ToChannelsLast(dst, src, n, classes, len(src)/(n*classes))
	}
	return dst
}

// fromRows copies rows of classes to a, if they are not there already.
func fromRows[T exec.Float](a *exec.Array, rows []T) {
	dst := exec.Data[T](a)
	switch {
	case &dst[0] == &rows[0]:
	case byRows(a):
		copy(dst, rows)
	default:
		n, classes := a.Shape[0], a.Shape[1]
		layout.ToChannelsFirst(dst, rows, n, classes, len(rows)/(n*classes))
	}
}
