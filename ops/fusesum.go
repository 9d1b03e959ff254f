package ops

import (
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/internal/exec"
	"github.com/stheno-ml/stheno/internal/kernel/conv2d"
	"github.com/stheno-ml/stheno/internal/kernel/vec"
)

// mostConvs is how many input gradients a fused sum takes in: the branches of an Inception block.
const mostConvs = 4

// convInputSum is a sum some of whose terms are input gradients of convolutions, which are added into place:
// what gathers the gradients of a value that several layers read. Its inputs are dy and w of each of the
// convolutions, then the other terms.
type convInputSum struct {
	convs  [mostConvs]convInput
	n      int // convolutions
	others int
}

func (r convInput) fuse(next rule, at, inputs int) (rule, bool) {
	switch s := next.(type) {
	case sum:
		return convInputSum{convs: [mostConvs]convInput{r}, n: 1, others: inputs - 1}, true
	case convInputSum:
		if s.n == mostConvs || at < 2*s.n {
			return nil, false
		}
		copy(s.convs[1:], s.convs[:s.n])
		s.convs[0] = r
		s.n++
		s.others--
		return s, true
	}
	return nil, false
}

func (convInputSum) grad(gorgonia.Nodes, *Node, *Node) (gorgonia.Nodes, error) { return tapeOnly() }

func (r convInputSum) name() string { return r.convs[0].name() + " + add" }

func (r convInputSum) shape(in []tensor.Shape) (tensor.Shape, error) { return r.convs[0].shape(in) }

func (r convInputSum) flows(in []tensor.Shape, _ tensor.Shape) ([]exec.Flow, exec.Flow) {
	f := make([]exec.Flow, len(in))
	for i := range f {
		f[i] = exec.Last
		if i < 2*r.n && i%2 == 1 {
			f[i] = exec.Plain
		}
	}
	return f, exec.Last
}

func (r convInputSum) multiplyAdds(in []tensor.Shape, out tensor.Shape) int64 {
	var n int64
	for k, conv := range r.convs[:r.n] {
		n += conv.multiplyAdds(in[2*k:], out)
	}
	return n
}

func (r convInputSum) flops(in []tensor.Shape, out tensor.Shape) int64 {
	return 2*r.multiplyAdds(in, out) + int64(len(in)-r.n-1)*int64(exec.Size(out))
}

func (r convInputSum) inPlace() []int {
	var in []int
	for k := range r.others {
		in = append(in, 2*r.n+k)
	}
	return in
}

// of is the convolution whose input gradient is term k.
func (r *convInputSum) of(c *exec.Call, k int) conv2d.Shape {
	dy := c.In[2*k].Shape
	return r.convs[k].g.shape(dy[0], r.convs[k].channels, dy[1])
}

// scratch is for pictures in another order, and then for the convolutions, one after the other.
func (r convInputSum) scratch(c *exec.Call) int {
	pictures, most := pictureScratch(&c.Out), 0
	for i := range c.In {
		if i >= 2*r.n || i%2 == 0 {
			pictures += pictureScratch(&c.In[i])
		}
	}
	for k := range r.n {
		s := r.of(c, k)
		n := workspace(c, &s, conv2d.PassInputGrad)
		if !r.canAdd(c, k, &s) {
			n += exec.ScratchSize[uint8](c.Out.Bytes())
		}
		most = max(most, n)
	}
	return pictures + most
}

// canAdd says whether a convolution's gradient needs no memory of its own.
func (r *convInputSum) canAdd(c *exec.Call, k int, s *conv2d.Shape) bool {
	if k == 0 && r.others == 0 {
		return true // the first term is not added, but written
	}
	if c.Out.Dtype == tensor.Float32 {
		return conv2d.CanAddInputGrad[float32](s)
	}
	return conv2d.CanAddInputGrad[float64](s)
}

func (r convInputSum) run(c *exec.Call) error {
	if c.Out.Dtype == tensor.Float32 {
		convInputSumRun[float32](c, &r)
	} else {
		convInputSumRun[float64](c, &r)
	}
	return nil
}

func convInputSumRun[T exec.Float](c *exec.Call, r *convInputSum) {
	dx := makePicture[T](c)
	others := c.In[2*r.n:]
	inPlace := -1
	for k := range others {
		if others[k].Pointer() == c.Out.Pointer() {
			inPlace = k // the sum begins with it, before it is written over
		}
	}
	written := inPlace >= 0
	if written && !isChannelsLast(&c.Out) {
		vec.Copy(dx, loadPicture[T](c, &others[inPlace]))
	}
	for k := range others {
		if k == inPlace {
			continue
		}
		x := loadPicture[T](c, &others[k])
		if written {
			vec.Add(dx, dx, x)
		} else {
			vec.Copy(dx, x)
		}
		written = true
	}
	for k := range r.n {
		s, w := r.of(c, k), exec.Data[T](&c.In[2*k+1])
		dy := loadPicture[T](c, &c.In[2*k])
		left := c.Scratch
		ws := exec.Scratch[T](c, conv2d.Workspace[T](&s, conv2d.PassInputGrad))
		switch {
		case !written:
			conv2d.InputGrad(&s, dx, dy, w, ws)
		case r.canAdd(c, k, &s):
			conv2d.AddInputGrad(&s, dx, dy, w, ws)
		default:
			own := exec.Scratch[T](c, len(dx))
			conv2d.InputGrad(&s, own, dy, w, ws)
			vec.Add(dx, dx, own)
		}
		written, c.Scratch = true, left
	}
	storePicture(c, dx)
}
