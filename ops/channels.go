package ops

import (
	"github.com/pkg/errors"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/internal/exec"
	"github.com/stheno-ml/stheno/internal/kernel/norm"
)

// AddBias adds one number a channel:
//
//	y[n, c, …] = x[n, c, …] + b[c]
//
// x is [N, C] or [N, C, H, W] (any further axes will do), b is [C]. It can be differentiated any number of times.
func AddBias(x, b *Node) (*Node, error) { return apply(channelAdd{}, x, b) }

// channels says what the channels of an array are: axis 1, or the last axes taken together, or, for
// statistics, equal runs of elements.
type channels struct {
	last int // the last so many axes; 0 for axis 1
	runs int // so many runs, one after the other; 0 for one of the above
}

// view is the array as the kernels see it: [Outer, C, Inner].
func (c channels) view(a *exec.Array) norm.Shape {
	s := a.Shape
	switch {
	case c.runs > 0:
		return norm.Shape{Outer: 1, C: c.runs, Inner: a.Len() / c.runs}
	case c.last > 0:
		n := exec.Size(s[len(s)-c.last:])
		return norm.Shape{Outer: a.Len() / n, C: n, Inner: 1}
	case a.Order == exec.ChannelsLast:
		return norm.Shape{Outer: a.Len() / s[1], C: s[1], Inner: 1}
	}
	return norm.Shape{Outer: s[0], C: s[1], Inner: a.Len() / (s[0] * s[1])}
}

// of is the shape of what there is one of for each channel.
func (c channels) of(s tensor.Shape) (tensor.Shape, error) {
	switch {
	case c.runs > 0:
		return tensor.Shape{c.runs}, nil
	case c.last > 0:
		return s[len(s)-c.last:].Clone(), nil
	case len(s) < 2:
		return nil, errors.Errorf("x has shape %v, want [N, C] or [N, C, H, W]", s)
	}
	return tensor.Shape{s[1]}, nil
}

// check wants a shape to be that of one number a channel of x.
func (c channels) check(what string, s, x tensor.Shape) error {
	want, err := c.of(x)
	if err != nil {
		return err
	}
	if !sameShape(s, want) {
		return errors.Errorf("%s has shape %v, want %v, one number for each channel of x %v", what, s, want, x)
	}
	return nil
}

// flows of an op with these inputs. Channels on axis 1 can lie last or first.
func (c channels) flows(inputs int) ([]exec.Flow, exec.Flow) {
	if c != (channels{}) {
		return make([]exec.Flow, inputs), exec.Plain
	}
	return follow(inputs)
}

// identity is scratch memory with the mean 0 and the variance 1, under which the kernels of batch
// normalisation are those of this file. (x−0)/√1 is x to the bit.
func identity[T exec.Float](c *exec.Call, n int) (mean, variance []T) {
	mean, variance = exec.Scratch[T](c, n), exec.Scratch[T](c, n)
	clear(mean)
	for i := range variance {
		variance[i] = 1
	}
	return mean, variance
}

// vectorScratch is the bytes of a few vectors of n elements.
func vectorScratch(c *exec.Call, vectors, n int) int {
	return vectors * exec.ScratchSize[uint8](n*int(c.Out.Dtype.Size()))
}

// channelAdd is y = x + b.
type channelAdd struct{ c channels }

func (channelAdd) name() string   { return "add bias" }
func (channelAdd) inPlace() []int { return []int{0} }

func (r channelAdd) shape(in []tensor.Shape) (tensor.Shape, error) {
	return in[0].Clone(), r.c.check("b", in[1], in[0])
}

func (r channelAdd) flows(in []tensor.Shape, _ tensor.Shape) ([]exec.Flow, exec.Flow) {
	return r.c.flows(len(in))
}

func (r channelAdd) scratch(c *exec.Call) int { return vectorScratch(c, 2, c.In[1].Len()) }

func (r channelAdd) run(c *exec.Call) error {
	if c.Out.Dtype == tensor.Float32 {
		channelAddRun[float32](c, r.c)
	} else {
		channelAddRun[float64](c, r.c)
	}
	return nil
}

func channelAddRun[T exec.Float](c *exec.Call, by channels) {
	mean, variance := identity[T](c, c.In[1].Len())
	x, b, y := exec.Data[T](&c.In[0]), exec.Data[T](&c.In[1]), exec.Data[T](&c.Out)
	norm.Normalize(y, x, mean, variance, nil, b, 0, norm.Post[T]{}, by.view(&c.In[0]))
}

func (r channelAdd) grad(_ gorgonia.Nodes, _, dy *Node) (gorgonia.Nodes, error) {
	db, err := apply(channelSum{r.c}, dy)
	return gorgonia.Nodes{dy, db}, err
}

// channelSum is y[c] = Σ x over all but c, carried in float64.
type channelSum struct{ c channels }

func (channelSum) name() string { return "sum over all but channels" }

func (r channelSum) shape(in []tensor.Shape) (tensor.Shape, error) { return r.c.of(in[0]) }

func (r channelSum) flows(in []tensor.Shape, _ tensor.Shape) ([]exec.Flow, exec.Flow) {
	return r.c.flows(len(in))
}

func (channelSum) flops(in []tensor.Shape, _ tensor.Shape) int64 { return int64(exec.Size(in[0])) }

func (channelSum) scratch(c *exec.Call) int { return vectorScratch(c, 3, c.Out.Len()) }

