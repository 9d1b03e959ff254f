package graph

import (
	"github.com/stheno-ml/stheno/internal/exec"
	"github.com/stheno-ml/stheno/internal/kernel/layout"

	"gorgonia.org/tensor"
)

// chooseOrders lets pictures stay channels-last from one op that wants that to the next. Conversions are put
// in where an op, or whoever asked for an output, needs the other order; each value is converted once.
func (p *program) chooseOrders() {
	converted := make(map[*value]*value)
	var instrs []*instr
	as := func(v *value, order exec.Order) *value {
		if v.order == order || len(v.shape) != 4 {
			return v
		}
		c := converted[v]
		if c == nil {
			c = &value{node: v.node, kind: planned, shape: v.shape, dtype: v.dtype, order: order, def: -1}
			converted[v] = c
			instrs = append(instrs, &instr{run: convert{}, in: []*value{v}, out: c, reuses: -1})
		}
		return c
	}
	for _, i := range p.instrs {
		f, ok := i.op.(exec.Flower)
		if !ok || i.run == nil {
			for k, v := range i.in {
				i.in[k] = as(v, exec.RowMajor)
			}
			instrs = append(instrs, i)
			continue
		}
		shapes := make([]tensor.Shape, len(i.in))
		for k, v := range i.in {
			shapes[k] = v.shape
		}
		in, out := f.Flows(shapes, i.out.shape)
		follow := exec.RowMajor
		for k, v := range i.in {
			if in[k] == exec.Follow && v.order == exec.ChannelsLast {
				follow = exec.ChannelsLast
			}
		}
		for k, v := range i.in {
			i.in[k] = as(v, orderFor(in[k], follow, v.shape))
		}
		i.out.order = orderFor(out, follow, i.out.shape)
		instrs = append(instrs, i)
	}
	for k, v := range p.outputs {
		p.outputs[k] = as(v, exec.RowMajor)
	}
	p.instrs = instrs
}

func orderFor(f exec.Flow, follow exec.Order, shape tensor.Shape) exec.Order {
	switch {
	case len(shape) != 4 || f == exec.Plain:
		return exec.RowMajor
	case f == exec.Last:
		return exec.ChannelsLast
	}
	return follow
}

// convert copies a picture from one order to the other.
type convert struct{}

func (convert) Run(c *exec.Call) error {
	return exec.OnFloat(c, convertRun[float32], convertRun[float64])
}

func convertRun[T exec.Float](c *exec.Call) {
	s := c.Out.Shape // [N, C, H, W]
	from, to := exec.Data[T](&c.In[0]), exec.Data[T](&c.Out)
	if c.Out.Order == exec.ChannelsLast {
		layout.ToChannelsLast(to, from, s[0], s[1], s[2]*s[3])
	} else {
		layout.ToChannelsFirst(to, from, s[0], s[1], s[2]*s[3])
	}
}
