package ops

import (
	"github.com/pkg/errors"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/internal/exec"
	"github.com/stheno-ml/stheno/internal/kernel/par"
	"github.com/stheno-ml/stheno/internal/kernel/pool"
)

// MaxPool2D is the largest value of each window (Riesenhuber and Poggio 1999; Ranzato et al. 2007):
//
//	y[n, c, p, q] = max over (r, s) of x[n, c, p·stride − top + r·dilation, q·stride − left + s·dilation]
//
// over the pixels inside the picture: padding never wins. x is [N, C, H, W], y [N, C, P, Q], with P and Q as
// for Conv2D, or rounded up (Pool.Ceil). A NaN in the window is its largest value. The gradient goes to the
// first largest value in reading order, as PyTorch's; it can be differentiated again, with those fixed.
//
// It is an error if a kernel side is not positive, padding is as large as the window, or the window is larger
// than the padded picture.
func MaxPool2D(x *Node, a Pool) (*Node, error) {
	const name = "max pool"
	if x == nil {
		return nil, errors.New(name + ": x is nil")
	}
	g, err := a.over(x.Shape())
	if err != nil {
		return nil, errors.Wrap(err, name)
	}
	return apply(maxPool{g}, x)
}

// MaxPoolIndices tells where MaxPool2D with the same attributes found its values, the switches of Zeiler and
// Fergus 2014 ("Visualizing and Understanding Convolutional Networks"): h·W + w of the pixel in its picture,
// of type int, [N, C, P, Q], as PyTorch counts them. It has no derivative.
func MaxPoolIndices(x *Node, a Pool) (*Node, error) {
	const name = "max pool indices"
	if x == nil {
		return nil, errors.New(name + ": x is nil")
	}
	g, err := a.over(x.Shape())
	if err != nil {
		return nil, errors.Wrap(err, name)
	}
	taps, err := apply(maxTaps{g}, x)
	if err != nil {
		return nil, err
	}
	return apply(maxPositions{g}, taps)
}

// maxPool is y [N, C, P, Q] of x [N, C, H, W].
type maxPool struct{ g window }

func (maxPool) name() string { return "max pool" }

func (r maxPool) shape(in []tensor.Shape) (tensor.Shape, error) {
	return r.g.pooled(in[0][0], in[0][1]), nil
}

func (maxPool) flows(in []tensor.Shape, _ tensor.Shape) ([]exec.Flow, exec.Flow) {
	return lastFlows(len(in))
}

func (r maxPool) flops(_ []tensor.Shape, out tensor.Shape) int64 {
	return int64(exec.Size(out) * r.g.kernel[0] * r.g.kernel[1])
}

func (maxPool) scratch(c *exec.Call) int { return pictureScratch(&c.In[0], &c.Out) }

func (maxPool) canPitch(*exec.Call) bool { return true }

func (r maxPool) run(c *exec.Call) error {
	s := r.g.forward(c)
	if c.Out.Dtype == tensor.Float32 {
		maxPoolRun[float32](c, s)
	} else {
		maxPoolRun[float64](c, s)
	}
	return nil
}

func maxPoolRun[T exec.Float](c *exec.Call, s pool.Shape) {
	x, y := loadPicture[T](c, &c.In[0]), makePicture[T](c)
	pool.MaxForward[T, uint8](y, nil, x, s)
	storePicture(c, y)
}

// The places of the largest values are a node of their own: on the way forward nobody knows yet whether there will
// be a way back. If there is, the tape finds them along with the values (pairpool.go).
func (r maxPool) grad(in gorgonia.Nodes, _, dy *Node) (gorgonia.Nodes, error) {
	taps, err := apply(maxTaps{r.g}, in[0])
	if err != nil {
		return nil, err
	}
	dx, err := apply(maxScatter{r.g}, dy, taps)
	return gorgonia.Nodes{dx}, err
}

// maxTaps is the place r·S + s of the largest value in each window, one byte where that is enough. Its shape
// is [N, P, Q, C]: the kernels' order, whichever order pictures have.
type maxTaps struct{ g window }

func (maxTaps) name() string              { return "max pool taps" }
func (maxTaps) differentiable(int) []bool { return []bool{false} }

