package ops_test

import (
	"math"
	"runtime"
	"testing"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/internal/golden"
	"github.com/stheno-ml/stheno/internal/gradtest"
	"github.com/stheno-ml/stheno/ops"
)

// lossGraph is one number made of every loss and every random op, of a float32 picture that is channels-last
// in memory where the tape chooses so.
func lossGraph(t *testing.T) (loss, x *gorgonia.Node) {
	t.Helper()
	g := gorgonia.NewGraph()
	input := func(name string, v *tensor.Dense) *gorgonia.Node {
		return gorgonia.NodeFromAny(g, v, gorgonia.WithName(name))
	}
	var err error
	must := func(n *gorgonia.Node, e error) *gorgonia.Node {
		if e != nil && err == nil {
			err = e
		}
		return n
	}
	shape := []int{3, 4, 5, 7}
	x = input("x", golden.As(gradtest.Random(1, 0, shape...), tensor.Float32))
	target := input("target", golden.As(distributions(2, shape...), tensor.Float32))
	pixels := make([]int, 3*5*7)
	for i := range pixels {
		pixels[i] = i % 4
	}
	hard := input("labels", labels([]int{3, 5, 7}, pixels...))
	weights := input("weights", golden.As(between(3, 0.5, 2, 4), tensor.Float32))
	each := input("each", golden.As(between(4, 0.5, 2, 4, 1, 1), tensor.Float32))
	rng := ops.NewRNG(1)
	h := must(channelsLast(x))
	h = must(ops.SpatialDropout(must(ops.Dropout(h, ops.DropoutConfig{P: 0.3, RNG: rng})), ops.DropoutConfig{P: 0.3, RNG: rng}))
	h = must(ops.GaussianNoise(must(ops.DropPath(h, ops.DropoutConfig{P: 0.3, RNG: rng})), ops.NoiseConfig{Deviation: 0.1, RNG: rng}))
	h = must(ops.Add(h, must(ops.RandomNormal(g, tensor.Float32, 0, 1, ops.Random{RNG: rng}, shape...))))
	rows := must(ops.Reshape(h, -1, 4))
	rowLabels := must(ops.Reshape(hard, -1))
	l := ops.LossConfig{Weights: each}
	terms := []*gorgonia.Node{
		must(ops.CrossEntropy(h, hard, ops.CrossEntropyConfig{Ignore: new(1)})),
		must(ops.CrossEntropy(h, hard, ops.CrossEntropyConfig{Ignore: new(1), Weights: weights, Smoothing: 0.1})),
		must(ops.CrossEntropy(h, target, ops.CrossEntropyConfig{Weights: weights, Reduction: ops.SumReduction})),
		must(ops.CrossEntropy(rows, rowLabels, ops.CrossEntropyConfig{Weights: weights})),
		must(ops.NLL(must(ops.LogSoftmax(h, 1)), hard, ops.NLLConfig{Weights: weights})),
		must(ops.MSE(h, target, l)),
		must(ops.Huber(h, target, 1, l)),
		must(ops.L1(h, target, l)),
		must(ops.BCEWithLogits(h, target, ops.BCEConfig{Positive: each})),
		must(ops.Hinge(h, target, 1, l)),
		must(ops.KLDivergence(h, target, l)),
		must(ops.MultiMargin(rows, rowLabels, ops.MultiMarginConfig{Weights: weights})),
	}
	loss = must(ops.Sum(terms...))
	if err != nil {
		t.Fatalf("%+v", err)
	}
	return loss, x
}

func TestLossesAllocateNothing(t *testing.T) {
	loss, x := lossGraph(t)
	grads, err := graph.Differentiate(loss, x)
	if err != nil {
		t.Fatal(err)
	}
	tape := run(t, loss, grads[0])
	allocs := testing.AllocsPerRun(10, func() {
		if err := tape.RunAll(); err != nil {
			t.Fatal(err)
		}
	})
	// What is bound to the leaves may be looked at anew; the ops add nothing.
	if allocs > 2 {
		t.Errorf("a run of the tape allocates %g times", allocs)
	}
}

// Row-major and channels-last give the same numbers but for the order of sums; any number of workers gives
// the same bits.
func TestLossesDoNotSeeMemoryOrderOrWorkers(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	type result struct {
		loss float32
		dx   []float32
	}
	var results []result
	for _, c := range []struct {
		workers int
		o       graph.Options
	}{{1, graph.Options{}}, {2, graph.Options{}}, {5, graph.Options{}}, {2, graph.Options{NoLayout: true}}} {
		runtime.GOMAXPROCS(c.workers)
		loss, x := lossGraph(t)
		grads, err := graph.Differentiate(loss, x)
		if err != nil {
			t.Fatal(err)
		}
		tape, err := graph.Compile(gorgonia.Nodes{loss, grads[0]}, c.o)
		if err != nil {
			t.Fatal(err)
		}
		if err := tape.RunAll(); err != nil {
			t.Fatalf("%+v", err)
		}
		results = append(results, result{float32(*loss.Value().(*gorgonia.F32)), append([]float32(nil), grads[0].Value().(*tensor.Dense).Float32s()...)})
	}
	for i, r := range results[1:3] {
		if r.loss != results[0].loss || !equal(r.dx, results[0].dx) {
			t.Errorf("result %d has other bits than that of one worker", i+1)
		}
	}
	plain := results[3]
	for i, v := range plain.dx {
		// Sums of 420 terms in another order, in float32: some units in the 24th bit.
		if e := math.Abs(float64(v - results[0].dx[i])); e > 1e-5*(1+math.Abs(float64(v))) {
			t.Fatalf("gradient %d is %g row-major and %g channels-last", i, v, results[0].dx[i])
		}
	}
	if e := math.Abs(float64(plain.loss - results[0].loss)); e > 1e-5*math.Abs(float64(plain.loss)) {
		t.Errorf("loss is %g row-major and %g channels-last", plain.loss, results[0].loss)
	}
}

