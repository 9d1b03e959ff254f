package graph_test

import (
	"math"
	"strings"
	"testing"

	G "gorgonia.org/gorgonia"

	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/internal/gradtest"
	"github.com/stheno-ml/stheno/ops"
)

// TestActivationGradientBeforePooling: the gradient of an activation is taken of what was pooled, with the same result,
// where windows overlap too; where the activation's own result is pooled otherwise, or read by others on the way back,
// it stays as it is.
func TestActivationGradientBeforePooling(t *testing.T) {
	pool := ops.Pool{Kernel: [2]int{3, 3}, Stride: [2]int{2, 2}, Pad: [4]int{1, 1, 1, 1}}
	leaky := func(n *G.Node) (*G.Node, error) { return ops.LeakyReLU(n, 0.2) }
	for _, c := range []struct {
		name     string
		activate func(*G.Node) (*G.Node, error)
		pool     func(*G.Node, ops.Pool) (*G.Node, error)
		gradient string
		swapped  bool
	}{
		{"relu", ops.ReLU, ops.MaxPool2D, "relu gradient", true},
		{"leaky relu", leaky, ops.MaxPool2D, "leaky relu gradient", true},
		{"sigmoid", ops.Sigmoid, ops.MaxPool2D, "sigmoid gradient", false},
		{"average", ops.ReLU, ops.AvgPool2D, "relu gradient", false},
		{"two readers", ops.ReLU, func(y *G.Node, a ops.Pool) (*G.Node, error) {
			p, err := ops.MaxPool2D(y, a)
			if err != nil {
				return nil, err
			}
			q, err := ops.AvgPool2D(y, a)
			if err != nil {
				return nil, err
			}
			return ops.Sum(p, q)
		}, "relu gradient", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := G.NewGraph()
			leaf := func(seed uint64, shape ...int) *G.Node {
				return G.NodeFromAny(g, gradtest.Random(seed, 0, shape...), G.WithName(string(rune('a'+seed))))
			}
			x, w := leaf(1, 2, 3, 9, 11), leaf(2, 4, 3, 3, 3)
			y, err := ops.Conv2D(x, w, nil, ops.Conv{Pad: [4]int{1, 1, 1, 1}})
			must(t, err)
			y, err = c.activate(y)
			must(t, err)
			y, err = c.pool(y, pool)
			must(t, err)
			y, err = ops.Conv2D(y, leaf(3, 2, 4, 1, 1), nil, ops.Conv{})
			must(t, err)
			grads, err := graph.VectorJacobian(G.Nodes{y}, G.Nodes{leaf(4, y.Shape()...)}, x, w)
			must(t, err)
			outputs := append(G.Nodes{y}, grads...)
			run := func(o graph.Options) (values [][]float64) {
				tape, err := graph.Compile(outputs, o)
				must(t, err)
				must(t, tape.RunAll())
				for _, n := range outputs {
					values = append(values, floats(t, n.Value()))
				}
				return values
			}
			want := run(graph.Options{NoFuse: true})
			var dump strings.Builder
			got := run(graph.Options{Dump: &dump})
			for k := range want {
				for i, v := range want[k] {
					if !(math.Abs(got[k][i]-v) <= 1e-12*(1+math.Abs(v))) { // sums of 9 windows in another order
						t.Fatalf("result %d, element %d is %v, want %v", k, i, got[k][i], v)
					}
				}
			}
			last := dump.String()[strings.LastIndex(dump.String(), "after memory"):]
			activation, pooling := strings.Index(last, c.gradient), strings.Index(last, "pool gradient")
			if activation < 0 || pooling < 0 || (activation < pooling) != c.swapped {
				t.Errorf("the gradient of the activation comes before that of the pooling: %v, want %v\n%s", activation < pooling, c.swapped, last)
			}
		})
	}
}

// TestActivationGradientWaitsForPooling: what is pooled after the gradient has been taken, as in a block that is
// computed again, cannot serve for it.
func TestActivationGradientWaitsForPooling(t *testing.T) {
	pool := ops.Pool{Kernel: [2]int{2, 2}, Stride: [2]int{2, 2}}
	g := G.NewGraph()
	leaf := func(seed uint64, shape ...int) *G.Node {
		return G.NodeFromAny(g, gradtest.Random(seed, 0, shape...), G.WithName(string(rune('a'+seed))))
	}
	x, w := leaf(1, 2, 3, 40, 40), leaf(2, 16, 3, 3, 3)
	y, err := ops.Conv2D(x, w, nil, ops.Conv{})
	must(t, err)
	y, err = ops.ReLU(y)
	must(t, err)
	p, err := ops.MaxPool2D(y, pool)
	must(t, err)
	grads, err := graph.VectorJacobian(G.Nodes{p}, G.Nodes{leaf(3, p.Shape()...)}, w)
	must(t, err)
	later, err := ops.MaxPool2D(y, pool)
	must(t, err)
	run := func(o graph.Options) []float64 {
		tape, err := graph.Compile(append(grads, later), o)
		must(t, err)
		must(t, tape.RunAll())
		return floats(t, grads[0].Value())
	}
	want := run(graph.Options{NoFuse: true})
	for i, v := range run(graph.Options{}) {
		if !(math.Abs(v-want[i]) <= 1e-12*(1+math.Abs(want[i]))) { // sums of 1444 pixels in another order
			t.Fatalf("element %d is %v, want %v", i, v, want[i])
		}
	}
}
