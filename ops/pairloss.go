package ops

import (
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/internal/exec"
	"github.com/stheno-ml/stheno/internal/kernel/vec"
)

// crossEntropyBoth is cross-entropy and its gradient for the logits, of one softmax. Its inputs are those of
// crossEntropy and then the gradient of the loss, which is there before the loss is: as a rule, 1.
type crossEntropyBoth struct{ crossEntropy }

func (r crossEntropy) pair(other rule, inputs int, shared []int) (rule, bool) {
	ok := other == rule(crossEntropyGrad{r}) && len(shared) == inputs+1
	for k, place := range shared {
		ok = ok && place == k-1
	}
	return crossEntropyBoth{r}, ok
}

func (crossEntropyBoth) pair(rule, int, []int) (rule, bool) { return nil, false }

func (r crossEntropyBoth) name() string { return r.crossEntropy.name() + ", gradient" }

func (crossEntropyBoth) grad(gorgonia.Nodes, *Node, *Node) (gorgonia.Nodes, error) { return tapeOnly() }

func (r crossEntropyBoth) flops(in []tensor.Shape, _ tensor.Shape) int64 {
	return 6 * int64(exec.Size(in[0]))
}

// loss is the call with the inputs of crossEntropy.
func (crossEntropyBoth) loss(c *exec.Call) exec.Call {
	return exec.Call{In: c.In[:len(c.In)-1], Out: c.Out, Scratch: c.Scratch}
}

func (r crossEntropyBoth) scratch(c *exec.Call) int {
	x, inner := &c.In[0], r.loss(c)
	n := r.rowScratch(&inner) + 2*floatScratch(x.Dtype, x.Len()/x.Shape[1])
	if !byRows(&c.Second) {
		n += floatScratch(x.Dtype, x.Len())
	}
	return n
}

func (r crossEntropyBoth) run(c *exec.Call) error {
	if err := r.checkLabels(c); err != nil {
		return err
	}
	return exec.OnFloat(c, func(c *exec.Call) { crossEntropyBothRun[float32](r, c) }, func(c *exec.Call) { crossEntropyBothRun[float64](r, c) })
}

func crossEntropyBothRun[T exec.Float](r crossEntropyBoth, c *exec.Call) {
	inner := r.loss(c)
	q := rowsOf[T](r.crossEntropy, &inner, weightsOf[T](&inner, 2))
	dloss := q.gradients(r.crossEntropy, exec.Data[T](&c.In[len(c.In)-1]), exec.Scratch[T](&inner, q.rows))
	y, dx := exec.Data[T](&c.Out), exec.Data[T](&c.Second)
	loss := y
	if r.reduction != NoReduction {
		loss = exec.Scratch[T](&inner, q.rows)
	}
	if !byRows(&c.Second) {
		dx = exec.Scratch[T](&inner, len(dx))
	}
	if q.labels != nil {
		vec.SoftmaxCrossEntropyBoth(loss, dx, q.x, q.labels, dloss, T(r.smoothing), q.rows, q.cols)
		if q.weight != nil {
			vec.Mul(loss, loss, q.weight)
		}
	} else {
		vec.SoftCrossEntropyBoth(loss, dx, q.x, q.target, dloss, q.rows, q.cols)
	}
	if r.reduction != NoReduction {
		y[0] = T(vec.Sum(loss) / q.divisor)
	}
	fromRows(&c.Second, dx)
}
