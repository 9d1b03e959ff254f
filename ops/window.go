package ops

import (
	"github.com/pkg/errors"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/internal/exec"
	"github.com/stheno-ml/stheno/internal/kernel/pool"
)

// Pool is how a pooling window walks over its picture. Pairs are height, width.
type Pool struct {
	Kernel   [2]int // size of the window; required
	Stride   [2]int // 0 means the kernel's size
	Dilation [2]int // distance between the window's pixels; 0 means 1
	Pad      [4]int // rows and columns around the picture: top, bottom, left, right
	Same     bool   // pad as TensorFlow's "same" does instead: outputs = ⌈inputs / stride⌉, the odd one below and right
	Ceil     bool   // round the number of windows up, as long as a window begins inside the picture or the padding before it
	CountPad bool   // AvgPool2D: padding counts as pixels that are 0 (PyTorch's default) rather than not at all (TensorFlow, Keras, ONNX)
}

// window is a Pool laid over a picture of one size.
type window struct {
	in, kernel, out  [2]int
	stride, dilation [2]int
	before, after    [2]int // padding above and left, below and right
	flat             bool   // the result is [N, C]: one window, over all of the picture
}

func (a Pool) over(x tensor.Shape) (window, error) {
	var g window
	if err := checkPicture("x", x); err != nil {
		return g, err
	}
	for _, err := range []error{
		checkSteps("kernel", a.Kernel[:]...), checkSteps("stride", a.Stride[:]...),
		checkSteps("dilation", a.Dilation[:]...), checkSteps("padding (top, bottom, left, right)", a.Pad[:]...),
	} {
		if err != nil {
			return g, err
		}
	}
	if a.Kernel[0] == 0 || a.Kernel[1] == 0 {
		return g, errors.Errorf("kernel is %v, want at least 1×1", a.Kernel)
	}
	g = window{in: [2]int{x[2], x[3]}, kernel: a.Kernel, stride: a.Stride, dilation: orOne(a.Dilation)}
	for i := range 2 {
		if g.stride[i] == 0 {
			g.stride[i] = a.Kernel[i]
		}
		reach := g.dilation[i]*(g.kernel[i]-1) + 1
		g.before[i], g.after[i] = a.Pad[2*i], a.Pad[2*i+1]
		if g.before[i] >= reach || g.after[i] >= reach {
			return g, errors.Errorf("padding %v (top, bottom, left, right), want each less than the window's reach, %d along axis %d", a.Pad, reach, 2+i)
		}
		if a.Same {
			if a.Pad != [4]int{} || a.Ceil {
				return g, errors.Errorf("padding %v or Ceil is given together with Same: want one of them", a.Pad)
			}
			g.out[i] = (g.in[i] + g.stride[i] - 1) / g.stride[i]
			pad := max(0, (g.out[i]-1)*g.stride[i]+reach-g.in[i])
			g.before[i], g.after[i] = pad/2, pad-pad/2
			continue
		}
		room := g.in[i] + g.before[i] + g.after[i] - reach
		if room < 0 {
			return g, errors.Errorf("the window reaches over %d pixels along axis %d, the padded picture has %d (x %v, padding %v)", reach, 2+i, room+reach, x, a.Pad)
		}
		g.out[i] = room/g.stride[i] + 1
		if a.Ceil && room%g.stride[i] != 0 && g.out[i]*g.stride[i] < g.in[i]+g.before[i] {
			g.out[i]++
		}
	}
	return g, nil
}

// pooled is the shape of the result for n pictures of c channels.
func (g *window) pooled(n, c int) tensor.Shape {
	if g.flat {
		return tensor.Shape{n, c}
	}
	return tensor.Shape{n, c, g.out[0], g.out[1]}
}

// checkPooled wants the shape of a result.
func (g *window) checkPooled(what string, s tensor.Shape) error {
	if want := g.pooled(s[0], s[1]); !sameShape(s, want) {
		return errors.Errorf("%s has shape %v, want %v", what, s, want)
	}
	return nil
}

// forward is the kernels' description of pooling in this call.
func (g *window) forward(c *exec.Call) pool.Shape {
	s := g.shape(c.In[0].Shape[0], c.In[0].Shape[1])
	s.Pitch = c.Out.Pitch
	return s
}

// shape is the kernels' description.
func (g *window) shape(n, c int) pool.Shape {
	return pool.Shape{
		N: n, H: g.in[0], W: g.in[1], C: c, R: g.kernel[0], S: g.kernel[1], P: g.out[0], Q: g.out[1],
		StrideH: g.stride[0], StrideW: g.stride[1], PadTop: g.before[0], PadLeft: g.before[1],
		DilationH: g.dilation[0], DilationW: g.dilation[1],
	}
}
