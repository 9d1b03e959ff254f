package ops

import (
	"github.com/pkg/errors"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/internal/exec"
	"github.com/stheno-ml/stheno/internal/kernel/pool"
)

// AvgPool2D is the mean of each window (LeCun et al. 1990):
//
//	y[n, c, p, q] = Σ_r Σ_s x[n, c, p·stride − top + r·dilation, q·stride − left + s·dilation] / count
//
// over the pixels inside the picture. count is how many those are or, with Pool.CountPad, how many pixels of
// the window lie inside the padded picture (so that a last window made by Pool.Ceil does not count what lies
// beyond the padding: PyTorch's and ONNX's rule). x is [N, C, H, W], y [N, C, P, Q]. It can be differentiated any number of times.
//
// Errors are those of MaxPool2D.
func AvgPool2D(x *Node, a Pool) (*Node, error) {
	const name = "average pool"
	if x == nil {
		return nil, errors.New(name + ": x is nil")
	}
	g, err := a.over(x.Shape())
	if err != nil {
		return nil, errors.Wrap(err, name)
	}
	return apply(avgPool{g, a.CountPad}, x)
}

// avgPool is y [N, C, P, Q] of x [N, C, H, W].
type avgPool struct {
	g        window
	countPad bool
}

func (avgPool) name() string { return "average pool" }

func (r avgPool) shape(in []tensor.Shape) (tensor.Shape, error) {
	return r.g.pooled(in[0][0], in[0][1]), nil
}

func (avgPool) flows(in []tensor.Shape, _ tensor.Shape) ([]exec.Flow, exec.Flow) {
	return lastFlows(len(in))
}

func (r avgPool) flops(_ []tensor.Shape, out tensor.Shape) int64 {
	return int64(exec.Size(out) * r.g.kernel[0] * r.g.kernel[1])
}

func (avgPool) scratch(c *exec.Call) int { return pictureScratch(&c.In[0], &c.Out) }

func (r avgPool) canPitch(*exec.Call) bool { return !r.g.flat }

func (r avgPool) run(c *exec.Call) error {
	if c.Out.Dtype == tensor.Float32 {
		avgPoolRun[float32](c, &r)
	} else {
		avgPoolRun[float64](c, &r)
	}
	return nil
}

// divisor is the kernels' word for what is counted.
func (r *avgPool) divisor() pool.Divisor {
	return pool.Divisor{CountPad: r.countPad, PadBottom: r.g.after[0], PadRight: r.g.after[1]}
}

func avgPoolRun[T exec.Float](c *exec.Call, r *avgPool) {
	s := r.g.forward(c)
	x, y := loadPicture[T](c, &c.In[0]), makePicture[T](c)
	if r.g.flat {
		pool.GlobalForward(y, x, s.N, s.H*s.W, s.C)
	} else {
		pool.AverageForward(y, x, s, r.divisor())
	}
	storePicture(c, y)
}

func (r avgPool) grad(_ gorgonia.Nodes, _, dy *Node) (gorgonia.Nodes, error) {
	dx, err := apply(avgSpread(r), dy)
	return gorgonia.Nodes{dx}, err
}

// avgSpread shares each window's dy [N, C, P, Q] out over dx [N, C, H, W]: the gradient of average pooling.
type avgSpread avgPool

func (avgSpread) name() string { return "average pool gradient" }

func (r avgSpread) shape(in []tensor.Shape) (tensor.Shape, error) {
	return tensor.Shape{in[0][0], in[0][1], r.g.in[0], r.g.in[1]}, r.g.checkPooled("dy", in[0])
}

func (avgSpread) flows(in []tensor.Shape, _ tensor.Shape) ([]exec.Flow, exec.Flow) {
	return lastFlows(len(in))
}

func (avgSpread) scratch(c *exec.Call) int { return pictureScratch(&c.In[0], &c.Out) }

func (r avgSpread) run(c *exec.Call) error {
	a := avgPool(r)
	if c.Out.Dtype == tensor.Float32 {
		avgSpreadRun[float32](c, &a)
	} else {
		avgSpreadRun[float64](c, &a)
	}
	return nil
}

func avgSpreadRun[T exec.Float](c *exec.Call, r *avgPool) {
	s := r.g.shape(c.In[0].Shape[0], c.In[0].Shape[1])
	dy, dx := loadPicture[T](c, &c.In[0]), makePicture[T](c)
	if r.g.flat {
		pool.GlobalBackward(dx, dy, s.N, s.H*s.W, s.C)
	} else {
		pool.AverageBackward(dx, dy, s, r.divisor())
	}
	storePicture(c, dx)
}

func (r avgSpread) grad(_ gorgonia.Nodes, _, ddx *Node) (gorgonia.Nodes, error) {
	ddy, err := apply(avgPool(r), ddx)
	return gorgonia.Nodes{ddy}, err
}
