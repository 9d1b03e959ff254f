package ops_test

import (
	"testing"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/internal/golden"
	"github.com/stheno-ml/stheno/internal/gradtest"
	"github.com/stheno-ml/stheno/ops"
)

// Float32 sums of at most some hundred products of numbers near 1: rounding is 6e-8 of each, and errors of
// random sign add up to some ten of these.
const convTol32 = 3e-6

func TestConv2DGolden(t *testing.T) {
	for _, c := range golden.Load(t, "testdata/conv.safetensors") {
		var a ops.Conv
		c.Attrs(t, &a)
		c.Check(t, convTol32, func(in []*gorgonia.Node) (*gorgonia.Node, error) {
			if len(in) == 2 {
				return ops.Conv2D(in[0], in[1], nil, a)
			}
			return ops.Conv2D(in[0], in[1], in[2], a)
		})
	}
}

func TestTransposedConv2DGolden(t *testing.T) {
	for _, c := range golden.Load(t, "testdata/conv_transposed.safetensors") {
		var a ops.ConvTranspose
		c.Attrs(t, &a)
		c.Check(t, convTol32, func(in []*gorgonia.Node) (*gorgonia.Node, error) {
			if len(in) == 2 {
				return ops.TransposedConv2D(in[0], in[1], nil, a)
			}
			return ops.TransposedConv2D(in[0], in[1], in[2], a)
		})
	}
}

func TestSeparableConv2DGolden(t *testing.T) {
	for _, c := range golden.Load(t, "testdata/conv_separable.safetensors") {
		var a ops.Conv
		c.Attrs(t, &a)
		c.Check(t, convTol32, func(in []*gorgonia.Node) (*gorgonia.Node, error) {
			if len(in) == 3 {
				return ops.SeparableConv2D(in[0], in[1], in[2], nil, a)
			}
			return ops.SeparableConv2D(in[0], in[1], in[2], in[3], a)
		})
	}
}

// convCases are shapes of x and w with attributes, for gradient checks.
var convCases = []struct {
	name string
	x, w []int
	a    ops.Conv
}{
	{"plain", []int{2, 3, 5, 6}, []int{4, 3, 3, 3}, ops.Conv{}},
	{"stride, padding per side", []int{2, 3, 7, 6}, []int{4, 3, 3, 2}, ops.Conv{Stride: [2]int{2, 3}, Pad: [4]int{1, 0, 2, 1}}},
	{"dilation", []int{1, 2, 8, 7}, []int{3, 2, 3, 2}, ops.Conv{Dilation: [2]int{2, 3}, Pad: [4]int{2, 2, 1, 1}}},
	{"groups", []int{2, 6, 5, 5}, []int{4, 3, 3, 3}, ops.Conv{Groups: 2, Pad: [4]int{1, 1, 1, 1}}},
	{"same, 1×7", []int{2, 2, 5, 9}, []int{3, 2, 1, 7}, ops.Conv{Same: true}},
	{"same, stride 2, odd zero", []int{1, 2, 6, 6}, []int{3, 2, 3, 3}, ops.Conv{Same: true, Stride: [2]int{2, 2}}},
	{"1×1 picture", []int{1, 3, 1, 1}, []int{2, 3, 1, 1}, ops.Conv{}},
	{"1×1 picture, padded", []int{2, 3, 1, 1}, []int{4, 3, 3, 3}, ops.Conv{Pad: [4]int{1, 1, 1, 1}}},
	{"one output pixel, more picture than it sees", []int{1, 2, 6, 5}, []int{3, 2, 2, 3}, ops.Conv{Stride: [2]int{5, 5}, Pad: [4]int{1, 0, 1, 0}}},
	{"stride larger than kernel", []int{2, 2, 9, 8}, []int{3, 2, 2, 1}, ops.Conv{Stride: [2]int{4, 3}}},
	{"depthwise, multiplier 2", []int{2, 3, 5, 6}, []int{6, 1, 3, 3}, ops.Conv{Groups: 3, Pad: [4]int{1, 1, 1, 1}, Stride: [2]int{2, 1}}},
}

func TestConv2DGradient(t *testing.T) {
	for _, c := range convCases {
		t.Run(c.name, func(t *testing.T) {
			in := []*tensor.Dense{gradtest.Random(1, 0, c.x...), gradtest.Random(2, 0, c.w...), gradtest.Random(3, 0, c.w[0])}
			gradtest.Check(t, func(in []*gorgonia.Node) (*gorgonia.Node, error) {
				return ops.Conv2D(in[0], in[1], in[2], c.a)
			}, in, gradtest.Config{Order: 2})
		})
	}
}

