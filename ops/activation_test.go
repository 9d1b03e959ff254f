package ops_test

import (
	"testing"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/internal/gradtest"
	"github.com/stheno-ml/stheno/ops"
)

// unary is a function of one node.
type unary func(x *gorgonia.Node) (*gorgonia.Node, error)

// activations is every activation, by the name that the golden file has it under.
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

func TestActivationGradients(t *testing.T) {
	for name, f := range activations {
		t.Run(name, func(t *testing.T) {
			for _, shape := range [][]int{{}, {1}, {3, 5}, {2, 3, 4, 5}} {
				in := []*tensor.Dense{gradtest.Random(1, 0.01, shape...)}
				gradtest.Check(t, func(in []*gorgonia.Node) (*gorgonia.Node, error) { return f(in[0]) }, in, gradtest.Config{Order: 2})
			}
		})
	}
}
