package ops

import (
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/internal/exec"
	"github.com/stheno-ml/stheno/internal/kernel/norm"
)

// The rules that batch, layer, group and instance normalisation are made of. With x̂ = (x − μ)/√(σ² + ε) and
// M values a channel, the Jacobian of x̂ in x is symmetric:
//
//	J·g = (g − mean(g) − x̂·mean(g·x̂)) / √(σ² + ε)
//
// so the gradient of x̂ is J·dy, and that of J·g in g is J again. Inputs named stats and sums are means to an
// end: they carry no derivative, and each rule's gradient is the total one in the inputs that do.

// norming says what is normalised, and by what.
type norming struct {
	c     channels
	eps   float64
	fixed bool // the statistics are constants, not those of x
}

// flows of a rule with these inputs.
func (r norming) flows(in []tensor.Shape, _ tensor.Shape) ([]exec.Flow, exec.Flow) {
	return r.c.flows(len(in))
}

// checkStats wants [2, C] for x.
func (r norming) checkStats(stats, x tensor.Shape) error {
	row, err := rowShape(stats)
	if err != nil {
		return err
	}
	return r.c.check("a statistic", row, x)
}

// halves are the two rows of an array [2, C].
func halves[T exec.Float](a *exec.Array) (first, second []T) {
	d := exec.Data[T](a)
	return d[:len(d)/2], d[len(d)/2:]
}

// channelStats is the mean and the biased variance [2, C] of each channel of x.
type channelStats struct{ c channels }

func (channelStats) name() string              { return "batch statistics" }
func (channelStats) differentiable(int) []bool { return []bool{false} }

func (r channelStats) shape(in []tensor.Shape) (tensor.Shape, error) {
	row, err := r.c.of(in[0])
	if err != nil {
		return nil, err
	}
	return tensor.Shape{2, row[0]}, nil
}

func (r channelStats) flows(in []tensor.Shape, _ tensor.Shape) ([]exec.Flow, exec.Flow) {
	return r.c.flows(len(in))
}

func (channelStats) flops(in []tensor.Shape, _ tensor.Shape) int64 {
	return 3 * int64(exec.Size(in[0]))
}

func (r channelStats) run(c *exec.Call) error {
	if c.Out.Dtype == tensor.Float32 {
		channelStatsRun[float32](c, r.c)
	} else {
		channelStatsRun[float64](c, r.c)
	}
	return nil
}

func channelStatsRun[T exec.Float](c *exec.Call, by channels) {
	mean, variance := halves[T](&c.Out)
	norm.Stats(mean, variance, exec.Data[T](&c.In[0]), by.view(&c.In[0]))
}

func (channelStats) grad(gorgonia.Nodes, *Node, *Node) (gorgonia.Nodes, error) {
	return gorgonia.Nodes{nil}, nil
}

// normalize is γ·x̂ + β of x, stats [2, C] and, where there are scale and shift, γ [C] and β [C].
type normalize struct {
	norming
	scale, shift bool
}

func (normalize) name() string   { return "batch norm" }
func (normalize) inPlace() []int { return []int{0} }

// affine finds γ and β among the inputs, −1 where there is none.
func (r normalize) affine() (gamma, beta int) {
	gamma, beta = -1, -1
	if r.scale {
		gamma = 2
	}
	if r.shift {
		beta = 2
		if r.scale {
			beta = 3
		}
	}
	return gamma, beta
}

func (r normalize) shape(in []tensor.Shape) (tensor.Shape, error) {
	if err := r.checkStats(in[1], in[0]); err != nil {
		return nil, err
	}
	gamma, beta := r.affine()
	if gamma > 0 {
		if err := r.c.check("gamma", in[gamma], in[0]); err != nil {
			return nil, err
		}
	}
	if beta > 0 {
		if err := r.c.check("beta", in[beta], in[0]); err != nil {
			return nil, err
		}
	}
	return in[0].Clone(), nil
}

func (r normalize) differentiable(inputs int) []bool {
	return []bool{true, false, true, true}[:inputs]
}

// canPitch: channels of pictures are [N·H·W, C] to the kernel, and y may have rows of another length.
func (r normalize) canPitch(*exec.Call) bool { return r.c == channels{} }

