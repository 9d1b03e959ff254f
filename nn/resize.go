package nn

import (
	"cmp"

	"github.com/pkg/errors"

	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/ops"
)

// Upsample2D enlarges a picture: [N, C, H, W] becomes [N, C, Scale·H, Scale·W]. It has no weights.
type Upsample2D struct {
	Scale        float64 // 0 means 2; below 1 it shrinks, without antialiasing
	Bilinear     bool    // the four nearest pixels weighted, instead of the nearest one
	AlignCorners bool    // of Bilinear: corners stay corners
}

// Apply adds the resampling.
func (l Upsample2D) Apply(g *graph.Graph, x *Node) *Node {
	return unary(g, "upsample", x, func(x *Node) (*Node, error) {
		scale := cmp.Or(l.Scale, 2)
		c := ops.ResizeConfig{Scale: [2]float64{scale, scale}}
		if l.Bilinear {
			c.Mode = ops.Bilinear
		}
		if l.AlignCorners {
			if !l.Bilinear {
				return nil, errors.New("AlignCorners goes with Bilinear")
			}
			c.Coordinates = ops.AlignCorners
		}
		return ops.Resize(x, c)
	})
}

// PixelShuffle makes a larger picture of channels: [N, C·r², H, W] becomes [N, C, r·H, r·W] with r = Factor (Shi et al.
// 2016, "Real-Time Single Image and Video Super-Resolution", equation 4; the order of channels is PyTorch's).
type PixelShuffle struct{ Factor int }

// Apply adds the rearrangement.
func (l PixelShuffle) Apply(g *graph.Graph, x *Node) *Node {
	return unary(g, "pixel shuffle", x, func(x *Node) (*Node, error) {
		if err := wantPicture(x); err != nil {
			return nil, err
		}
		s, r := x.Shape(), l.Factor
		if r < 1 || s[1]%(r*r) != 0 {
			return nil, errors.Errorf("factor %d of an input of shape %v: want at least 1, and channels in multiples of its square", r, s)
		}
		n, c, h, w := s[0], s[1]/(r*r), s[2], s[3]
		x, err := ops.Reshape(x, n*c, r, r, h, w)
		if err == nil {
			x, err = ops.Transpose(x, 0, 3, 1, 4, 2) // [N·C, H, r, W, r]
		}
		if err == nil {
			x, err = ops.Reshape(x, n, c, r*h, r*w)
		}
		return x, err
	})
}

// Pad2D puts pixels around a picture [N, C, H, W].
type Pad2D struct {
	Pad     int    // on every side
	Padding [4]int // top, bottom, left, right; instead of Pad where they differ
	Mode    ops.PadMode
	Value   float64 // of ops.PadConstant, which is the default
}

// Apply adds the padding.
func (l Pad2D) Apply(g *graph.Graph, x *Node) *Node {
	return unary(g, "pad", x, func(x *Node) (*Node, error) {
		if err := wantPicture(x); err != nil {
			return nil, err
		}
		p := padding(l.Pad, l.Padding)
		return ops.Pad(x, ops.PadConfig{Before: []int{0, 0, p[0], p[2]}, After: []int{0, 0, p[1], p[3]}, Mode: l.Mode, Value: l.Value})
	})
}

// Reshape gives each sample the shape of Sizes, of which one may be −1: [N, …] becomes [N, Sizes…].
type Reshape struct{ Sizes []int }

// Apply adds the reshape.
func (l Reshape) Apply(g *graph.Graph, x *Node) *Node {
	return unary(g, "reshape", x, func(x *Node) (*Node, error) {
		return ops.Reshape(x, append([]int{x.Shape()[0]}, l.Sizes...)...)
	})
}
