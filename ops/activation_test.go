package ops_test

import (
	"testing"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/internal/golden"
	"github.com/stheno-ml/stheno/internal/gradtest"
	"github.com/stheno-ml/stheno/ops"
)

// nodes is the inputs of an op.
type nodes = []*gorgonia.Node

// unary makes one node of one.
type unary func(x *gorgonia.Node) (*gorgonia.Node, error)

// activations is every activation, by the name that the golden file has for it.
var activations = map[string]unary{
	"relu":             ops.ReLU,
	"relu6":            ops.ReLU6,
	"leaky_relu":       func(x *gorgonia.Node) (*gorgonia.Node, error) { return ops.LeakyReLU(x, 0.2) },
	"elu":              func(x *gorgonia.Node) (*gorgonia.Node, error) { return ops.ELU(x, 0.7) },
	"selu":             ops.SELU,
	"gelu":             ops.GELU,
	"gelu_tanh":        ops.GELUTanh,
	"silu":             ops.SiLU,
	"sigmoid":          ops.Sigmoid,
	"hard_sigmoid":     func(x *gorgonia.Node) (*gorgonia.Node, error) { return ops.HardSigmoid(x, 1./6, 0.5) },
	"hard_sigmoid_0.2": func(x *gorgonia.Node) (*gorgonia.Node, error) { return ops.HardSigmoid(x, 0.2, 0.5) },
	"hard_swish":       ops.HardSwish,
	"tanh":             ops.Tanh,
	"softplus":         ops.Softplus,
	"softsign":         ops.Softsign,
	"clamp":            func(x *gorgonia.Node) (*gorgonia.Node, error) { return ops.Clamp(x, -0.5, 1.5) },
}

// functions is every other function of one input.
var functions = map[string]unary{
	"neg":        ops.Neg,
	"exp":        ops.Exp,
	"square":     ops.Square,
	"reciprocal": ops.Reciprocal,
	"abs":        ops.Abs,
	"add_scalar": func(x *gorgonia.Node) (*gorgonia.Node, error) { return ops.AddScalar(x, 1.7) },
	"mul_scalar": func(x *gorgonia.Node) (*gorgonia.Node, error) { return ops.MulScalar(x, -1.7) },
	"pow_3":      func(x *gorgonia.Node) (*gorgonia.Node, error) { return ops.PowScalar(x, 3) },
	"log":        ops.Log,
	"sqrt":       ops.Sqrt,
	"pow_2.5":    func(x *gorgonia.Node) (*gorgonia.Node, error) { return ops.PowScalar(x, 2.5) },
	"pow_-0.5":   func(x *gorgonia.Node) (*gorgonia.Node, error) { return ops.PowScalar(x, -0.5) },
}

// tolerance32 is for functions of some float32 roundings, 6e-8 each, whose gradient may be a difference of
// nearly equal terms: 1 − y² of tanh loses a digit where it saturates, measured against the largest gradient.
const tolerance32 = 2e-6

func TestActivationsEqualPyTorch(t *testing.T) {
	seen := make(map[string]bool)
	for _, c := range golden.Load(t, "testdata/activation.safetensors") {
		var a struct {
			Op   string
			Axis int
		}
		c.Attrs(t, &a)
		seen[a.Op] = true
		f, tol := activations[a.Op], tolerance32
		switch {
		case f != nil:
		case functions[a.Op] != nil:
			f = functions[a.Op]
		case a.Op == "softmax":
			f = func(x *gorgonia.Node) (*gorgonia.Node, error) { return ops.Softmax(x, a.Axis) }
		case a.Op == "log_softmax":
			f = func(x *gorgonia.Node) (*gorgonia.Node, error) { return ops.LogSoftmax(x, a.Axis) }
		case a.Op == "prelu":
		default:
			t.Fatalf("%s: no op %q", c.Name, a.Op)
		}
		if in := c.Inputs(tensor.Float64); (a.Op == "softmax" || a.Op == "log_softmax") && in[0].Float64s()[0] > 900 {
			// Inputs near 1000 are float32 numbers 6e-5 apart: half of that is the error of each before the op
			// has begun, and exp makes it a relative one. Two of them meet in each result.
			tol = 1e-4
		}
		if a.Op == "prelu" {
			tol = 2e-5 // the slope's gradient is a sum of up to 24 terms that may cancel to a tenth of the largest
		}
		c.Check(t, tol, func(in []*gorgonia.Node) (*gorgonia.Node, error) {
			if a.Op == "prelu" {
				return ops.PReLU(in[0], in[1])
			}
			return f(in[0])
		})
	}
	for _, m := range []map[string]unary{activations, functions} {
		for name := range m {
			if !seen[name] {
				t.Errorf("the golden file has no case of %s", name)
			}
		}
	}
}

func TestActivationGradients(t *testing.T) {
	for name, f := range activations {
		t.Run(name, func(t *testing.T) {
			for _, shape := range [][]int{{}, {1}, {3, 5}, {2, 3, 4, 5}} {
				in := []*tensor.Dense{gradtest.Random(1, 0.01, shape...)}
				build := func(in []*gorgonia.Node) (*gorgonia.Node, error) { return f(in[0]) }
				gradtest.Check(t, build, in, gradtest.Config{Order: 2})
				gradtest.Check(t, squared(build), in, gradtest.Config{Order: 2})
			}
		})
	}
}

