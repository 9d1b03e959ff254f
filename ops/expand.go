package ops

import (
	"github.com/pkg/errors"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/internal/exec"
	"github.com/stheno-ml/stheno/internal/kernel/par"
	"github.com/stheno-ml/stheno/internal/kernel/vec"
)

// BroadcastTo repeats x to the shape named, as NumPy does: shapes are aligned at their last axes, axes of
// size 1 are repeated, missing ones are put in front. The arithmetic ops broadcast by themselves and
// without a copy.
func BroadcastTo(x *Node, shape ...int) (*Node, error) {
	if x == nil {
		return nil, errors.New("broadcast: input 0 is nil")
	}
	if err := checkRank(shape); err != nil {
		return nil, errors.Wrap(err, "broadcast")
	}
	missing := len(shape) - len(x.Shape())
	if missing < 0 {
		return nil, errors.Errorf("broadcast: shape %v has more axes than %v", x.Shape(), shape)
	}
	return apply(spread{to: intsOf(shape), missing: allAxes(missing), factor: 1}, x)
}

// Tile repeats x as a whole along each axis: axis k becomes repeats[k] times as long.
func Tile(x *Node, repeats ...int) (*Node, error) {
	if x == nil {
		return nil, errors.New("tile: input 0 is nil")
	}
	s := x.Shape()
	if len(repeats) != len(s) {
		return nil, errors.Errorf("tile: %d repeats %v for shape %v, want one for each axis", len(repeats), repeats, s)
	}
	var split, wide, to []int // an axis that is repeated becomes two, the outer one of size 1, then of many
	for k, n := range repeats {
		if n <= 0 {
			return nil, errors.Errorf("tile: repeats %v, want 1 or more for each axis", repeats)
		}
		if n > 1 {
			split, wide = append(split, 1), append(wide, n)
		}
		split, wide, to = append(split, s[k]), append(wide, s[k]), append(to, n*s[k])
	}
	y, err := Reshape(x, split...)
	if err != nil {
		return nil, errors.Wrap(err, "tile")
	}
	if y, err = BroadcastTo(y, wide...); err != nil {
		return nil, errors.Wrap(err, "tile")
	}
	y, err = Reshape(y, to...)
	return y, errors.Wrap(err, "tile")
}

// spread is the adjoint of a sum over axes: y = factor · x, repeated.
type spread struct {
	to      ints
	missing axisSet // axes of the result that x does not have; of the others, those of size 1 are repeated
	factor  float64
}

func (spread) name() string { return "broadcast" }

func (r spread) shape(in []tensor.Shape) (tensor.Shape, error) {
	to := tensor.Shape(append([]int{}, r.to.slice()...))
	next := 0
	for k, d := range to {
		if r.missing.has(k) {
			continue
		}
		if next >= len(in[0]) || in[0][next] != d && in[0][next] != 1 {
			return nil, errors.Errorf("shape %v does not broadcast to %v: want size %d or 1 at axis %d", in[0], to, d, next)
		}
		next++
	}
	return to, nil
}

func (r spread) flows(in []tensor.Shape, _ tensor.Shape) ([]exec.Flow, exec.Flow) {
	if r.missing != 0 {
		return []exec.Flow{exec.Plain}, exec.Plain
	}
	return follow(1)
}

func (r spread) run(c *exec.Call) error {
	if c.Out.Dtype == tensor.Float32 {
		spreadRun[float32](c, &r)
	} else {
		spreadRun[float64](c, &r)
	}
	return nil
}

func spreadRun[T exec.Float](c *exec.Call, r *spread) {
	w := walk{axes: r.to.n}
	axes, steps, from := memoryAxes(&c.Out), stepsOf(&c.Out), stepsOf(&c.In[0])
	var fromAt [maxRank]int // step of x along each axis of the result
	next := 0
	for k := range r.to.n {
		if r.missing.has(k) {
			continue
		}
		if c.In[0].Shape[next] != 1 {
			fromAt[k] = from[next]
		}
		next++
	}
	for k := range w.axes {
		a := axes[k]
		w.size[k], w.step[0][k], w.step[1][k] = r.to.v[a], steps[a], fromAt[a]
	}
	w.join()
	t := spreadTask[T]{w: w, y: exec.Data[T](&c.Out), x: exec.Data[T](&c.In[0]), factor: T(r.factor)}
	perRow, items, grain := w.blocks()
	t.perRow = perRow
	par.For(items, grain, t)
}

type spreadTask[T exec.Float] struct {
	w      walk
	perRow int
	y, x   []T
	factor T
}

func (t *spreadTask[T]) Run(lo, hi int) {
	c := t.w.seek(lo / t.perRow)
	cols, step := t.w.cols(), t.w.inner(1)
	for i := lo; i < hi; i++ {
		from := i % t.perRow * blockSize
		to := min(from+blockSize, cols)
		y, x := t.y[c.off[0]+from:c.off[0]+to], t.x[c.off[1]+from*step:]
		if step == 0 { // of what is repeated along the row; else the row is a copy
			vec.Fill(y, t.factor*x[0])
		} else {
			vec.Scale(y, x, t.factor)
		}
		if to == cols {
			t.w.next(&c)
		}
	}
}

func (r spread) grad(in gorgonia.Nodes, _, dy *Node) (gorgonia.Nodes, error) {
	s := in[0].Shape()
	repeated := r.missing
	next := 0
	for k, d := range r.to.slice() {
		if r.missing.has(k) {
			continue
		}
		if s[next] == 1 && d != 1 {
			repeated |= 1 << k
		}
		next++
	}
	var e expr
	dx := dy
	if repeated != 0 {
		dx = e.sumKeep(dx, repeated)
	}
	dx = e.reshape(dx, s)
	if r.factor != 1 {
		dx = e.scale(dx, r.factor)
	}
	return e.nodes(dx)
}
