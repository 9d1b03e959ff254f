package ops

import (
	"github.com/pkg/errors"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/internal/exec"
	"github.com/stheno-ml/stheno/internal/kernel/par"
)

// PadMode says what Pad puts around an array.
type PadMode uint8

const (
	PadConstant PadMode = iota // one value
	PadReflect                 // the array mirrored at its first and last element, which are not repeated
	PadEdge                    // the first and the last element, repeated; also called replicate
)

// PadConfig says how much is put before and after each axis, and what.
type PadConfig struct {
	Before []int // one number an axis, in order; none means 0 for all
	After  []int
	Mode   PadMode
	Value  float64 // of PadConstant
}

// Pad puts elements around x: axis k grows by Before[k] + After[k]. Negative amounts are an error, and so is
// reflecting more than the size of an axis less one.
func Pad(x *Node, p PadConfig) (*Node, error) {
	if x == nil {
		return nil, errors.New("pad: input 0 is nil")
	}
	s := x.Shape()
	if err := checkRank(s); err != nil {
		return nil, errors.Wrap(err, "pad")
	}
	if p.Mode > PadEdge {
		return nil, errors.Errorf("pad: mode %d, want PadConstant, PadReflect or PadEdge", p.Mode)
	}
	r := pad{in: intsOf(s), before: ints{n: len(s)}, after: ints{n: len(s)}, mode: p.Mode, value: p.Value}
	for _, side := range []struct {
		name string
		from []int
		to   *ints
	}{{"before", p.Before, &r.before}, {"after", p.After, &r.after}} {
		if len(side.from) != 0 && len(side.from) != len(s) {
			return nil, errors.Errorf("pad: amounts %v %s the axes of shape %v, want %d of them", side.from, side.name, s, len(s))
		}
		for k, n := range side.from {
			if n < 0 {
				return nil, errors.Errorf("pad: %d %s axis %d of shape %v, want 0 or more (Slice takes away)", n, side.name, k, s)
			}
			if p.Mode == PadReflect && n >= s[k] {
				return nil, errors.Errorf("pad: reflecting %d %s axis %d of shape %v, want less than its size %d", n, side.name, k, s, s[k])
			}
			side.to.v[k] = n
		}
	}
	return apply(r, x)
}

type pad struct {
	in, before, after ints
	mode              PadMode
	value             float64
}

func (pad) name() string { return "pad" }

func (r pad) shape([]tensor.Shape) (tensor.Shape, error) {
	out := make(tensor.Shape, r.in.n)
	for k := range out {
		out[k] = r.before.v[k] + r.in.v[k] + r.after.v[k]
	}
	return out, nil
}

func (pad) flows(in []tensor.Shape, _ tensor.Shape) ([]exec.Flow, exec.Flow) { return follow(len(in)) }

func (r pad) run(c *exec.Call) error {
	if c.Out.Dtype == tensor.Float32 {
		padRun(&r, &c.In[0], exec.Data[float32](&c.In[0]), exec.Data[float32](&c.Out))
	} else {
		padRun(&r, &c.In[0], exec.Data[float64](&c.In[0]), exec.Data[float64](&c.Out))
	}
	return nil
}

func padRun[T exec.Float](r *pad, small *exec.Array, x, y []T) {
	f := r.frame(small)
	par.For(f.rows(), max(1, blockSize/f.cols()), padTask[T]{f, T(r.value), x, y})
}

func (r pad) grad(_ gorgonia.Nodes, _, dy *Node) (gorgonia.Nodes, error) {
	var e expr
	if r.mode == PadConstant {
		return e.nodes(e.op(slice{from: r.before, step: wholeSlice(r.in.slice()).step, size: r.in}, dy))
	}
	return e.nodes(e.op(unpad{r}, dy))
}

// unpad is the adjoint: each element of x gets what was made of it.
type unpad struct{ pad }

func (unpad) name() string { return "pad gradient" }

func (r unpad) shape([]tensor.Shape) (tensor.Shape, error) {
	return append(tensor.Shape{}, r.in.slice()...), nil
}

func (r unpad) run(c *exec.Call) error {
	if c.Out.Dtype == tensor.Float32 {
		unpadRun(&r.pad, &c.Out, exec.Data[float32](&c.Out), exec.Data[float32](&c.In[0]))
	} else {
		unpadRun(&r.pad, &c.Out, exec.Data[float64](&c.Out), exec.Data[float64](&c.In[0]))
	}
	return nil
}

