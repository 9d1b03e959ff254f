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
type taps[T exec.Float] struct {
	low, high []int
	weight    []T
}

func (r resize) scratch(*exec.Call) int {
	n := 0
	for _, m := range r.out {
		n += 2*exec.ScratchSize[int](m) + exec.ScratchSize[float64](m)
	}
	return n
}

// tapsOf finds those of all pixels along axis k of height and width.
func tapsOf[T exec.Float](r *resize, c *exec.Call, k int) taps[T] {
	n, m := r.in[k], r.out[k]
	t := taps[T]{exec.Scratch[int](c, m), exec.Scratch[int](c, m), exec.Scratch[T](c, m)}
	for i := range m {
		at := r.source(k, float64(i))
		if r.mode == Nearest {
			t.low[i] = min(max(r.round(at), 0), n-1)
			t.high[i], t.weight[i] = t.low[i], 0
			continue
		}
		at = min(max(at, 0), float64(n-1))
		t.low[i] = int(at)
		t.high[i], t.weight[i] = min(t.low[i]+1, n-1), T(at-float64(t.low[i]))
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
	t := sampling[T](r, c)
	t.x, t.y = exec.Data[T](&c.In[0]), exec.Data[T](&c.Out)
	par.For(t.pieces, max(1, loopGrain*t.pieces/len(t.y)), t)
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
	t := sampling[T](r, c)
	t.x, t.y, t.back = exec.Data[T](&c.Out), exec.Data[T](&c.In[0]), true
	par.For(t.pieces, max(1, loopGrain*t.pieces/len(t.y)), t)
}

func (r unresize) grad(_ gorgonia.Nodes, _, ddx *Node) (gorgonia.Nodes, error) {
	var e expr
	return e.nodes(e.op(r.resize, ddx))
}

// resizeTask is the loop of both directions. A piece is a picture of one channel, or channels-last a picture
// with all of them.
type resizeTask[T exec.Float] struct {
	rows, cols taps[T]
	pieces     int
	pixel      int    // elements of one pixel of a piece
	in, out    [2]int // height, width
	nearest    bool
	x, y       []T // x before, y after resizing; or their gradients
	back       bool
}

func sampling[T exec.Float](r *resize, c *exec.Call) resizeTask[T] {
	n, channels := c.Out.Shape[0], c.Out.Shape[1]
	t := resizeTask[T]{rows: tapsOf[T](r, c, 0), cols: tapsOf[T](r, c, 1), pieces: n * channels, pixel: 1, in: r.in, out: r.out, nearest: r.mode == Nearest}
	if c.Out.Order == exec.ChannelsLast {
		t.pieces, t.pixel = n, channels
	}
	return t
}

func (t *resizeTask[T]) Run(lo, hi int) {
	c := t.pixel
	xw, yw := t.in[1]*c, t.out[1]*c
	for p := lo; p < hi; p++ {
		x, y := t.x[p*t.in[0]*xw:][:t.in[0]*xw], t.y[p*t.out[0]*yw:][:t.out[0]*yw]
		for i := range t.out[0] {
			low, high, v := t.rows.low[i], t.rows.high[i], t.rows.weight[i]
			top, bottom := x[low*xw:][:xw], x[high*xw:][:xw]
			row := y[i*yw:][:yw]
			switch {
			case t.back && t.nearest:
				t.scatterNearest(top, row)
			case t.back:
				t.scatter(top, bottom, row, v)
			case t.nearest && i > 0 && t.rows.low[i-1] == low:
				copy(row, y[(i-1)*yw:])
			case t.nearest:
				t.gatherNearest(top, row)
			default:
				t.gather(top, bottom, row, v)
			}
		}
	}
}

// gatherNearest makes a row of the result of a row of the picture.
func (t *resizeTask[T]) gatherNearest(x, y []T) {
	c := t.pixel
	if c == 1 {
		for j, l := range t.cols.low {
			y[j] = x[l]
		}
		return
	}
	for j, l := range t.cols.low {
		copy(y[j*c:(j+1)*c], x[l*c:])
	}
}

// scatterNearest is its adjoint.
func (t *resizeTask[T]) scatterNearest(x, y []T) {
	c := t.pixel
	for j, l := range t.cols.low {
		to := x[l*c:][:c]
		for k, d := range y[j*c:][:c] {
			to[k] += d
		}
	}
}

// gather makes a row of the result of two rows of the picture, the lower one by weight v.
func (t *resizeTask[T]) gather(top, bottom, y []T, v T) {
	c := t.pixel
	if c == 1 {
		for j, l := range t.cols.low {
			h, w := t.cols.high[j], t.cols.weight[j]
			y[j] = (1-v)*((1-w)*top[l]+w*top[h]) + v*((1-w)*bottom[l]+w*bottom[h])
		}
		return
	}
	for j, l := range t.cols.low {
		h, w := t.cols.high[j], t.cols.weight[j]
		p00, p01, p10, p11 := (1-v)*(1-w), (1-v)*w, v*(1-w), v*w
		a, b, e, f := top[l*c:][:c], top[h*c:][:c], bottom[l*c:][:c], bottom[h*c:][:c]
		for k := range y[j*c:][:c] {
			y[j*c+k] = (p00*a[k] + p01*b[k]) + (p10*e[k] + p11*f[k])
		}
	}
}

// scatter is its adjoint.
func (t *resizeTask[T]) scatter(top, bottom, y []T, v T) {
	c := t.pixel
	for j, l := range t.cols.low {
		h, w := t.cols.high[j], t.cols.weight[j]
		p00, p01, p10, p11 := (1-v)*(1-w), (1-v)*w, v*(1-w), v*w
		a, b, e, f := top[l*c:][:c], top[h*c:][:c], bottom[l*c:][:c], bottom[h*c:][:c]
		for k, d := range y[j*c:][:c] {
			a[k] += p00 * d
			b[k] += p01 * d
			e[k] += p10 * d
			f[k] += p11 * d
		}
	}
}
