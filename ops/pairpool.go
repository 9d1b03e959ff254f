package ops

import (
	"slices"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/internal/exec"
	"github.com/stheno-ml/stheno/internal/kernel/pool"
)

// maxPoolTaps is max pooling that notes where it found its values: maxPool and maxTaps of one x. What the way back
// needs is then there in a byte a value, and x need not be kept for it.
type maxPoolTaps struct{ maxPool }

func (r maxPool) pair(other rule, _ int, shared []int) (rule, bool) {
	return maxPoolTaps{r}, other == rule(maxTaps(r)) && slices.Equal(shared, []int{0})
}

func (maxPoolTaps) pair(rule, int, []int) (rule, bool) { return nil, false }

func (r maxPoolTaps) name() string { return r.maxPool.name() + ", taps" }

func (maxPoolTaps) grad(gorgonia.Nodes, *Node, *Node) (gorgonia.Nodes, error) { return tapeOnly() }

func (r maxPoolTaps) run(c *exec.Call) error {
	s := r.g.forward(c)
	if c.Out.Dtype == tensor.Float32 {
		maxPoolTapsRun[float32](c, s)
	} else {
		maxPoolTapsRun[float64](c, s)
	}
	return nil
}

func maxPoolTapsRun[T exec.Float](c *exec.Call, s pool.Shape) {
	x, y := loadPicture[T](c, &c.In[0]), makePicture[T](c)
	if c.Second.Dtype == tensor.Uint8 {
		pool.MaxForward(y, exec.Data[uint8](&c.Second), x, s)
	} else {
		pool.MaxForward(y, exec.Data[int32](&c.Second), x, s)
	}
	storePicture(c, y)
}
