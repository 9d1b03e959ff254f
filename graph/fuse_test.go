package graph_test

import (
	"math"
	"testing"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/internal/gradtest"
	"github.com/stheno-ml/stheno/ops"
)

// chain builds on x [2, 6, 5, 7] with makers of variables.
type chain func(x *G.Node, v func(shape ...int) *G.Node) (*G.Node, error)

func do(n *G.Node, err error) func(func(*G.Node) (*G.Node, error)) (*G.Node, error) {
	return func(f func(*G.Node) (*G.Node, error)) (*G.Node, error) {
		if err != nil {
			return nil, err
		}
		return f(n)
	}
}

var chains = map[string]struct {
	build       chain
	eval, train int // ops that another one takes in: forward alone, and with all gradients
}{
	"convolution, bias, relu": {func(x *G.Node, v func(...int) *G.Node) (*G.Node, error) {
		return do(ops.Conv2D(x, v(4, 6, 3, 3), v(4), ops.Conv{}))(ops.ReLU)
	}, 2, 2},
	"convolution, batch norm in evaluation, add, leaky relu": {func(x *G.Node, v func(...int) *G.Node) (*G.Node, error) {
		y, err := ops.Conv2D(x, v(6, 6, 1, 1), nil, ops.Conv{})
		if err != nil {
			return nil, err
		}
		if y, err = ops.BatchNormEval(y, v(6), v(6), v(6), v(6), ops.BatchNorm{}); err != nil {
			return nil, err
		}
		return do(ops.Sum(x, y))(func(n *G.Node) (*G.Node, error) { return ops.LeakyReLU(n, 0.2) })
	}, 3, 3}, // in training the convolution's result is needed for the gradient of γ, and the gradients of x are added into place
	"convolution with bias, batch norm without γ and β": {func(x *G.Node, v func(...int) *G.Node) (*G.Node, error) {
		return do(ops.Conv2D(x, v(6, 3, 3, 3), v(6), ops.Conv{Groups: 2, Stride: [2]int{2, 2}}))(func(n *G.Node) (*G.Node, error) {
			return ops.BatchNormEval(n, nil, nil, v(6), v(6), ops.BatchNorm{Eps: 0.1})
		})
	}, 2, 2},
	"depthwise convolution, batch norm, add, relu": {func(x *G.Node, v func(...int) *G.Node) (*G.Node, error) {
		y, err := ops.DepthwiseConv2D(x, v(6, 1, 3, 3), nil, ops.Conv{Pad: [4]int{1, 1, 1, 1}})
		if err != nil {
			return nil, err
		}
		if y, err = ops.BatchNormEval(y, v(6), v(6), v(6), v(6), ops.BatchNorm{}); err != nil {
			return nil, err
		}
		return do(ops.Sum(y, x))(ops.ReLU)
	}, 3, 3},
	"batch norm in training, relu": {func(x *G.Node, v func(...int) *G.Node) (*G.Node, error) {
		y, _, err := ops.BatchNormTrain(x, v(6), v(6), ops.BatchNorm{})
		return do(y, err)(ops.ReLU)
	}, 1, 2}, // and the gradient of relu, by both of batch norm's
	"batch norm in training, add, leaky relu": {func(x *G.Node, v func(...int) *G.Node) (*G.Node, error) {
		y, _, err := ops.BatchNormTrain(x, v(6), nil, ops.BatchNorm{})
		if err != nil {
			return nil, err
		}
		return do(ops.Sum(y, x))(func(n *G.Node) (*G.Node, error) { return ops.LeakyReLU(n, 0.1) })
	}, 2, 2}, // the gradient of leaky relu also goes past batch norm
	"branches of several kinds": {func(x *G.Node, v func(...int) *G.Node) (*G.Node, error) {
		pad := [4]int{1, 1, 1, 1}
		pool, err := ops.AvgPool2D(x, ops.Pool{Kernel: [2]int{3, 3}, Stride: [2]int{1, 1}, Pad: pad})
		if err != nil {
			return nil, err
		}
		branches := G.Nodes{pool}
		for _, c := range []struct {
			w []int
			o ops.Conv
		}{
			{[]int{4, 6, 1, 1}, ops.Conv{}},
			{[]int{5, 6, 3, 3}, ops.Conv{Pad: pad}},
			{[]int{6, 1, 3, 3}, ops.Conv{Pad: pad, Groups: 6}},
			{[]int{4, 3, 3, 3}, ops.Conv{Pad: pad, Groups: 2}},
			{[]int{3, 6, 3, 3}, ops.Conv{Pad: [4]int{2, 2, 2, 2}, Dilation: [2]int{2, 2}}},
		} {
			y, err := ops.Conv2D(x, v(c.w...), nil, c.o)
			if err != nil {
				return nil, err
			}
			branches = append(branches, y)
		}
		return ops.Concat(1, branches...)
	}, 0, 4}, // of five, a sum takes in four
	"strided convolutions beside one another": {func(x *G.Node, v func(...int) *G.Node) (*G.Node, error) {
		a, err := ops.Conv2D(x, v(4, 6, 1, 1), nil, ops.Conv{Stride: [2]int{2, 2}})
		if err != nil {
			return nil, err
		}
		b, err := ops.Conv2D(x, v(4, 6, 3, 3), nil, ops.Conv{Stride: [2]int{2, 2}, Pad: [4]int{1, 1, 1, 1}})
		return do(b, err)(func(b *G.Node) (*G.Node, error) { return ops.Sum(a, b) })
	}, 1, 3},
	"result that two ops read": {func(x *G.Node, v func(...int) *G.Node) (*G.Node, error) {
		y, err := ops.Conv2D(x, v(6, 6, 1, 1), nil, ops.Conv{})
		if err != nil {
			return nil, err
		}
		return do(ops.ReLU(y))(func(n *G.Node) (*G.Node, error) { return ops.Sum(n, y) })
	}, 0, 0},
}

