package ops_test

import (
	"math"
	"testing"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/internal/gradtest"
	"github.com/stheno-ml/stheno/ops"
)

// The tests of this file show traps of Gorgonia 0.9.18 that these ops have not: each runs the stock op too, and
// fails if that is right after all, as then there is no trap any more.

// runStock runs a graph on Gorgonia's own tape machine.
func runStock(t *testing.T, g *gorgonia.ExprGraph) {
	t.Helper()
	m := gorgonia.NewTapeMachine(g)
	defer m.Close()
	if err := m.RunAll(); err != nil {
		t.Fatalf("%+v", err)
	}
}

// alike is two long tensors that print alike.
func alike() (a, b *tensor.Dense) {
	a = tensor.New(tensor.Of(tensor.Float64), tensor.WithShape(1000))
	b = a.Clone().(*tensor.Dense)
	b.Float64s()[500] = 1
	return a, b
}

func TestConstantsThatPrintAlikeStayApart(t *testing.T) {
	sums := func(constant func(g *gorgonia.ExprGraph, v gorgonia.Value) *gorgonia.Node) (first, second float64) {
		g := gorgonia.NewGraph()
		zeros, _ := alike()
		x := gorgonia.NodeFromAny(g, zeros, gorgonia.WithName("x"))
		a, b := alike()
		y0 := gorgonia.Must(gorgonia.Add(x, constant(g, a)))
		y1 := gorgonia.Must(gorgonia.Add(x, constant(g, b)))
		runStock(t, g)
		return gradtest.Floats(t, y0.Value())[500], gradtest.Floats(t, y1.Value())[500]
	}
	if a, b := sums(func(g *gorgonia.ExprGraph, v gorgonia.Value) *gorgonia.Node {
		return gorgonia.NewConstant(v, gorgonia.In(g))
	}); a != b {
		t.Error("stock constants that print alike are told apart")
	}
	if a, b := sums(func(g *gorgonia.ExprGraph, v gorgonia.Value) *gorgonia.Node {
		n, err := ops.Constant(g, v)
		if err != nil {
			t.Fatalf("%+v", err)
		}
		return n
	}); a != 0 || b != 1 {
		t.Errorf("sums with two constants are %g and %g, want 0 and 1", a, b)
	}
}

func TestConstantsOfTwoTypesStayApart(t *testing.T) {
	double := func(constant func(g *gorgonia.ExprGraph, v gorgonia.Value) *gorgonia.Node) error {
		g := gorgonia.NewGraph()
		x := gorgonia.NewVector(g, tensor.Float32, gorgonia.WithShape(1), gorgonia.WithName("x"))
		y := gorgonia.NewVector(g, tensor.Float64, gorgonia.WithShape(1), gorgonia.WithName("y"))
		if _, err := gorgonia.Mul(x, constant(g, gorgonia.NewF32(2))); err != nil {
			return err
		}
		_, err := gorgonia.Mul(y, constant(g, gorgonia.NewF64(2)))
		return err
	}
	if err := double(func(g *gorgonia.ExprGraph, v gorgonia.Value) *gorgonia.Node {
		return g.Constant(v)
	}); err == nil {
		t.Error("stock constants of two types are told apart")
	}
	if err := double(func(g *gorgonia.ExprGraph, v gorgonia.Value) *gorgonia.Node {
		n, err := ops.Constant(g, v)
		if err != nil {
			t.Fatalf("%+v", err)
		}
		return n
	}); err != nil {
		t.Errorf("%+v", err)
	}
}