func TestFunctionGradients(t *testing.T) {
	for name, f := range functions {
		t.Run(name, func(t *testing.T) {
			x := gradtest.Random(1, 0.3, 3, 5)
			for i, v := range x.Float64s() { // between 0.3 and some units: defined for all of them
				x.Float64s()[i] = max(v, -v)
			}
			// Their fifth derivatives reach 1e5 at 0.3, which the stencil multiplies by the fourth power of a
			// step of 1e-4 and of a direction of some units: 1e-9.
			build := func(in []*gorgonia.Node) (*gorgonia.Node, error) { return f(in[0]) }
			gradtest.Check(t, build, []*tensor.Dense{x}, gradtest.Config{Order: 2})
			gradtest.Check(t, squared(build), []*tensor.Dense{x}, gradtest.Config{Order: 2})
		})
	}
}

func TestPReLUGradient(t *testing.T) {
	for _, c := range []struct{ x, slope []int }{{[]int{2, 3, 4, 5}, []int{3}}, {[]int{2, 3}, []int{1}}, {[]int{2, 3}, []int{}}, {[]int{1, 1, 1, 1}, []int{1}}} {
		in := []*tensor.Dense{gradtest.Random(1, 0.01, c.x...), gradtest.Random(2, 0.01, c.slope...)}
		gradtest.Check(t, squared(func(in []*gorgonia.Node) (*gorgonia.Node, error) { return ops.PReLU(in[0], in[1]) }), in, gradtest.Config{Order: 2})
	}
}

func TestSoftmaxGradients(t *testing.T) {
	for _, shape := range [][]int{{5}, {1, 1}, {4, 5}, {2, 3, 4, 5}} {
		for axis := range shape {
			in := []*tensor.Dense{gradtest.Random(1, 0, shape...)}
			gradtest.Check(t, squared(func(in []*gorgonia.Node) (*gorgonia.Node, error) { return ops.Softmax(in[0], axis) }), in, gradtest.Config{Order: 2})
			gradtest.Check(t, squared(func(in []*gorgonia.Node) (*gorgonia.Node, error) { return ops.LogSoftmax(in[0], axis) }), in, gradtest.Config{Order: 2})
		}
	}
}

func TestActivationsOutsideTheOrdinary(t *testing.T) {
	const big = 1e4
	for _, c := range []struct {
		name    string
		f       unary
		x, y, g float64 // g is the gradient for 1
	}{
		{"relu at its kink", ops.ReLU, 0, 0, 0},
		{"relu6 at its kink", ops.ReLU6, 6, 6, 0},
		{"softplus of large", ops.Softplus, big, big, 1},
		{"softplus of small", ops.Softplus, -big, 0, 0},
		{"sigmoid of large", ops.Sigmoid, big, 1, 0},
		{"sigmoid of small", ops.Sigmoid, -big, 0, 0},
		{"tanh of large", ops.Tanh, big, 1, 0},
		{"silu of large", ops.SiLU, big, big, 1},
		{"silu of small", ops.SiLU, -big, 0, 0},
		{"gelu of large", ops.GELU, big, big, 1},
		{"gelu of small", ops.GELU, -big, 0, 0},
		{"gelu (tanh) of large", ops.GELUTanh, big, big, 1},
		{"gelu (tanh) of small", ops.GELUTanh, -big, 0, 0},
		{"elu of small", func(x *gorgonia.Node) (*gorgonia.Node, error) { return ops.ELU(x, 1) }, -big, -1, 0},
		{"hard sigmoid at its kink", func(x *gorgonia.Node) (*gorgonia.Node, error) { return ops.HardSigmoid(x, 0.5, 0.5) }, 1, 1, 0},
		{"clamp at its bound", func(x *gorgonia.Node) (*gorgonia.Node, error) { return ops.Clamp(x, -1, 1) }, 1, 1, 1},
		{"abs of 0", ops.Abs, 0, 0, 0},
		{"sign of 0", ops.Sign, 0, 0, 0},
		{"power 0 of 0", func(x *gorgonia.Node) (*gorgonia.Node, error) { return ops.PowScalar(x, 0) }, 0, 1, 0},
	} {
		for _, dt := range []tensor.Dtype{tensor.Float32, tensor.Float64} {
			x := golden.As(tensor.New(tensor.WithShape(3), tensor.WithBacking([]float64{c.x, c.x, c.x})), dt)
			one := golden.As(tensor.New(tensor.WithShape(3), tensor.WithBacking([]float64{1, 1, 1})), dt)
			y, grads := vjp(t, func(in nodes) (*gorgonia.Node, error) { return c.f(in[0]) }, one, x)
			golden.Compare(t, c.name, y, tensor.New(tensor.WithShape(3), tensor.WithBacking([]float64{c.y, c.y, c.y})), tolerance32)
			golden.Compare(t, c.name+": gradient", grads[0], tensor.New(tensor.WithShape(3), tensor.WithBacking([]float64{c.g, c.g, c.g})), tolerance32)
		}
	}
}
