package ops_test

import (
	"math"
	"runtime"
	"testing"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/internal/gradtest"
	"github.com/stheno-ml/stheno/ops"
)

type dropper func(*gorgonia.Node, ops.DropoutConfig) (*gorgonia.Node, error)

var droppers = map[string]dropper{"dropout": ops.Dropout, "spatial": ops.SpatialDropout, "path": ops.DropPath}

// ones is a float32 tensor of ones.
func ones(shape ...int) *tensor.Dense {
	x := tensor.New(tensor.Of(tensor.Float32), tensor.WithShape(shape...))
	for i := range x.Float32s() {
		x.Float32s()[i] = 1
	}
	return x
}

// dropped runs a dropout of ones.
func dropped(t *testing.T, d dropper, c ops.DropoutConfig, shape ...int) []float32 {
	t.Helper()
	g := gorgonia.NewGraph()
	y, err := d(gorgonia.NodeFromAny(g, ones(shape...), gorgonia.WithName("x")), c)
	if err != nil {
		t.Fatal(err)
	}
	run(t, y)
	return append([]float32(nil), y.Value().(*tensor.Dense).Float32s()...)
}

func run(t *testing.T, outputs ...*gorgonia.Node) *graph.Tape {
	t.Helper()
	tape, err := graph.Compile(outputs, graph.Options{})
	if err != nil {
		t.Fatalf("%+v", err)
	}
	if err := tape.RunAll(); err != nil {
		t.Fatalf("%+v", err)
	}
	return tape
}

func TestDropoutGradientUsesTheMaskOfTheForwardPass(t *testing.T) {
	for name, d := range droppers {
		for _, shape := range [][]int{{4, 5}, {3, 2, 4, 5}, {1, 1, 1, 1}} {
			rng := ops.NewRNG(5)
			rng.Step = 3
			build := func(in []*gorgonia.Node) (*gorgonia.Node, error) {
				return d(in[0], ops.DropoutConfig{P: 0.4, RNG: rng, Stream: 1})
			}
			gradtest.Check(t, build, []*tensor.Dense{gradtest.Random(1, 0, shape...)}, gradtest.Config{Order: 2})
		}
		if t.Failed() {
			t.Fatal(name)
		}
	}
}

func TestDropoutSameBitsForAnyWorkers(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	for name, d := range droppers {
		var results [][]float32
		for _, procs := range []int{1, 2, 5} {
			runtime.GOMAXPROCS(procs)
			results = append(results, dropped(t, d, ops.DropoutConfig{P: 0.3, RNG: ops.NewRNG(7), Stream: 2}, 8, 16, 33, 31))
		}
		for _, r := range results[1:] {
			if !equal(r, results[0]) {
				t.Errorf("%s: another mask under another number of workers", name)
			}
		}
	}
}

func equal(a, b []float32) bool {
	for i := range a {
		if math.Float32bits(a[i]) != math.Float32bits(b[i]) {
			return false
		}
	}
	return len(a) == len(b)
}

func TestDropoutDependsOnSeedStepAndStream(t *testing.T) {
	base := dropped(t, ops.Dropout, ops.DropoutConfig{P: 0.5, RNG: &ops.RNG{Seed: 1, Step: 1}, Stream: 1}, 1000)
	if !equal(base, dropped(t, ops.Dropout, ops.DropoutConfig{P: 0.5, RNG: &ops.RNG{Seed: 1, Step: 1}, Stream: 1}, 1000)) {
		t.Error("the same seed, step and stream gave two masks")
	}
	for _, c := range []struct {
		rng    *ops.RNG
		stream uint64
	}{{&ops.RNG{Seed: 2, Step: 1}, 1}, {&ops.RNG{Seed: 1, Step: 2}, 1}, {&ops.RNG{Seed: 1, Step: 1}, 2}, {&ops.RNG{Seed: 1, Step: 1}, 0}} {
		other := dropped(t, ops.Dropout, ops.DropoutConfig{P: 0.5, RNG: c.rng, Stream: c.stream}, 1000)
		same := 0
		for i := range other {
			if other[i] == base[i] {
				same++
			}
		}
		// Independent masks agree in 500 of 1000 elements with a standard deviation of 16; five of them is 80.
		if same < 420 || same > 580 {
			t.Errorf("seed %d step %d stream %d agrees with another mask in %d of 1000 elements", c.rng.Seed, c.rng.Step, c.stream, same)
		}
	}
}

