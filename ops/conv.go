package ops

import (
	"github.com/pkg/errors"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/internal/exec"
	"github.com/stheno-ml/stheno/internal/kernel/conv2d"
)

// Conv is how a convolution walks over its picture. Pairs are height, width.
type Conv struct {
	Stride   [2]int // 0 means 1
	Dilation [2]int // distance between taps; 0 means 1
	Pad      [4]int // zeros around the picture: top, bottom, left, right
	Same     bool   // pad as TensorFlow's "same" does instead: outputs = ⌈inputs / stride⌉, the odd zero below and right
	Groups   int    // channels fall into this many groups that do not see each other; 0 means 1

	// Careful rounds less in float32, for networks that multiply little errors: long sums are made in parts, and
	// Winograd's algorithm, whose results are some five times as far off, is not taken. Forward alone, and up to twice
	// as slow.
	Careful bool
}

// Conv2D is two-dimensional convolution, in the sense of all deep-learning libraries (the kernel is not
// flipped):
//
//	y[n, k, p, q] = Σ_c Σ_r Σ_s w[k, c, r, s] · x[n, c, p·stride − pad + r·dilation, q·stride − pad + s·dilation] + bias[k]
//
// x is [N, C, H, W], w [K, C/Groups, R, S], bias [K] or nil, y [N, K, P, Q] with
//
//	P = ⌊(H + top + bottom − dilation·(R−1) − 1) / stride⌋ + 1
//
// and Q likewise. With groups, output channels of group g see the input channels of group g (Krizhevsky et al.
// 2012); for Groups = C see DepthwiseConv2D. Geometry and gradients: Dumoulin and Visin 2016, "A guide to
// convolution arithmetic for deep learning". It can be differentiated any number of times.
//
// It is an error if the channels of x, w and bias do not fit each other or Groups, and if the kernel is larger
// than the padded picture.
func Conv2D(x, w, bias *Node, a Conv) (*Node, error) {
	const name = "conv2d"
	if x == nil || w == nil {
		return nil, errors.New(name + ": x or w is nil")
	}
	if err := checkFilters(x.Shape(), w.Shape()); err != nil {
		return nil, errors.Wrap(err, name)
	}
	g, err := a.over(x.Shape(), w.Shape())
	if err != nil {
		return nil, errors.Wrap(err, name)
	}
	y, err := apply(conv2D{g}, x, w)
	if err != nil || bias == nil {
		return y, err
	}
	return AddBias(y, bias)
}

func checkFilters(x, w tensor.Shape) error {
	if err := checkPicture("x", x); err != nil {
		return err
	}
	if len(w) != 4 || exec.Size(w) == 0 {
		return errors.Errorf("w has shape %v, want 4 axes, none of them 0", w)
	}
	return nil
}

// over lays the convolution over a picture [N, C, H, W], with filters [K, C/Groups, R, S].
func (a Conv) over(x, w tensor.Shape) (geometry, error) {
	g, pad, err := a.geometry(w)
	if err != nil {
		return g, err
	}
	if x[1] != w[1]*g.groups || w[0]%g.groups != 0 {
		return g, errors.Errorf("x has shape %v, w %v and Groups is %d: want w [K, C/Groups, R, S] for x [N, C, H, W] and K a multiple of Groups", x, w, g.groups)
	}
	for i := range 2 {
		g.in[i] = x[2+i]
		reach := g.dilation[i]*(g.kernel[i]-1) + 1
		if a.Same {
			g.out[i] = (g.in[i] + g.stride[i] - 1) / g.stride[i]
			g.before[i] = max(0, (g.out[i]-1)*g.stride[i]+reach-g.in[i]) / 2
			continue
		}
		padded := g.in[i] + pad[2*i] + pad[2*i+1]
		if padded < reach {
			return g, errors.Errorf("the kernel reaches over %d pixels along axis %d, the padded picture has %d (x %v, w %v, padding %v, dilation %v)", reach, 2+i, padded, x, w, a.Pad, g.dilation)
		}
		g.out[i] = (padded-reach)/g.stride[i] + 1
	}
	return g, nil
}

// geometry is what does not depend on the picture.
func (a Conv) geometry(w tensor.Shape) (geometry, [4]int, error) {
	g := geometry{stride: orOne(a.Stride), dilation: orOne(a.Dilation), groups: a.Groups, kernel: [2]int{w[2], w[3]}, careful: a.Careful}
	if g.groups == 0 {
		g.groups = 1
	}
	for _, err := range []error{
		checkSteps("stride", a.Stride[:]...), checkSteps("dilation", a.Dilation[:]...),
		checkSteps("padding (top, bottom, left, right)", a.Pad[:]...), checkSteps("groups", a.Groups),
	} {
		if err != nil {
			return g, a.Pad, err
		}
	}
	if a.Same && a.Pad != [4]int{} {
		return g, a.Pad, errors.Errorf("padding %v is given together with Same: want one of them", a.Pad)
	}
	g.before = [2]int{a.Pad[0], a.Pad[2]}
	return g, a.Pad, nil
}

