package ops

import (
	"github.com/pkg/errors"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/internal/exec"
	"github.com/stheno-ml/stheno/internal/kernel/par"
)

// AdaptiveAvgPool2D is the mean of P×Q windows that are spread over the picture whatever its size is
// (PyTorch's AdaptiveAvgPool2d; He et al. 2014, "Spatial Pyramid Pooling", section 2.3): output (p, q) averages
//
//	rows ⌊p·H/P⌋ to ⌈(p+1)·H/P⌉ − 1,   columns ⌊q·W/Q⌋ to ⌈(q+1)·W/Q⌉ − 1
//
// x is [N, C, H, W], y [N, C, P, Q] with size = P, Q. It can be differentiated any number of times.
//
// It is an error if a side of size is not positive.
func AdaptiveAvgPool2D(x *Node, size [2]int) (*Node, error) {
	const name = "adaptive average pool"
	if x == nil {
		return nil, errors.New(name + ": x is nil")
	}
	if err := checkPicture("x", x.Shape()); err != nil {
		return nil, errors.Wrap(err, name)
	}
	h, w := x.Shape()[2], x.Shape()[3]
	if err := checkSteps("size", size[:]...); err != nil {
		return nil, errors.Wrap(err, name)
	}
	if size[0] == 0 || size[1] == 0 {
		return nil, errors.Errorf("%s: size is %v, want at least 1×1", name, size)
	}
	if h%size[0] == 0 && w%size[1] == 0 {
		return AvgPool2D(x, Pool{Kernel: [2]int{h / size[0], w / size[1]}})
	}
	return apply(adaptivePool{in: [2]int{h, w}, out: size}, x)
}

// adaptivePool is y [N, C, P, Q] of x [N, C, H, W] where the windows are not all of one size.
type adaptivePool struct{ in, out [2]int }

func (adaptivePool) name() string { return "adaptive average pool" }

func (r adaptivePool) shape(in []tensor.Shape) (tensor.Shape, error) {
	return tensor.Shape{in[0][0], in[0][1], r.out[0], r.out[1]}, nil
}

func (adaptivePool) flows(in []tensor.Shape, _ tensor.Shape) ([]exec.Flow, exec.Flow) {
	return lastFlows(len(in))
}

func (adaptivePool) flops(in []tensor.Shape, _ tensor.Shape) int64 { return int64(exec.Size(in[0])) }

func (adaptivePool) scratch(c *exec.Call) int { return pictureScratch(&c.In[0], &c.Out) }

func (r adaptivePool) run(c *exec.Call) error {
	if c.Out.Dtype == tensor.Float32 {
		adaptiveRun[float32](c, r, false)
	} else {
		adaptiveRun[float64](c, r, false)
	}
	return nil
}

func (r adaptivePool) grad(_ gorgonia.Nodes, _, dy *Node) (gorgonia.Nodes, error) {
	dx, err := apply(adaptiveSpread(r), dy)
	return gorgonia.Nodes{dx}, err
}

// adaptiveSpread shares each window's dy out over dx: the adjoint of adaptivePool.
type adaptiveSpread adaptivePool

func (adaptiveSpread) name() string { return "adaptive average pool gradient" }

func (r adaptiveSpread) shape(in []tensor.Shape) (tensor.Shape, error) {
	return tensor.Shape{in[0][0], in[0][1], r.in[0], r.in[1]}, nil
}

func (adaptiveSpread) flows(in []tensor.Shape, _ tensor.Shape) ([]exec.Flow, exec.Flow) {
	return lastFlows(len(in))
}

func (adaptiveSpread) scratch(c *exec.Call) int { return pictureScratch(&c.In[0], &c.Out) }

func (r adaptiveSpread) run(c *exec.Call) error {
	if c.Out.Dtype == tensor.Float32 {
		adaptiveRun[float32](c, adaptivePool(r), true)
	} else {
		adaptiveRun[float64](c, adaptivePool(r), true)
	}
	return nil
}

func (r adaptiveSpread) grad(_ gorgonia.Nodes, _, ddx *Node) (gorgonia.Nodes, error) {
	ddy, err := apply(adaptivePool(r), ddx)
	return gorgonia.Nodes{ddy}, err
}

func adaptiveRun[T exec.Float](c *exec.Call, r adaptivePool, back bool) {
	from, to := loadPicture[T](c, &c.In[0]), makePicture[T](c)
	if back {
		clear(to)
	}
	// A chunk is a picture: its windows overlap, so on the way back they must not be shared out.
	par.For(c.In[0].Shape[0], 1, adaptiveTask[T]{r, c.In[0].Shape[1], from, to, back})
	storePicture(c, to)
}

type adaptiveTask[T exec.Float] struct {
	r        adaptivePool
	c        int
	from, to []T // channels-last
	back     bool
}

// window is where window i of out begins and ends on an axis of in pixels.
func (adaptivePool) window(i, in, out int) (lo, hi int) {
	return i * in / out, ((i+1)*in + out - 1) / out
}

// Run does pictures lo to hi−1.
func (k *adaptiveTask[T]) Run(lo, hi int) {
	h, w, p, q := k.r.in[0], k.r.in[1], k.r.out[0], k.r.out[1]
	for o := lo * p * q; o < hi*p*q; o++ {
		n := o / (p * q)
		h0, h1 := k.r.window(o/q%p, h, p)
		w0, w1 := k.r.window(o%q, w, q)
		scale := 1 / T((h1-h0)*(w1-w0))
		if !k.back {
			y := k.to[o*k.c:][:k.c]
			clear(y)
			for i := h0; i < h1; i++ {
				for j := w0; j < w1; j++ {
					for c, v := range k.from[((n*h+i)*w+j)*k.c:][:k.c] {
						y[c] += v
					}
				}
			}
			for c := range y {
				y[c] *= scale
			}
			continue
		}
		dy := k.from[o*k.c:][:k.c]
		for i := h0; i < h1; i++ {
			for j := w0; j < w1; j++ {
				dx := k.to[((n*h+i)*w+j)*k.c:][:k.c]
				for c, v := range dy {
					dx[c] += v * scale
				}
			}
		}
	}
}
