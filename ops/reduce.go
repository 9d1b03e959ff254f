package ops

import (
	"math"

	"github.com/pkg/errors"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/internal/exec"
)

// Over says which axes a reduction takes together. The zero value takes all of them and gives a scalar.
type Over struct {
	Axes []int // negative numbers count from the last axis, which is -1; none means all
	Keep bool  // leave the axes in the result, with size 1
}

// SumAxes is the sum over axes. Sums are carried in float64, in an order that depends on the shape only.
func SumAxes(x *Node, o Over) (*Node, error) {
	return reduceOver("sum", x, o, func(o over) rule { return sumOver{over: o} })
}

// Mean is the arithmetic mean over axes.
func Mean(x *Node, o Over) (*Node, error) {
	return reduceOver("mean", x, o, func(o over) rule { return sumOver{over: o, mean: true} })
}

// Variance is the mean squared distance from the mean over axes. correction is taken off the count of
// elements that the sum is divided by: 0 gives the biased variance (that of batch norm), 1 the unbiased one.
// The mean is taken off first, so a large mean costs no precision.
func Variance(x *Node, correction int, o Over) (*Node, error) {
	return reduceOver("variance", x, o, func(o over) rule { return variance{twiceOver{o}, correction} })
}

// Prod is the product over axes. Its gradient is right where elements are zero, and cannot be differentiated
// again.
func Prod(x *Node, o Over) (*Node, error) {
	return reduceOver("product", x, o, func(o over) rule { return prodOver{o} })
}

// Max is the largest element over axes, NaN if there is one. Equal largest elements share the gradient evenly,
// as in PyTorch's amax.
func Max(x *Node, o Over) (*Node, error) {
	return reduceOver("max", x, o, func(o over) rule { return extremeOver{o, foldMax} })
}

// Min is the smallest element over axes; see Max.
func Min(x *Node, o Over) (*Node, error) {
	return reduceOver("min", x, o, func(o over) rule { return extremeOver{o, foldMin} })
}

// L1Norm is the sum of absolute values over axes. Its gradient at 0 is 0.
func L1Norm(x *Node, o Over) (*Node, error) {
	return reduceOver("L1 norm", x, o, func(o over) rule { return l1Over{o} })
}

// L2Norm is the Euclidean norm over axes, the root of the sum of squares. Its gradient is 0 where it is 0.
func L2Norm(x *Node, o Over) (*Node, error) {
	return reduceOver("L2 norm", x, o, func(o over) rule { return l2Over{o} })
}

// LogSumExp is ln Σ exp(x) over axes. The largest x is subtracted first, so large inputs do not overflow.
func LogSumExp(x *Node, o Over) (*Node, error) {
	return reduceOver("log-sum-exp", x, o, func(o over) rule { return logSumExp{twiceOver{o}} })
}

func reduceOver(name string, x *Node, o Over, r func(over) rule) (*Node, error) {
	if x == nil {
		return nil, errors.Errorf("%s: input 0 is nil", name)
	}
	if err := checkRank(x.Shape()); err != nil {
		return nil, errors.Wrap(err, name)
	}
	rank := len(x.Shape())
	axes, err := axesOf(o.Axes, rank)
	if err != nil {
		return nil, errors.Wrap(err, name)
	}
	if len(o.Axes) == 0 {
		axes = allAxes(rank)
	}
	return apply(r(over{axes, o.Keep}), x)
}

// over is what reductions have in common.
type over struct {
	axes axisSet
	keep bool
}

func (o over) shape(in []tensor.Shape) (tensor.Shape, error) {
	out := tensor.Shape{}
	for k, d := range in[0] {
		switch {
		case !o.axes.has(k):
			out = append(out, d)
		case o.keep:
			out = append(out, 1)
		}
	}
	return out, nil
}

func (over) flows(in []tensor.Shape, out tensor.Shape) ([]exec.Flow, exec.Flow) {
	return follow(len(in))
}

func (over) flops(in []tensor.Shape, _ tensor.Shape) int64 { return int64(exec.Size(in[0])) }

func (o over) scratch(c *exec.Call) int {
	f := newFold(&c.In[0], &c.Out, o.axes)
	return exec.ScratchSize[float64](f.scratch())
}

// fold runs one fold and sets the results to what finish makes of the totals.
func (o over) fold(c *exec.Call, kind folding, finish func(i int, total float64) float64) error {
	if c.Out.Dtype == tensor.Float32 {
		foldOnce[float32](c, o.axes, kind, finish)
	} else {
		foldOnce[float64](c, o.axes, kind, finish)
	}
	return nil
}