func orOne(v [2]int) [2]int {
	for i := range v {
		if v[i] == 0 {
			v[i] = 1
		}
	}
	return v
}

// geometry is all that a convolution and its two adjoints know of height and width, in public order of axes.
// Sizes are kept rather than derived: with strides, pictures of several sizes give the same output.
type geometry struct {
	in, kernel, out  [2]int
	stride, dilation [2]int
	before           [2]int // padding above and to the left; that on the far sides follows from out
	groups           int
	careful          bool
}

// shape is the kernels' description of a convolution of [n, c, …] to [n, k, …].
func (g *geometry) shape(n, c, k int) conv2d.Shape {
	return conv2d.Shape{
		N: n, H: g.in[0], W: g.in[1], C: c, K: k, R: g.kernel[0], S: g.kernel[1], P: g.out[0], Q: g.out[1],
		StrideH: g.stride[0], StrideW: g.stride[1], PadTop: g.before[0], PadLeft: g.before[1],
		DilationH: g.dilation[0], DilationW: g.dilation[1], Groups: g.groups, Careful: g.careful,
	}
}

// multiplyAdds of any of the three passes, those with padding included.
func multiplyAdds(s conv2d.Shape) int64 { return int64(s.Flops()) / 2 }

// conv2D is y [N, K, P, Q] of x [N, C, H, W] and w [K, C/groups, R, S].
type conv2D struct{ g geometry }

func (conv2D) name() string { return "conv2d" }

func (r conv2D) shape(in []tensor.Shape) (tensor.Shape, error) {
	return tensor.Shape{in[0][0], in[1][0], r.g.out[0], r.g.out[1]}, nil
}

func (conv2D) flows(in []tensor.Shape, _ tensor.Shape) ([]exec.Flow, exec.Flow) {
	return []exec.Flow{exec.Last, exec.Plain}, exec.Last
}

func (r conv2D) multiplyAdds(in []tensor.Shape, _ tensor.Shape) int64 {
	return multiplyAdds(r.g.shape(in[0][0], in[0][1], in[1][0]))
}

func (r conv2D) flops(in []tensor.Shape, out tensor.Shape) int64 { return 2 * r.multiplyAdds(in, out) }

func (r conv2D) scratch(c *exec.Call) int {
	s := r.g.shape(c.In[0].Shape[0], c.In[0].Shape[1], c.In[1].Shape[0])
	return pictureScratch(&c.In[0], &c.Out) + workspace(c, &s, conv2d.PassForward)
}

// forward is the kernels' description of this call.
func (r conv2D) forward(c *exec.Call) conv2d.Shape {
	s := r.g.shape(c.In[0].Shape[0], c.In[0].Shape[1], c.In[1].Shape[0])
	s.Pitch = c.Out.Pitch
	return s
}

func (r conv2D) canPitch(c *exec.Call) bool {
	s := r.forward(c)
	return conv2d.CanPitch(&s)
}

func (r conv2D) run(c *exec.Call) error {
	s := r.forward(c)
	if c.Out.Dtype == tensor.Float32 {
		convRun[float32](c, &s)
	} else {
		convRun[float64](c, &s)
	}
	return nil
}

func convRun[T exec.Float](c *exec.Call, s *conv2d.Shape) {
	x, w, y := loadPicture[T](c, &c.In[0]), exec.Data[T](&c.In[1]), makePicture[T](c)
	conv2d.Forward(s, y, x, w, nil, exec.Scratch[T](c, conv2d.Workspace[T](s, conv2d.PassForward)))
	storePicture(c, y)
}

func (r conv2D) grad(in gorgonia.Nodes, _, dy *Node) (gorgonia.Nodes, error) {
	return pair(convInput{r.g, in[0].Shape()[1]}, dy, in[1], convFilters{r.g}, in[0], dy)
}

// pair applies the two rules that make up the gradient of an op that is linear in each of two inputs.
func pair(a rule, a0, a1 *Node, b rule, b0, b1 *Node) (gorgonia.Nodes, error) {
	da, err := apply(a, a0, a1)
	if err != nil {
		return nil, err
	}
	db, err := apply(b, b0, b1)
	return gorgonia.Nodes{da, db}, err
}

// convInput is the adjoint of conv2D in x: dx [N, C, H, W] of dy [N, K, P, Q] and w [K, C/groups, R, S].
// Used forward it is the transposed convolution.
type convInput struct {
	g        geometry
	channels int // C
}

func (convInput) name() string { return "conv2d input gradient" }

func (r convInput) shape(in []tensor.Shape) (tensor.Shape, error) {
	return tensor.Shape{in[0][0], r.channels, r.g.in[0], r.g.in[1]}, nil
}

