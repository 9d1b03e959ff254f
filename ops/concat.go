package ops

import (
	"github.com/pkg/errors"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/internal/exec"
	"github.com/stheno-ml/stheno/internal/kernel/par"
)

// Concat joins nodes along an axis (-1 is the last one); their other sizes must be equal. For pictures
// [N, C, H, W], axis 1 joins channels. Elements may be of any type, all of one.
func Concat(axis int, xs ...*Node) (*Node, error) {
	if len(xs) == 0 {
		return nil, errors.New("concat: no inputs")
	}
	if xs[0] == nil {
		return nil, errors.New("concat: input 0 is nil")
	}
	if err := checkRank(xs[0].Shape()); err != nil {
		return nil, errors.Wrap(err, "concat")
	}
	a, err := axisOf(axis, len(xs[0].Shape()))
	if err != nil {
		return nil, errors.Wrap(err, "concat")
	}
	if len(xs) == 1 {
		return xs[0], nil
	}
	return apply(concat{axis: a}, xs...)
}

type concat struct {
	sameDtype
	axis int
}

func (concat) name() string { return "concat" }

func (r concat) shape(in []tensor.Shape) (tensor.Shape, error) {
	out := in[0].Clone()
	for i, s := range in[1:] {
		if len(s) != len(out) {
			return nil, errors.Errorf("input %d has shape %v, input 0 has %v: want as many axes", i+1, s, in[0])
		}
		for k, d := range s {
			if k == r.axis {
				out[k] += d
			} else if d != out[k] {
				return nil, errors.Errorf("input %d has shape %v, input 0 has %v: want equal sizes but along axis %d", i+1, s, in[0], r.axis)
			}
		}
	}
	return out, nil
}

func (concat) flows(in []tensor.Shape, _ tensor.Shape) ([]exec.Flow, exec.Flow) {
	return follow(len(in))
}

// absorb takes in a concat along the same axis.
func (r concat) absorb(producer rule, _ int) (rule, bool) { return r, producer == rule(r) }

// In memory each input is [outer, bytes], and so is the result. Pitched inputs lie there already.
func (r concat) run(c *exec.Call) error {
	outer, _, _ := along(&c.Out, r.axis)
	n := c.Out.Bytes() / outer
	par.For(outer, max(1, copyGrain/n), concatTask{byteSlice(&c.Out), c.In, outer, n})
	return nil
}

type concatTask struct {
	y     []byte
	in    []exec.Array
	outer int
	n     int
}

func (t *concatTask) Run(lo, hi int) {
	at := 0
	for k := range t.in {
		x := &t.in[k]
		n := exec.Size(x.Shape) * int(x.Dtype.Size()) / t.outer
		if x.Pitch == 0 {
			data := byteSlice(x)
			for o := lo; o < hi; o++ {
				copy(t.y[o*t.n+at:][:n], data[o*n:])
			}
		}
		at += n
	}
}

func (r concat) grad(in gorgonia.Nodes, _, dy *Node) (gorgonia.Nodes, error) {
	var e expr
	var grads gorgonia.Nodes
	at := 0
	for _, x := range in {
		s := wholeSlice(x.Shape())
		s.from.v[r.axis] = at
		at += x.Shape()[r.axis]
		if !isFloat(x.Dtype()) {
			grads = append(grads, nil)
			continue
		}
		grads = append(grads, e.op(s, dy))
	}
	return grads, e.err
}