func foldOnce[T exec.Float](c *exec.Call, axes axisSet, kind folding, finish func(i int, total float64) float64) {
	f := newFold(&c.In[0], &c.Out, axes)
	totals := runFold(&f, kind, exec.Data[T](&c.In[0]), exec.Scratch[float64](c, f.scratch()), nil)
	write(&f, exec.Data[T](&c.Out), totals, finish)
}

// foldTwice runs a fold whose results, after prepare, shift the elements of a second one.
func (o over) foldTwice(c *exec.Call, first, second folding, prepare func(total float64) float64, finish func(shift, total float64) float64) error {
	if c.Out.Dtype == tensor.Float32 {
		shiftedFold[float32](c, o.axes, first, second, prepare, finish)
	} else {
		shiftedFold[float64](c, o.axes, first, second, prepare, finish)
	}
	return nil
}

func shiftedFold[T exec.Float](c *exec.Call, axes axisSet, first, second folding, prepare func(total float64) float64, finish func(shift, total float64) float64) {
	f := newFold(&c.In[0], &c.Out, axes)
	x := exec.Data[T](&c.In[0])
	shift := runFold(&f, first, x, exec.Scratch[float64](c, f.scratch()), nil)
	for i, v := range shift {
		shift[i] = prepare(v)
	}
	totals := runFold(&f, second, x, exec.Scratch[float64](c, f.scratch()), shift)
	write(&f, exec.Data[T](&c.Out), totals, func(i int, total float64) float64 { return finish(shift[i], total) })
}

// twiceOver is what reductions that fold twice have in common.
type twiceOver struct{ over }

func (o twiceOver) scratch(c *exec.Call) int { return 2 * o.over.scratch(c) }

// count is how many elements of a shape come together in one of the result.
func (o over) count(s tensor.Shape) int {
	n := 1
	for k, d := range s {
		if o.axes.has(k) {
			n *= d
		}
	}
	return n
}

// kept is a result, or its gradient, in a shape that broadcasts to that of the input.
func (o over) kept(e *expr, n *Node, in tensor.Shape) *Node {
	s, _ := over{o.axes, true}.shape([]tensor.Shape{in})
	return e.reshape(n, s)
}

type sumOver struct {
	over
	mean bool
}

func (r sumOver) name() string {
	if r.mean {
		return "mean"
	}
	return "sum over axes"
}

func (r sumOver) run(c *exec.Call) error {
	n := 1.0
	if r.mean {
		n = float64(r.count(c.In[0].Shape))
	}
	return r.fold(c, foldSum, func(_ int, total float64) float64 { return total / n })
}

func (r sumOver) grad(in gorgonia.Nodes, _, dy *Node) (gorgonia.Nodes, error) {
	s := in[0].Shape()
	to := spread{to: intsOf(s), factor: 1}
	if !r.keep {
		to.missing = r.axes
	}
	if r.mean {
		to.factor = 1 / float64(r.count(s))
	}
	var e expr
	return e.nodes(e.op(to, dy))
}

type variance struct {
	twiceOver
	correction int
}

func (variance) name() string { return "variance" }

func (r variance) shape(in []tensor.Shape) (tensor.Shape, error) {
	if n := r.count(in[0]); n <= r.correction || r.correction < 0 {
		return nil, errors.Errorf("%d elements of shape %v with a correction of %d, want more elements than that, and no negative one", n, in[0], r.correction)
	}
	return r.over.shape(in)
}

func (r variance) run(c *exec.Call) error {
	n := float64(r.count(c.In[0].Shape))
	return r.foldTwice(c, foldSum, foldSpread,
		func(total float64) float64 { return total / n },
		func(_, total float64) float64 { return total / (n - float64(r.correction)) })
}

// dx = 2/(n − correction) · (x − mean)·dy; what the mean itself passes on is zero.
func (r variance) grad(in gorgonia.Nodes, _, dy *Node) (gorgonia.Nodes, error) {
	x := in[0]
	var e expr
	mean := e.op(sumOver{over: over{r.axes, true}, mean: true}, x)
	dy = e.scale(r.kept(&e, dy, x.Shape()), 2/float64(r.count(x.Shape())-r.correction))
	return e.nodes(e.mul(e.sub(x, mean), dy))
}

type extremeOver struct {
	over
	kind folding
}

func (r extremeOver) name() string {
	if r.kind == foldMax {
		return "max"
	}
	return "min"
}

func (r extremeOver) run(c *exec.Call) error {
	return r.fold(c, r.kind, func(_ int, total float64) float64 { return total })
}

