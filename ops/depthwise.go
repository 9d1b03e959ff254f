package ops

import "github.com/pkg/errors"

// DepthwiseConv2D gives every input channel filters of its own (Sifre 2014; Chollet 2017, "Xception"): with
// depth multiplier M, output channel c·M + m is channel c convolved with filter c·M + m.
//
// x is [N, C, H, W], w [C·M, 1, R, S], bias [C·M] or nil, y [N, C·M, P, Q]; P and Q are as for Conv2D. It is
// Conv2D with C groups, so a.Groups must be 0 or C.
//
// It is an error if w does not have one input channel, or a number of filters that is no multiple of C.
func DepthwiseConv2D(x, w, bias *Node, a Conv) (*Node, error) {
	const name = "depthwise conv2d"
	if x == nil || w == nil {
		return nil, errors.New(name + ": x or w is nil")
	}
	if err := checkFilters(x.Shape(), w.Shape()); err != nil {
		return nil, errors.Wrap(err, name)
	}
	xs, ws := x.Shape(), w.Shape()
	if a.Groups != 0 && a.Groups != xs[1] {
		return nil, errors.Errorf("%s: Groups is %d, want 0 or the %d channels of x", name, a.Groups, xs[1])
	}
	if ws[1] != 1 || ws[0]%xs[1] != 0 {
		return nil, errors.Errorf("%s: w has shape %v, want [C·M, 1, R, S] with C = %d as x %v has it", name, ws, xs[1], xs)
	}
	a.Groups = xs[1]
	y, err := Conv2D(x, w, bias, a)
	return y, errors.Wrap(err, name)
}

// SeparableConv2D is DepthwiseConv2D and then a 1×1 convolution that mixes the channels, with nothing in
// between (Chollet 2017, "Xception: Deep Learning with Depthwise Separable Convolutions"; Keras's
// SeparableConv2D).
//
// x is [N, C, H, W], depthwise [C·M, 1, R, S], pointwise [K, C·M, 1, 1], bias [K] or nil, y [N, K, P, Q].
// Attributes belong to the depthwise part.
//
// It is an error if one of the two convolutions does not fit, or if pointwise is not 1×1.
func SeparableConv2D(x, depthwise, pointwise, bias *Node, a Conv) (*Node, error) {
	const name = "separable conv2d"
	if pointwise == nil {
		return nil, errors.New(name + ": pointwise is nil")
	}
	if s := pointwise.Shape(); len(s) != 4 || s[2] != 1 || s[3] != 1 {
		return nil, errors.Errorf("%s: pointwise has shape %v, want [K, C·M, 1, 1]", name, s)
	}
	h, err := DepthwiseConv2D(x, depthwise, nil, a)
	if err != nil {
		return nil, errors.Wrap(err, name)
	}
	y, err := Conv2D(h, pointwise, bias, Conv{})
	return y, errors.Wrap(err, name)
}
