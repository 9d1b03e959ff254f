package ops

import (
	"github.com/pkg/errors"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/internal/exec"
	"github.com/stheno-ml/stheno/internal/kernel/par"
)

// ArgMax is the place of the largest element along an axis (-1 is the last one), of type tensor.Int; the axis
// is dropped. Of several the first counts; NaN counts as largest. It has no gradient.
func ArgMax(x *Node, axis int) (*Node, error) { return argExtreme("argmax", x, axis, false) }

// ArgMin is the place of the smallest element along an axis; see ArgMax. NaN counts as smallest.
func ArgMin(x *Node, axis int) (*Node, error) { return argExtreme("argmin", x, axis, true) }

func argExtreme(name string, x *Node, axis int, min bool) (*Node, error) {
	if x == nil {
		return nil, errors.Errorf("%s: input 0 is nil", name)
	}
	if err := checkRank(x.Shape()); err != nil {
		return nil, errors.Wrap(err, name)
	}
	a, err := axisOf(axis, len(x.Shape()))
	if err != nil {
		return nil, errors.Wrap(err, name)
	}
	return apply(argOver{axis: a, min: min}, x)
}

type argOver struct {
	stepped
	axis int
	min  bool
}

func (r argOver) name() string {
	if r.min {
		return "argmin"
	}
	return "argmax"
}

func (r argOver) shape(in []tensor.Shape) (tensor.Shape, error) {
	return over{axes: 1 << r.axis}.shape(in)
}

func (r argOver) dtype(in []tensor.Dtype) (tensor.Dtype, error) {
	if !isFloat(in[0]) {
		return tensor.Int, errors.Errorf("the input is of type %v, want float32 or float64", in[0])
	}
	return tensor.Int, nil
}

func (r argOver) run(c *exec.Call) error {
	if c.In[0].Dtype == tensor.Float32 {
		argRun[float32](c, r)
	} else {
		argRun[float64](c, r)
	}
	return nil
}

func argRun[T exec.Float](c *exec.Call, r argOver) {
	outer, n, inner := along(&c.In[0], r.axis)
	par.For(outer*inner, max(1, loopGrain/n), argTask[T]{exec.Data[int](&c.Out), exec.Data[T](&c.In[0]), n, inner, r.min})
}

type argTask[T exec.Float] struct {
	y        []int
	x        []T
	n, inner int
	min      bool
}

func (t *argTask[T]) Run(lo, hi int) {
	for i := lo; i < hi; i++ {
		x := t.x[i/t.inner*t.n*t.inner+i%t.inner:]
		best, at := x[0], 0
		for k := 1; k < t.n && best == best; k++ {
			v := x[k*t.inner]
			if v != v || t.min && v < best || !t.min && v > best {
				best, at = v, k
			}
		}
		t.y[i] = at
	}
}
