package ops

import (
	"github.com/pkg/errors"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/internal/exec"
	"github.com/stheno-ml/stheno/internal/kernel/par"
)

// broadcasting is what rules have in common that treat every element alike and broadcast their inputs as
// NumPy does: shapes are aligned at their last axes, and an axis of size 1 is repeated.
type broadcasting struct{}

func (broadcasting) shape(in []tensor.Shape) (tensor.Shape, error) { return broadcastShape(in) }

func (broadcasting) inPlace() []int { return []int{0, 1} }

// flows lets pictures keep their order where each operand is a picture of the result's shape or has the same
// elements in the same places in either order: scalars, [C, 1, 1], [H, W].
func (broadcasting) flows(in []tensor.Shape, out tensor.Shape) ([]exec.Flow, exec.Flow) {
	flows := make([]exec.Flow, len(in))
	for i, s := range in {
		switch {
		case len(s) == 4 && !orderFree(s):
			flows[i] = exec.Follow
		case !orderFree(s):
			return make([]exec.Flow, len(in)), exec.Plain
		}
	}
	return flows, exec.Follow
}

// orderFree says whether the elements of a shape that is broadcast to a picture lie in the same places in
// row-major and in channels-last order: it has one channel, or one pixel.
func orderFree(s tensor.Shape) bool {
	at := func(fromEnd int) int {
		if fromEnd > len(s) {
			return 1
		}
		return s[len(s)-fromEnd]
	}
	return at(3) == 1 || at(1) == 1 && at(2) == 1
}

func broadcastShape(in []tensor.Shape) (tensor.Shape, error) {
	rank := 0
	for _, s := range in {
		if err := checkRank(s); err != nil {
			return nil, err
		}
		rank = max(rank, len(s))
	}
	out := make(tensor.Shape, rank)
	for k := range out {
		out[k] = 1
	}
	for i, s := range in {
		for k, d := range s {
			o := &out[rank-len(s)+k]
			switch {
			case d == *o || d == 1:
			case *o == 1:
				*o = d
			default:
				return nil, errors.Errorf("shapes %v do not broadcast: input %d has size %d at axis %d from the end, another has %d (want equal sizes, or 1)", in, i, d, len(s)-k, *o)
			}
		}
	}
	return out, nil
}

// sumTo is the adjoint of broadcasting a node of shape s: n summed over the axes that were repeated.
func sumTo(n *Node, s tensor.Shape) (*Node, error) {
	from := n.Shape()
	missing := len(from) - len(s)
	var axes axisSet
	for k, d := range from {
		if k < missing || s[k-missing] == 1 && d != 1 {
			axes |= 1 << k
		}
	}
	var err error
	if axes != 0 {
		if n, err = apply(sumOver{over: over{axes, true}}, n); err != nil {
			return nil, err
		}
	}
	return reshapeTo(n, s)
}

// rowTask runs a function of two inputs over the rows of a walk. The function gets rows of the inputs and
// their steps: 1 for neighbours in memory, 0 for one element that stands for all. Flows see to it that there are
// no others; one step at least is 1.
type rowTask[Y, X exec.Element] struct {
	w      walk
	perRow int // blocks of a row
	y      []Y
	a, b   []X
	row    func(y []Y, a, b []X, stepA, stepB int)
}

func (t *rowTask[Y, X]) Run(lo, hi int) {
	c := t.w.seek(lo / t.perRow)
	cols, sa, sb := t.w.cols(), t.w.inner(1), t.w.inner(2)
	for i := lo; i < hi; i++ {
		from := i % t.perRow * blockSize
		to := min(from+blockSize, cols)
		t.row(t.y[c.off[0]+from:c.off[0]+to], t.a[c.off[1]+from*sa:], t.b[c.off[2]+from*sb:], sa, sb)
		if to == cols {
			t.w.next(&c)
		}
	}
}

func runRows[Y, X exec.Element](c *exec.Call, row func(y []Y, a, b []X, stepA, stepB int)) {
	t := rowTask[Y, X]{w: broadcastWalk(c), y: exec.Data[Y](&c.Out), a: exec.Data[X](&c.In[0]), b: exec.Data[X](&c.In[1]), row: row}
	perRow, items, grain := t.w.blocks()
	t.perRow = perRow
	par.For(items, grain, t)
}

// onRows runs the form of row that fits the type of the result.
func onRows(c *exec.Call, f32 func(y, a, b []float32, stepA, stepB int), f64 func(y, a, b []float64, stepA, stepB int)) error {
	if c.Out.Dtype == tensor.Float32 {
		runRows(c, f32)
	} else {
		runRows(c, f64)
	}
	return nil
}
