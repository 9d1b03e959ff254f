package ops

import (
	"math"

	"github.com/chewxy/hm"
	"github.com/pkg/errors"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/internal/exec"
	"github.com/stheno-ml/stheno/internal/kernel/par"
)

// Random says by which random numbers an op goes.
type Random struct {
	RNG    *RNG   // nil: the op counts its own runs, and no two runs draw the same
	Stream uint64 // tells the random ops of one RNG apart; 0: the next one that is free
}

// RandomUniform is a node of a shape (a scalar for none) and float type, drawn anew at each step from the
// uniform distribution on [low, high).
func RandomUniform(g *gorgonia.ExprGraph, dt tensor.Dtype, low, high float64, c Random, shape ...int) (*Node, error) {
	if !(low <= high) || math.IsInf(high-low, 0) {
		return nil, errors.Errorf("uniform: from %v to %v, want two finite numbers in order", low, high)
	}
	return random(g, dt, draw{source: newSource(c.RNG, c.Stream), from: low, width: high - low}, shape)
}

// RandomNormal is a node of a shape (a scalar for none) and float type, drawn anew at each step from the
// normal distribution (by Box and Muller 1958).
func RandomNormal(g *gorgonia.ExprGraph, dt tensor.Dtype, mean, deviation float64, c Random, shape ...int) (*Node, error) {
	if err := checkDeviation(deviation); err != nil {
		return nil, errors.Wrap(err, "normal")
	}
	return random(g, dt, draw{source: newSource(c.RNG, c.Stream), normal: true, from: mean, width: deviation}, shape)
}

func checkDeviation(d float64) error {
	if !(d >= 0) || math.IsInf(d, 0) {
		return errors.Errorf("standard deviation %v, want a finite number of at least 0", d)
	}
	return nil
}

// random adds a node that has no inputs, which apply cannot.
func random(g *gorgonia.ExprGraph, dt tensor.Dtype, r draw, shape tensor.Shape) (*Node, error) {
	if g == nil {
		return nil, errors.Errorf("%s: graph is nil", r.name())
	}
	if !isFloat(dt) {
		return nil, errors.Errorf("%s: type %v, want float32 or float64", r.name(), dt)
	}
	for i, d := range shape {
		if d <= 0 {
			return nil, errors.Errorf("%s: the result would be empty: axis %d of shape %v has size %d", r.name(), i, shape, d)
		}
	}
	o := sourceOp{&op{rule: r, serial: serials.Add(1), out: shape.Clone(), outDt: dt}}
	return gorgonia.NewUniqueNode(gorgonia.In(g), gorgonia.WithType(o.Type()), gorgonia.WithOp(o), gorgonia.WithShape(shape...)), nil
}

// sourceOp is an op without inputs: its type is no function.
type sourceOp struct{ *op }

func (o sourceOp) Type() hm.Type { return typeOf(len(o.out), o.outDt) }

// draw is from + width · u with u uniform on [0, 1), or standard normal.
type draw struct {
	source
	normal      bool
	from, width float64
}

func (r draw) name() string {
	if r.normal {
		return "normal"
	}
	return "uniform"
}

func (draw) stateful()                                  {}
func (draw) shape([]tensor.Shape) (tensor.Shape, error) { return nil, errors.New("no inputs wanted") }
func (draw) grad(gorgonia.Nodes, *Node, *Node) (gorgonia.Nodes, error) {
	return nil, nil
}

func (r draw) run(c *exec.Call) error {
	return exec.OnFloat(c, func(c *exec.Call) { drawRun[float32](r, c, nil) }, func(c *exec.Call) { drawRun[float64](r, c, nil) })
}

func drawRun[T exec.Float](r draw, c *exec.Call, x []T) {
	t := drawTask[T]{of: r, s: r.sequence(), x: x, y: exec.Data[T](&c.Out), order: elementsOf(&c.Out)}
	par.For(len(t.y), randomGrain, t)
}

type drawTask[T exec.Float] struct {
	of    draw
	s     sequence
	x, y  []T // y = x + sample; x is nil for 0
	order elementWalk
}

func (t *drawTask[T]) Run(lo, hi int) {
	n := normals{s: t.s, pair: -1}
	end := T(t.of.from + t.of.width) // of the uniform distribution
	for k := lo; k < hi; {
		element, step, count := t.order.run(k, hi-k)
		for i := range count {
			var v T
			if t.of.normal {
				v = T(t.of.from + t.of.width*n.at(element))
			} else if v = T(t.of.from + t.of.width*t.s.uniform(element)); v >= end && t.of.width > 0 {
				v = T(t.of.from) // rounded up to the end, which does not belong to the interval
			}
			if t.x != nil {
				v += t.x[k+i]
			}
			t.y[k+i] = v
			element += step
		}
		k += count
	}
}

// NoiseConfig says how much noise is added and by which random numbers.
type NoiseConfig struct {
	Deviation float64 // standard deviation, 0 or more
	RNG       *RNG    // nil: the op counts its own runs, and no two runs draw the same
	Stream    uint64  // tells the random ops of one RNG apart; 0: the next one that is free
}

// GaussianNoise adds normal noise of mean 0, drawn anew at each step:
//
//	y = x + deviation · ε,  ε ~ N(0, 1)
//
// Its derivative is 1. It is an op of training; leave it out of a graph for inference. For a deviation of 0
// the result is x itself. Any shape.
func GaussianNoise(x *Node, c NoiseConfig) (*Node, error) {
	if err := checkDeviation(c.Deviation); err != nil {
		return nil, errors.Wrap(err, "Gaussian noise")
	}
	if x == nil {
		return nil, errors.New("Gaussian noise: the input is nil")
	}
	if c.Deviation == 0 {
		return x, nil
	}
	return apply(noise{draw: draw{source: newSource(c.RNG, c.Stream), normal: true, width: c.Deviation}}, x)
}

type noise struct {
	elementwise
	draw
}

func (noise) name() string                                  { return "Gaussian noise" }
func (noise) shape(in []tensor.Shape) (tensor.Shape, error) { return in[0].Clone(), nil }

func (r noise) run(c *exec.Call) error {
	return exec.OnFloat(c,
		func(c *exec.Call) { drawRun(r.draw, c, exec.Data[float32](&c.In[0])) },
		func(c *exec.Call) { drawRun(r.draw, c, exec.Data[float64](&c.In[0])) })
}

func (noise) grad(_ gorgonia.Nodes, _, dout *Node) (gorgonia.Nodes, error) {
	return gorgonia.Nodes{dout}, nil
}
