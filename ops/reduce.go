package ops

import (
	"github.com/pkg/errors"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/internal/exec"
)

// Over says which axes a reduction takes together. The zero value takes all of them and gives a scalar.
type Over struct {
	Axes []int // negative numbers count from the last axis, which is -1; none means all
	Keep bool  // leave the axes in the result, with size 1
}

// SumAxes is the sum over axes. Sums are carried in float64, in an order that depends on the shape only.
func SumAxes(x *Node, o Over) (*Node, error) {
	return reduceOver("sum", x, o, func(o over) rule { return sumOver{over: o} })
}

// Mean is the arithmetic mean over axes.
func Mean(x *Node, o Over) (*Node, error) {
	return reduceOver("mean", x, o, func(o over) rule { return sumOver{over: o, mean: true} })
}

func reduceOver(name string, x *Node, o Over, r func(over) rule) (*Node, error) {
	if x == nil {
		return nil, errors.Errorf("%s: input 0 is nil", name)
	}
	if err := checkRank(x.Shape()); err != nil {
		return nil, errors.Wrap(err, name)
	}
	rank := len(x.Shape())
	axes, err := axesOf(o.Axes, rank)
	if err != nil {
		return nil, errors.Wrap(err, name)
	}
	if len(o.Axes) == 0 {
		axes = allAxes(rank)
	}
	return apply(r(over{axes, o.Keep}), x)
}

// over is what reductions have in common.
type over struct {
	axes axisSet
	keep bool
}

func (o over) shape(in []tensor.Shape) (tensor.Shape, error) {
	out := tensor.Shape{}
	for k, d := range in[0] {
		switch {
		case !o.axes.has(k):
			out = append(out, d)
		case o.keep:
			out = append(out, 1)
		}
	}
	return out, nil
}

func (over) flows(in []tensor.Shape, out tensor.Shape) ([]exec.Flow, exec.Flow) {
	return follow(len(in))
}

func (over) flops(in []tensor.Shape, _ tensor.Shape) int64 { return int64(exec.Size(in[0])) }

func (o over) scratch(c *exec.Call) int {
	f := newFold(&c.In[0], &c.Out, o.axes)
	return exec.ScratchSize[float64](f.scratch())
}

// count is how many elements of a shape come together in one of the result.
func (o over) count(s tensor.Shape) int {
	n := 1
	for k, d := range s {
		if o.axes.has(k) {
			n *= d
		}
	}
	return n
}

// kept is a result, or its gradient, in a shape that broadcasts to that of the input.
func (o over) kept(e *expr, n *Node, in tensor.Shape) *Node {
	s, _ := over{o.axes, true}.shape([]tensor.Shape{in})
	return e.reshape(n, s)
}

type sumOver struct {
	over
	mean bool
}

func (r sumOver) name() string {
	if r.mean {
		return "mean"
	}
	return "sum over axes"
}

func (r sumOver) run(c *exec.Call) error {
	if c.Out.Dtype == tensor.Float32 {
		sumOverRun[float32](c, r)
	} else {
		sumOverRun[float64](c, r)
	}
	return nil
}

func sumOverRun[T exec.Float](c *exec.Call, r sumOver) {
	f := newFold(&c.In[0], &c.Out, r.axes)
	n := 1.0
	if r.mean {
		n = float64(r.count(c.In[0].Shape))
	}
	totals := runFold(&f, foldSum, exec.Data[T](&c.In[0]), exec.Scratch[float64](c, f.scratch()), nil)
	write(&f, exec.Data[T](&c.Out), totals, func(_ int, v float64) float64 { return v / n })
}

func (r sumOver) grad(in gorgonia.Nodes, _, dy *Node) (gorgonia.Nodes, error) {
	s := in[0].Shape()
	to := spread{to: intsOf(s), factor: 1}
	if !r.keep {
		to.missing = r.axes
	}
	if r.mean {
		to.factor = 1 / float64(r.count(s))
	}
	var e expr
	return e.nodes(e.op(to, dy))
}
