package ops

import (
	"github.com/pkg/errors"
)

// ConvTranspose is how a transposed convolution spreads its picture. Pairs are height, width.
type ConvTranspose struct {
	Stride    [2]int // 0 means 1
	Dilation  [2]int // distance between taps; 0 means 1
	Pad       [4]int // rows and columns cut off the result: top, bottom, left, right
	OutputPad [2]int // rows and columns added below and to the right, where they may still get a value: less than stride or dilation
	Groups    int    // 0 means 1
}

// TransposedConv2D is the adjoint of Conv2D used forward ("deconvolution", Zeiler et al. 2010; the generator
// of DCGAN, Radford et al. 2016):
//
//	y[n, k, p·stride − pad + r·dilation, q·stride − pad + s·dilation] += w[c, k, r, s] · x[n, c, p, q],  then + bias[k]
//
// x is [N, C, P, Q], w [C, K/Groups, R, S] as PyTorch and ONNX keep it, bias [K] or nil, y [N, K, H, W] with
//
//	H = (P−1)·stride − top − bottom + dilation·(R−1) + 1 + output padding
//
// and W likewise. It can be differentiated any number of times.
//
// It is an error if the channels of x, w and bias do not fit each other or Groups, if an output padding is
// not smaller than stride or dilation, and if nothing is left after the padding is cut off.
func TransposedConv2D(x, w, bias *Node, a ConvTranspose) (*Node, error) {
	const name = "transposed conv2d"
	if x == nil || w == nil {
		return nil, errors.New(name + ": x or w is nil")
	}
	if err := checkFilters(x.Shape(), w.Shape()); err != nil {
		return nil, errors.Wrap(err, name)
	}
	xs, ws := x.Shape(), w.Shape()
	g, pad, err := Conv{Stride: a.Stride, Dilation: a.Dilation, Pad: a.Pad, Groups: a.Groups}.geometry(ws)
	if err != nil {
		return nil, errors.Wrap(err, name)
	}
	if xs[1] != ws[0] || xs[1]%g.groups != 0 {
		return nil, errors.Errorf("%s: x has shape %v, w %v and Groups is %d: want w [C, K/Groups, R, S] for x [N, C, P, Q] and C a multiple of Groups", name, xs, ws, g.groups)
	}
	for i := range 2 {
		extra := a.OutputPad[i]
		if extra < 0 || extra >= max(g.stride[i], g.dilation[i]) {
			return nil, errors.Errorf("%s: output padding %v, want at least 0 and less than stride %v or dilation %v", name, a.OutputPad, g.stride, g.dilation)
		}
		g.out[i] = xs[2+i]
		g.in[i] = (xs[2+i]-1)*g.stride[i] - pad[2*i] - pad[2*i+1] + g.dilation[i]*(g.kernel[i]-1) + 1 + extra
		if g.in[i] <= 0 {
			return nil, errors.Errorf("%s: padding %v (top, bottom, left, right) leaves %d pixels along axis %d (x %v, w %v)", name, a.Pad, g.in[i], 2+i, xs, ws)
		}
	}
	y, err := apply(convInput{g, ws[1] * g.groups}, x, w)
	if err != nil {
		return nil, errors.Wrap(err, name)
	}
	if bias == nil {
		return y, nil
	}
	return AddBias(y, bias)
}
