package nn

import (
	"github.com/pkg/errors"

	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/ops"
)

// Conv2D is a convolution with weights [Filters, C/Groups, height, width] and, unless NoBias, a bias
// [Filters]. Its variables are called weight and bias.
type Conv2D struct {
	Name     string // of the scope; empty means "conv2d" and a number
	Filters  int
	Kernel   int    // height and width
	Window   [2]int // height, width; instead of Kernel where they differ
	Stride   int    // 0 means 1
	Pad      int    // zeros on every side
	Padding  [4]int // top, bottom, left, right; instead of Pad where they differ
	Same     bool   // pad as TensorFlow's "same"
	Dilation int    // 0 means 1
	Groups   int    // 0 means 1
	NoBias   bool   // as a batch norm that follows makes it useless
	Spectral bool   // spectral norm (see SpectralNorm)
	Careful  bool   // less rounding in training (see ops.Conv), where many batch norms after it multiply that

	Init     graph.Init // of the weights; nil means HeNormal{}, as ReLU wants it
	BiasInit graph.Init // nil means zeros
}

// Apply adds the convolution of x [N, C, H, W].
func (l Conv2D) Apply(g *graph.Graph, x *Node) *Node {
	return g.Apply("conv2d", l.Name, func(g *graph.Graph) (*Node, error) {
		window, err := l.window(x)
		if err != nil {
			return nil, err
		}
		groups := max(l.Groups, 1)
		c := x.Shape()[1]
		if c%groups != 0 {
			return nil, errors.Errorf("%d channels do not fall into %d groups", c, groups)
		}
		w := weight(g, l.Spectral, 0, or(l.Init, HeNormal{}), l.Filters, c/groups, window[0], window[1])
		b := bias(g, l.NoBias, l.BiasInit, l.Filters)
		if err := g.Err(); err != nil {
			return nil, err
		}
		a := l.attributes()
		a.Careful = l.Careful && g.Mode() == graph.Train
		return ops.Conv2D(x, w, b, a)
	}, x)
}

func (l Conv2D) window(x *Node) ([2]int, error) {
	if err := wantPicture(x); err != nil {
		return l.Window, err
	}
	return windowOf(l.Filters, l.Kernel, l.Window)
}

func (l Conv2D) attributes() ops.Conv {
	return ops.Conv{Stride: [2]int{l.Stride, l.Stride}, Dilation: [2]int{l.Dilation, l.Dilation},
		Pad: padding(l.Pad, l.Padding), Same: l.Same, Groups: l.Groups}
}

// DepthwiseConv2D gives every channel Multiplier filters of its own: weights [C·Multiplier, 1, height, width].
type DepthwiseConv2D struct {
	Name       string
	Multiplier int // filters a channel; 0 means 1
	Kernel     int
	Window     [2]int
	Stride     int
	Pad        int
	Padding    [4]int
	Same       bool
	Dilation   int
	NoBias     bool

	Init, BiasInit graph.Init
}

// Apply adds the convolution of x [N, C, H, W].
func (l DepthwiseConv2D) Apply(g *graph.Graph, x *Node) *Node {
	return g.Apply("depthwise conv2d", l.Name, func(g *graph.Graph) (*Node, error) {
		if err := wantPicture(x); err != nil {
			return nil, err
		}
		c := x.Shape()[1]
		filters := c * max(l.Multiplier, 1)
		window, err := windowOf(filters, l.Kernel, l.Window)
		if err != nil {
			return nil, err
		}
		w := g.Parameter("weight", or(l.Init, HeNormal{}), filters, 1, window[0], window[1])
		b := bias(g, l.NoBias, l.BiasInit, filters)
		if err := g.Err(); err != nil {
			return nil, err
		}
		return ops.DepthwiseConv2D(x, w, b, ops.Conv{Stride: [2]int{l.Stride, l.Stride},
			Dilation: [2]int{l.Dilation, l.Dilation}, Pad: padding(l.Pad, l.Padding), Same: l.Same})
	}, x)
}