func (r maxTaps) dtype([]tensor.Dtype) (tensor.Dtype, error) { return r.g.tapType(), nil }

// tapType is the type of a place in the window.
func (g *window) tapType() tensor.Dtype {
	if g.kernel[0]*g.kernel[1] <= 256 {
		return tensor.Uint8
	}
	return tensor.Int32
}

func (r maxTaps) shape(in []tensor.Shape) (tensor.Shape, error) {
	return tensor.Shape{in[0][0], r.g.out[0], r.g.out[1], in[0][1]}, nil
}

func (maxTaps) flows(in []tensor.Shape, _ tensor.Shape) ([]exec.Flow, exec.Flow) {
	return []exec.Flow{exec.Last}, exec.Plain
}

func (maxTaps) scratch(c *exec.Call) int {
	return pictureScratch(&c.In[0]) + exec.ScratchSize[uint8](c.Out.Len()*int(c.In[0].Dtype.Size()))
}

func (r maxTaps) run(c *exec.Call) error {
	s := r.g.shape(c.In[0].Shape[0], c.In[0].Shape[1])
	if c.In[0].Dtype == tensor.Float32 {
		maxTapsRun[float32](c, s)
	} else {
		maxTapsRun[float64](c, s)
	}
	return nil
}

func maxTapsRun[T exec.Float](c *exec.Call, s pool.Shape) {
	x := loadPicture[T](c, &c.In[0])
	y := exec.Scratch[T](c, c.Out.Len())
	if c.Out.Dtype == tensor.Uint8 {
		pool.MaxForward(y, exec.Data[uint8](&c.Out), x, s)
	} else {
		pool.MaxForward(y, exec.Data[int32](&c.Out), x, s)
	}
}

func (maxTaps) grad(gorgonia.Nodes, *Node, *Node) (gorgonia.Nodes, error) {
	return gorgonia.Nodes{nil}, nil
}

// maxScatter adds each window's dy [N, C, P, Q] to the pixel of dx [N, C, H, W] that taps point to: the
// gradient of max pooling.
type maxScatter struct{ g window }

func (maxScatter) name() string              { return "max pool gradient" }
func (maxScatter) differentiable(int) []bool { return []bool{true, false} }

func (r maxScatter) shape(in []tensor.Shape) (tensor.Shape, error) {
	return tensor.Shape{in[0][0], in[0][1], r.g.in[0], r.g.in[1]}, r.g.checkPooled("dy", in[0])
}

func (maxScatter) flows(in []tensor.Shape, _ tensor.Shape) ([]exec.Flow, exec.Flow) {
	return []exec.Flow{exec.Last, exec.Plain}, exec.Last
}

func (maxScatter) scratch(c *exec.Call) int { return pictureScratch(&c.In[0], &c.Out) }

func (maxScatter) readsPitched(input int) bool { return input == 0 }

func (r maxScatter) run(c *exec.Call) error {
	s := r.g.shape(c.In[0].Shape[0], c.In[0].Shape[1])
	s.Pitch = c.In[0].Pitch
	if c.Out.Dtype == tensor.Float32 {
		maxScatterRun[float32](c, s)
	} else {
		maxScatterRun[float64](c, s)
	}
	return nil
}

func maxScatterRun[T exec.Float](c *exec.Call, s pool.Shape) {
	dy, dx := loadPicture[T](c, &c.In[0]), makePicture[T](c)
	if c.In[1].Dtype == tensor.Uint8 {
		pool.MaxBackward(dx, dy, exec.Data[uint8](&c.In[1]), s)
	} else {
		pool.MaxBackward(dx, dy, exec.Data[int32](&c.In[1]), s)
	}
	storePicture(c, dx)
}

func (r maxScatter) grad(in gorgonia.Nodes, _, ddx *Node) (gorgonia.Nodes, error) {
	ddy, err := apply(maxGather{r.g}, ddx, in[1])
	return gorgonia.Nodes{ddy, nil}, err
}

// maxGather takes from each window of x [N, C, H, W] the pixel that taps point to: the adjoint of maxScatter.
type maxGather struct{ g window }

func (maxGather) name() string              { return "max pool gather" }
func (maxGather) differentiable(int) []bool { return []bool{true, false} }

func (r maxGather) shape(in []tensor.Shape) (tensor.Shape, error) {
	return r.g.pooled(in[0][0], in[0][1]), nil
}

