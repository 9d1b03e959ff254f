package ops

import (
	"github.com/pkg/errors"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/internal/exec"
)

// Transpose puts the axes of x in the order named: axis k of the result is axis axes[k] of x. With none named
// the order is reversed, which transposes a matrix. Elements may be of any type.
func Transpose(x *Node, axes ...int) (*Node, error) {
	if x == nil {
		return nil, errors.New("transpose: input 0 is nil")
	}
	rank := len(x.Shape())
	if err := checkRank(x.Shape()); err != nil {
		return nil, errors.Wrap(err, "transpose")
	}
	order := make([]int, rank)
	if len(axes) == 0 {
		for k := range order {
			order[k] = rank - 1 - k
		}
		return apply(transpose{intsOf(order)}, x)
	}
	set, err := axesOf(axes, rank)
	if err != nil {
		return nil, errors.Wrap(err, "transpose")
	}
	if set != allAxes(rank) {
		return nil, errors.Errorf("transpose: axes %v for shape %v, want each of its %d axes once", axes, x.Shape(), rank)
	}
	for k, a := range axes {
		order[k], _ = axisOf(a, rank)
	}
	return apply(transpose{intsOf(order)}, x)
}

type transpose struct{ order ints }

func (transpose) name() string                                  { return "transpose" }
func (transpose) dtype(in []tensor.Dtype) (tensor.Dtype, error) { return in[0], nil }

func (r transpose) shape(in []tensor.Shape) (tensor.Shape, error) {
	out := make(tensor.Shape, r.order.n)
	for k := range out {
		out[k] = in[0][r.order.v[k]]
	}
	return out, nil
}

func (r transpose) run(c *exec.Call) error {
	x, y := &c.In[0], &c.Out
	w := walk{axes: r.order.n}
	from, to := stepsOf(x), stepsOf(y)
	for k := range w.axes {
		w.size[k], w.step[0][k], w.step[1][k] = y.Shape[k], to[k], from[r.order.v[k]]
	}
	w.join()
	moveArray(&w, y, x, 0, 0)
	return nil
}

func (r transpose) grad(_ gorgonia.Nodes, _, dy *Node) (gorgonia.Nodes, error) {
	back := r.order
	for k := range r.order.n {
		back.v[r.order.v[k]] = k
	}
	var e expr
	return e.nodes(e.op(transpose{back}, dy))
}