func (convInput) flows(in []tensor.Shape, _ tensor.Shape) ([]exec.Flow, exec.Flow) {
	return []exec.Flow{exec.Last, exec.Plain}, exec.Last
}

func (r convInput) multiplyAdds(in []tensor.Shape, _ tensor.Shape) int64 {
	return multiplyAdds(r.g.shape(in[0][0], r.channels, in[0][1]))
}

func (r convInput) flops(in []tensor.Shape, out tensor.Shape) int64 {
	return 2 * r.multiplyAdds(in, out)
}

func (r convInput) scratch(c *exec.Call) int {
	s := r.g.shape(c.In[0].Shape[0], r.channels, c.In[0].Shape[1])
	return pictureScratch(&c.In[0], &c.Out) + workspace(c, &s, conv2d.PassInputGrad)
}

func (r convInput) run(c *exec.Call) error {
	s := r.g.shape(c.In[0].Shape[0], r.channels, c.In[0].Shape[1])
	if c.Out.Dtype == tensor.Float32 {
		convInputRun[float32](c, &s)
	} else {
		convInputRun[float64](c, &s)
	}
	return nil
}

func convInputRun[T exec.Float](c *exec.Call, s *conv2d.Shape) {
	dy, w, dx := loadPicture[T](c, &c.In[0]), exec.Data[T](&c.In[1]), makePicture[T](c)
	conv2d.InputGrad(s, dx, dy, w, exec.Scratch[T](c, conv2d.Workspace[T](s, conv2d.PassInputGrad)))
	storePicture(c, dx)
}

func (r convInput) grad(in gorgonia.Nodes, _, ddx *Node) (gorgonia.Nodes, error) {
	return pair(conv2D{r.g}, ddx, in[1], convFilters{r.g}, ddx, in[0])
}

// convFilters is the adjoint of conv2D in w: dw [K, C/groups, R, S] of x [N, C, H, W] and dy [N, K, P, Q].
type convFilters struct{ g geometry }

func (convFilters) name() string { return "conv2d filter gradient" }

func (r convFilters) shape(in []tensor.Shape) (tensor.Shape, error) {
	return tensor.Shape{in[1][1], in[0][1] / r.g.groups, r.g.kernel[0], r.g.kernel[1]}, nil
}

func (convFilters) flows(in []tensor.Shape, _ tensor.Shape) ([]exec.Flow, exec.Flow) {
	return []exec.Flow{exec.Last, exec.Last}, exec.Plain
}

func (r convFilters) multiplyAdds(in []tensor.Shape, _ tensor.Shape) int64 {
	return multiplyAdds(r.g.shape(in[0][0], in[0][1], in[1][1]))
}

func (r convFilters) flops(in []tensor.Shape, out tensor.Shape) int64 {
	return 2 * r.multiplyAdds(in, out)
}

func (r convFilters) scratch(c *exec.Call) int {
	s := r.g.shape(c.In[0].Shape[0], c.In[0].Shape[1], c.In[1].Shape[1])
	return pictureScratch(&c.In[0], &c.In[1]) + workspace(c, &s, conv2d.PassWeightGrad)
}

func (r convFilters) run(c *exec.Call) error {
	s := r.g.shape(c.In[0].Shape[0], c.In[0].Shape[1], c.In[1].Shape[1])
	if c.Out.Dtype == tensor.Float32 {
		convFiltersRun[float32](c, &s)
	} else {
		convFiltersRun[float64](c, &s)
	}
	return nil
}

func convFiltersRun[T exec.Float](c *exec.Call, s *conv2d.Shape) {
	x, dy, dw := loadPicture[T](c, &c.In[0]), loadPicture[T](c, &c.In[1]), exec.Data[T](&c.Out)
	conv2d.WeightGrad(s, dw, dy, x, exec.Scratch[T](c, conv2d.Workspace[T](s, conv2d.PassWeightGrad)))
}

func (r convFilters) grad(in gorgonia.Nodes, _, ddw *Node) (gorgonia.Nodes, error) {
	return pair(convInput{r.g, in[0].Shape()[1]}, in[1], ddw, conv2D{r.g}, in[0], ddw)
}

// workspace is the bytes that the kernel of a pass wants, with filters laid out before or not.
func workspace(c *exec.Call, s *conv2d.Shape, pass conv2d.Pass) int {
	if c.Out.Dtype == tensor.Float32 {
		return exec.ScratchSize[float32](elements[float32](s, pass))
	}
	return exec.ScratchSize[float64](elements[float64](s, pass))
}

func elements[T exec.Float](s *conv2d.Shape, pass conv2d.Pass) int {
	n := conv2d.Workspace[T](s, pass)
	if pass == conv2d.PassForward {
		n = max(n, conv2d.PackedWorkspace[T](s))
	}
	return n
}
