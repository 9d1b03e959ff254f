package nn

import (
	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/ops"
)

// MaxPool2D takes the largest pixel of each window.
type MaxPool2D struct {
	Kernel   int    // height and width
	Window   [2]int // height, width; instead of Kernel where they differ
	Stride   int    // 0 means the kernel's size
	Pad      int    // on every side
	Padding  [4]int // top, bottom, left, right; instead of Pad where they differ
	Same     bool   // pad as TensorFlow's "same"
	Ceil     bool   // round the number of windows up
	Dilation int    // 0 means 1
}

// AvgPool2D takes the mean of each window.
type AvgPool2D struct {
	Kernel   int
	Window   [2]int
	Stride   int
	Pad      int
	Padding  [4]int
	Same     bool
	Ceil     bool
	CountPad bool // padding counts as zeros (PyTorch's default) rather than not at all (TensorFlow, Keras, ONNX)
}

// GlobalAvgPool is the mean of each channel: [N, C, H, W] becomes [N, C].
type GlobalAvgPool struct{}

// GlobalMaxPool is the largest pixel of each channel: [N, C, H, W] becomes [N, C].
type GlobalMaxPool struct{}

func (l MaxPool2D) Apply(g *graph.Graph, x *Node) *Node {
	return unary(g, "max pool", x, func(x *Node) (*Node, error) {
		return ops.MaxPool2D(x, ops.Pool{Kernel: orSquare(l.Window, l.Kernel), Stride: [2]int{l.Stride, l.Stride},
			Dilation: [2]int{l.Dilation, l.Dilation}, Pad: padding(l.Pad, l.Padding), Same: l.Same, Ceil: l.Ceil})
	})
}

func (l AvgPool2D) Apply(g *graph.Graph, x *Node) *Node {
	return unary(g, "average pool", x, func(x *Node) (*Node, error) {
		return ops.AvgPool2D(x, ops.Pool{Kernel: orSquare(l.Window, l.Kernel), Stride: [2]int{l.Stride, l.Stride},
			Pad: padding(l.Pad, l.Padding), Same: l.Same, Ceil: l.Ceil, CountPad: l.CountPad})
	})
}

func (GlobalAvgPool) Apply(g *graph.Graph, x *Node) *Node {
	return unary(g, "global average pool", x, ops.GlobalAvgPool)
}

func (GlobalMaxPool) Apply(g *graph.Graph, x *Node) *Node {
	return unary(g, "global max pool", x, ops.GlobalMaxPool)
}

func orSquare(window [2]int, side int) [2]int {
	if window == [2]int{} {
		return [2]int{side, side}
	}
	return window
}
