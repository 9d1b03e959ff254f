package ops

import (
	"math"

	"github.com/pkg/errors"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/internal/exec"
	"github.com/stheno-ml/stheno/internal/kernel/par"
)

// LRN is local response normalisation's window and exponents. 0 means PyTorch's and ONNX's defaults.
type LRN struct {
	Size  int     // channels in the window; required
	Alpha float64 // 0 means 1e-4
	Beta  float64 // 0 means 0.75
	K     float64 // 0 means 1; Krizhevsky et al. have 2
	Sum   bool    // Alpha times the sum of squares (Krizhevsky et al., TensorFlow) instead of Alpha/Size times it (PyTorch, ONNX, Caffe)
	Up    bool    // the window of an even Size reaches one channel farther up (ONNX) instead of down (PyTorch)
}

// LocalResponseNorm divides each value by what its neighbours in other channels amount to (Krizhevsky,
// Sutskever and Hinton 2012, "ImageNet Classification with Deep Convolutional Neural Networks", section 3.3):
//
//	y[c] = x[c] / (K + Alpha/Size · Σ_j x[j]²)^Beta
//
// summed over the Size channels around c, as far as they exist. x is [N, C, H, W] and so is y. It can be
// differentiated once.
//
// It is an error if Size is not positive or Alpha, Beta or K is negative.
func LocalResponseNorm(x *Node, a LRN) (*Node, error) {
	const name = "local response norm"
	if x == nil {
		return nil, errors.New(name + ": x is nil")
	}
	if err := checkPicture("x", x.Shape()); err != nil {
		return nil, errors.Wrap(err, name)
	}
	if a.Size < 1 || a.Alpha < 0 || a.Beta < 0 || a.K < 0 {
		return nil, errors.Errorf("%s: Size %d, Alpha %g, Beta %g, K %g: want Size at least 1 and the others at least 0", name, a.Size, a.Alpha, a.Beta, a.K)
	}
	for _, p := range []struct {
		v     *float64
		usual float64
	}{{&a.Alpha, 1e-4}, {&a.Beta, 0.75}, {&a.K, 1}} {
		if *p.v == 0 {
			*p.v = p.usual
		}
	}
	r := lrn{alpha: a.Alpha / float64(a.Size), beta: a.Beta, k: a.K, before: a.Size / 2, after: (a.Size - 1) / 2}
	if a.Sum {
		r.alpha = a.Alpha
	}
	if a.Up {
		r.before, r.after = r.after, r.before
	}
	return apply(r, x)
}

// lrn is y[c] = x[c]·(k + alpha·Σ x[j]²)^−beta over j from c−before to c+after.
type lrn struct {
	alpha, beta, k float64
	before, after  int
}

func (lrn) name() string                                  { return "local response norm" }
func (lrn) shape(in []tensor.Shape) (tensor.Shape, error) { return in[0].Clone(), nil }

func (lrn) flows(in []tensor.Shape, _ tensor.Shape) ([]exec.Flow, exec.Flow) {
	return lastFlows(len(in))
}

func (r lrn) flops(_ []tensor.Shape, out tensor.Shape) int64 {
	return int64(exec.Size(out) * (2*(r.before+r.after+1) + 4))
}

func (lrn) scratch(c *exec.Call) int { return pictureScratch(&c.In[0], &c.Out) }

func (r lrn) run(c *exec.Call) error {
	if c.Out.Dtype == tensor.Float32 {
		lrnRun[float32](c, r)
	} else {
		lrnRun[float64](c, r)
	}
	return nil
}

// lrnGrain is how many values make a chunk that is worth handing to a worker.
const lrnGrain = 4 << 10

func lrnRun[T exec.Float](c *exec.Call, r lrn) {
	x, y := loadPicture[T](c, &c.In[0]), makePicture[T](c)
	n := c.Out.Shape[1]
	par.For(len(x)/n, max(1, lrnGrain/n), lrnTask[T]{r, n, x, y})
	storePicture(c, y)
}

type lrnTask[T exec.Float] struct {
	r    lrn
	c    int
	x, y []T // channels-last
}

