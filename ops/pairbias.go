package ops

import (
	"slices"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/internal/exec"
	"github.com/stheno-ml/stheno/internal/kernel/conv2d"
	"github.com/stheno-ml/stheno/internal/kernel/norm"
)

// convFiltersBias is the gradients of a convolution's filters and of its bias, of one reading of dy: convFilters and
// channelSum.
type convFiltersBias struct{ convFilters }

func (r convFilters) pair(other rule, _ int, shared []int) (rule, bool) {
	return convFiltersBias{r}, other == rule(channelSum{}) && slices.Equal(shared, []int{1})
}

func (convFiltersBias) pair(rule, int, []int) (rule, bool) { return nil, false }

func (r convFiltersBias) name() string { return "conv2d filter gradient, bias gradient" }

func (convFiltersBias) grad(gorgonia.Nodes, *Node, *Node) (gorgonia.Nodes, error) { return tapeOnly() }

func (r convFiltersBias) run(c *exec.Call) error {
	s := r.g.shape(c.In[0].Shape[0], c.In[0].Shape[1], c.In[1].Shape[1])
	if c.Out.Dtype == tensor.Float32 {
		convFiltersBiasRun[float32](c, &s)
	} else {
		convFiltersBiasRun[float64](c, &s)
	}
	return nil
}

func convFiltersBiasRun[T exec.Float](c *exec.Call, s *conv2d.Shape) {
	x, dy := loadPicture[T](c, &c.In[0]), loadPicture[T](c, &c.In[1])
	dw, db := exec.Data[T](&c.Out), exec.Data[T](&c.Second)
	conv2d.WeightBiasGrad(s, dw, db, dy, x, exec.Scratch[T](c, conv2d.Workspace[T](s, conv2d.PassWeightGrad)))
}

// linearGrads is the gradients of a linear layer's weight [out, in] and bias [out], of dy [N, out] and x [N, in]:
// dyᵀ·x, a matmul, and the sum of dy's rows, a channelSum.
type linearGrads struct{ matmul }

func (r matmul) pair(other rule, _ int, shared []int) (rule, bool) {
	return linearGrads{r}, r == matmul{transA: true} && other == rule(channelSum{}) && slices.Equal(shared, []int{0})
}

func (linearGrads) pair(rule, int, []int) (rule, bool) { return nil, false }

func (linearGrads) name() string { return "linear weight gradient, bias gradient" }

func (linearGrads) grad(gorgonia.Nodes, *Node, *Node) (gorgonia.Nodes, error) { return tapeOnly() }

func (r linearGrads) run(c *exec.Call) error {
	if c.Out.Dtype == tensor.Float32 {
		linearGradsRun[float32](c, r.matmul)
	} else {
		linearGradsRun[float64](c, r.matmul)
	}
	return nil
}

func linearGradsRun[T exec.Float](c *exec.Call, r matmul) {
	matmulRun[T](c, r)
	norm.Sum(exec.Data[T](&c.Second), exec.Data[T](&c.In[0]), channels{}.view(&c.In[0]))
}