func (r extremeOver) grad(in gorgonia.Nodes, y, dy *Node) (gorgonia.Nodes, error) {
	x := in[0]
	var e expr
	chosen := e.node(func() (*Node, error) { return Cast(e.equal(x, r.kept(&e, y, x.Shape())), x.Dtype()) })
	share := e.div(r.kept(&e, dy, x.Shape()), e.sumKeep(chosen, r.axes))
	return e.nodes(e.mul(chosen, share))
}

type l1Over struct{ over }

func (l1Over) name() string { return "L1 norm" }

func (r l1Over) run(c *exec.Call) error {
	return r.fold(c, foldAbs, func(_ int, total float64) float64 { return total })
}

func (r l1Over) grad(in gorgonia.Nodes, _, dy *Node) (gorgonia.Nodes, error) {
	x := in[0]
	var e expr
	return e.nodes(e.mul(e.op(signum{}, x), r.kept(&e, dy, x.Shape())))
}

type l2Over struct{ over }

func (l2Over) name() string { return "L2 norm" }

func (r l2Over) run(c *exec.Call) error {
	return r.fold(c, foldSquares, func(_ int, total float64) float64 { return math.Sqrt(total) })
}

func (r l2Over) grad(in gorgonia.Nodes, y, dy *Node) (gorgonia.Nodes, error) {
	x := in[0]
	var e expr
	return e.nodes(e.mul(x, r.kept(&e, e.op(ratio{}, dy, y), x.Shape())))
}

type logSumExp struct{ twiceOver }

func (logSumExp) name() string { return "log-sum-exp" }

func (r logSumExp) run(c *exec.Call) error {
	return r.foldTwice(c, foldMax, foldExp,
		func(largest float64) float64 {
			if math.IsInf(largest, 0) { // Inf − Inf would be NaN
				return 0
			}
			return largest
		},
		func(largest, total float64) float64 { return largest + math.Log(total) })
}

func (r logSumExp) grad(in gorgonia.Nodes, y, dy *Node) (gorgonia.Nodes, error) {
	x := in[0]
	var e expr
	share := e.op(exponential{}, e.sub(x, r.kept(&e, y, x.Shape())))
	return e.nodes(e.mul(share, r.kept(&e, dy, x.Shape())))
}

type prodOver struct{ over }

func (prodOver) name() string { return "product" }

func (r prodOver) run(c *exec.Call) error {
	return r.fold(c, foldProd, func(_ int, total float64) float64 { return total })
}

func (r prodOver) grad(in gorgonia.Nodes, _, dy *Node) (gorgonia.Nodes, error) {
	x := in[0]
	var e expr
	others := e.op(productOfOthers{r.axes}, x)
	return e.nodes(e.mul(others, r.kept(&e, dy, x.Shape())))
}

// productOfOthers gives for each element the product over axes without it. Division would fail at zeros.
type productOfOthers struct{ axes axisSet }

func (productOfOthers) name() string                                  { return "product of others" }
func (productOfOthers) shape(in []tensor.Shape) (tensor.Shape, error) { return in[0].Clone(), nil }

func (r productOfOthers) run(c *exec.Call) error {
	if c.Out.Dtype == tensor.Float32 {
		othersRun[float32](c, r.axes)
	} else {
		othersRun[float64](c, r.axes)
	}
	return nil
}

// othersRun goes along the folded axes once forward, writing the product of what came before, and once back,
// multiplying by the product of what comes after.
func othersRun[T exec.Float](c *exec.Call, axes axisSet) {
	x, y := exec.Data[T](&c.In[0]), exec.Data[T](&c.Out)
	s, steps := c.In[0].Shape, stepsOf(&c.In[0])
	var outer, inner walk // kept and folded axes; the innermost one of each is a row of one element
	for k, d := range s {
		w := &outer
		if axes.has(k) {
			w = &inner
		}
		w.size[w.axes], w.step[0][w.axes] = d, steps[k]
		w.axes++
	}
	outer.size[outer.axes], inner.size[inner.axes] = 1, 1
	outer.axes++
	inner.axes++
	n := inner.rows()
	at := outer.seek(0)
	for range outer.rows() {
		before := 1.0
		row := inner.seek(0)
		for range n {
			i := at.off[0] + row.off[0]
			y[i] = T(before)
			before *= float64(x[i])
			inner.next(&row)
		}
		after := 1.0
		for k := n - 1; k >= 0; k-- {
			row = inner.seek(k)
			i := at.off[0] + row.off[0]
			y[i] = T(float64(y[i]) * after)
			after *= float64(x[i])
		}
		outer.next(&at)
	}
}

func (productOfOthers) grad(gorgonia.Nodes, *Node, *Node) (gorgonia.Nodes, error) {
	return nil, errors.New("a product over axes can be differentiated once only")
}