// The losses work in a program that knows nothing of our graph package, and agree there with our tape.
func TestLossesInAPlainGorgoniaProgram(t *testing.T) {
	build := func() (g *gorgonia.ExprGraph, x, cost *gorgonia.Node) {
		g = gorgonia.NewGraph()
		x = gorgonia.NodeFromAny(g, gradtest.Random(1, 0, 4, 3), gorgonia.WithName("x"))
		y := gorgonia.NodeFromAny(g, labels([]int{4}, 0, 2, 1, 2), gorgonia.WithName("y"))
		z := gorgonia.NodeFromAny(g, between(2, 0, 1, 4, 3), gorgonia.WithName("z"))
		h := gorgonia.Must(gorgonia.Tanh(x))
		h, err := ops.Dropout(h, ops.DropoutConfig{P: 0.5, RNG: ops.NewRNG(3), Stream: 1})
		if err != nil {
			t.Fatal(err)
		}
		ce, err := ops.SoftmaxCrossEntropy(h, y)
		if err != nil {
			t.Fatal(err)
		}
		bce, err := ops.BCEWithLogits(h, z, ops.BCEConfig{})
		if err != nil {
			t.Fatal(err)
		}
		return g, x, gorgonia.Must(gorgonia.Add(ce, bce))
	}
	g, x, cost := build()
	grads, err := gorgonia.Grad(cost, x)
	if err != nil {
		t.Fatalf("%+v", err)
	}
	m := gorgonia.NewTapeMachine(g)
	defer m.Close()
	if err := m.RunAll(); err != nil {
		t.Fatalf("%+v", err)
	}
	_, x2, cost2 := build()
	grads2, err := graph.Differentiate(cost2, x2)
	if err != nil {
		t.Fatal(err)
	}
	run(t, cost2, grads2[0])
	if a, b := float64(*cost.Value().(*gorgonia.F64)), float64(*cost2.Value().(*gorgonia.F64)); math.Abs(a-b) > 1e-14 {
		t.Errorf("cost %g on the stock machine, %g on ours", a, b)
	}
	// The same kernels on the same float64 numbers; sums of two gradients may be added in the other order.
	golden.Compare(t, "gradient", grads2[0].Value(), grads[0].Value().(*tensor.Dense), 1e-14)
}

// Ops that differ in an attribute are not merged; equal ones are.
func TestLossesMergeOnlyWhenEqual(t *testing.T) {
	g := gorgonia.NewGraph()
	x := gorgonia.NodeFromAny(g, gradtest.Random(1, 0, 4, 3), gorgonia.WithName("x"))
	z := gorgonia.NodeFromAny(g, between(2, 0, 1, 4, 3), gorgonia.WithName("z"))
	y := gorgonia.NodeFromAny(g, labels([]int{4}, 0, 2, 1, 2), gorgonia.WithName("y"))
	var outputs gorgonia.Nodes
	build := []func() (*gorgonia.Node, error){
		func() (*gorgonia.Node, error) { return ops.SoftmaxCrossEntropy(x, y) },
		func() (*gorgonia.Node, error) { return ops.CrossEntropy(x, y, ops.CrossEntropyConfig{Ignore: new(0)}) },
		func() (*gorgonia.Node, error) { return ops.CrossEntropy(x, y, ops.CrossEntropyConfig{Ignore: new(2)}) },
		func() (*gorgonia.Node, error) { return ops.CrossEntropy(x, y, ops.CrossEntropyConfig{Smoothing: 0.1}) },
		func() (*gorgonia.Node, error) { return ops.Huber(x, z, 1, ops.LossConfig{}) },
		func() (*gorgonia.Node, error) { return ops.Huber(x, z, 2, ops.LossConfig{}) },
		func() (*gorgonia.Node, error) { return ops.SmoothL1(x, z, 1, ops.LossConfig{}) },
		func() (*gorgonia.Node, error) { return ops.MultiMargin(x, y, ops.MultiMarginConfig{}) },
		func() (*gorgonia.Node, error) { return ops.MultiMargin(x, y, ops.MultiMarginConfig{Squared: true}) },
	}
	for range 2 {
		for _, b := range build {
			n, err := b()
			if err != nil {
				t.Fatal(err)
			}
			outputs = append(outputs, n)
		}
	}
	tape := run(t, outputs...)
	if merged := tape.Plan().Merged; merged != len(build) {
		t.Errorf("%d ops merged, want the %d that are asked for twice", merged, len(build))
	}
}