func (maxGather) flows(in []tensor.Shape, _ tensor.Shape) ([]exec.Flow, exec.Flow) {
	return []exec.Flow{exec.Last, exec.Plain}, exec.Last
}

func (maxGather) scratch(c *exec.Call) int { return pictureScratch(&c.In[0], &c.Out) }

func (r maxGather) run(c *exec.Call) error {
	s := r.g.shape(c.In[0].Shape[0], c.In[0].Shape[1])
	if c.Out.Dtype == tensor.Float32 {
		maxGatherRun[float32](c, s)
	} else {
		maxGatherRun[float64](c, s)
	}
	return nil
}

func maxGatherRun[T exec.Float](c *exec.Call, s pool.Shape) {
	x, y := loadPicture[T](c, &c.In[0]), makePicture[T](c)
	const grain = 16 << 10 // values a chunk
	if c.In[1].Dtype == tensor.Uint8 {
		par.For(s.N*s.P*s.Q, max(1, grain/s.C), gatherTask[T, uint8]{s, y, x, exec.Data[uint8](&c.In[1])})
	} else {
		par.For(s.N*s.P*s.Q, max(1, grain/s.C), gatherTask[T, int32]{s, y, x, exec.Data[int32](&c.In[1])})
	}
	storePicture(c, y)
}

type gatherTask[T exec.Float, I pool.Index] struct {
	s    pool.Shape
	y, x []T
	taps []I
}

// Run does windows lo to hi−1 of all N·P·Q.
func (k *gatherTask[T, I]) Run(lo, hi int) {
	s := &k.s
	for i := lo; i < hi; i++ {
		for c := range s.C {
			h, w := tapPixel(s, i, int(k.taps[i*s.C+c]))
			if h < 0 || h >= s.H || w < 0 || w >= s.W { // a window with no pixel inside the picture
				k.y[i*s.C+c] = 0
				continue
			}
			k.y[i*s.C+c] = k.x[((i/(s.P*s.Q)*s.H+h)*s.W+w)*s.C+c]
		}
	}
}

// tapPixel is the pixel of a tap of window i of all N·P·Q.
func tapPixel(s *pool.Shape, i, tap int) (h, w int) {
	p, q := i/s.Q%s.P, i%s.Q
	return p*s.StrideH - s.PadTop + tap/s.S*s.DilationH, q*s.StrideW - s.PadLeft + tap%s.S*s.DilationW
}

func (r maxGather) grad(in gorgonia.Nodes, _, dy *Node) (gorgonia.Nodes, error) {
	dx, err := apply(maxScatter{r.g}, dy, in[1])
	return gorgonia.Nodes{dx, nil}, err
}

// maxPositions turns taps [N, P, Q, C] into h·W + w [N, C, P, Q].
type maxPositions struct{ g window }

func (maxPositions) name() string                               { return "max pool indices" }
func (maxPositions) differentiable(int) []bool                  { return []bool{false} }
func (maxPositions) dtype([]tensor.Dtype) (tensor.Dtype, error) { return tensor.Int, nil }
func (r maxPositions) shape(in []tensor.Shape) (tensor.Shape, error) {
	return r.g.pooled(in[0][0], in[0][3]), nil
}

func (r maxPositions) run(c *exec.Call) error {
	s := r.g.shape(c.In[0].Shape[0], c.In[0].Shape[3])
	if c.In[0].Dtype == tensor.Uint8 {
		positions(exec.Data[int](&c.Out), exec.Data[uint8](&c.In[0]), &s)
	} else {
		positions(exec.Data[int](&c.Out), exec.Data[int32](&c.In[0]), &s)
	}
	return nil
}

func positions[I pool.Index](out []int, taps []I, s *pool.Shape) {
	for k, tap := range taps {
		i, c := k/s.C, k%s.C
		h, w := tapPixel(s, i, int(tap))
		out[(i/(s.P*s.Q)*s.C+c)*s.P*s.Q+i%(s.P*s.Q)] = h*s.W + w
	}
}

func (maxPositions) grad(gorgonia.Nodes, *Node, *Node) (gorgonia.Nodes, error) {
	return gorgonia.Nodes{nil}, nil
}
