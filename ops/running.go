package ops

import (
	"github.com/pkg/errors"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/internal/exec"
)

// Statistics of channels travel as one array [2, C], so that one op can make both. These small ops put rows
// together and take them apart.

// runningStep is old + weight·(scale·stats[row] − old).
type runningStep struct {
	row           int
	weight, scale float64
}

func (runningStep) name() string              { return "running statistics" }
func (runningStep) inPlace() []int            { return []int{0} }
func (runningStep) differentiable(int) []bool { return []bool{false, false} }

func (runningStep) shape(in []tensor.Shape) (tensor.Shape, error) {
	want, err := rowShape(in[1])
	if err == nil && !sameShape(in[0], want) {
		err = errors.Errorf("a running statistic has shape %v, that of the batch %v", in[0], want)
	}
	return want, err
}

func (r runningStep) run(c *exec.Call) error {
	if c.Out.Dtype == tensor.Float32 {
		runningStepRun[float32](c, r)
	} else {
		runningStepRun[float64](c, r)
	}
	return nil
}

func runningStepRun[T exec.Float](c *exec.Call, r runningStep) {
	old, y := exec.Data[T](&c.In[0]), exec.Data[T](&c.Out)
	batch := exec.Data[T](&c.In[1])[r.row*len(y):][:len(y)]
	for i, v := range old {
		y[i] = T((1-r.weight)*float64(v) + r.weight*r.scale*float64(batch[i]))
	}
}

func (runningStep) grad(gorgonia.Nodes, *Node, *Node) (gorgonia.Nodes, error) {
	return gorgonia.Nodes{nil, nil}, nil
}

// stackRows is [2, C] of [C] and [C].
type stackRows struct{}

func (stackRows) name() string { return "stack rows" }

func (stackRows) shape(in []tensor.Shape) (tensor.Shape, error) {
	if len(in[0]) != 1 || !sameShape(in[0], in[1]) {
		return nil, errors.Errorf("rows have shapes %v and %v, want one axis of one size", in[0], in[1])
	}
	return tensor.Shape{2, in[0][0]}, nil
}

func (stackRows) run(c *exec.Call) error {
	return exec.OnFloat(c, stackRun[float32], stackRun[float64])
}

func stackRun[T exec.Float](c *exec.Call) {
	y := exec.Data[T](&c.Out)
	copy(y, exec.Data[T](&c.In[0]))
	copy(y[c.In[0].Len():], exec.Data[T](&c.In[1]))
}

func (stackRows) grad(_ gorgonia.Nodes, _, dy *Node) (gorgonia.Nodes, error) {
	return bothRows(dy)
}

// bothRows takes [2, C] apart.
func bothRows(x *Node) (gorgonia.Nodes, error) {
	a, err := apply(takeRow{0}, x)
	if err != nil {
		return nil, err
	}
	b, err := apply(takeRow{1}, x)
	return gorgonia.Nodes{a, b}, err
}

// takeRow is one row of [2, C].
type takeRow struct{ row int }

func (takeRow) name() string                                  { return "take row" }
func (takeRow) shape(in []tensor.Shape) (tensor.Shape, error) { return rowShape(in[0]) }

func (r takeRow) run(c *exec.Call) error {
	if c.Out.Dtype == tensor.Float32 {
		takeRowRun[float32](c, r.row)
	} else {
		takeRowRun[float64](c, r.row)
	}
	return nil
}

func takeRowRun[T exec.Float](c *exec.Call, row int) {
	y := exec.Data[T](&c.Out)
	copy(y, exec.Data[T](&c.In[0])[row*len(y):])
}

func (r takeRow) grad(_ gorgonia.Nodes, _, dy *Node) (gorgonia.Nodes, error) {
	dx, err := apply(putRow(r), dy)
	return gorgonia.Nodes{dx}, err
}

// putRow is [2, C] with one row given and the other 0: the adjoint of takeRow.
type putRow struct{ row int }

func (putRow) name() string { return "put row" }

func (putRow) shape(in []tensor.Shape) (tensor.Shape, error) { return tensor.Shape{2, in[0][0]}, nil }

func (r putRow) run(c *exec.Call) error {
	if c.Out.Dtype == tensor.Float32 {
		putRowRun[float32](c, r.row)
	} else {
		putRowRun[float64](c, r.row)
	}
	return nil
}

func putRowRun[T exec.Float](c *exec.Call, row int) {
	x, y := exec.Data[T](&c.In[0]), exec.Data[T](&c.Out)
	clear(y)
	copy(y[row*len(x):], x)
}

func (r putRow) grad(_ gorgonia.Nodes, _, dy *Node) (gorgonia.Nodes, error) {
	dx, err := apply(takeRow(r), dy)
	return gorgonia.Nodes{dx}, err
}