func unpadRun[T exec.Float](r *pad, small *exec.Array, dx, dy []T) {
	clear(dx)
	f := r.frame(small)
	// Rows along a padded axis add to the same elements; only along axes without padding can work be shared out.
	pieces := 1
	for k := 0; k < f.axes-1 && f.size[k] == f.from[k]; k++ {
		pieces *= f.size[k]
	}
	par.For(pieces, max(1, blockSize*pieces/len(dy)), unpadTask[T]{f, f.rows() / pieces, dx, dy})
}

func (r unpad) grad(_ gorgonia.Nodes, _, ddx *Node) (gorgonia.Nodes, error) {
	var e expr
	return e.nodes(e.op(r.pad, ddx))
}

// frame goes over a padded array row by row of its innermost axis in memory, and finds the places in the array
// without padding that the elements come from. Neighbouring axes without padding are one.
type frame struct {
	axes               int
	size, from, before [maxRank]int // with and without padding
	mode               PadMode
}

// frame is the walk of a call, given the array without padding.
func (r *pad) frame(small *exec.Array) frame {
	f := frame{mode: r.mode}
	order := memoryAxes(small)
	for k := range r.in.n {
		a := order[k]
		before, from := r.before.v[a], r.in.v[a]
		size := before + from + r.after.v[a]
		if last := f.axes - 1; last >= 0 && size == from && f.size[last] == f.from[last] {
			f.size[last] *= size
			f.from[last] *= size
			continue
		}
		f.size[f.axes], f.from[f.axes], f.before[f.axes] = size, from, before
		f.axes++
	}
	if f.axes == 0 {
		f.axes, f.size[0], f.from[0] = 1, 1, 1
	}
	return f
}

func (f *frame) cols() int { return f.size[f.axes-1] }

func (f *frame) rows() int {
	n := 1
	for _, d := range f.size[:f.axes-1] {
		n *= d
	}
	return n
}

// source is the place along an axis that element i of the padded axis comes from; −1 for the constant.
func (f *frame) source(axis, i int) int {
	i -= f.before[axis]
	n := f.from[axis]
	switch {
	case i >= 0 && i < n:
		return i
	case f.mode == PadConstant:
		return -1
	case f.mode == PadReflect && i < 0:
		return -i
	case f.mode == PadReflect:
		return 2*(n-1) - i
	case i < 0:
		return 0
	}
	return n - 1
}

// row is where in the array without padding a row comes from; −1 for a row of the constant.
func (f *frame) row(r int) int {
	at, step := 0, f.from[f.axes-1]
	for k := f.axes - 2; k >= 0; k-- {
		s := f.source(k, r%f.size[k])
		if s < 0 {
			return -1
		}
		at += s * step
		step *= f.from[k]
		r /= f.size[k]
	}
	return at
}

type padTask[T exec.Float] struct {
	frame
	value T
	x, y  []T
}

func (t *padTask[T]) Run(lo, hi int) {
	last := t.axes - 1
	cols, n, before := t.size[last], t.from[last], t.before[last]
	for r := lo; r < hi; r++ {
		y := t.y[r*cols : (r+1)*cols]
		at := t.row(r)
		if at < 0 {
			for i := range y {
				y[i] = t.value
			}
			continue
		}
		x := t.x[at : at+n]
		copy(y[before:], x)
		for i := range before {
			y[i] = t.outside(x, i)
		}
		for i := before + n; i < cols; i++ {
			y[i] = t.outside(x, i)
		}
	}
}

// outside is element i of a padded row, which lies in the padding.
func (t *padTask[T]) outside(x []T, i int) T {
	s := t.source(t.axes-1, i)
	if s < 0 {
		return t.value
	}
	return x[s]
}

type unpadTask[T exec.Float] struct {
	frame
	perPiece int // rows
	dx, dy   []T
}

func (t *unpadTask[T]) Run(lo, hi int) {
	last := t.axes - 1
	cols, n, before := t.size[last], t.from[last], t.before[last]
	for r := lo * t.perPiece; r < hi*t.perPiece; r++ {
		at := t.row(r)
		dx, dy := t.dx[at:at+n], t.dy[r*cols:(r+1)*cols]
		for i, v := range dy[before : before+n] {
			dx[i] += v
		}
		for i := range before {
			dx[t.source(last, i)] += dy[i]
		}
		for i := before + n; i < cols; i++ {
			dx[t.source(last, i)] += dy[i]
		}
	}
}
