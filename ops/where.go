package ops

import (
	"github.com/pkg/errors"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/internal/exec"
	"github.com/stheno-ml/stheno/internal/kernel/par"
)

// Where is a where cond is true, else b, element by element. All three are broadcast as Add does. The
// condition is of booleans, or a mask of the type of a, true where it is not 0; it has no gradient.
func Where(cond, a, b *Node) (*Node, error) { return apply(where{}, cond, a, b) }

type where struct{ broadcasting }

func (where) name() string              { return "where" }
func (where) inPlace() []int            { return []int{1, 2} }
func (where) differentiable(int) []bool { return []bool{false, true, true} }

func (where) dtype(in []tensor.Dtype) (tensor.Dtype, error) {
	switch {
	case in[1] != in[2] || !isFloat(in[1]):
		return in[1], errors.Errorf("the choices are of types %v and %v, want float32 or float64, both alike", in[1], in[2])
	case in[0] != tensor.Bool && in[0] != in[1]:
		return in[1], errors.Errorf("the condition is of type %v, want bool or %v", in[0], in[1])
	}
	return in[1], nil
}

// flows: booleans are kept in row-major order only.
func (r where) flows(in []tensor.Shape, out tensor.Shape) ([]exec.Flow, exec.Flow) {
	if !orderFree(in[0]) {
		return make([]exec.Flow, len(in)), exec.Plain
	}
	return r.broadcasting.flows(in, out)
}

func (where) run(c *exec.Call) error { return exec.OnFloat(c, whereRun[float32], whereRun[float64]) }

func whereRun[T exec.Float](c *exec.Call) {
	t := whereTask[T]{w: broadcastWalk(c), y: exec.Data[T](&c.Out), a: exec.Data[T](&c.In[1]), b: exec.Data[T](&c.In[2])}
	if c.In[0].Dtype == tensor.Bool {
		t.cond = exec.Data[bool](&c.In[0])
	} else {
		t.mask = exec.Data[T](&c.In[0])
	}
	perRow, items, grain := t.w.blocks()
	t.perRow = perRow
	par.For(items, grain, t)
}

type whereTask[T exec.Float] struct {
	w       walk
	perRow  int
	cond    []bool // or mask
	mask    []T
	y, a, b []T
}

func (t *whereTask[T]) Run(lo, hi int) {
	c := t.w.seek(lo / t.perRow)
	cols, sc, sa, sb := t.w.cols(), t.w.inner(1), t.w.inner(2), t.w.inner(3)
	for i := lo; i < hi; i++ {
		from := i % t.perRow * blockSize
		to := min(from+blockSize, cols)
		y, oc, a, b := t.y[c.off[0]:], c.off[1], t.a[c.off[2]:], t.b[c.off[3]:]
		for j := from; j < to; j++ {
			yes := false
			if t.cond != nil {
				yes = t.cond[oc+j*sc]
			} else {
				yes = t.mask[oc+j*sc] != 0
			}
			if yes {
				y[j] = a[j*sa]
			} else {
				y[j] = b[j*sb]
			}
		}
		if to == cols {
			t.w.next(&c)
		}
	}
}

func (where) grad(in gorgonia.Nodes, _, dy *Node) (gorgonia.Nodes, error) {
	var e expr
	zero := e.constant(dy, 0)
	da, db := e.where(in[0], dy, zero), e.where(in[0], zero, dy)
	return e.nodes(nil, e.to(da, in[1].Shape()), e.to(db, in[2].Shape()))
}

func (e *expr) where(cond, a, b *Node) *Node { return e.op(where{}, cond, a, b) }
