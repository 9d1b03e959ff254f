package ops

import (
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/internal/exec"
	"github.com/stheno-ml/stheno/internal/kernel/norm"
)

// The gradient of a normalisation behind an activation wants to know where the activation's result is
// positive. Where nothing was added in between, that can be told from x and the statistics, which the gradient
// reads anyway: one pass over memory less.

// signOf is the normalisation whose result, after the activation of this slope, has the sign that is wanted.
func signOf(producer rule, of norming, slope float64) (normalize, bool) {
	n, ok := producer.(normalizeThen)
	return n.normalize, ok && !n.add && n.act.on && n.act.slope == slope && n.norming == of && !n.fixed
}

// affines lists where γ and β stand among a normalisation's inputs.
func (r normalize) affines() (take []int) {
	gamma, beta := r.affine()
	for _, k := range []int{gamma, beta} {
		if k >= 0 {
			take = append(take, k)
		}
	}
	return take
}

// signMask is the mask that x tells, with γ and β as the last inputs of the call.
func signMask[T exec.Float](c *exec.Call, of *normalize, slope float64) norm.Mask[T] {
	m := norm.Mask[T]{FromX: true, Slope: T(slope), Pitch: c.In[0].Pitch}
	n := len(c.In)
	if of.shift {
		n--
		m.Beta = exec.Data[T](&c.In[n])
	}
	if of.scale {
		m.Gamma = exec.Data[T](&c.In[n-1])
	}
	return m
}

// signedSums is maskedSums of dy, x, stats and, as far as the forward normalisation had them, its γ and β.
type signedSums struct {
	maskedSums
	of normalize
}

func (r maskedSums) bypass(producer rule, at int, same func(own, producers int) bool) (rule, []int, bool) {
	of, ok := signOf(producer, r.norming, r.slope)
	return signedSums{r, of}, of.affines(), ok && at == 1 && same(2, 0) && same(3, 1)
}

func (signedSums) bypass(rule, int, func(int, int) bool) (rule, []int, bool) { return nil, nil, false }

func (signedSums) grad(gorgonia.Nodes, *Node, *Node) (gorgonia.Nodes, error) { return tapeOnly() }

func (r signedSums) shape(in []tensor.Shape) (tensor.Shape, error) { return r.normSums.shape(in) }

func (r signedSums) run(c *exec.Call) error {
	if c.Out.Dtype == tensor.Float32 {
		signedSumsRun[float32](c, &r)
	} else {
		signedSumsRun[float64](c, &r)
	}
	return nil
}

func signedSumsRun[T exec.Float](c *exec.Call, r *signedSums) {
	mean, variance := halves[T](&c.In[2])
	sumG, sumGX := halves[T](&c.Out)
	norm.GradStats(sumG, sumGX, exec.Data[T](&c.In[0]), exec.Data[T](&c.In[1]), mean, variance, r.eps, signMask[T](c, &r.of, r.slope), r.c.view(&c.In[1]))
}

// signedInput is maskedInput of dy, stats, x, sums, γ where the gradient is scaled by it, and then the forward
// normalisation's γ and β.
type signedInput struct {
	maskedInput
	of normalize
}

func (r maskedInput) bypass(producer rule, at int, same func(own, producers int) bool) (rule, []int, bool) {
	of, ok := signOf(producer, r.norming, r.slope)
	return signedInput{r, of}, of.affines(), ok && at == 1 && same(3, 0) && same(2, 1)
}

func (signedInput) bypass(rule, int, func(int, int) bool) (rule, []int, bool) { return nil, nil, false }

func (signedInput) grad(gorgonia.Nodes, *Node, *Node) (gorgonia.Nodes, error) { return tapeOnly() }

func (signedInput) inPlace() []int { return []int{0, 2} }

func (r signedInput) run(c *exec.Call) error {
	if c.Out.Dtype == tensor.Float32 {
		signedInputRun[float32](c, &r)
	} else {
		signedInputRun[float64](c, &r)
	}
	return nil
}

func signedInputRun[T exec.Float](c *exec.Call, r *signedInput) {
	mean, variance := halves[T](&c.In[1])
	sumG, sumGX := halves[T](&c.In[3])
	norm.InputGrad(exec.Data[T](&c.Out), nil, exec.Data[T](&c.In[0]), exec.Data[T](&c.In[2]), mean, variance, optional[T](c, r.gamma()),
		sumG, sumGX, r.eps, signMask[T](c, &r.of, r.slope), r.c.view(&c.Out))
}
