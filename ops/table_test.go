package ops_test

import (
	"fmt"
	"strings"
	"testing"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/internal/gradtest"
	"github.com/stheno-ml/stheno/ops"
)

// tensors is float64 tensors of normal samples, away from zero.
func tensors(shapes ...[]int) []*tensor.Dense {
	var x []*tensor.Dense
	for i, s := range shapes {
		x = append(x, gradtest.Random(uint64(i+1), 0.01, s...))
	}
	return x
}

// leaves is nodes that hold tensors, in a graph of their own.
func leaves(in ...*tensor.Dense) nodes {
	g := gorgonia.NewGraph()
	var n nodes
	for i, x := range in {
		name := gorgonia.WithName(fmt.Sprintf("x%d", i))
		if x.IsScalar() {
			n = append(n, gorgonia.NewScalar(g, x.Dtype(), name, gorgonia.WithValue(x.ScalarValue())))
		} else {
			n = append(n, gorgonia.NodeFromAny(g, x, name))
		}
	}
	return n
}

// valueOf is the value of what build makes of the tensors.
func valueOf(t *testing.T, build gradtest.Build, in ...*tensor.Dense) gorgonia.Value {
	t.Helper()
	y, err := build(leaves(in...))
	if err != nil {
		t.Fatalf("%+v", err)
	}
	runOutputs(t, y)
	return y.Value()
}

func runOutputs(t *testing.T, outputs ...*gorgonia.Node) {
	t.Helper()
	tape, err := graph.Compile(outputs, graph.Options{})
	if err != nil {
		t.Fatalf("%+v", err)
	}
	if err := tape.RunAll(); err != nil {
		t.Fatalf("%+v", err)
	}
}

// vjp is the value of what build makes of the tensors, and the gradient for each, given that of the result.
func vjp(t *testing.T, build gradtest.Build, dy *tensor.Dense, in ...*tensor.Dense) (gorgonia.Value, []gorgonia.Value) {
	t.Helper()
	all := leaves(append(append([]*tensor.Dense(nil), in...), dy)...)
	x, seed := all[:len(in)], all[len(in)]
	y, err := build(x)
	if err != nil {
		t.Fatalf("%+v", err)
	}
	grads, err := graph.VectorJacobian(gorgonia.Nodes{y}, gorgonia.Nodes{seed}, x...)
	if err != nil {
		t.Fatalf("%+v", err)
	}
	runOutputs(t, append(gorgonia.Nodes{y}, grads...)...)
	var values []gorgonia.Value
	for _, g := range grads {
		values = append(values, g.Value())
	}
	return y.Value(), values
}

// squared is the square of what build makes. The gradient given to an op then depends on its inputs, so that the
// second order goes through how the op's gradient depends on it; for a linear op nothing else is left of it.
func squared(build gradtest.Build) gradtest.Build {
	return func(in []*gorgonia.Node) (*gorgonia.Node, error) {
		y, err := build(in)
		if err != nil {
			return nil, err
		}
		return ops.Square(y)
	}
}

// mistake is a call that must be refused, with what its error must say.
type mistake struct {
	name  string
	build gradtest.Build
	in    []*tensor.Dense
	says  []string
}

func checkMistakes(t *testing.T, cases []mistake) {
	t.Helper()
	for _, c := range cases {
		_, err := c.build(leaves(c.in...))
		if err == nil {
			t.Errorf("%s: no error", c.name)
			continue
		}
		for _, s := range c.says {
			if !strings.Contains(err.Error(), s) {
				t.Errorf("%s: the error is %q, want it to say %q", c.name, err, s)
			}
		}
	}
}
