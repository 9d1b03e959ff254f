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

func uniform(c ops.Random, shape ...int) func(*gorgonia.ExprGraph) (*gorgonia.Node, error) {
	return func(g *gorgonia.ExprGraph) (*gorgonia.Node, error) {
		return ops.RandomUniform(g, tensor.Float32, -1, 3, c, shape...)
	}
}

func normal(c ops.Random, shape ...int) func(*gorgonia.ExprGraph) (*gorgonia.Node, error) {
	return func(g *gorgonia.ExprGraph) (*gorgonia.Node, error) {
		return ops.RandomNormal(g, tensor.Float32, 2, 0.5, c, shape...)
	}
}

func noise(c ops.Random, shape ...int) func(*gorgonia.ExprGraph) (*gorgonia.Node, error) {
	return func(g *gorgonia.ExprGraph) (*gorgonia.Node, error) {
		x := gorgonia.NodeFromAny(g, ones(shape...), gorgonia.WithName("x"))
		return ops.GaussianNoise(x, ops.NoiseConfig{Deviation: 0.5, RNG: c.RNG, Stream: c.Stream})
	}
}

// draw runs a random node on our tape.
func draw(t *testing.T, build func(*gorgonia.ExprGraph) (*gorgonia.Node, error)) []float32 {
	t.Helper()
	n, err := build(gorgonia.NewGraph())
	if err != nil {
		t.Fatalf("%+v", err)
	}
	run(t, n)
	return append([]float32(nil), n.Value().(*tensor.Dense).Float32s()...)
}

var randoms = map[string]func(ops.Random, ...int) func(*gorgonia.ExprGraph) (*gorgonia.Node, error){"uniform": uniform, "normal": normal, "noise": noise}

func TestRandomSameBitsForAnyWorkersAndMachine(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	for name, build := range randoms {
		var results [][]float32
		for _, procs := range []int{1, 2, 5} {
			runtime.GOMAXPROCS(procs)
			results = append(results, draw(t, build(ops.Random{RNG: ops.NewRNG(7), Stream: 2}, 3, 5, 61, 67)))
		}
		g := gorgonia.NewGraph()
		gorgonia.NodeFromAny(g, ones(1), gorgonia.WithName("unused")) // the stock machine wants some input
		n, err := build(ops.Random{RNG: ops.NewRNG(7), Stream: 2}, 3, 5, 61, 67)(g)
		if err != nil {
			t.Fatal(err)
		}
		stock := gorgonia.NewTapeMachine(g)
		if err := stock.RunAll(); err != nil {
			t.Fatal(err)
		}
		results = append(results, n.Value().(*tensor.Dense).Float32s())
		for i, r := range results[1:] {
			if !equal(r, results[0]) {
				t.Errorf("%s: result %d has other bits", name, i+1)
			}
		}
		stock.Close()
	}
}

func TestRandomFollowsStepSeedAndStream(t *testing.T) {
	for name, build := range randoms {
		base := draw(t, build(ops.Random{RNG: &ops.RNG{Seed: 1, Step: 1}, Stream: 1}, 100))
		for _, c := range []ops.Random{{RNG: &ops.RNG{Seed: 2, Step: 1}, Stream: 1}, {RNG: &ops.RNG{Seed: 1, Step: 2}, Stream: 1}, {RNG: &ops.RNG{Seed: 1, Step: 1}, Stream: 2}, {}} {
			for i, v := range draw(t, build(c, 100)) {
				// Two 24-bit numbers of 100 pairs are equal by chance once in 160,000 runs.
				if v == base[i] {
					t.Errorf("%s: %+v draws element %d as another stream does", name, c, i)
				}
			}
		}
	}
}

// A training step after a checkpoint draws what it would have drawn without it: Seed and Step say all.
func TestRNGContinuesFromSeedAndStep(t *testing.T) {
	steps := func(rng *ops.RNG, n int) (all [][]float32) {
		g := gorgonia.NewGraph()
		y, err := ops.Dropout(gorgonia.NodeFromAny(g, ones(64), gorgonia.WithName("x")), ops.DropoutConfig{P: 0.5, RNG: rng})
		if err != nil {
			t.Fatal(err)
		}
		tape, err := graph.Compile(gorgonia.Nodes{y}, graph.Options{})
		if err != nil {
			t.Fatal(err)
		}
		for range n {
			if err := tape.RunAll(); err != nil {
				t.Fatal(err)
			}
			all = append(all, append([]float32(nil), y.Value().(*tensor.Dense).Float32s()...))
			rng.Step++
		}
		return all
	}
	whole := steps(ops.NewRNG(3), 4)
	resumed := steps(&ops.RNG{Seed: 3, Step: 2}, 2)
	if !equal(whole[2], resumed[0]) || !equal(whole[3], resumed[1]) {
		t.Error("a resumed run draws other numbers")
	}
	if equal(whole[0], whole[1]) {
		t.Error("two steps draw the same")
	}
}

