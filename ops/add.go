package ops

import (
	"github.com/pkg/errors"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/internal/exec"
	"github.com/stheno-ml/stheno/internal/kernel/vec"
)

// Sum adds any number of nodes of one shape: the residual add, and what gathers the gradients of a value
// that is used more than once.
//
//	y = x0 + x1 + …
//
// Additions are made in argument order. The result has the shape of the inputs.
func Sum(xs ...*Node) (*Node, error) {
	if len(xs) == 0 {
		return nil, errors.New("sum: no inputs")
	}
	if len(xs) == 1 {
		return xs[0], nil
	}
	return apply(sum{}, xs...)
}

type sum struct{ elementwise }

func (sum) name() string { return "sum" }

func (sum) flops(in []tensor.Shape, out tensor.Shape) int64 {
	return int64(len(in)-1) * int64(exec.Size(out))
}

func (sum) run(c *exec.Call) error { return exec.OnFloat(c, sumRun[float32], sumRun[float64]) }

func sumRun[T exec.Float](c *exec.Call) {
	y := exec.Data[T](&c.Out)
	a := exec.Data[T](&c.In[0])
	for k := 1; k < len(c.In); k++ {
		vec.Add(y, a, exec.Data[T](&c.In[k]))
		a = y
	}
}

func (sum) grad(in gorgonia.Nodes, _, dout *Node) (gorgonia.Nodes, error) {
	grads := make(gorgonia.Nodes, len(in))
	for i := range grads {
		grads[i] = dout
	}
	return grads, nil
}

// sameShape compares axis by axis; tensor.Shape.Eq takes (n) and (n, 1) for equal.
func sameShape(a, b tensor.Shape) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

// follow is the flow of an op that treats every element alike.
func follow(inputs int) ([]exec.Flow, exec.Flow) {
	f := make([]exec.Flow, inputs)
	for i := range f {
		f[i] = exec.Follow
	}
	return f, exec.Follow
}