// Two dropouts of one input are different random variables. Gorgonia's merge into one node.
func TestTwoDropoutsOfOneInputDiffer(t *testing.T) {
	for _, rng := range []*ops.RNG{ops.NewRNG(1), nil} {
		g := gorgonia.NewGraph()
		x := gorgonia.NodeFromAny(g, ones(1000), gorgonia.WithName("x"))
		a, err := ops.Dropout(x, ops.DropoutConfig{P: 0.5, RNG: rng})
		if err != nil {
			t.Fatal(err)
		}
		b, err := ops.Dropout(x, ops.DropoutConfig{P: 0.5, RNG: rng})
		if err != nil {
			t.Fatal(err)
		}
		run(t, a, b)
		if equal(a.Value().(*tensor.Dense).Float32s(), b.Value().(*tensor.Dense).Float32s()) {
			t.Error("two dropouts of one input dropped the same")
		}
	}
}

func TestStockDropoutsOfOneInputMerge(t *testing.T) {
	g := gorgonia.NewGraph()
	x := gorgonia.NodeFromAny(g, ones(1000), gorgonia.WithName("x"))
	a := gorgonia.Must(gorgonia.Dropout(x, 0.5))
	b := gorgonia.Must(gorgonia.Dropout(x, 0.5))
	m := gorgonia.NewTapeMachine(g)
	defer m.Close()
	if err := m.RunAll(); err != nil {
		t.Fatal(err)
	}
	if !equal(a.Value().(*tensor.Dense).Float32s(), b.Value().(*tensor.Dense).Float32s()) {
		t.Log("this Gorgonia no longer merges two dropouts of one input")
	}
}

func TestDropoutWithoutRNGAdvancesByItself(t *testing.T) {
	g := gorgonia.NewGraph()
	y, err := ops.Dropout(gorgonia.NodeFromAny(g, ones(1000), gorgonia.WithName("x")), ops.DropoutConfig{P: 0.5})
	if err != nil {
		t.Fatal(err)
	}
	tape := run(t, y)
	first := append([]float32(nil), y.Value().(*tensor.Dense).Float32s()...)
	if err := tape.RunAll(); err != nil {
		t.Fatal(err)
	}
	if equal(first, y.Value().(*tensor.Dense).Float32s()) {
		t.Error("two runs dropped the same")
	}
}

func TestDropoutRate(t *testing.T) {
	for _, p := range []float64{0.1, 0.5, 0.9} {
		zeros, n := 0, 100_000
		for _, v := range dropped(t, ops.Dropout, ops.DropoutConfig{P: p, RNG: ops.NewRNG(3), Stream: 1}, n) {
			switch v {
			case 0:
				zeros++
			case float32(1 / (1 - p)):
			default:
				t.Fatalf("p = %g: an element is %g, want 0 or %g", p, v, 1/(1-p))
			}
		}
		// Five standard deviations of a binomial count.
		if d := math.Abs(float64(zeros) - p*float64(n)); d > 5*math.Sqrt(float64(n)*p*(1-p)) {
			t.Errorf("p = %g: %d of %d dropped", p, zeros, n)
		}
	}
}

func TestUnitsAreDroppedWhole(t *testing.T) {
	for name, size := range map[string]int{"spatial": 4 * 5, "path": 6 * 4 * 5} {
		y := dropped(t, droppers[name], ops.DropoutConfig{P: 0.5, RNG: ops.NewRNG(1), Stream: 1}, 16, 6, 4, 5)
		zeros := 0
		for i, v := range y {
			if v != y[i-i%size] {
				t.Fatalf("%s: element %d is %g, the first of its unit %g", name, i, v, y[i-i%size])
			}
			if v == 0 {
				zeros++
			}
		}
		if zeros == 0 || zeros == len(y) {
			t.Errorf("%s: %d of %d elements dropped", name, zeros, len(y))
		}
	}
}