// Moments of the samples, and the part below some points, within five standard deviations of the estimate.
func TestRandomDistributions(t *testing.T) {
	const n = 200_000
	five := 5 / math.Sqrt(n)
	phi := func(x float64) float64 { return math.Erfc(-x/math.Sqrt2) / 2 }
	for _, c := range []struct {
		name      string
		v         []float32
		mean, dev float64
		kurtosis  float64 // fourth central moment over the variance squared
		below     func(z float64) float64
	}{
		{"uniform", draw(t, uniform(ops.Random{RNG: ops.NewRNG(1), Stream: 1}, n)), 1, 4 / math.Sqrt(12), 1.8,
			func(z float64) float64 { return min(1, max(0, 0.5+z/math.Sqrt(12))) }},
		{"normal", draw(t, normal(ops.Random{RNG: ops.NewRNG(1), Stream: 1}, n)), 2, 0.5, 3, phi},
		{"noise", draw(t, noise(ops.Random{RNG: ops.NewRNG(1), Stream: 1}, n)), 1, 0.5, 3, phi},
	} {
		var m1, m2, m3, m4, lag float64
		last := 0.0
		below := make(map[float64]int)
		for _, x := range c.v {
			z := (float64(x) - c.mean) / c.dev
			m1, m2, m3, m4 = m1+z, m2+z*z, m3+z*z*z, m4+z*z*z*z
			lag += z * last
			last = z
			for _, p := range []float64{-2, -1, 0, 0.5, 1.5} {
				if z < p {
					below[p]++
				}
			}
		}
		for _, p := range []struct {
			what           string
			got, want, dev float64
		}{
			{"mean", m1 / n, 0, 1},
			{"variance", m2 / n, 1, math.Sqrt(c.kurtosis - 1)},
			{"third moment", m3 / n, 0, math.Sqrt(15)}, // of the normal distribution; the uniform one's is smaller
			{"fourth moment", m4 / n, c.kurtosis, math.Sqrt(96)},
			{"correlation of neighbours", lag / n, 0, 1},
		} {
			if math.Abs(p.got-p.want) > five*p.dev {
				t.Errorf("%s: %s %g, want %g within %.2g", c.name, p.what, p.got, p.want, five*p.dev)
			}
		}
		for z, k := range below {
			if math.Abs(float64(k)/n-c.below(z)) > five/2 {
				t.Errorf("%s: %g of the samples lie below %g deviations, want %g", c.name, float64(k)/n, z, c.below(z))
			}
		}
	}
	for _, v := range draw(t, uniform(ops.Random{RNG: ops.NewRNG(2), Stream: 1}, n)) {
		if v < -1 || v >= 3 {
			t.Fatalf("uniform on [-1, 3) gives %g", v)
		}
	}
}

func TestGaussianNoiseGradient(t *testing.T) {
	rng := ops.NewRNG(5)
	for _, shape := range [][]int{{3, 4}, {2, 3, 4, 5}} {
		gradtest.Check(t, func(in []*gorgonia.Node) (*gorgonia.Node, error) {
			return ops.GaussianNoise(in[0], ops.NoiseConfig{Deviation: 0.3, RNG: rng, Stream: 1})
		}, []*tensor.Dense{gradtest.Random(1, 0, shape...)}, gradtest.Config{Order: 2})
	}
}

func TestGaussianNoiseDoesNotSeeMemoryOrder(t *testing.T) {
	var results [][]float32
	for _, o := range []graph.Options{{}, {NoLayout: true}} {
		g := gorgonia.NewGraph()
		h, err := channelsLast(gorgonia.NodeFromAny(g, ones(3, 5, 4, 7), gorgonia.WithName("x")))
		if err != nil {
			t.Fatal(err)
		}
		y, err := ops.GaussianNoise(h, ops.NoiseConfig{Deviation: 1, RNG: ops.NewRNG(9), Stream: 4})
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
		t.Error("noise depends on the order in memory")
	}
}