// Run does pixels lo to hi−1.
func (k *lrnTask[T]) Run(lo, hi int) {
	for i := lo; i < hi; i++ {
		x, y := k.x[i*k.c:][:k.c], k.y[i*k.c:][:k.c]
		for c, v := range x {
			y[c] = T(float64(v) * k.r.power(denominator(&k.r, x, c)))
		}
	}
}

// denominator is k + alpha·Σ x[j]² around channel c of one pixel.
func denominator[T exec.Float](r *lrn, x []T, c int) float64 {
	s := 0.0
	for _, v := range x[max(0, c-r.before):min(len(x), c+r.after+1)] {
		s += float64(v) * float64(v)
	}
	return r.k + r.alpha*s
}

// power is d^−beta; 3/4, which everybody uses, takes two square roots.
func (r *lrn) power(d float64) float64 {
	if r.beta == 0.75 {
		s := math.Sqrt(d)
		return 1 / (s * math.Sqrt(s))
	}
	return math.Pow(d, -r.beta)
}

func (r lrn) grad(in gorgonia.Nodes, _, dy *Node) (gorgonia.Nodes, error) {
	dx, err := apply(lrnInput{r}, dy, in[0])
	return gorgonia.Nodes{dx}, err
}

// lrnInput is the gradient of lrn, of dy and x. With d the denominators,
//
//	dx[c] = dy[c]·d[c]^−beta − 2·alpha·beta·x[c]·Σ_j dy[j]·x[j]·d[j]^(−beta−1)
//
// over those j whose windows hold c.
type lrnInput struct{ r lrn }

func (lrnInput) name() string                                  { return "local response norm gradient" }
func (lrnInput) shape(in []tensor.Shape) (tensor.Shape, error) { return in[1].Clone(), nil }

func (lrnInput) flows(in []tensor.Shape, _ tensor.Shape) ([]exec.Flow, exec.Flow) {
	return lastFlows(len(in))
}

func (r lrnInput) flops(in []tensor.Shape, out tensor.Shape) int64 { return 2 * r.r.flops(in, out) }

func (lrnInput) scratch(c *exec.Call) int {
	return pictureScratch(&c.In[0], &c.In[1], &c.Out) + exec.ScratchSize[float64](c.Out.Len())
}

func (r lrnInput) run(c *exec.Call) error {
	if c.Out.Dtype == tensor.Float32 {
		lrnInputRun[float32](c, r.r)
	} else {
		lrnInputRun[float64](c, r.r)
	}
	return nil
}

func lrnInputRun[T exec.Float](c *exec.Call, r lrn) {
	dy, x, dx := loadPicture[T](c, &c.In[0]), loadPicture[T](c, &c.In[1]), makePicture[T](c)
	n := c.Out.Shape[1]
	par.For(len(x)/n, max(1, lrnGrain/n), lrnInputTask[T]{r, n, dy, x, dx, exec.Scratch[float64](c, len(x))})
	storePicture(c, dx)
}

type lrnInputTask[T exec.Float] struct {
	r         lrn
	c         int
	dy, x, dx []T // channels-last
	terms     []float64
}

// Run does pixels lo to hi−1.
func (k *lrnInputTask[T]) Run(lo, hi int) {
	r := &k.r
	for i := lo; i < hi; i++ {
		dy, x, dx, terms := k.dy[i*k.c:][:k.c], k.x[i*k.c:][:k.c], k.dx[i*k.c:][:k.c], k.terms[i*k.c:][:k.c]
		for c, v := range x {
			d := denominator(r, x, c)
			p := r.power(d)
			dx[c] = T(float64(dy[c]) * p)
			terms[c] = float64(dy[c]) * float64(v) * p / d
		}
		for c, v := range x {
			s := 0.0
			for _, t := range terms[max(0, c-r.after):min(k.c, c+r.before+1)] {
				s += t
			}
			dx[c] -= T(2 * r.alpha * r.beta * float64(v) * s)
		}
	}
}

func (lrnInput) grad(gorgonia.Nodes, *Node, *Node) (gorgonia.Nodes, error) {
	return nil, errors.New("local response norm can be differentiated once, not twice")
}