func TestDropoutAtTheEnds(t *testing.T) {
	g := gorgonia.NewGraph()
	x := gorgonia.NodeFromAny(g, ones(2, 3), gorgonia.WithName("x"))
	if y, err := ops.Dropout(x, ops.DropoutConfig{}); err != nil || y != x {
		t.Errorf("p = 0 gives %v (%v), want the input itself", y, err)
	}
	for name, d := range droppers {
		for i, v := range dropped(t, d, ops.DropoutConfig{P: 1}, 2, 3, 4, 5) {
			if v != 0 {
				t.Fatalf("%s with p = 1: element %d is %g", name, i, v)
			}
		}
		for _, p := range []float64{-0.1, 1.1, math.NaN()} {
			if _, err := d(x, ops.DropoutConfig{P: p}); err == nil {
				t.Errorf("%s takes p = %v", name, p)
			}
		}
		if _, err := d(nil, ops.DropoutConfig{P: 0.5}); err == nil {
			t.Errorf("%s takes nil", name)
		}
	}
	if _, err := ops.SpatialDropout(gorgonia.NodeFromAny(g, ones(3), gorgonia.WithName("v")), ops.DropoutConfig{P: 0.5}); err == nil {
		t.Error("spatial dropout takes a vector")
	}
}

// A picture that is channels-last in memory must be dropped as its row-major twin is.
func TestDropoutDoesNotSeeMemoryOrder(t *testing.T) {
	for name, d := range droppers {
		var results [][]float32
		for _, o := range []graph.Options{{}, {NoLayout: true}} {
			g := gorgonia.NewGraph()
			x := gorgonia.NodeFromAny(g, ones(3, 5, 4, 7), gorgonia.WithName("x"))
			h, err := channelsLast(x)
			if err != nil {
				t.Fatal(err)
			}
			y, err := d(h, ops.DropoutConfig{P: 0.5, RNG: ops.NewRNG(9), Stream: 4})
			if err != nil {
				t.Fatal(err)
			}
			tape, err := graph.Compile(gorgonia.Nodes{y}, o)
			if err != nil {
				t.Fatal(err)
			}
			if err := tape.RunAll(); err != nil {
				t.Fatal(err)
			}
			results = append(results, append([]float32(nil), y.Value().(*tensor.Dense).Float32s()...))
		}
		if !equal(results[0], results[1]) {
			t.Errorf("%s depends on the order in memory", name)
		}
	}
}

// afterDropout is h − (dropout(h) + 1) for h = 2, on the stock machine with nothing dropped: −1.
func afterDropout(t *testing.T, dropout func(h *gorgonia.Node) (*gorgonia.Node, error)) float32 {
	t.Helper()
	g := gorgonia.NewGraph()
	x := gorgonia.NodeFromAny(g, ones(4), gorgonia.WithName("x"))
	h := gorgonia.Must(gorgonia.Mul(x, gorgonia.NewConstant(float32(2))))
	d, err := dropout(h)
	if err != nil {
		t.Fatal(err)
	}
	z := gorgonia.Must(gorgonia.Sub(h, gorgonia.Must(gorgonia.Add(d, gorgonia.NewConstant(float32(1))))))
	m := gorgonia.NewTapeMachine(g, gorgonia.EvalMode())
	defer m.Close()
	if err := m.RunAll(); err != nil {
		t.Fatal(err)
	}
	return z.Value().(*tensor.Dense).Float32s()[0]
}

// A dropout that drops nothing must not let a later op write over its input. Gorgonia's hands its input on as
// its own result, and the addition after it, done in place, changes h.
func TestDropoutOfNothingDoesNotAlias(t *testing.T) {
	ours := afterDropout(t, func(h *gorgonia.Node) (*gorgonia.Node, error) { return ops.Dropout(h, ops.DropoutConfig{}) })
	if ours != -1 {
		t.Errorf("2 − (2 + 1) is %g", ours)
	}
	if stock := afterDropout(t, func(h *gorgonia.Node) (*gorgonia.Node, error) { return gorgonia.Dropout(h, 0.5) }); stock == -1 {
		t.Log("this Gorgonia's dropout no longer shares memory with its input")
	}
}