// What is drawn takes part in a graph that stock machines differentiate and run.
func TestRandomNodeInAPlainGorgoniaProgram(t *testing.T) {
	g := gorgonia.NewGraph()
	w := gorgonia.NodeFromAny(g, gradtest.Random(1, 0, 3, 4), gorgonia.WithName("w"))
	z, err := ops.RandomNormal(g, tensor.Float64, 0, 1, ops.Random{RNG: ops.NewRNG(4), Stream: 1}, 3, 4)
	if err != nil {
		t.Fatal(err)
	}
	dropped, err := ops.Dropout(gorgonia.Must(gorgonia.HadamardProd(w, z)), ops.DropoutConfig{P: 0.5, RNG: ops.NewRNG(4), Stream: 2})
	if err != nil {
		t.Fatal(err)
	}
	cost := gorgonia.Must(gorgonia.Sum(dropped))
	grads, err := gorgonia.Grad(cost, w)
	if err != nil {
		t.Fatalf("%+v", err)
	}
	m := gorgonia.NewTapeMachine(g)
	defer m.Close()
	if err := m.RunAll(); err != nil {
		t.Fatalf("%+v", err)
	}
	sum, zeros := 0.0, 0
	for i, d := range grads[0].Value().(*tensor.Dense).Float64s() {
		sum += d * w.Value().(*tensor.Dense).Float64s()[i] // the cost is linear in w
		if d == 0 {
			zeros++
		}
	}
	if got := float64(*cost.Value().(*gorgonia.F64)); math.Abs(got-sum) > 1e-12 { // twelve terms of size 1, rounded at 1e-16
		t.Errorf("cost %g, but its gradient times w is %g: another mask or another sample", got, sum)
	}
	if zeros == 0 || zeros == 12 {
		t.Errorf("%d of 12 gradients are 0", zeros)
	}
}

func TestRandomErrors(t *testing.T) {
	g := gorgonia.NewGraph()
	x := gorgonia.NodeFromAny(g, ones(2), gorgonia.WithName("x"))
	for name, f := range map[string]func() (*gorgonia.Node, error){
		"no graph": func() (*gorgonia.Node, error) { return ops.RandomNormal(nil, tensor.Float32, 0, 1, ops.Random{}, 2) },
		"type":     func() (*gorgonia.Node, error) { return ops.RandomNormal(g, tensor.Int, 0, 1, ops.Random{}, 2) },
		"size":     func() (*gorgonia.Node, error) { return ops.RandomUniform(g, tensor.Float32, 0, 1, ops.Random{}, 2, 0) },
		"order":    func() (*gorgonia.Node, error) { return ops.RandomUniform(g, tensor.Float32, 1, 0, ops.Random{}, 2) },
		"infinite": func() (*gorgonia.Node, error) {
			return ops.RandomUniform(g, tensor.Float32, 0, math.Inf(1), ops.Random{}, 2)
		},
		"deviation": func() (*gorgonia.Node, error) { return ops.RandomNormal(g, tensor.Float32, 0, -1, ops.Random{}, 2) },
		"noise":     func() (*gorgonia.Node, error) { return ops.GaussianNoise(x, ops.NoiseConfig{Deviation: math.NaN()}) },
		"nil":       func() (*gorgonia.Node, error) { return ops.GaussianNoise(nil, ops.NoiseConfig{Deviation: 1}) },
	} {
		if _, err := f(); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if y, err := ops.GaussianNoise(x, ops.NoiseConfig{}); err != nil || y != x {
		t.Errorf("noise of deviation 0 gives %v (%v), want the input itself", y, err)
	}
}

func TestRandomScalar(t *testing.T) {
	n, err := ops.RandomUniform(gorgonia.NewGraph(), tensor.Float64, 2, 3, ops.Random{RNG: ops.NewRNG(1)})
	if err != nil {
		t.Fatal(err)
	}
	run(t, n)
	if v := float64(*n.Value().(*gorgonia.F64)); v < 2 || v >= 3 {
		t.Errorf("uniform on [2, 3) gives %g", v)
	}
}