func TestFusionKeepsResults(t *testing.T) {
	for name, c := range chains {
		t.Run(name, func(t *testing.T) {
			g := G.NewGraph()
			seed := uint64(1)
			leaf := func(margin float64, shape ...int) *G.Node {
				seed++
				return G.NodeFromAny(g, gradtest.Random(seed, margin, shape...), G.WithName(string(rune('a'+seed))))
			}
			var wrt G.Nodes
			variable := func(shape ...int) *G.Node {
				n := leaf(0, shape...)
				for i, x := range n.Value().(*tensor.Dense).Float64s() {
					n.Value().(*tensor.Dense).Float64s()[i] = math.Abs(x) + 0.3 // some are variances
				}
				wrt = append(wrt, n)
				return n
			}
			wrt = append(wrt, leaf(0, 2, 6, 5, 7))
			y, err := c.build(wrt[0], variable)
			must(t, err)
			grads, err := graph.VectorJacobian(G.Nodes{y}, G.Nodes{leaf(0, y.Shape()...)}, wrt...)
			must(t, err)
			for _, mode := range []struct {
				outputs G.Nodes
				fused   int
			}{{G.Nodes{y}, c.eval}, {append(G.Nodes{y}, grads...), c.train}} {
				results := func(o graph.Options) [][]float64 {
					tape, err := graph.Compile(mode.outputs, o)
					must(t, err)
					must(t, tape.RunAll())
					if f := tape.Plan().Fused; !o.NoFuse && f != mode.fused {
						t.Errorf("%d ops fused, want %d", f, mode.fused)
					}
					var all [][]float64
					for _, n := range mode.outputs {
						all = append(all, floats(t, n.Value()))
					}
					return all
				}
				plain := results(graph.Options{NoFuse: true})
				for _, o := range []graph.Options{{}, {NoLayout: true}, {NoInPlace: true}} {
					for k, got := range results(o) {
						size := 1.0
						for _, v := range plain[k] {
							size = max(size, math.Abs(v))
						}
						for i, v := range got {
							if !(math.Abs(v-plain[k][i]) <= 1e-12*size) { // issue 5's bound for float64
								t.Fatalf("%+v: output %d, element %d: %v fused, %v not", o, k, i, v, plain[k][i])
							}
						}
					}
				}
			}
		})
	}
}
