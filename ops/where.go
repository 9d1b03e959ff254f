package ops

import (
	"unsafe"

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

func (where) run(c *exec.Call) error {
	if c.Out.Dtype == tensor.Float32 {
		whereRun[uint32](c)
	} else {
		whereRun[uint64](c)
	}
	return nil
}

func whereRun[T uint32 | uint64](c *exec.Call) {
	t := whereTask[T]{w: broadcastWalk(c), y: words[T](&c.Out), a: words[T](&c.In[1]), b: words[T](&c.In[2])}
	if c.In[0].Dtype == tensor.Bool {
		t.cond = words[uint8](&c.In[0])
	} else {
		t.mask = words[T](&c.In[0])
	}
	perRow, items, grain := t.w.blocks()
	t.perRow = perRow
	par.For(items, grain, t)
}

// whereTask chooses by bits, without a branch: conditions cannot be foretold.
type whereTask[T uint32 | uint64] struct {
	w       walk
	perRow  int
	cond    []uint8 // 0 or 1; or
	mask    []T     // the bits of a float
	y, a, b []T
}

func (t *whereTask[T]) Run(lo, hi int) {
	c := t.w.seek(lo / t.perRow)
	cols, sc, sa, sb := t.w.cols(), t.w.inner(1), t.w.inner(2), t.w.inner(3)
	for i := lo; i < hi; i++ {
		from := i % t.perRow * blockSize
		to := min(from+blockSize, cols)
		y, a, b := t.y[c.off[0]+from:c.off[0]+to], t.a[c.off[2]+from*sa:], t.b[c.off[3]+from*sb:]
		switch {
		case t.cond != nil:
			chooseByBool(y, t.cond[c.off[1]+from*sc:], a, b, sc, sa, sb)
		case sc == 1 && sa == 1 && sb == 1:
			chooseByMask(y, t.mask[c.off[1]+from:], a, b)
		default:
			mask := t.mask[c.off[1]+from*sc:]
			for j := range y {
				y[j] = choose(nonZero(mask[j*sc]), a[j*sa], b[j*sb])
			}
		}
		if to == cols {
			t.w.next(&c)
		}
	}
}

// choose is a where yes is 1, b where it is 0.
func choose[T uint32 | uint64](yes, a, b T) T { return b ^ (a^b)&-yes }

// nonZero is 1 where the bits are those of a float that is not 0 or −0.
func nonZero[T uint32 | uint64](bits T) T {
	bits <<= 1 // without the sign
	return (bits | -bits) >> (unsafe.Sizeof(bits)*8 - 1)
}

func chooseByBool[T uint32 | uint64](y []T, cond []uint8, a, b []T, sc, sa, sb int) {
	if sc == 1 && sa == 1 && sb == 1 {
		cond, a, b = cond[:len(y)], a[:len(y)], b[:len(y)]
		for j := range y {
			y[j] = choose(T(cond[j]), a[j], b[j])
		}
		return
	}
	for j := range y {
		y[j] = choose(T(cond[j*sc]), a[j*sa], b[j*sb])
	}
}

func chooseByMask[T uint32 | uint64](y, mask, a, b []T) {
	mask, a, b = mask[:len(y)], a[:len(y)], b[:len(y)]
	for j := range y {
		y[j] = choose(nonZero(mask[j]), a[j], b[j])
	}
}

func (where) grad(in gorgonia.Nodes, _, dy *Node) (gorgonia.Nodes, error) {
	var e expr
	zero := e.constant(dy, 0)
	da, db := e.where(in[0], dy, zero), e.where(in[0], zero, dy)
	return e.nodes(nil, e.to(da, in[1].Shape()), e.to(db, in[2].Shape()))
}

func (e *expr) where(cond, a, b *Node) *Node { return e.op(where{}, cond, a, b) }
