package ops

import (
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/internal/exec"
	"github.com/stheno-ml/stheno/internal/kernel/norm"
)

// normalizeThen is a normalisation, a residual add and an activation in one pass: of the inputs of normalize
// and, where there is add, what is added.
type normalizeThen struct {
	normalize
	ends
}

func (r normalize) fuse(next rule, _, inputs int) (rule, bool) {
	e, ok := ends{}.then(next, inputs)
	return normalizeThen{normalize: r, ends: e}, ok
}

func (r normalizeThen) fuse(next rule, _, inputs int) (rule, bool) {
	e, ok := r.then(next, inputs)
	return normalizeThen{normalize: r.normalize, ends: e}, ok
}

func (normalizeThen) grad(gorgonia.Nodes, *Node, *Node) (gorgonia.Nodes, error) { return tapeOnly() }

func (r normalizeThen) name() string                                  { return r.normalize.name() + r.suffix() }
func (r normalizeThen) shape(in []tensor.Shape) (tensor.Shape, error) { return sameAsFirst(in) }

// added is where the residual stands among the inputs, −1 without.
func (r normalizeThen) added() int {
	if !r.add {
		return -1
	}
	n := 2
	if r.scale {
		n++
	}
	if r.shift {
		n++
	}
	return n
}

func (r normalizeThen) inPlace() []int {
	if r.add {
		return []int{0, r.added()}
	}
	return []int{0}
}

func (r normalizeThen) run(c *exec.Call) error {
	if c.Out.Dtype == tensor.Float32 {
		normalizeThenRun[float32](c, &r)
	} else {
		normalizeThenRun[float64](c, &r)
	}
	return nil
}

func normalizeThenRun[T exec.Float](c *exec.Call, r *normalizeThen) {
	mean, variance := halves[T](&c.In[1])
	i, j := r.affine()
	post := norm.Post[T]{Add: optional[T](c, r.added()), Act: r.act.on, Slope: T(r.act.slope), Pitch: c.Out.Pitch}
	norm.Normalize(exec.Data[T](&c.Out), exec.Data[T](&c.In[0]), mean, variance, optional[T](c, i), optional[T](c, j), r.eps, post, r.c.view(&c.In[0]))
}

// maskedSums is normSums of the gradient of an activation: of dy and y, the activation's result, and then x
// and stats.
type maskedSums struct {
	normSums
	slope float64
}

func (r normSums) absorb(producer rule, at int) (rule, bool) {
	slope, ok := activationGradOf(producer)
	return maskedSums{normSums: r, slope: slope}, ok && at == 0
}

func (maskedSums) absorb(rule, int) (rule, bool) { return nil, false } // one activation is all

func (maskedSums) grad(gorgonia.Nodes, *Node, *Node) (gorgonia.Nodes, error) { return tapeOnly() }

func (r maskedSums) name() string { return "activation gradient + " + r.normSums.name() }

func (r maskedSums) shape(in []tensor.Shape) (tensor.Shape, error) { return r.normSums.shape(in[1:]) }

func (r maskedSums) run(c *exec.Call) error {
	if c.Out.Dtype == tensor.Float32 {
		maskedSumsRun[float32](c, &r)
	} else {
		maskedSumsRun[float64](c, &r)
	}
	return nil
}

func maskedSumsRun[T exec.Float](c *exec.Call, r *maskedSums) {
	mean, variance := halves[T](&c.In[3])
	sumG, sumGX := halves[T](&c.Out)
	mask := norm.Mask[T]{Y: exec.Data[T](&c.In[1]), Slope: T(r.slope), Pitch: c.In[0].Pitch}
	norm.GradStats(sumG, sumGX, exec.Data[T](&c.In[0]), exec.Data[T](&c.In[2]), mean, variance, r.eps, mask, r.c.view(&c.In[2]))
}

// maskedInput is normInput of the gradient of an activation: of dy and y, and then normInput's other inputs.
type maskedInput struct {
	normInput
	slope float64
}

func (r normInput) absorb(producer rule, at int) (rule, bool) {
	slope, ok := activationGradOf(producer)
	return maskedInput{normInput: r, slope: slope}, ok && at == 0
}

func (maskedInput) absorb(rule, int) (rule, bool) { return nil, false } // one activation is all

func (maskedInput) grad(gorgonia.Nodes, *Node, *Node) (gorgonia.Nodes, error) { return tapeOnly() }

func (r maskedInput) name() string { return "activation gradient + " + r.normInput.name() }

func (r maskedInput) shape(in []tensor.Shape) (tensor.Shape, error) { return sameAsFirst(in) }

func (r maskedInput) inPlace() []int {
	if r.fixed {
		return []int{0}
	}
	return []int{0, 3}
}

func (r maskedInput) run(c *exec.Call) error {
	if c.Out.Dtype == tensor.Float32 {
		maskedInputRun[float32](c, &r)
	} else {
		maskedInputRun[float64](c, &r)
	}
	return nil
}

func maskedInputRun[T exec.Float](c *exec.Call, r *maskedInput) {
	mean, variance := halves[T](&c.In[2])
	var x, sumG, sumGX []T
	if !r.fixed {
		x = exec.Data[T](&c.In[3])
		sumG, sumGX = halves[T](&c.In[4])
	}
	k := r.gamma()
	if k >= 0 {
		k++
	}
	mask := norm.Mask[T]{Y: exec.Data[T](&c.In[1]), Slope: T(r.slope), Pitch: c.In[0].Pitch}
	norm.InputGrad(exec.Data[T](&c.Out), nil, exec.Data[T](&c.In[0]), x, mean, variance, optional[T](c, k), sumG, sumGX, r.eps, mask, r.c.view(&c.Out))
}