func TestConstantMistakes(t *testing.T) {
	g := gorgonia.NewGraph()
	for name, f := range map[string]func() error{
		"no graph":      func() error { _, err := ops.Constant(nil, gorgonia.NewF32(1)); return err },
		"no value":      func() error { _, err := ops.Constant(g, nil); return err },
		"integers":      func() error { _, err := ops.Full(g, tensor.Int, 1, 2); return err },
		"an empty axis": func() error { _, err := ops.Full(g, tensor.Float32, 1, 2, 0); return err },
	} {
		if f() == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestReshapeDoesNotAlias(t *testing.T) {
	// y is read after a reshaped y has been added to: in place, by a machine that may.
	run := func(reshape unary, machine func(outputs ...*gorgonia.Node)) []float64 {
		in := leaves(tensor.New(tensor.WithShape(2, 2), tensor.WithBacking([]float64{0, 0, 0, 0})),
			tensor.New(tensor.WithShape(4), tensor.WithBacking([]float64{7, 7, 7, 7})))
		y := gorgonia.Must(gorgonia.Exp(in[0]))
		z := gorgonia.Must(gorgonia.Add(gorgonia.Must(reshape(y)), in[1]))
		w := gorgonia.Must(gorgonia.Add(y, y))
		machine(z, w)
		return gradtest.Floats(t, w.Value())
	}
	stockMachine := func(outputs ...*gorgonia.Node) { runStock(t, outputs[0].Graph()) }
	ours := func(outputs ...*gorgonia.Node) { runOutputs(t, outputs...) }
	stock := func(x *gorgonia.Node) (*gorgonia.Node, error) { return gorgonia.Reshape(x, tensor.Shape{4}) }
	reshape := func(x *gorgonia.Node) (*gorgonia.Node, error) { return ops.Reshape(x, 4) }
	if got := run(stock, stockMachine); got[0] == 2 {
		t.Error("stock Reshape does not alias its input")
	}
	for name, got := range map[string][]float64{
		"Reshape on the stock machine":  run(reshape, stockMachine),
		"Reshape on our tape":           run(reshape, ours),
		"stock Reshape on our tape":     run(stock, ours),
		"Flatten on our tape":           run(func(x *gorgonia.Node) (*gorgonia.Node, error) { return ops.Reshape(x, -1) }, ours),
		"Reshape, twice, on our tape":   run(func(x *gorgonia.Node) (*gorgonia.Node, error) { return reshape(gorgonia.Must(ops.Flatten(x))) }, ours),
		"Reshape, twice, stock machine": run(func(x *gorgonia.Node) (*gorgonia.Node, error) { return reshape(gorgonia.Must(ops.Flatten(x))) }, stockMachine),
	} {
		for i, v := range got {
			if v != 2 {
				t.Errorf("%s: element %d is %g, want 2", name, i, v)
			}
		}
	}
}

func TestOpsOnOneInputStayApart(t *testing.T) {
	x := tensor.New(tensor.WithShape(2, 2), tensor.WithBacking([]float64{1, 2, 3, -5}))
	{ // the stock pair
		in := leaves(x)
		a, b := gorgonia.Must(gorgonia.SoftMax(in[0])), gorgonia.Must(gorgonia.LogSoftMax(in[0]))
		if a != b {
			t.Error("stock SoftMax and LogSoftMax of one input are told apart")
		}
	}
	over := func(axes ...int) ops.Over { return ops.Over{Axes: axes} }
	for name, pair := range map[string][2]unary{
		"softmax and log-softmax": {func(x *gorgonia.Node) (*gorgonia.Node, error) { return ops.Softmax(x, 1) }, func(x *gorgonia.Node) (*gorgonia.Node, error) { return ops.LogSoftmax(x, 1) }},
		"softmax by axis":         {func(x *gorgonia.Node) (*gorgonia.Node, error) { return ops.Softmax(x, 0) }, func(x *gorgonia.Node) (*gorgonia.Node, error) { return ops.Softmax(x, 1) }},
		"leaky relu by slope":     {func(x *gorgonia.Node) (*gorgonia.Node, error) { return ops.LeakyReLU(x, 0.1) }, func(x *gorgonia.Node) (*gorgonia.Node, error) { return ops.LeakyReLU(x, 0.2) }},
		"mean by axes":            {func(x *gorgonia.Node) (*gorgonia.Node, error) { return ops.Mean(x, over(0)) }, func(x *gorgonia.Node) (*gorgonia.Node, error) { return ops.Mean(x, over(1)) }},
		"sum and mean":            {func(x *gorgonia.Node) (*gorgonia.Node, error) { return ops.SumAxes(x, over(0)) }, func(x *gorgonia.Node) (*gorgonia.Node, error) { return ops.Mean(x, over(0)) }},
		"max and min":             {func(x *gorgonia.Node) (*gorgonia.Node, error) { return ops.Max(x, over(0)) }, func(x *gorgonia.Node) (*gorgonia.Node, error) { return ops.Min(x, over(0)) }},
		"add scalars":             {func(x *gorgonia.Node) (*gorgonia.Node, error) { return ops.AddScalar(x, 1) }, func(x *gorgonia.Node) (*gorgonia.Node, error) { return ops.AddScalar(x, 2) }},
		"flip by axis":            {func(x *gorgonia.Node) (*gorgonia.Node, error) { return ops.Flip(x, 0) }, func(x *gorgonia.Node) (*gorgonia.Node, error) { return ops.Flip(x, 1) }},
	} {
		in := leaves(x)
		a, err := pair[0](in[0])
		if err != nil {
			t.Fatalf("%+v", err)
		}
		b, err := pair[1](in[0])
		if err != nil {
			t.Fatalf("%+v", err)
		}
		runOutputs(t, a, b)
		u, v := gradtest.Floats(t, a.Value()), gradtest.Floats(t, b.Value())
		same := true
		for i := range u {
			same = same && u[i] == v[i]
		}
		if same {
			t.Errorf("%s give one value %v", name, u)
		}
		runStock(t, in[0].Graph())
		for i, w := range gradtest.Floats(t, a.Value()) {
			if w != u[i] {
				t.Errorf("%s: the stock machine gives %g, our tape %g", name, w, u[i])
			}
		}
	}
	// What is equal is computed once.
	in := leaves(x)
	a, b := gorgonia.Must(ops.Softmax(in[0], 1)), gorgonia.Must(ops.Softmax(in[0], -1))
	tape, err := graph.Compile(gorgonia.Nodes{a, b}, graph.Options{})
	if err != nil {
		t.Fatalf("%+v", err)
	}
	if n := tape.Plan().Merged; n != 1 {
		t.Errorf("%d nodes merged, want 1", n)
	}
}

func TestMeanOverPixelsOfAPicture(t *testing.T) {
	x := gradtest.Random(1, 0, 2, 3, 4, 5)
	want := plainFold(x, []int{2, 3}, func(a, b float64) float64 { return a + b })
	wrong := func(got []float64) bool {
		for i := range want {
			if math.Abs(got[i]-want[i]/20) > 1e-14 { // twenty terms of size 1
				return true
			}
		}
		return false
	}
	in := leaves(x)
	y := gorgonia.Must(gorgonia.Mean(in[0], 2, 3))
	m := gorgonia.NewTapeMachine(in[0].Graph())
	defer m.Close()
	if err := m.RunAll(); err == nil && !wrong(gradtest.Floats(t, y.Value())) {
		t.Error("stock Mean over the last two of four axes is right")
	}
	in = leaves(x)
	z := gorgonia.Must(ops.Mean(in[0], ops.Over{Axes: []int{2, 3}}))
	runStock(t, in[0].Graph())
	if wrong(gradtest.Floats(t, z.Value())) {
		t.Errorf("mean %v, want a twentieth of %v", z.Value(), want)
	}
}

// A program of Gorgonia's own kind, with our ops in it: a classifier learns on the stock machine.
func TestTrainingInAPlainGorgoniaProgram(t *testing.T) {
	g := gorgonia.NewGraph()
	node := func(name string, v *tensor.Dense) *gorgonia.Node {
		return gorgonia.NodeFromAny(g, v, gorgonia.WithName(name))
	}
	x, w1, b1 := node("x", gradtest.Random(1, 0, 16, 5)), node("w1", gradtest.Random(2, 0, 8, 5)), node("b1", gradtest.Random(3, 0, 8))
	w2, b2 := node("w2", gradtest.Random(4, 0, 3, 8)), node("b2", gradtest.Random(5, 0, 3))
	labels := tensor.New(tensor.Of(tensor.Int), tensor.WithShape(16))
	for i := range labels.Ints() {
		labels.Ints()[i] = i % 3
	}
	must := gorgonia.Must
	h := must(ops.GELU(must(ops.Linear(x, w1, b1))))
	scores := must(ops.LogSoftmax(must(ops.Linear(h, w2, b2)), 1))
	target := must(ops.OneHot(node("labels", labels), 3, tensor.Float64))
	cost := must(ops.Neg(must(ops.Mean(must(ops.SumAxes(must(ops.Mul(scores, target)), ops.Over{Axes: []int{1}})), ops.Over{}))))
	learn := gorgonia.Nodes{w1, b1, w2, b2}
	if _, err := gorgonia.Grad(cost, learn...); err != nil {
		t.Fatalf("%+v", err)
	}
	m := gorgonia.NewTapeMachine(g, gorgonia.BindDualValues(learn...))
	defer m.Close()
	solver := gorgonia.NewAdamSolver(gorgonia.WithLearnRate(0.05))
	var first, last float64
	for step := range 60 {
		if err := m.RunAll(); err != nil {
			t.Fatalf("step %d: %+v", step, err)
		}
		last = cost.Value().Data().(float64)
		if step == 0 {
			first = last
		}
		if err := solver.Step(gorgonia.NodesToValueGrads(learn)); err != nil {
			t.Fatalf("%+v", err)
		}
		m.Reset()
	}
	if !(last < first/10) { // 16 samples, 75 weights: they can be learnt by heart
		t.Errorf("the loss went from %g to %g, want less than a tenth", first, last)
	}
}
