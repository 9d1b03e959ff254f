package ops

import (
	"github.com/pkg/errors"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/internal/exec"
)

// Gather looks rows up in a table: the result has the shape of index followed by that of a row.
//
//	y[i, …] = table[index[i], …]
//
// table is [n, …], index of type tensor.Int with values 0 to n−1; another value is an error when the graph
// runs. The gradient of the table adds up the rows that were looked up; the index has none.
func Gather(table, index *Node) (*Node, error) { return apply(gather{}, table, index) }

// OneHot is 1 at the place that each index names and 0 elsewhere, in a new last axis of the size named.
// index is of type tensor.Int with values 0 to classes−1; another value is an error when the graph runs. The
// result is of type float32 or float64, and has no gradient.
func OneHot(index *Node, classes int, dt tensor.Dtype) (*Node, error) {
	if classes <= 0 {
		return nil, errors.Errorf("one-hot: %d classes, want 1 or more", classes)
	}
	if !isFloat(dt) {
		return nil, errors.Errorf("one-hot: result of type %v, want float32 or float64", dt)
	}
	return apply(oneHot{classes: classes, dt: dt}, index)
}

type gather struct{}

func (gather) name() string              { return "gather" }
func (gather) differentiable(int) []bool { return []bool{true, false} }

func (gather) shape(in []tensor.Shape) (tensor.Shape, error) {
	if len(in[0]) == 0 {
		return nil, errors.New("the table is a scalar, want [n, …]")
	}
	out := append(append(tensor.Shape{}, in[1]...), in[0][1:]...)
	return out, checkRank(out)
}

func (gather) dtype(in []tensor.Dtype) (tensor.Dtype, error) { return gatherType(in) }

func gatherType(in []tensor.Dtype) (tensor.Dtype, error) {
	if !isFloat(in[0]) || in[1] != tensor.Int {
		return in[0], errors.Errorf("inputs are of types %v and %v, want a float and int", in[0], in[1])
	}
	return in[0], nil
}

func checkIndex(index []int, n int) error {
	for i, v := range index {
		if v < 0 || v >= n {
			return errors.Errorf("index %d (element %d), want 0 to %d", v, i, n-1)
		}
	}
	return nil
}

func (gather) run(c *exec.Call) error {
	index := exec.Data[int](&c.In[1])
	rows := c.In[0].Shape[0]
	if err := checkIndex(index, rows); err != nil {
		return err
	}
	y, table := byteSlice(&c.Out), byteSlice(&c.In[0])
	n := len(table) / rows
	for i, v := range index {
		copy(y[i*n:(i+1)*n], table[v*n:])
	}
	return nil
}

func (gather) grad(in gorgonia.Nodes, _, dy *Node) (gorgonia.Nodes, error) {
	var e expr
	return e.nodes(e.op(scatter{intsOf(in[0].Shape())}, dy, in[1]), nil)
}

// scatter is the adjoint: rows of x are added to those that index names.
type scatter struct{ to ints }

func (scatter) name() string                                  { return "gather gradient" }
func (scatter) differentiable(int) []bool                     { return []bool{true, false} }
func (scatter) dtype(in []tensor.Dtype) (tensor.Dtype, error) { return gatherType(in) }

func (r scatter) shape([]tensor.Shape) (tensor.Shape, error) {
	return append(tensor.Shape{}, r.to.slice()...), nil
}

func (scatter) run(c *exec.Call) error {
	if err := checkIndex(exec.Data[int](&c.In[1]), c.Out.Shape[0]); err != nil {
		return err
	}
	return exec.OnFloat(c, scatterRun[float32], scatterRun[float64])
}

func scatterRun[T exec.Float](c *exec.Call) {
	y, x := exec.Data[T](&c.Out), exec.Data[T](&c.In[0])
	n := len(y) / c.Out.Shape[0]
	clear(y)
	for i, v := range exec.Data[int](&c.In[1]) {
		row := y[v*n : (v+1)*n]
		for j, d := range x[i*n : (i+1)*n] {
			row[j] += d
		}
	}
}

func (scatter) grad(in gorgonia.Nodes, _, ddx *Node) (gorgonia.Nodes, error) {
	var e expr
	return e.nodes(e.op(gather{}, ddx, in[1]), nil)
}

type oneHot struct {
	stepped
	classes int
	dt      tensor.Dtype
}

func (oneHot) name() string { return "one-hot" }

func (r oneHot) shape(in []tensor.Shape) (tensor.Shape, error) {
	return append(in[0].Clone(), r.classes), nil
}

func (r oneHot) dtype(in []tensor.Dtype) (tensor.Dtype, error) {
	if in[0] != tensor.Int {
		return r.dt, errors.Errorf("the index is of type %v, want int", in[0])
	}
	return r.dt, nil
}

func (r oneHot) run(c *exec.Call) error {
	index := exec.Data[int](&c.In[0])
	if err := checkIndex(index, r.classes); err != nil {
		return err
	}
	return exec.OnFloat(c, oneHotRun[float32], oneHotRun[float64])
}

func oneHotRun[T exec.Float](c *exec.Call) {
	y := exec.Data[T](&c.Out)
	clear(y)
	index := exec.Data[int](&c.In[0])
	classes := len(y) / len(index)
	for i, v := range index {
		y[i*classes+v] = 1
	}
}
