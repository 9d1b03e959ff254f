package ops_test

import (
	"math"
	"math/rand/v2"
	"runtime"
	"testing"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/internal/golden"
	"github.com/stheno-ml/stheno/internal/gradtest"
	"github.com/stheno-ml/stheno/ops"
)

type reduction func(*gorgonia.Node, ops.Over) (*gorgonia.Node, error)

var reductions = map[string]reduction{
	"sum":  ops.SumAxes,
	"mean": ops.Mean,
	"variance": func(x *gorgonia.Node, o ops.Over) (*gorgonia.Node, error) {
		return ops.Variance(x, 0, o)
	},
	"variance_unbiased": func(x *gorgonia.Node, o ops.Over) (*gorgonia.Node, error) {
		return ops.Variance(x, 1, o)
	},
	"max": ops.Max, "min": ops.Min, "prod": ops.Prod,
	"l1": ops.L1Norm, "l2": ops.L2Norm, "log_sum_exp": ops.LogSumExp,
}

func TestReductionsEqualPyTorch(t *testing.T) {
	for _, c := range golden.Load(t, "testdata/reduce.safetensors") {
		var a struct {
			Op   string
			Axes []int
			Keep bool
			A, B bool
		}
		c.Attrs(t, &a)
		// Sums of up to 120 float32 terms that may cancel to a hundredth of the largest; products of 120
		// factors, each rounded to 6e-8.
		tol := 1e-5
		if c.Name == "variance_large_mean" {
			tol = 0.1 // 1e6 and some are float32 numbers 1/16 apart
		}
		c.Check(t, tol, func(in []*gorgonia.Node) (*gorgonia.Node, error) {
			switch a.Op {
			case "argmax":
				return ops.ArgMax(in[0], a.Axes[0])
			case "argmin":
				return ops.ArgMin(in[0], a.Axes[0])
			case "matmul":
				return ops.MatMul(in[0], in[1], ops.Transposed{A: a.A, B: a.B})
			case "linear":
				if len(in) == 2 {
					return ops.Linear(in[0], in[1], nil)
				}
				return ops.Linear(in[0], in[1], in[2])
			}
			return reductions[a.Op](in[0], ops.Over{Axes: a.Axes, Keep: a.Keep})
		})
	}
}

func TestReductionGradients(t *testing.T) {
	for name, f := range reductions {
		order := 2
		if name == "prod" {
			order = 1
		}
		t.Run(name, func(t *testing.T) {
			for _, c := range []struct{ shape, axes []int }{
				{[]int{2, 3, 4, 5}, []int{2, 3}}, {[]int{2, 3, 4, 5}, []int{0, 2, 3}}, {[]int{2, 3, 4, 5}, nil},
				{[]int{}, nil}, {[]int{2, 3, 2, 2}, []int{-3}}, {[]int{4, 3}, []int{0}}, {[]int{4, 3}, []int{1}}, {[]int{3}, nil}, {[]int{2, 1, 1}, []int{0, 1}},
			} {
				if name == "variance_unbiased" && len(c.shape) == 0 {
					continue // of one element there is none
				}
				for _, keep := range []bool{false, true} {
					build := gradtest.Build(func(in []*gorgonia.Node) (*gorgonia.Node, error) {
						return f(in[0], ops.Over{Axes: c.axes, Keep: keep})
					})
					if order == 2 {
						build = squared(build)
					}
					gradtest.Check(t, build, tensors(c.shape), gradtest.Config{Order: order})
				}
			}
		})
	}
}