// SeparableConv2D is a depthwise convolution and then a 1×1 convolution to Filters channels, with nothing in
// between, as in Xception. The variables are depthwise.weight, pointwise.weight and pointwise.bias.
type SeparableConv2D struct {
	Name       string
	Filters    int
	Multiplier int
	Kernel     int
	Window     [2]int
	Stride     int
	Pad        int
	Padding    [4]int
	Same       bool
	Dilation   int
	NoBias     bool

	Init, BiasInit graph.Init
}

// Apply adds both convolutions.
func (l SeparableConv2D) Apply(g *graph.Graph, x *Node) *Node {
	return g.Apply("separable conv2d", l.Name, func(g *graph.Graph) (*Node, error) {
		h := DepthwiseConv2D{Name: "depthwise", Multiplier: l.Multiplier, Kernel: l.Kernel, Window: l.Window, Stride: l.Stride,
			Pad: l.Pad, Padding: l.Padding, Same: l.Same, Dilation: l.Dilation, NoBias: true, Init: l.Init}.Apply(g, x)
		h = Conv2D{Name: "pointwise", Filters: l.Filters, Kernel: 1, NoBias: l.NoBias, Init: l.Init, BiasInit: l.BiasInit}.Apply(g, h)
		return h, g.Err()
	}, x)
}

// TransposedConv2D is the adjoint of a convolution used forward, as generators use it to enlarge pictures:
// weights [C, Filters/Groups, height, width].
type TransposedConv2D struct {
	Name      string
	Filters   int
	Kernel    int
	Window    [2]int
	Stride    int
	Pad       int
	Padding   [4]int
	OutputPad int // rows and columns added below and to the right
	Dilation  int
	Groups    int
	NoBias    bool
	Spectral  bool // spectral norm (see SpectralNorm)

	Init, BiasInit graph.Init
}

// Apply adds the transposed convolution of x [N, C, H, W].
func (l TransposedConv2D) Apply(g *graph.Graph, x *Node) *Node {
	return g.Apply("transposed conv2d", l.Name, func(g *graph.Graph) (*Node, error) {
		if err := wantPicture(x); err != nil {
			return nil, err
		}
		window, err := windowOf(l.Filters, l.Kernel, l.Window)
		if err != nil {
			return nil, err
		}
		groups := max(l.Groups, 1)
		if l.Filters%groups != 0 {
			return nil, errors.Errorf("%d filters do not fall into %d groups", l.Filters, groups)
		}
		w := weight(g, l.Spectral, 1, or(l.Init, HeNormal{}), x.Shape()[1], l.Filters/groups, window[0], window[1])
		b := bias(g, l.NoBias, l.BiasInit, l.Filters)
		if err := g.Err(); err != nil {
			return nil, err
		}
		return ops.TransposedConv2D(x, w, b, ops.ConvTranspose{Stride: [2]int{l.Stride, l.Stride}, Dilation: [2]int{l.Dilation, l.Dilation},
			Pad: padding(l.Pad, l.Padding), OutputPad: [2]int{l.OutputPad, l.OutputPad}, Groups: l.Groups})
	}, x)
}

func wantPicture(x *Node) error {
	if s := x.Shape(); len(s) != 4 {
		return errors.Errorf("input has shape %v, want a picture [N, C, H, W]", s)
	}
	return nil
}

func windowOf(filters, kernel int, window [2]int) ([2]int, error) {
	if window == [2]int{} {
		window = [2]int{kernel, kernel}
	}
	if filters < 1 || window[0] < 1 || window[1] < 1 {
		return window, errors.Errorf("%d filters of %d by %d, want at least one of 1 by 1", filters, window[0], window[1])
	}
	return window, nil
}

func padding(all int, sides [4]int) [4]int {
	if sides == [4]int{} {
		return [4]int{all, all, all, all}
	}
	return sides
}

func bias(g *graph.Graph, without bool, init graph.Init, n int) *Node {
	if without {
		return nil
	}
	return g.Parameter("bias", or(init, Zeros{}), n)
}

func or(init, otherwise graph.Init) graph.Init {
	if init == nil {
		return otherwise
	}
	return init
}
