package ops

import (
	"github.com/pkg/errors"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/internal/exec"
	"github.com/stheno-ml/stheno/internal/kernel/par"
)

// elementwise is what rules have in common that treat every element alike and take inputs of one shape.
type elementwise struct{}

func (elementwise) shape(in []tensor.Shape) (tensor.Shape, error) {
	for i, s := range in {
		if !sameShape(s, in[0]) {
			return nil, errors.Errorf("input %d has shape %v, input 0 has %v: want equal shapes", i, s, in[0])
		}
	}
	return in[0].Clone(), nil
}

func (elementwise) inPlace() []int { return []int{0} }

func (elementwise) flows(in []tensor.Shape, _ tensor.Shape) ([]exec.Flow, exec.Flow) {
	return follow(len(in))
}

// gradient is what gradient rules of elementwise functions have in common: dx may lie over dy, the first
// input, or over what the function is differentiated at.
type gradient struct{ elementwise }

func (gradient) inPlace() []int { return []int{0, 1} }

// stepped is what rules have in common whose result is constant but for jumps.
type stepped struct{}

func (stepped) differentiable(inputs int) []bool { return make([]bool, inputs) }

func (stepped) grad(in gorgonia.Nodes, _, _ *Node) (gorgonia.Nodes, error) {
	return make(gorgonia.Nodes, len(in)), nil
}

// on1 runs a kernel of one input in the type of the result.
func on1(c *exec.Call, f32 func(y, x []float32), f64 func(y, x []float64)) error {
	if c.Out.Dtype == tensor.Float32 {
		f32(exec.Data[float32](&c.Out), exec.Data[float32](&c.In[0]))
	} else {
		f64(exec.Data[float64](&c.Out), exec.Data[float64](&c.In[0]))
	}
	return nil
}

// on2 runs a kernel of two inputs in the type of the result.
func on2(c *exec.Call, f32 func(y, a, b []float32), f64 func(y, a, b []float64)) error {
	if c.Out.Dtype == tensor.Float32 {
		f32(exec.Data[float32](&c.Out), exec.Data[float32](&c.In[0]), exec.Data[float32](&c.In[1]))
	} else {
		f64(exec.Data[float64](&c.Out), exec.Data[float64](&c.In[0]), exec.Data[float64](&c.In[1]))
	}
	return nil
}

// loopTask is y = f(a, b), element by element, for functions that have no vector kernel; s and t are
// attributes. b is nil for functions of one input.
type loopTask[T exec.Float] struct {
	f       func(y, a, b []T, s, t T)
	y, a, b []T
	s, t    T
}

func (k *loopTask[T]) Run(lo, hi int) {
	b := k.b
	if b != nil {
		b = b[lo:hi]
	}
	k.f(k.y[lo:hi], k.a[lo:hi], b, k.s, k.t)
}

// runLoop runs f over the inputs of c, in parallel.
func runLoop[T exec.Float](c *exec.Call, f func(y, a, b []T, s, t T), s, t float64) {
	k := loopTask[T]{f: f, y: exec.Data[T](&c.Out), a: exec.Data[T](&c.In[0]), s: T(s), t: T(t)}
	if len(c.In) > 1 {
		k.b = exec.Data[T](&c.In[1])
	}
	par.For(len(k.y), loopGrain, k)
}

// loopGrain is the elements of one piece of a loop whose body takes some nanoseconds.
const loopGrain = 8 << 10

// onLoop runs the form of f that fits the type of the result.
func onLoop(c *exec.Call, f32 func(y, a, b []float32, s, t float32), f64 func(y, a, b []float64, s, t float64), s, t float64) error {
	if c.Out.Dtype == tensor.Float32 {
		runLoop(c, f32, s, t)
	} else {
		runLoop(c, f64, s, t)
	}
	return nil
}
