package ops

import (
	"github.com/pkg/errors"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/internal/exec"
)

// MaxUnpool2D puts the values of x where max pooling found its own, by the switches that MaxPoolIndices
// recorded, and 0 elsewhere (Zeiler and Fergus 2014, section 2.1; PyTorch's MaxUnpool2d):
//
//	y[n, c, i / W, i mod W] = x[n, c, p, q]   with i = indices[n, c, p, q]
//
// x is [N, C, P, Q], indices are of its shape and of type int, y is [N, C, H, W] with size = H, W. Where
// several windows point to one pixel the last of them in reading order counts, and has the gradient. It can be
// differentiated any number of times.
//
// It is an error if indices are not of x's shape, if a side of size is not positive and, when the graph runs,
// if an index lies outside the picture.
func MaxUnpool2D(x, indices *Node, size [2]int) (*Node, error) {
	const name = "max unpool"
	if x == nil || indices == nil {
		return nil, errors.New(name + ": x or indices is nil")
	}
	if err := checkPicture("x", x.Shape()); err != nil {
		return nil, errors.Wrap(err, name)
	}
	if indices.Dtype() != tensor.Int {
		return nil, errors.Errorf("%s: indices are of type %v, want int", name, indices.Dtype())
	}
	if err := checkSteps("size", size[:]...); err != nil {
		return nil, errors.Wrap(err, name)
	}
	if size[0] == 0 || size[1] == 0 {
		return nil, errors.Errorf("%s: size is %v, want at least 1×1", name, size)
	}
	return apply(unpool{size}, x, indices)
}

// unpool is y [N, C, H, W] of x [N, C, P, Q] and indices.
type unpool struct{ size [2]int }

func (unpool) name() string              { return "max unpool" }
func (unpool) differentiable(int) []bool { return []bool{true, false} }

func (r unpool) shape(in []tensor.Shape) (tensor.Shape, error) {
	if !sameShape(in[0], in[1]) {
		return nil, errors.Errorf("x has shape %v and indices %v, want equal shapes", in[0], in[1])
	}
	return tensor.Shape{in[0][0], in[0][1], r.size[0], r.size[1]}, nil
}

func (unpool) run(c *exec.Call) error {
	planes := c.Out.Shape[0] * c.Out.Shape[1]
	if err := checkIndices(&c.In[1], c.Out.Len()/planes); err != nil {
		return err
	}
	return exec.OnFloat(c, unpoolRun[float32], unpoolRun[float64])
}

// checkIndices wants every index inside a picture of so many pixels.
func checkIndices(indices *exec.Array, pixels int) error {
	for k, i := range exec.Data[int](indices) {
		if i < 0 || i >= pixels {
			return errors.Errorf("index %d at element %d, want 0 to %d (the picture has %d pixels)", i, k, pixels-1, pixels)
		}
	}
	return nil
}

func unpoolRun[T exec.Float](c *exec.Call) {
	x, indices, y := exec.Data[T](&c.In[0]), exec.Data[int](&c.In[1]), exec.Data[T](&c.Out)
	planes := c.Out.Shape[0] * c.Out.Shape[1]
	in, out := len(x)/planes, len(y)/planes
	clear(y)
	for k, v := range x {
		y[k/in*out+indices[k]] = v
	}
}

func (r unpool) grad(in gorgonia.Nodes, _, dy *Node) (gorgonia.Nodes, error) {
	dx, err := apply(unpoolGrad(r), dy, in[1])
	return gorgonia.Nodes{dx, nil}, err
}

// unpoolGrad is dx [N, C, P, Q] of dy [N, C, H, W] and indices: the adjoint of unpool.
type unpoolGrad struct{ size [2]int }

func (unpoolGrad) name() string              { return "max unpool gradient" }
func (unpoolGrad) differentiable(int) []bool { return []bool{true, false} }

func (unpoolGrad) shape(in []tensor.Shape) (tensor.Shape, error) { return in[1].Clone(), nil }

func (r unpoolGrad) scratch(*exec.Call) int { return exec.ScratchSize[bool](r.size[0] * r.size[1]) }

func (r unpoolGrad) run(c *exec.Call) error {
	pixels := r.size[0] * r.size[1]
	if err := checkIndices(&c.In[1], pixels); err != nil {
		return err
	}
	if c.Out.Dtype == tensor.Float32 {
		unpoolGradRun[float32](c, pixels)
	} else {
		unpoolGradRun[float64](c, pixels)
	}
	return nil
}

func unpoolGradRun[T exec.Float](c *exec.Call, pixels int) {
	dy, indices, dx := exec.Data[T](&c.In[0]), exec.Data[int](&c.In[1]), exec.Data[T](&c.Out)
	taken := exec.Scratch[bool](c, pixels) // by a later window
	n := c.Out.Shape[2] * c.Out.Shape[3]
	for plane := range len(dx) / n {
		clear(taken)
		for k := (plane+1)*n - 1; k >= plane*n; k-- {
			i := indices[k]
			dx[k] = 0
			if !taken[i] {
				dx[k] = dy[plane*pixels+i]
				taken[i] = true
			}
		}
	}
}

func (r unpoolGrad) grad(in gorgonia.Nodes, _, ddx *Node) (gorgonia.Nodes, error) {
	ddy, err := apply(unpool(r), ddx, in[1])
	return gorgonia.Nodes{ddy, nil}, err
}