// The adjoints are ops in their own right: their first and second gradients are the gradients of the
// convolution of second and third order.
func TestConv2DGradientOfGradient(t *testing.T) {
	for _, c := range convCases {
		t.Run(c.name, func(t *testing.T) {
			in := []*tensor.Dense{gradtest.Random(1, 0, c.x...), gradtest.Random(2, 0, c.w...)}
			for k, what := range []string{"input gradient", "filter gradient"} {
				t.Run(what, func(t *testing.T) {
					gradtest.Check(t, func(in []*gorgonia.Node) (*gorgonia.Node, error) {
						y, err := ops.Conv2D(in[0], in[1], nil, c.a)
						if err != nil {
							return nil, err
						}
						return derivative(y, in[k]) // of Σ y²/2, so that it depends on both inputs
					}, in, gradtest.Config{Order: 2})
				})
			}
		})
	}
}

func TestTransposedConv2DGradient(t *testing.T) {
	for _, c := range []struct {
		name string
		x, w []int
		a    ops.ConvTranspose
	}{
		{"plain", []int{2, 3, 4, 3}, []int{3, 2, 3, 2}, ops.ConvTranspose{}},
		{"stride, padding per side", []int{1, 3, 4, 3}, []int{3, 2, 4, 3}, ops.ConvTranspose{Stride: [2]int{2, 3}, Pad: [4]int{1, 0, 2, 1}}},
		{"output padding", []int{2, 2, 3, 3}, []int{2, 3, 3, 3}, ops.ConvTranspose{Stride: [2]int{2, 2}, Pad: [4]int{1, 1, 1, 1}, OutputPad: [2]int{1, 1}}},
		{"output padding by dilation", []int{1, 2, 3, 3}, []int{2, 3, 2, 2}, ops.ConvTranspose{Dilation: [2]int{3, 2}, OutputPad: [2]int{2, 1}}},
		{"groups", []int{2, 4, 3, 2}, []int{4, 3, 2, 2}, ops.ConvTranspose{Groups: 2, Stride: [2]int{2, 1}}},
		{"1×1 picture", []int{1, 5, 1, 1}, []int{5, 3, 4, 4}, ops.ConvTranspose{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			outputs := c.w[1] * max(c.a.Groups, 1)
			in := []*tensor.Dense{gradtest.Random(1, 0, c.x...), gradtest.Random(2, 0, c.w...), gradtest.Random(3, 0, outputs)}
			gradtest.Check(t, func(in []*gorgonia.Node) (*gorgonia.Node, error) {
				return ops.TransposedConv2D(in[0], in[1], in[2], c.a)
			}, in, gradtest.Config{Order: 2})
		})
	}
}

func TestAddBiasToRows(t *testing.T) {
	gradtest.Check(t, func(in []*gorgonia.Node) (*gorgonia.Node, error) {
		y, err := ops.AddBias(in[0], in[1])
		if err != nil {
			return nil, err
		}
		return ops.Square(y)
	}, []*tensor.Dense{gradtest.Random(1, 0, 3, 5), gradtest.Random(2, 0, 5)}, gradtest.Config{Order: 2})
}

// A multiply-add is one tap of one filter at one output pixel; of a transposed convolution, at one input pixel.
func TestConvMultiplyAdds(t *testing.T) {
	g := gorgonia.NewGraph()
	leaf := func(name string, shape ...int) *gorgonia.Node {
		return gorgonia.NewTensor(g, tensor.Float32, 4, gorgonia.WithShape(shape...), gorgonia.WithName(name))
	}
	stem, err := ops.Conv2D(leaf("picture", 1, 3, 224, 224), leaf("stem", 64, 3, 7, 7), nil, ops.Conv{Stride: [2]int{2, 2}, Pad: [4]int{3, 3, 3, 3}})
	if err != nil {
		t.Fatal(err)
	}
	up, err := ops.TransposedConv2D(leaf("z", 2, 512, 4, 4), leaf("up", 512, 256, 4, 4), nil, ops.ConvTranspose{Stride: [2]int{2, 2}, Pad: [4]int{1, 1, 1, 1}})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		n    *gorgonia.Node
		want int64
	}{{stem, 112 * 112 * 64 * 3 * 7 * 7}, {up, 2 * 4 * 4 * 512 * 256 * 4 * 4}} {
		if got := ops.MultiplyAdds(c.n); got != c.want {
			t.Errorf("%v to %v: %d multiply-adds, want %d", c.n.Op(), c.n.Shape(), got, c.want)
		}
	}
}

// derivative is the gradient of Σ y²/2 in x.
func derivative(y, x *gorgonia.Node) (*gorgonia.Node, error) {
	d, err := graph.VectorJacobian(gorgonia.Nodes{y}, gorgonia.Nodes{y}, x)
	if err != nil {
		return nil, err
	}
	return d[0], nil
}
