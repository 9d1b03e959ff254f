package ops

import (
	"math"

	"github.com/pkg/errors"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/internal/exec"
	"github.com/stheno-ml/stheno/internal/kernel/par"
)

// ResizeMode says how the pixels of a resized picture are made.
type ResizeMode uint8

const (
	Nearest  ResizeMode = iota // the nearest pixel
	Bilinear                   // the four nearest, weighted by how near they are
)

// Coordinates says which place of the picture, along each axis, pixel i of the resized one stands for. The
// scale is the size of the result by that of the picture, m/n, unless it was given.
type Coordinates uint8

const (
	DefaultCoordinates Coordinates = iota // PyTorch's: Asymmetric for Nearest, HalfPixel for Bilinear
	HalfPixel                             // (i + ½)/scale − ½: pixels are squares. PyTorch, TensorFlow 2
	Asymmetric                            // i/scale: pixels are their left upper corners. TensorFlow 1
	AlignCorners                          // i·(n−1)/(m−1), 0 where m is 1: corners stay corners
	PyTorchHalfPixel                      // HalfPixel, but 0 where m is 1; ONNX has it
)

// Rounding says which of two pixels is the nearest.
type Rounding uint8

const (
	RoundDown     Rounding = iota // the lower one, however near the upper is. PyTorch's nearest
	RoundUp                       // the upper one
	RoundHalfDown                 // the nearer one; the lower where both are as near. ONNX's default
	RoundHalfUp                   // the nearer one; the upper where both are as near. PyTorch's nearest-exact
)

// ResizeConfig says to what and how a picture is resized. Either Size or Scale is given.
type ResizeConfig struct {
	Size        [2]int     // height and width of the result
	Scale       [2]float64 // or their ratio to those of x; sizes are rounded down
	Mode        ResizeMode
	Coordinates Coordinates
	Rounding    Rounding // of Nearest
}

// Resize samples a picture x [N, C, H, W] anew, to [N, C, height, width]. There is no antialiasing: shrinking
// by much leaves pixels out. With the zero values of Mode, Coordinates and Rounding it is what PyTorch's
// interpolate calls nearest.
func Resize(x *Node, r ResizeConfig) (*Node, error) {
	if x == nil {
		return nil, errors.New("resize: input 0 is nil")
	}
	s := x.Shape() // [N, C, H, W]
	if len(s) != 4 {
		return nil, errors.Errorf("resize: x has shape %v, want [N, C, H, W]", s)
	}
	if r.Mode > Bilinear || r.Coordinates > PyTorchHalfPixel || r.Rounding > RoundHalfUp {
		return nil, errors.Errorf("resize: mode %d, coordinates %d, rounding %d: one of them is unknown", r.Mode, r.Coordinates, r.Rounding)
	}
	o := resize{mode: r.Mode, coordinates: r.Coordinates, rounding: r.Rounding}
	switch {
	case o.coordinates != DefaultCoordinates:
	case o.mode == Nearest:
		o.coordinates = Asymmetric
	default:
		o.coordinates = HalfPixel
	}
	for k := range 2 {
		n := s[2+k]
		size, scale := r.Size[k], r.Scale[k]
		switch {
		case size > 0 && scale == 0:
		case size == 0 && scale > 0 && !math.IsInf(scale, 0):
			size = int(math.Floor(float64(n) * scale))
		default:
			return nil, errors.Errorf("resize: size %v and scale %v: want one of them, and it positive", r.Size, r.Scale)
		}
		o.in[k], o.out[k], o.scale[k] = n, size, scale
	}
	return apply(o, x)
}

type resize struct {
	in, out     [2]int
	scale       [2]float64 // 0 where a size was given
	mode        ResizeMode
	coordinates Coordinates
	rounding    Rounding
}

func (resize) name() string { return "resize" }

func (r resize) shape(in []tensor.Shape) (tensor.Shape, error) {
	return tensor.Shape{in[0][0], in[0][1], r.out[0], r.out[1]}, nil
}

func (resize) flows(in []tensor.Shape, _ tensor.Shape) ([]exec.Flow, exec.Flow) {
	return follow(len(in))
}

// taps is what pixels are made of along one axis: (1 − weight) of pixel low, weight of pixel high.
type taps struct {
	low, high []int
	weight    []float64
}

func (r resize) scratch(*exec.Call) int {
	n := 0
	for _, m := range r.out {
		n += 2*exec.ScratchSize[int](m) + exec.ScratchSize[float64](m)
	}
	return n
}

// taps finds those of all pixels along axis k of height and width.
func (r *resize) taps(c *exec.Call, k int) taps {
	n, m := r.in[k], r.out[k]
	t := taps{exec.Scratch[int](c, m), exec.Scratch[int](c, m), exec.Scratch[float64](c, m)}
	for i := range m {
		at := r.source(k, float64(i))
		if r.mode == Nearest {
			t.low[i] = min(max(r.round(at), 0), n-1)
			t.high[i], t.weight[i] = t.low[i], 0
			continue
		}
		at = min(max(at, 0), float64(n-1))
		t.low[i] = int(at)
		t.high[i], t.weight[i] = min(t.low[i]+1, n-1), at-float64(t.low[i])
	}
	return t
}

// source is the place that pixel i of the result stands for.
func (r *resize) source(k int, i float64) float64 {
	n, m := float64(r.in[k]), float64(r.out[k])
	// Multiplied before it is divided, a place between whole sizes has no rounding error that matters.
	shrunk := func(v float64) float64 {
		if r.scale[k] != 0 {
			return v / r.scale[k]
		}
		return v * n / m
	}
	switch {
	case r.coordinates == AlignCorners && m > 1:
		return i * (n - 1) / (m - 1)
	case r.coordinates == AlignCorners, r.coordinates == PyTorchHalfPixel && m == 1:
		return 0
	case r.coordinates == Asymmetric:
		return shrunk(i)
	}
	return shrunk(i+0.5) - 0.5
}

