package ops

import (
	"math"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/internal/exec"
	"github.com/stheno-ml/stheno/internal/kernel/conv"
	"github.com/stheno-ml/stheno/internal/kernel/conv2d"
)

// convThen is a convolution with what follows it while its result is in the cache. Its inputs are x, w, then
// a bias [K] where there is one, then stats [2, K] and, where the normalisation has them, γ and β [K], and last
// what is added.
type convThen struct {
	conv2D
	ends
	bias  bool
	norm  bool
	affix normalize // of the normalisation, where there is one
}

func (r conv2D) fuse(next rule, at, inputs int) (rule, bool) {
	return convThen{conv2D: r}.fuse(next, at, inputs)
}

func (r convThen) fuse(next rule, at, inputs int) (rule, bool) {
	early := !r.add && !r.act.on && !r.norm
	switch n := next.(type) {
	case channelAdd:
		ok := early && !r.bias && at == 0 && n.c == channels{}
		r.bias = true
		return r, ok
	case normalize:
		r.norm, r.affix = true, n
		return r, early && at == 0 && n.fixed && n.c == channels{}
	}
	var ok bool
	r.ends, ok = r.then(next, inputs)
	return r, ok
}

func (convThen) grad(gorgonia.Nodes, *Node, *Node) (gorgonia.Nodes, error) { return tapeOnly() }

func (r convThen) name() string {
	name := r.conv2D.name()
	if r.bias {
		name += " + bias"
	}
	if r.norm {
		name += " + batch norm"
	}
	return name + r.suffix()
}

// places says where the optional inputs stand, −1 for those that are not there.
func (r *convThen) places() (bias, stats, gamma, beta int) {
	n := 2
	place := func(there bool) int {
		if !there {
			return -1
		}
		n++
		return n - 1
	}
	bias = place(r.bias)
	stats = place(r.norm)
	gamma = place(r.norm && r.affix.scale)
	beta = place(r.norm && r.affix.shift)
	return bias, stats, gamma, beta
}

func (r convThen) flows(in []tensor.Shape, _ tensor.Shape) ([]exec.Flow, exec.Flow) {
	f := plains(len(in))
	f[0] = exec.Last
	if r.add {
		f[len(f)-1] = exec.Last
	}
	return f, exec.Last
}

func (r convThen) scratch(c *exec.Call) int {
	n := r.conv2D.scratch(c) + vectorScratch(c, 2, c.In[1].Shape[0])
	if r.add {
		n += pictureScratch(&c.In[len(c.In)-1])
	}
	return n
}

func (r convThen) canPitch(c *exec.Call) bool { return !r.add && r.conv2D.canPitch(c) }

func (r convThen) run(c *exec.Call) error {
	s := r.forward(c)
	if c.Out.Dtype == tensor.Float32 {
		convThenRun[float32](c, &s, &r, nil)
	} else {
		convThenRun[float64](c, &s, &r, nil)
	}
	return nil
}

// frozenConv is convThen whose filters are packed, and whose scale and shift are known, once for all.
type frozenConv struct {
	convThen
	f32 *frozenData[float32]
	f64 *frozenData[float64]
}

type frozenData[T exec.Float] struct{ packed, scale, shift []T }

func (r conv2D) freeze(c *exec.Call, constant []bool) (rule, bool) {
	return convThen{conv2D: r}.freeze(c, constant)
}

func (r convThen) freeze(c *exec.Call, constant []bool) (rule, bool) {
	last := len(constant)
	if r.add {
		last--
	}
	for _, k := range constant[1:last] {
		if !k {
			return nil, false
		}
	}
	s := r.g.shape(c.In[0].Shape[0], c.In[0].Shape[1], c.In[1].Shape[0])
	if c.Out.Dtype == tensor.Float32 {
		return frozenConv{convThen: r, f32: freezeConv[float32](c, &s, &r)}, true
	}
	return frozenConv{convThen: r, f64: freezeConv[float64](c, &s, &r)}, true
}

func freezeConv[T exec.Float](c *exec.Call, s *conv2d.Shape, r *convThen) *frozenData[T] {
	d := &frozenData[T]{scale: make([]T, s.K), shift: make([]T, s.K)}
	d.scale, d.shift = scaleAndShift(c, r, d.scale, d.shift)
	d.packed = make([]T, conv2d.PackedSize[T](s))
	conv2d.PackForward(s, d.packed, exec.Data[T](&c.In[1]))
	return d
}

func (r frozenConv) run(c *exec.Call) error {
	s := r.forward(c)
	if c.Out.Dtype == tensor.Float32 {
		convThenRun(c, &s, &r.convThen, r.f32)
	} else {
		convThenRun(c, &s, &r.convThen, r.f64)
	}
	return nil
}

// convThenRun takes packed filters, scale and shift from known, if it is not nil.
func convThenRun[T exec.Float](c *exec.Call, s *conv2d.Shape, r *convThen, known *frozenData[T]) {
	x, w, y := loadPicture[T](c, &c.In[0]), exec.Data[T](&c.In[1]), makePicture[T](c)
	var scale, shift, add []T
	if known != nil {
		scale, shift = known.scale, known.shift
	} else {
		scale, shift = scaleAndShift(c, r, exec.Scratch[T](c, s.K), exec.Scratch[T](c, s.K))
	}
	if r.add {
		add = loadPicture[T](c, &c.In[len(c.In)-1])
	}
	ep := epilogue(r, scale, shift, add)
	if known != nil {
		conv2d.ForwardPacked(s, y, x, known.packed, &ep, exec.Scratch[T](c, conv2d.PackedWorkspace[T](s)))
	} else {
		conv2d.Forward(s, y, x, w, &ep, exec.Scratch[T](c, conv2d.Workspace[T](s, conv2d.PassForward)))
	}
	storePicture(c, y)
}

func epilogue[T exec.Float](r *convThen, scale, shift, add []T) conv2d.Epilogue[T] {
	ep := conv2d.Epilogue[T]{Scale: scale, Shift: shift, Add: add}
	switch {
	case r.act.on && r.act.slope == 0:
		ep.Activation = conv.ReLU
	case r.act.on:
		ep.Activation, ep.Slope = conv.LeakyReLU, T(r.act.slope)
	}
	return ep
}

// scaleAndShift makes one factor and one summand a channel of bias and normalisation: what follows the
// convolution is scale·v + shift. Either is nil where it would do nothing.
func scaleAndShift[T exec.Float](c *exec.Call, r *convThen, scale, shift []T) ([]T, []T) {
	b, st, ga, be := r.places()
	bias, gamma, beta := optional[T](c, b), optional[T](c, ga), optional[T](c, be)
	if st < 0 {
		return nil, bias
	}
	mean, variance := halves[T](&c.In[st])
	for k := range scale {
		f, m := 1/math.Sqrt(float64(variance[k])+r.affix.eps), float64(mean[k])
		if gamma != nil {
			f *= float64(gamma[k])
		}
		if bias != nil {
			m -= float64(bias[k])
		}
		v := -m * f
		if beta != nil {
			v += float64(beta[k])
		}
		scale[k], shift[k] = T(f), T(v)
	}
	return scale, shift
}
