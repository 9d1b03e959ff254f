package ops_test

import (
	"fmt"
	"testing"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/internal/golden"
	"github.com/stheno-ml/stheno/internal/gradtest"
	"github.com/stheno-ml/stheno/ops"
)

// pairCase is an op whose gradients hold a pair of instructions that the tape makes one of.
type pairCase struct {
	in    []*tensor.Dense
	wrt   int // gradients are taken for the first so many
	build gradtest.Build
}

var pairCases = func() map[string]pairCase {
	random := func(seed uint64, shape ...int) *tensor.Dense { return gradtest.Random(seed, 0, shape...) }
	pool := func(p ops.Pool) pairCase {
		return pairCase{[]*tensor.Dense{random(1, 2, 21, 19, 18)}, 1, func(in []*gorgonia.Node) (*gorgonia.Node, error) {
			return ops.MaxPool2D(in[0], p)
		}}
	}
	loss := func(target *tensor.Dense, c ops.CrossEntropyConfig) pairCase {
		in := []*tensor.Dense{random(2, 2, 4, 3, 5), target, between(3, 0.5, 2, 4)}
		return pairCase{in, 1, func(in []*gorgonia.Node) (*gorgonia.Node, error) {
			if c.Ignore == nil && c.Reduction != ops.SumReduction {
				c.Weights = in[2]
			}
			return ops.CrossEntropy(in[0], in[1], c)
		}}
	}
	biased := func(x, w []int, c ops.Conv) pairCase {
		in := []*tensor.Dense{random(5, x...), random(6, w...), random(7, w[0])}
		return pairCase{in, 3, func(in []*gorgonia.Node) (*gorgonia.Node, error) {
			y, err := ops.Conv2D(in[0], in[1], in[2], c)
			if err != nil {
				return nil, err
			}
			return ops.AvgPool2D(y, ops.Pool{Kernel: [2]int{2, 2}}) // its gradient is channels-last, as in a network
		}}
	}
	hard, soft := labels([]int{2, 3, 5}, 0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3, 3, 3), distributions(4, 2, 4, 3, 5)
	return map[string]pairCase{
		"linear": {[]*tensor.Dense{random(5, 4, 5), random(6, 7, 5), random(7, 7)}, 3, func(in []*gorgonia.Node) (*gorgonia.Node, error) {
			return ops.Linear(in[0], in[1], in[2])
		}},
		"convolution":                     biased([]int{2, 5, 9, 8}, []int{7, 5, 3, 2}, ops.Conv{Stride: [2]int{2, 1}}),
		"convolution, Winograd":           biased([]int{2, 32, 21, 18}, []int{48, 32, 3, 3}, ops.Conv{Pad: [4]int{1, 1, 1, 1}}),
		"convolution, groups":             biased([]int{2, 8, 9, 8}, []int{12, 2, 3, 3}, ops.Conv{Groups: 4}),
		"convolution, depthwise":          biased([]int{2, 8, 9, 8}, []int{8, 1, 3, 3}, ops.Conv{Groups: 8}),
		"max pool":                        pool(ops.Pool{Kernel: [2]int{3, 3}, Stride: [2]int{2, 2}, Pad: [4]int{1, 1, 1, 1}}),
		"max pool, places beyond a byte":  pool(ops.Pool{Kernel: [2]int{17, 17}, Stride: [2]int{1, 1}}),
		"labels":                          loss(hard, ops.CrossEntropyConfig{Reduction: ops.SumReduction}),
		"labels, weights":                 loss(hard, ops.CrossEntropyConfig{}),
		"labels, weights and smoothing":   loss(hard, ops.CrossEntropyConfig{Smoothing: 0.1}),
		"labels, one ignored, smoothing":  loss(hard, ops.CrossEntropyConfig{Ignore: new(2), Smoothing: 0.1}),
		"labels, each loss":               loss(hard, ops.CrossEntropyConfig{Reduction: ops.NoReduction}),
		"distributions":                   loss(soft, ops.CrossEntropyConfig{Reduction: ops.SumReduction}),
		"distributions, weights, smooth.": loss(soft, ops.CrossEntropyConfig{Smoothing: 0.1, Reduction: ops.NoReduction}),
	}
}()

// What a pair computes is what its two ops compute, whatever the order of pictures.
func TestPairsEqualTheirParts(t *testing.T) {
	for name, c := range pairCases {
		for _, dt := range []tensor.Dtype{tensor.Float32, tensor.Float64} {
			g := gorgonia.NewGraph()
			var in gorgonia.Nodes
			for _, v := range c.in {
				if v.Dtype() == tensor.Float64 {
					v = golden.As(v, dt)
				}
				in = append(in, gorgonia.NodeFromAny(g, v, gorgonia.WithName(fmt.Sprint("in", len(in)))))
			}
			y, err := c.build(in)
			if err != nil {
				t.Fatalf("%s: %+v", name, err)
			}
			seed := gorgonia.NodeFromAny(g, golden.As(gradtest.Random(9, 0, y.Shape()...), dt), gorgonia.WithName("seed"))
			if len(y.Shape()) == 0 {
				if seed, err = ops.Full(g, dt, 1.5); err != nil {
					t.Fatal(err)
				}
			}
			grads, err := graph.VectorJacobian(gorgonia.Nodes{y}, gorgonia.Nodes{seed}, in[:c.wrt]...)
			if err != nil {
				t.Fatalf("%s: %+v", name, err)
			}
			results := func(o graph.Options) []*tensor.Dense {
				tape, err := graph.Compile(append(gorgonia.Nodes{y}, grads...), o)
				if err != nil {
					t.Fatalf("%s: %+v", name, err)
				}
				if paired := tape.Plan().Paired; paired != 1 && !o.NoPair {
					t.Errorf("%s: %d pairs, want 1", name, paired)
				}
				if err := tape.RunAll(); err != nil {
					t.Fatalf("%s: %+v", name, err)
				}
				var all []*tensor.Dense
				for _, n := range append(gorgonia.Nodes{y}, grads...) {
					v, err := tape.Value(n)
					if err != nil {
						t.Fatal(err)
					}
					d, ok := v.(*tensor.Dense)
					if !ok {
						d = tensor.New(tensor.FromScalar(v.Data()))
					}
					all = append(all, d)
				}
				return all
			}
			want := results(graph.Options{NoPair: true})
			tol := 1e-6 // sums of a loss in another order
			if dt == tensor.Float64 {
				tol = 1e-14
			}
			for _, o := range []graph.Options{{}, {NoLayout: true}} {
				for k, got := range results(o) {
					golden.Compare(t, name, got, want[k], tol)
				}
			}
		}
	}
}