func (r *resize) round(at float64) int {
	switch r.rounding {
	case RoundUp:
		at = math.Ceil(at)
	case RoundHalfDown:
		at = math.Ceil(at - 0.5)
	case RoundHalfUp:
		at = math.Floor(at + 0.5)
	default:
		at = math.Floor(at)
	}
	return int(at)
}

func (r resize) run(c *exec.Call) error {
	if c.Out.Dtype == tensor.Float32 {
		resizeRun[float32](c, &r)
	} else {
		resizeRun[float64](c, &r)
	}
	return nil
}

func resizeRun[T exec.Float](c *exec.Call, r *resize) {
	t := r.task(c, c.In[0].Shape, c.Out.Order)
	work := c.Out.Len() / t.pieces()
	par.For(t.pieces(), max(1, loopGrain/work), resizeTask[T]{t, exec.Data[T](&c.In[0]), exec.Data[T](&c.Out), false})
}

func (r resize) grad(_ gorgonia.Nodes, _, dy *Node) (gorgonia.Nodes, error) {
	var e expr
	return e.nodes(e.op(unresize{r}, dy))
}

// unresize is the adjoint: each pixel gets its share of what was made of it.
type unresize struct{ resize }

func (unresize) name() string { return "resize gradient" }

func (r unresize) shape(in []tensor.Shape) (tensor.Shape, error) {
	return tensor.Shape{in[0][0], in[0][1], r.in[0], r.in[1]}, nil
}

func (r unresize) run(c *exec.Call) error {
	clear(byteSlice(&c.Out))
	if c.Out.Dtype == tensor.Float32 {
		unresizeRun[float32](c, &r.resize)
	} else {
		unresizeRun[float64](c, &r.resize)
	}
	return nil
}

func unresizeRun[T exec.Float](c *exec.Call, r *resize) {
	t := r.task(c, c.In[0].Shape, c.Out.Order)
	par.For(t.pieces(), max(1, loopGrain*t.pieces()/c.In[0].Len()), resizeTask[T]{t, exec.Data[T](&c.Out), exec.Data[T](&c.In[0]), true})
}

func (r unresize) grad(_ gorgonia.Nodes, _, ddx *Node) (gorgonia.Nodes, error) {
	var e expr
	return e.nodes(e.op(r.resize, ddx))
}

// sampling is the loop of both directions. A piece is a picture of one channel, or channels-last a picture.
type sampling struct {
	rows, cols taps
	n, c       int
	in, out    [2]int // height, width
	last       bool   // channels-last
}

func (r *resize) task(c *exec.Call, shape tensor.Shape, order exec.Order) sampling {
	return sampling{r.taps(c, 0), r.taps(c, 1), shape[0], shape[1], r.in, r.out, order == exec.ChannelsLast}
}

func (s *sampling) pieces() int {
	if s.last {
		return s.n
	}
	return s.n * s.c
}

type resizeTask[T exec.Float] struct {
	sampling
	x, y []T // x before, y after resizing; or their gradients
	back bool
}

func (t *resizeTask[T]) Run(lo, hi int) {
	c := 1 // elements of a pixel
	if t.last {
		c = t.c
	}
	xs, ys := t.in[0]*t.in[1]*c, t.out[0]*t.out[1]*c
	for p := lo; p < hi; p++ {
		x, y := t.x[p*xs:(p+1)*xs], t.y[p*ys:(p+1)*ys]
		for i := range t.out[0] {
			w := t.in[1] * c
			top, bottom := x[t.rows.low[i]*w:][:w], x[t.rows.high[i]*w:][:w]
			row := y[i*t.out[1]*c:][:t.out[1]*c]
			if t.back {
				t.scatter(top, bottom, row, T(t.rows.weight[i]), c)
			} else {
				t.gather(top, bottom, row, T(t.rows.weight[i]), c)
			}
		}
	}
}

// gather makes a row of the result of two rows of the picture.
func (t *resizeTask[T]) gather(top, bottom, y []T, v T, c int) {
	for j := range t.out[1] {
		l, h, w := t.cols.low[j]*c, t.cols.high[j]*c, T(t.cols.weight[j])
		if v == 0 && w == 0 {
			copy(y[j*c:(j+1)*c], top[l:])
			continue
		}
		p00, p01, p10, p11 := (1-v)*(1-w), (1-v)*w, v*(1-w), v*w
		for k := range c {
			y[j*c+k] = p00*top[l+k] + p01*top[h+k] + p10*bottom[l+k] + p11*bottom[h+k]
		}
	}
}

// scatter is its adjoint.
func (t *resizeTask[T]) scatter(top, bottom, y []T, v T, c int) {
	for j := range t.out[1] {
		l, h, w := t.cols.low[j]*c, t.cols.high[j]*c, T(t.cols.weight[j])
		if v == 0 && w == 0 {
			for k := range c {
				top[l+k] += y[j*c+k]
			}
			continue
		}
		p00, p01, p10, p11 := (1-v)*(1-w), (1-v)*w, v*(1-w), v*w
		for k := range c {
			d := y[j*c+k]
			top[l+k] += p00 * d
			top[h+k] += p01 * d
			bottom[l+k] += p10 * d
			bottom[h+k] += p11 * d
		}
	}
}
