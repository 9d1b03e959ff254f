package ops

import (
	"github.com/pkg/errors"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/internal/exec"
)

// Range is a part of an axis: Start, Start+Step, … before Stop. The zero value is the whole axis.
type Range struct {
	Start int // negative numbers count from the end
	Stop  int // negative numbers count from the end; 0 means to the end
	Step  int // 0 means 1; there are no negative steps, see Flip
}

// Slice cuts a box out of x: one range for each axis from the first one on; axes without a range stay whole.
// Bounds beyond the axis are an error, and so is an empty result. Elements may be of any type.
func Slice(x *Node, ranges ...Range) (*Node, error) {
	if x == nil {
		return nil, errors.New("slice: input 0 is nil")
	}
	s := x.Shape()
	if err := checkRank(s); err != nil {
		return nil, errors.Wrap(err, "slice")
	}
	if len(ranges) > len(s) {
		return nil, errors.Errorf("slice: %d ranges for shape %v, want at most %d", len(ranges), s, len(s))
	}
	r := wholeSlice(s)
	for k, g := range ranges {
		n := s[k]
		from, to, step := g.Start, g.Stop, g.Step
		if from < 0 {
			from += n
		}
		if to <= 0 {
			to += n
		}
		if step == 0 {
			step = 1
		}
		if from < 0 || to > n || from >= to || step < 0 {
			return nil, errors.Errorf("slice: range %d to %d by %d of axis %d of shape %v: want a part of 0 to %d that is not empty, and a positive step", g.Start, g.Stop, g.Step, k, s, n)
		}
		r.from.v[k], r.step.v[k], r.size.v[k] = from, step, (to-from+step-1)/step
	}
	return apply(r, x)
}

// Split cuts x along an axis into parts of the sizes named, which must sum to the size of the axis.
func Split(x *Node, axis int, sizes ...int) ([]*Node, error) {
	if x == nil {
		return nil, errors.New("split: input 0 is nil")
	}
	s := x.Shape()
	if err := checkRank(s); err != nil {
		return nil, errors.Wrap(err, "split")
	}
	a, err := axisOf(axis, len(s))
	if err != nil {
		return nil, errors.Wrap(err, "split")
	}
	total := 0
	for i, n := range sizes {
		if n <= 0 {
			return nil, errors.Errorf("split: part %d of %v has size %d, want 1 or more", i, sizes, n)
		}
		total += n
	}
	if total != s[a] {
		return nil, errors.Errorf("split: sizes %v sum to %d, axis %d of shape %v has size %d", sizes, total, a, s, s[a])
	}
	var parts []*Node
	at := 0
	for _, n := range sizes {
		r := wholeSlice(s)
		r.from.v[a], r.size.v[a] = at, n
		part, err := apply(r, x)
		if err != nil {
			return nil, errors.Wrap(err, "split")
		}
		parts = append(parts, part)
		at += n
	}
	return parts, nil
}

// Flip reverses the order of elements along axes; all of them if none is named.
func Flip(x *Node, axes ...int) (*Node, error) {
	if x == nil {
		return nil, errors.New("flip: input 0 is nil")
	}
	s := x.Shape()
	if err := checkRank(s); err != nil {
		return nil, errors.Wrap(err, "flip")
	}
	set, err := axesOf(axes, len(s))
	if err != nil {
		return nil, errors.Wrap(err, "flip")
	}
	if len(axes) == 0 {
		set = allAxes(len(s))
	}
	r := wholeSlice(s)
	for k, d := range s {
		if set.has(k) {
			r.from.v[k], r.step.v[k] = d-1, -1
		}
	}
	return apply(r, x)
}

// slice is y[i, …] = x[from + i·step, …].
type slice struct{ from, step, size ints }

func wholeSlice(s tensor.Shape) slice {
	r := slice{size: intsOf(s), from: ints{n: len(s)}, step: ints{n: len(s)}}
	for k := range s {
		r.step.v[k] = 1
	}
	return r
}

func (slice) name() string                                  { return "slice" }
func (slice) dtype(in []tensor.Dtype) (tensor.Dtype, error) { return in[0], nil }

func (r slice) shape([]tensor.Shape) (tensor.Shape, error) {
	return append(tensor.Shape{}, r.size.slice()...), nil
}

func (slice) flows(in []tensor.Shape, _ tensor.Shape) ([]exec.Flow, exec.Flow) {
	return follow(len(in))
}

// walk goes over the part (operand part) and what it is cut out of (operand whole), and says where it starts.
func (r *slice) walk(part, whole *exec.Array, partOp, wholeOp int) (walk, int) {
	w := walk{axes: r.size.n}
	axes, p, q := memoryAxes(part), stepsOf(part), stepsOf(whole)
	from := 0
	for k := range w.axes {
		a := axes[k]
		w.size[k] = r.size.v[a]
		w.step[partOp][k] = p[a]
		w.step[wholeOp][k] = q[a] * r.step.v[a]
		from += q[a] * r.from.v[a]
	}
	w.join()
	return w, from
}

// channels is the first of the channels that the slice is a run of, if it is one of a channels-last picture.
func (r slice) channels(c *exec.Call) (from int, ok bool) {
	x := &c.In[0]
	if x.Order != exec.ChannelsLast {
		return 0, false
	}
	for k, n := range x.Shape {
		if k != 1 && (r.size.v[k] != n || r.step.v[k] != 1) {
			return 0, false
		}
	}
	return r.from.v[1], r.step.v[1] == 1
}

func (r slice) run(c *exec.Call) error {
	if c.Out.Pitch != 0 { // it lies in the input
		return nil
	}
	w, from := r.walk(&c.Out, &c.In[0], 0, 1)
	moveArray(&w, &c.Out, &c.In[0], 0, from)
	return nil
}

func (r slice) grad(in gorgonia.Nodes, _, dy *Node) (gorgonia.Nodes, error) {
	var e expr
	return e.nodes(e.op(unslice{r, intsOf(in[0].Shape())}, dy))
}

// unslice is the adjoint: x lies where slice cuts, the rest is 0.
type unslice struct {
	slice
	to ints
}

func (unslice) name() string { return "slice gradient" }

func (r unslice) shape([]tensor.Shape) (tensor.Shape, error) {
	return append(tensor.Shape{}, r.to.slice()...), nil
}

func (r unslice) run(c *exec.Call) error {
	clear(byteSlice(&c.Out))
	w, at := r.walk(&c.In[0], &c.Out, 1, 0)
	moveArray(&w, &c.Out, &c.In[0], at, 0)
	return nil
}

func (r unslice) grad(_ gorgonia.Nodes, _, dy *Node) (gorgonia.Nodes, error) {
	var e expr
	return e.nodes(e.op(r.slice, dy))
}
