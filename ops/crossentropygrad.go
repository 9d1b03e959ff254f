package ops

import (
	"github.com/pkg/errors"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/internal/exec"
	"github.com/stheno-ml/stheno/internal/kernel/vec"
)

// crossEntropyGrad is the gradient for the logits; its inputs are dout and those of crossEntropy.
//
//	dlogits[r, c] = dL[r] · (softmax(logits)[r, c] · Σ_k w[k]·q[r, k] − w[c]·q[r, c])
type crossEntropyGrad struct{ of crossEntropy }

func (crossEntropyGrad) name() string                                  { return "cross-entropy gradient" }
func (crossEntropyGrad) shape(in []tensor.Shape) (tensor.Shape, error) { return in[1].Clone(), nil }
func (r crossEntropyGrad) flops(in []tensor.Shape, _ tensor.Shape) int64 {
	return 5 * int64(exec.Size(in[1]))
}
func (r crossEntropyGrad) differentiable(inputs int) []bool {
	return []bool{true, true, r.of.soft, false}[:inputs]
}

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
	inner := exec.Call{In: c.In[1:], Scratch: c.Scratch}
	q := rowsOf[T](r, &inner, weightsOf[T](c, 3))
	dloss := q.gradients(r, exec.Data[T](&c.In[0]), exec.Scratch[T](&inner, q.rows))
	dx := exec.Data[T](&c.Out)
	if !byRows(&c.Out) {
		dx = exec.Scratch[T](&inner, len(dx))
	}
	if q.labels != nil {
		vec.SoftmaxCrossEntropyGrad(dx, q.x, q.labels, dloss, T(r.smoothing), q.rows, q.cols)
	} else {
		vec.SoftCrossEntropyGrad(dx, q.x, q.target, dloss, q.rows, q.cols)
	}
	fromRows(&c.Out, dx)
}

// With G = dL·(a·p − w·q), a = Σ w·q and p = softmax, and v given to G:
//
//	for dL:     Σ_c v·(a·p − w·q)
//	for logits: dL·a·(p·v − p·Σ p·v)
//	for q:      (1−ε)·w·dL·(Σ p·v − v)
func (r crossEntropyGrad) grad(in gorgonia.Nodes, _, v *Node) (gorgonia.Nodes, error) {
	grads := make(gorgonia.Nodes, len(in))
	dout, logits := in[0], in[1]
	var e expr
	ones := e.node(func() (*Node, error) { return Full(logits.Graph(), logits.Dtype(), 1, dout.Shape()...) })
	unit := e.op(r, append(gorgonia.Nodes{ones}, in[1:]...)...)
	axes := allAxes(len(logits.Shape()))
	if r.of.reduction == NoReduction {
		axes = 1 << 1
	}
	grads[0] = e.op(sumOver{over: over{axes: axes}}, e.mul(v, unit))
	grads[1] = e.op(crossEntropyCurve(r), append(append(gorgonia.Nodes{}, in...), v)...)
	if r.of.soft {
		pv := e.mul(e.op(softmax{axis: 1}, logits), v)
		grads[2] = r.of.ofTarget(&e, e.sub(v, e.sumKeep(pv, 1<<1)), dout, in[1:])
	}
	return grads, e.err
}

// crossEntropyCurve is the second derivative for the logits times a vector v, the last input; the inputs
// before it are those of crossEntropyGrad.
type crossEntropyCurve struct{ of crossEntropy }

func (crossEntropyCurve) name() string                                  { return "cross-entropy second derivative" }
func (crossEntropyCurve) shape(in []tensor.Shape) (tensor.Shape, error) { return in[1].Clone(), nil }
func (r crossEntropyCurve) flops(in []tensor.Shape, _ tensor.Shape) int64 {
	return 9 * int64(exec.Size(in[1]))
}

func (r crossEntropyCurve) flows(in []tensor.Shape, out tensor.Shape) ([]exec.Flow, exec.Flow) {
	last := len(in) - 1
	f, flow := crossEntropyGrad(r).flows(in[:last], out)
	return append(f, exec.Last), flow
}

func (r crossEntropyCurve) scratch(c *exec.Call) int {
	inner := *c
	inner.In = c.In[:len(c.In)-1]
	return crossEntropyGrad(r).scratch(&inner) + 2*floatScratch(c.Out.Dtype, c.Out.Len())
}

func (r crossEntropyCurve) run(c *exec.Call) error {
	inner := exec.Call{In: c.In[1:]}
	if err := r.of.checkLabels(&inner); err != nil {
		return err
	}
	return exec.OnFloat(c, func(c *exec.Call) { crossEntropyCurveRun[float32](r.of, c) }, func(c *exec.Call) { crossEntropyCurveRun[float64](r.of, c) })
}

func crossEntropyCurveRun[T exec.Float](r crossEntropy, c *exec.Call) {
	last := len(c.In) - 1
	inner := exec.Call{In: c.In[1:last], Scratch: c.Scratch}
	q := rowsOf[T](r, &inner, weightsOf[T](&inner, 2))
	scale := q.gradients(r, exec.Data[T](&c.In[0]), exec.Scratch[T](&inner, q.rows))
	for i := range scale {
		switch {
		case q.labels == nil:
			scale[i] *= T(vec.Sum(q.target[i*q.cols : (i+1)*q.cols]))
		case q.labels[i] < 0:
			scale[i] = 0
		}
	}
	p := exec.Scratch[T](&inner, c.Out.Len())
	vec.Softmax(p, q.x, q.rows, q.cols)
	y := toRows(&c.In[last], exec.Scratch[T](&inner, c.Out.Len()))
	vec.SoftmaxGrad(y, y, p, q.rows, q.cols)
	for i, s := range scale {
		row := y[i*q.cols : (i+1)*q.cols]
		vec.Scale(row, row, s)
	}
	fromRows(&c.Out, y)
}

func (crossEntropyCurve) differentiable(inputs int) []bool {
	return append([]bool{true, true}, make([]bool, inputs-2)...)
}

func (crossEntropyCurve) grad(gorgonia.Nodes, *Node, *Node) (gorgonia.Nodes, error) {
	return nil, errors.New("third derivatives are not offered; build the loss from LogSoftmax")
}