func (normalize) flops(_ []tensor.Shape, out tensor.Shape) int64 { return 3 * int64(exec.Size(out)) }

func (r normalize) run(c *exec.Call) error {
	if c.Out.Dtype == tensor.Float32 {
		normalizeRun[float32](c, &r)
	} else {
		normalizeRun[float64](c, &r)
	}
	return nil
}

func normalizeRun[T exec.Float](c *exec.Call, r *normalize) {
	mean, variance := halves[T](&c.In[1])
	i, j := r.affine()
	gamma, beta := optional[T](c, i), optional[T](c, j)
	norm.Normalize(exec.Data[T](&c.Out), exec.Data[T](&c.In[0]), mean, variance, gamma, beta, r.eps, norm.Post[T]{Pitch: c.Out.Pitch}, r.c.view(&c.In[0]))
}

// optional is the data of an input, nil for input −1.
func optional[T exec.Float](c *exec.Call, i int) []T {
	if i < 0 {
		return nil
	}
	return exec.Data[T](&c.In[i])
}

func (r normalize) grad(in gorgonia.Nodes, _, dy *Node) (gorgonia.Nodes, error) {
	x, stats := in[0], in[1]
	gamma, beta := r.affine()
	sums, err := apply(normSums{r.norming}, dy, x, stats)
	if err != nil {
		return nil, err
	}
	grads := make(gorgonia.Nodes, len(in))
	var scale *Node
	if gamma > 0 {
		scale = in[gamma]
		if grads[gamma], err = apply(takeRow{1}, sums); err != nil {
			return nil, err
		}
	}
	if beta > 0 {
		if grads[beta], err = apply(takeRow{0}, sums); err != nil {
			return nil, err
		}
	}
	grads[0], err = r.inputGrad(dy, x, stats, sums, scale)
	return grads, err
}

// inputGrad is γ·J·g, or γ·g/√(σ² + ε) where the statistics are fixed.
func (r norming) inputGrad(g, x, stats, sums, gamma *Node) (*Node, error) {
	in := gorgonia.Nodes{g, stats}
	if !r.fixed {
		in = append(in, x, sums)
	}
	if gamma != nil {
		in = append(in, gamma)
	}
	return apply(normInput{r, gamma != nil}, in...)
}

// normSums is Σ g and Σ g·x̂ of each channel, [2, C], of g, x and stats: the gradients of β and γ.
type normSums struct{ norming }

func (normSums) name() string              { return "batch norm gradient sums" }
func (normSums) differentiable(int) []bool { return []bool{true, true, false} }

func (r normSums) shape(in []tensor.Shape) (tensor.Shape, error) {
	return in[2].Clone(), r.checkStats(in[2], in[1])
}

// readsPitched: rows of g may lie apart.
func (r normSums) readsPitched(input int) bool { return input == 0 && r.c == channels{} }

func (normSums) flops(in []tensor.Shape, _ tensor.Shape) int64 { return 4 * int64(exec.Size(in[0])) }

func (r normSums) run(c *exec.Call) error {
	if c.Out.Dtype == tensor.Float32 {
		normSumsRun[float32](c, &r)
	} else {
		normSumsRun[float64](c, &r)
	}
	return nil
}

func normSumsRun[T exec.Float](c *exec.Call, r *normSums) {
	mean, variance := halves[T](&c.In[2])
	sumG, sumGX := halves[T](&c.Out)
	norm.GradStats(sumG, sumGX, exec.Data[T](&c.In[0]), exec.Data[T](&c.In[1]), mean, variance, r.eps, norm.Mask[T]{Pitch: c.In[0].Pitch}, r.c.view(&c.In[1]))
}

// For v of shape [2, C], v₀·Σ g + v₁·Σ g·x̂ has the gradient v₀ + v₁·x̂ in g and v₁·J·g in x.
func (r normSums) grad(in gorgonia.Nodes, sums, v *Node) (gorgonia.Nodes, error) {
	g, x, stats := in[0], in[1], in[2]
	rows, err := bothRows(v)
	if err != nil {
		return nil, err
	}
	dg, err := apply(normalize{r.norming, true, true}, x, stats, rows[1], rows[0])
	if err != nil {
		return nil, err
	}
	dx, err := r.inputGrad(g, x, stats, sums, rows[1])
	return gorgonia.Nodes{dg, dx, nil}, err
}