func TestProductCannotBeDifferentiatedTwice(t *testing.T) {
	in := leaves(tensors([]int{4})...)
	y, err := ops.Prod(in[0], ops.Over{})
	if err != nil {
		t.Fatal(err)
	}
	first, err := graph.Differentiate(y, in[0])
	if err != nil {
		t.Fatal(err)
	}
	sum, err := ops.SumAxes(first[0], ops.Over{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := graph.Differentiate(sum, in[0]); err == nil {
		t.Error("no error from the second derivative of a product, which is not there")
	}
}

// Four million float32 numbers near 0.1, summed one after the other in float32, end a percent off.
func TestSumsKeepTheirDigits(t *testing.T) {
	const n = 1 << 22
	x := make([]float32, n)
	rng := rand.New(rand.NewPCG(1, 2))
	exact := 0.0
	for i := range x {
		x[i] = 0.1 + 0.01*float32(rng.NormFloat64())
		exact += float64(x[i])
	}
	for _, shape := range [][]int{{n}, {1 << 11, 1 << 11}, {1 << 19, 8}, {8, 1 << 19}} {
		v := tensor.New(tensor.WithShape(shape...), tensor.WithBacking(x))
		for axis := range shape {
			y := valueOf(t, func(in []*gorgonia.Node) (*gorgonia.Node, error) {
				part, err := ops.SumAxes(in[0], ops.Over{Axes: []int{axis}})
				if err != nil || len(part.Shape()) == 0 {
					return part, err
				}
				return ops.SumAxes(part, ops.Over{})
			}, v)
			// Two float32 roundings, 6e-8 each; those of partial sums average out.
			if got := float64(y.Data().(float32)); math.Abs(got-exact) > 2e-7*exact {
				t.Errorf("shape %v, axis %d: %.9g, want %.9g", shape, axis, got, exact)
			}
		}
	}
}

func TestReductionsOfInfinitiesAndNaN(t *testing.T) {
	inf, nan := math.Inf(1), math.NaN()
	x := tensor.New(tensor.WithShape(4, 3), tensor.WithBacking([]float64{-inf, -inf, -inf, -inf, 2, -inf, inf, 1, 0, 1, nan, 3}))
	for name, want := range map[string][]float64{
		"log_sum_exp": {-inf, 2, inf, nan},
		"max":         {-inf, 2, inf, nan},
		"min":         {-inf, -inf, 0, nan},
	} {
		for _, dt := range []tensor.Dtype{tensor.Float32, tensor.Float64} {
			for _, first := range []bool{false, true} { // over rows, and over columns of the transpose
				y := valueOf(t, func(in []*gorgonia.Node) (*gorgonia.Node, error) {
					x, axis := in[0], 1
					if first {
						x, axis = gorgonia.Must(ops.Transpose(x)), 0
					}
					y, err := reductions[name](x, ops.Over{Axes: []int{axis}})
					if err != nil {
						return nil, err
					}
					return ops.Cast(y, tensor.Float64)
				}, golden.As(x, dt))
				for i, v := range gradtest.Floats(t, y) {
					if v != want[i] && !(math.IsNaN(v) && math.IsNaN(want[i])) {
						t.Errorf("%s in %v: row %d gives %g, want %g", name, dt, i, v, want[i])
					}
				}
			}
		}
	}
}

// Every way that memory can be gone through, large enough to be cut in pieces, against a plain loop.
func TestLargeReductions(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	for _, c := range []struct{ shape, axes []int }{
		{[]int{9, 64, 40, 40}, []int{0, 2, 3}}, {[]int{9, 64, 40, 40}, []int{1}}, {[]int{9, 64, 40, 40}, []int{2, 3}},
		{[]int{9, 64, 40, 40}, []int{0}}, {[]int{20000, 33}, []int{0}}, {[]int{3, 20000, 7}, []int{1}}, {[]int{5, 90001}, []int{1}},
		{[]int{7, 5000, 3, 11}, []int{1, 3}},
	} {
		x := gradtest.Random(3, 0, c.shape...)
		for name, plain := range map[string]func(a, b float64) float64{"sum": func(a, b float64) float64 { return a + b }, "max": math.Max} {
			var got []float64
			for workers := range 2 {
				runtime.GOMAXPROCS(workers + 1)
				y := valueOf(t, func(in []*gorgonia.Node) (*gorgonia.Node, error) {
					return reductions[name](in[0], ops.Over{Axes: c.axes})
				}, x)
				values := append([]float64(nil), gradtest.Floats(t, y)...)
				for i := range got {
					if got[i] != values[i] {
						t.Fatalf("%s of %v over %v: element %d is %g with one worker, %g with two", name, c.shape, c.axes, i, got[i], values[i])
					}
				}
				got = values
			}
			want := plainFold(x, c.axes, plain)
			for i := range want {
				// Up to 1e5 terms of size 1, added in another order: 1e-16·1e5.
				if math.Abs(got[i]-want[i]) > 1e-11*(1+math.Abs(want[i])) {
					t.Fatalf("%s of %v over %v: element %d is %.15g, want %.15g", name, c.shape, c.axes, i, got[i], want[i])
				}
			}
		}
	}
}

func plainFold(x *tensor.Dense, axes []int, join func(a, b float64) float64) []float64 {
	folded := make(map[int]bool)
	for _, a := range axes {
		folded[a] = true
	}
	shape := x.Shape()
	size := 1
	for k, d := range shape {
		if !folded[k] {
			size *= d
		}
	}
	result, seen := make([]float64, size), make([]bool, size)
	for i, v := range x.Float64s() {
		at, step, rest := 0, 1, i
		for k := len(shape) - 1; k >= 0; k-- {
			if !folded[k] {
				at += rest % shape[k] * step
				step *= shape[k]
			}
			rest /= shape[k]
		}
		if seen[at] {
			v = join(result[at], v)
		}
		result[at], seen[at] = v, true
	}
	return result
}

func TestReductionMistakes(t *testing.T) {
	x := tensors([]int{2, 3})
	var cases []mistake
	for name, f := range reductions {
		cases = append(cases,
			mistake{name + " over axis 2", func(in []*gorgonia.Node) (*gorgonia.Node, error) { return f(in[0], ops.Over{Axes: []int{2}}) }, x, []string{"axis 2", "2 axes"}},
			mistake{name + " over an axis twice", func(in []*gorgonia.Node) (*gorgonia.Node, error) { return f(in[0], ops.Over{Axes: []int{1, -1}}) }, x, []string{"twice"}},
			mistake{name + " of nil", func(in []*gorgonia.Node) (*gorgonia.Node, error) { return f(nil, ops.Over{}) }, x, []string{"nil"}},
		)
	}
	cases = append(cases,
		mistake{"unbiased variance of one", func(in []*gorgonia.Node) (*gorgonia.Node, error) {
			return ops.Variance(in[0], 1, ops.Over{Axes: []int{0}})
		}, tensors([]int{1, 3}), []string{"1 elements", "(1, 3)"}},
		mistake{"argmax over axis 2", func(in []*gorgonia.Node) (*gorgonia.Node, error) { return ops.ArgMax(in[0], 2) }, x, []string{"axis 2"}},
		mistake{"argmin over axis -3", func(in []*gorgonia.Node) (*gorgonia.Node, error) { return ops.ArgMin(in[0], -3) }, x, []string{"axis -3"}},
	)
	checkMistakes(t, cases)
}
