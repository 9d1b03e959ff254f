package ops

import (
	"github.com/pkg/errors"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/internal/exec"
	"github.com/stheno-ml/stheno/internal/kernel/par"
	"github.com/stheno-ml/stheno/internal/kernel/vec"
)

// DropoutConfig says what a dropout drops and by which random numbers.
type DropoutConfig struct {
	P      float64 // probability to be dropped, 0 to 1
	RNG    *RNG    // nil: the op counts its own runs, and no two runs drop the same
	Stream uint64  // tells the random ops of one RNG apart; 0: the next one that is free
}

// Dropout sets elements to zero with probability p, and scales the others so that the mean stays
// (Srivastava et al. 2014, scaled in training as in "inverted dropout"):
//
//	y = x · m / (1−p),  m ∈ {0, 1}, P(m = 0) = p
//
// It is an op of training; leave it out of a graph for inference. For p = 0 the result is x itself, for
// p = 1 it is all zeros. Any shape.
func Dropout(x *Node, c DropoutConfig) (*Node, error) { return dropout("dropout", x, c, perElement) }

// SpatialDropout drops whole channels of x [N, C, d1, …] (Tompson et al. 2015, section 3.2), otherwise as
// Dropout.
func SpatialDropout(x *Node, c DropoutConfig) (*Node, error) {
	return dropout("spatial dropout", x, c, perChannel)
}

// DropPath drops whole samples of x [N, …], otherwise as Dropout: stochastic depth (Huang et al. 2016), put
// on the residual branch before it is added.
func DropPath(x *Node, c DropoutConfig) (*Node, error) { return dropout("drop path", x, c, perSample) }

// unit is what is dropped as one; its value is the number of leading axes that tell units apart.
type unit uint8

const (
	perElement unit = 0
	perSample  unit = 1
	perChannel unit = 2
)

func dropout(name string, x *Node, c DropoutConfig, of unit) (*Node, error) {
	if x == nil {
		return nil, errors.Errorf("%s: the input is nil", name)
	}
	if !(c.P >= 0 && c.P <= 1) {
		return nil, errors.Errorf("%s: probability %v, want 0 to 1", name, c.P)
	}
	if len(x.Shape()) < int(of) {
		return nil, errors.Errorf("%s: input has shape %v, want at least %d axes", name, x.Shape(), of)
	}
	if c.P == 0 {
		return x, nil
	}
	mask, err := apply(dropoutMask{c.P, of, newSource(c.RNG, c.Stream)}, x)
	if err != nil {
		return nil, errors.Wrap(err, name)
	}
	return apply(masked{of}, x, mask)
}

// dropoutMask is 0 or 1/(1−p) for each unit of an input of which it reads no more than shape and order.
type dropoutMask struct {
	p  float64
	of unit
	source
}

func (dropoutMask) name() string              { return "dropout mask" }
func (dropoutMask) stateful()                 {}
func (dropoutMask) differentiable(int) []bool { return []bool{false} }

func (r dropoutMask) shape(in []tensor.Shape) (tensor.Shape, error) {
	if r.of == perElement {
		return in[0].Clone(), nil
	}
	return in[0][:r.of].Clone(), nil
}

func (r dropoutMask) flows([]tensor.Shape, tensor.Shape) ([]exec.Flow, exec.Flow) { return follow(1) }

func (r dropoutMask) grad(gorgonia.Nodes, *Node, *Node) (gorgonia.Nodes, error) {
	return gorgonia.Nodes{nil}, nil
}

func (r dropoutMask) run(c *exec.Call) error {
	return exec.OnFloat(c, func(c *exec.Call) { maskRun[float32](r, c) }, func(c *exec.Call) { maskRun[float64](r, c) })
}

func maskRun[T exec.Float](r dropoutMask, c *exec.Call) {
	t := maskTask[T]{y: exec.Data[T](&c.Out), order: elementsOf(&c.Out), s: r.sequence(), drop: uint64(r.p * 0x1p53)}
	if r.p < 1 {
		t.keep = T(1 / (1 - r.p))
	}
	par.For(len(t.y), randomGrain, t)
}

// randomGrain is elements a chunk: some tens of microseconds.
const randomGrain = 8 << 10

type maskTask[T exec.Float] struct {
	y     []T
	order elementWalk
	s     sequence
	drop  uint64 // what is below it, of 2⁵³ numbers, is dropped
	keep  T
}

func (t *maskTask[T]) Run(lo, hi int) {
	values := [2]T{t.keep, 0} // looked up: a branch would be guessed wrong as often as not
	for k := lo; k < hi; {
		element, step, n := t.order.run(k, hi-k)
		z, add := t.s.from(element, step)
		for i := range t.y[k : k+n] {
			below := (mix(z)>>11 - t.drop) >> 63 // 1 where the number is below: both have no more than 54 bits
			t.y[k+i] = values[below]
			z += add
		}
		k += n
	}
}

// masked is x · mask, where mask has one value for each element, sample or channel of x.
type masked struct{ of unit }

func (masked) name() string                                  { return "dropout" }
func (masked) shape(in []tensor.Shape) (tensor.Shape, error) { return in[0].Clone(), nil }
func (masked) inPlace() []int                                { return []int{0} }
func (masked) differentiable(int) []bool                     { return []bool{true, false} }

func (r masked) flows([]tensor.Shape, tensor.Shape) ([]exec.Flow, exec.Flow) { return follow(2) }

func (r masked) run(c *exec.Call) error {
	return exec.OnFloat(c, func(c *exec.Call) { maskedRun[float32](r, c) }, func(c *exec.Call) { maskedRun[float64](r, c) })
}

func maskedRun[T exec.Float](r masked, c *exec.Call) {
	x, mask, y := exec.Data[T](&c.In[0]), exec.Data[T](&c.In[1]), exec.Data[T](&c.Out)
	if r.of == perElement {
		vec.Mul(y, x, mask)
		return
	}
	// With units of channels and a picture in channels-last order, a row of mask is one position's channels.
	if r.of == perChannel && c.Out.Order == exec.ChannelsLast {
		n, channels := c.Out.Shape[0], c.Out.Shape[1]
		size := len(y) / n
		for i := range n {
			m := mask[i*channels : (i+1)*channels]
			for k := i * size; k < (i+1)*size; k += channels {
				vec.Mul(y[k:k+channels], x[k:k+channels], m)
			}
		}
		return
	}
	size := len(y) / len(mask)
	for i, m := range mask {
		vec.Scale(y[i*size:(i+1)*size], x[i*size:(i+1)*size], m)
	}
}

func (r masked) grad(in gorgonia.Nodes, _, dout *Node) (gorgonia.Nodes, error) {
	dx, err := apply(r, dout, in[1])
	return gorgonia.Nodes{dx, nil}, err
}