// normInput is γ·J·g of g, stats, x, sums (what normSums makes of g and x) and, where there is scale, γ.
// With fixed statistics it is γ·g/√(σ² + ε) and takes no x and sums.
type normInput struct {
	norming
	scale bool
}

func (normInput) name() string { return "batch norm input gradient" }

func (r normInput) inPlace() []int {
	if r.fixed {
		return []int{0}
	}
	return []int{0, 2}
}

// gamma is where γ stands among the inputs, −1 without.
func (r normInput) gamma() int {
	switch {
	case !r.scale:
		return -1
	case r.fixed:
		return 2
	}
	return 4
}

func (r normInput) shape(in []tensor.Shape) (tensor.Shape, error) {
	if err := r.checkStats(in[1], in[0]); err != nil {
		return nil, err
	}
	if k := r.gamma(); k >= 0 {
		if err := r.c.check("gamma", in[k], in[0]); err != nil {
			return nil, err
		}
	}
	return in[0].Clone(), nil
}

func (r normInput) differentiable(inputs int) []bool {
	if r.fixed {
		return []bool{true, false, true}[:inputs]
	}
	return []bool{true, false, true, false, true}[:inputs]
}

// readsPitched: rows of g may lie apart.
func (r normInput) readsPitched(input int) bool { return input == 0 && r.c == channels{} }

func (normInput) flops(_ []tensor.Shape, out tensor.Shape) int64 { return 5 * int64(exec.Size(out)) }

func (r normInput) run(c *exec.Call) error {
	if c.Out.Dtype == tensor.Float32 {
		normInputRun[float32](c, &r)
	} else {
		normInputRun[float64](c, &r)
	}
	return nil
}

func normInputRun[T exec.Float](c *exec.Call, r *normInput) {
	mean, variance := halves[T](&c.In[1])
	var x, sumG, sumGX []T
	if !r.fixed {
		x = exec.Data[T](&c.In[2])
		sumG, sumGX = halves[T](&c.In[3])
	}
	gamma := optional[T](c, r.gamma())
	norm.InputGrad(exec.Data[T](&c.Out), nil, exec.Data[T](&c.In[0]), x, mean, variance, gamma, sumG, sumGX, r.eps, norm.Mask[T]{Pitch: c.In[0].Pitch}, r.c.view(&c.Out))
}

func (r normInput) grad(in gorgonia.Nodes, _, u *Node) (gorgonia.Nodes, error) {
	g, stats := in[0], in[1]
	grads := make(gorgonia.Nodes, len(in))
	var x, sums, sumsU, gamma *Node
	var err error
	if k := r.gamma(); k >= 0 {
		gamma = in[k]
	}
	if !r.fixed {
		x, sums = in[2], in[3]
		if sumsU, err = apply(normSums{r.norming}, u, x, stats); err != nil {
			return nil, err
		}
		if grads[2], err = r.curvature(u, g, x, stats, sumsU, sums, gamma); err != nil {
			return nil, err
		}
	}
	if grads[0], err = r.inputGrad(u, x, stats, sumsU, gamma); err != nil {
		return nil, err
	}
	if gamma != nil {
		plain, err := r.inputGrad(g, x, stats, sums, nil)
		if err != nil {
			return nil, err
		}
		if grads[r.gamma()], err = apply(channelDot{r.c}, u, plain); err != nil {
			return nil, err
		}
	}
	return grads, nil
}

// curvature is the gradient of γ·u·J·g in x.
func (r normInput) curvature(u, g, x, stats, sumsU, sumsG, gamma *Node) (*Node, error) {
	dot, err := apply(channelDot{r.c}, u, g)
	if err != nil {
		return nil, err
	}
	in := gorgonia.Nodes{u, g, x, stats, sumsU, sumsG, dot}
	if gamma != nil {
		in = append(in, gamma)
	}
	return apply(normCurvature(r), in...)
}