func (r channelSum) run(c *exec.Call) error {
	if c.Out.Dtype == tensor.Float32 {
		channelSumRun[float32](c, r.c)
	} else {
		channelSumRun[float64](c, r.c)
	}
	return nil
}

func channelSumRun[T exec.Float](c *exec.Call, by channels) {
	mean, variance := identity[T](c, c.Out.Len())
	x := exec.Data[T](&c.In[0])
	norm.GradStats(exec.Data[T](&c.Out), exec.Scratch[T](c, c.Out.Len()), x, x, mean, variance, 0, norm.Mask[T]{}, by.view(&c.In[0]))
}

func (r channelSum) grad(in gorgonia.Nodes, _, dy *Node) (gorgonia.Nodes, error) {
	dx, err := apply(channelSpread{r.c}, dy, in[0])
	return gorgonia.Nodes{dx}, err
}

// channelSpread gives every element of a channel that channel's number: the adjoint of channelSum. Its second
// input gives the shape.
type channelSpread struct{ c channels }

func (channelSpread) name() string              { return "spread over channels" }
func (channelSpread) differentiable(int) []bool { return []bool{true, false} }

func (r channelSpread) shape(in []tensor.Shape) (tensor.Shape, error) {
	return in[1].Clone(), r.c.check("v", in[0], in[1])
}

func (r channelSpread) flows(in []tensor.Shape, _ tensor.Shape) ([]exec.Flow, exec.Flow) {
	return r.c.flows(len(in))
}

func (r channelSpread) run(c *exec.Call) error {
	if c.Out.Dtype == tensor.Float32 {
		channelSpreadRun[float32](c, r.c)
	} else {
		channelSpreadRun[float64](c, r.c)
	}
	return nil
}

func channelSpreadRun[T exec.Float](c *exec.Call, by channels) {
	v, y, s := exec.Data[T](&c.In[0]), exec.Data[T](&c.Out), by.view(&c.Out)
	for i := 0; i < len(y); i += s.Inner {
		fill := v[i/s.Inner%s.C]
		for j := range y[i : i+s.Inner] {
			y[i+j] = fill
		}
	}
}

func (r channelSpread) grad(_ gorgonia.Nodes, _, dy *Node) (gorgonia.Nodes, error) {
	dv, err := apply(channelSum{r.c}, dy)
	return gorgonia.Nodes{dv, nil}, err
}

// channelScale is y = x · v, one factor a channel.
type channelScale struct{ c channels }

func (channelScale) name() string   { return "scale channels" }
func (channelScale) inPlace() []int { return []int{0} }

func (r channelScale) shape(in []tensor.Shape) (tensor.Shape, error) {
	return in[0].Clone(), r.c.check("scale", in[1], in[0])
}

func (r channelScale) flows(in []tensor.Shape, _ tensor.Shape) ([]exec.Flow, exec.Flow) {
	return r.c.flows(len(in))
}

func (r channelScale) scratch(c *exec.Call) int { return vectorScratch(c, 2, c.In[1].Len()) }

func (r channelScale) run(c *exec.Call) error {
	if c.Out.Dtype == tensor.Float32 {
		channelScaleRun[float32](c, r.c)
	} else {
		channelScaleRun[float64](c, r.c)
	}
	return nil
}

func channelScaleRun[T exec.Float](c *exec.Call, by channels) {
	mean, variance := identity[T](c, c.In[1].Len())
	x, v, y := exec.Data[T](&c.In[0]), exec.Data[T](&c.In[1]), exec.Data[T](&c.Out)
	norm.Normalize(y, x, mean, variance, v, nil, 0, norm.Post[T]{}, by.view(&c.In[0]))
}

func (r channelScale) grad(in gorgonia.Nodes, _, dy *Node) (gorgonia.Nodes, error) {
	return pair(channelScale{r.c}, dy, in[1], channelDot{r.c}, dy, in[0])
}

// channelDot is y[c] = Σ a·b over all but c, carried in float64.
type channelDot struct{ c channels }

func (channelDot) name() string { return "dot product over all but channels" }

func (r channelDot) shape(in []tensor.Shape) (tensor.Shape, error) {
	if !sameShape(in[0], in[1]) {
		return nil, errors.Errorf("inputs have shapes %v and %v, want equal ones", in[0], in[1])
	}
	return r.c.of(in[0])
}

func (r channelDot) flows(in []tensor.Shape, _ tensor.Shape) ([]exec.Flow, exec.Flow) {
	return r.c.flows(len(in))
}

func (channelDot) flops(in []tensor.Shape, _ tensor.Shape) int64 { return 2 * int64(exec.Size(in[0])) }

func (channelDot) scratch(c *exec.Call) int { return vectorScratch(c, 3, c.Out.Len()) }

func (r channelDot) run(c *exec.Call) error {
	if c.Out.Dtype == tensor.Float32 {
		channelDotRun[float32](c, r.c)
	} else {
		channelDotRun[float64](c, r.c)
	}
	return nil
}

func channelDotRun[T exec.Float](c *exec.Call, by channels) {
	mean, variance := identity[T](c, c.Out.Len())
	a, b := exec.Data[T](&c.In[0]), exec.Data[T](&c.In[1])
	norm.GradStats(exec.Scratch[T](c, c.Out.Len()), exec.Data[T](&c.Out), a, b, mean, variance, 0, norm.Mask[T]{}, by.view(&c.In[0]))
}

func (r channelDot) grad(in gorgonia.Nodes, _, dy *Node) (gorgonia.Nodes, error) {
	return pair(channelScale{r.c}, in[1], dy, channelScale{r.c}, in[0], dy)
}
