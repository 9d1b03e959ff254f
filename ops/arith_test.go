package ops_test

import (
	"math"
	"testing"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/internal/golden"
	"github.com/stheno-ml/stheno/internal/gradtest"
	"github.com/stheno-ml/stheno/ops"
)

// binary makes one node of two.
type binary func(a, b *gorgonia.Node) (*gorgonia.Node, error)

var binaries = map[string]binary{
	"add": ops.Add, "sub": ops.Sub, "mul": ops.Mul, "div": ops.Div,
	"maximum": ops.Maximum, "minimum": ops.Minimum, "pow": ops.Pow,
}

func TestArithmeticEqualsPyTorch(t *testing.T) {
	for _, c := range golden.Load(t, "testdata/arithmetic.safetensors") {
		var a struct{ Op string }
		c.Attrs(t, &a)
		// Gradients of a broadcast operand add up to 120 terms, which may cancel to a tenth of the largest;
		// those of a quotient hold 1/b² with b down to 0.2.
		c.Check(t, 1e-5, func(in []*gorgonia.Node) (*gorgonia.Node, error) {
			if a.Op == "where" {
				mask, err := ops.Cast(in[0], in[1].Dtype())
				if err != nil {
					return nil, err
				}
				return ops.Where(mask, in[1], in[2])
			}
			return binaries[a.Op](in[0], in[1])
		})
	}
}

// broadcasts is pairs of shapes, one for each way that rows can be gone through.
var broadcasts = [][2][]int{
	{{2, 3, 4, 5}, {2, 3, 4, 5}},
	{{3, 4}, {}},
	{{}, {3, 4}},
	{{}, {}},
	{{1, 1, 1, 1}, {1, 1, 1, 1}},
	{{2, 3, 4, 5}, {1, 3, 1, 1}},
	{{3, 1, 1}, {2, 3, 4, 5}},
	{{4, 5}, {5}},
	{{4, 5}, {4, 1}},
	{{4, 1}, {1, 5}},
	{{2, 1, 4, 1}, {3, 1, 5}},
	{{2, 3, 1, 2}, {2, 1, 4, 1}},
}

func TestArithmeticGradients(t *testing.T) {
	for name, f := range binaries {
		t.Run(name, func(t *testing.T) {
			for k, s := range broadcasts {
				in := []*tensor.Dense{gradtest.Random(uint64(2*k), 0.5, s[0]...), gradtest.Random(uint64(2*k+1), 0.5, s[1]...)}
				if name == "pow" {
					for i, v := range in[0].Float64s() {
						in[0].Float64s()[i] = max(v, -v)
					}
				}
				gradtest.Check(t, squared(func(in []*gorgonia.Node) (*gorgonia.Node, error) { return f(in[0], in[1]) }), in, gradtest.Config{Order: 2})
			}
		})
	}
	t.Run("where", func(t *testing.T) {
		gradtest.Check(t, squared(func(in []*gorgonia.Node) (*gorgonia.Node, error) {
			cond, err := ops.Greater(in[1], in[0])
			if err != nil {
				return nil, err
			}
			return ops.Where(cond, in[0], in[2])
		}), tensors([]int{2, 3, 4, 5}, []int{3, 1, 1}, []int{5}), gradtest.Config{Order: 2})
	})
	t.Run("cast", func(t *testing.T) {
		// float32 in the middle: its rounding of 6e-8, by the step of the difference, is an error of 6e-2·tol
		// for a step of 0.1, and the op is linear, so that step errs by nothing else.
		gradtest.Check(t, func(in []*gorgonia.Node) (*gorgonia.Node, error) {
			x, err := ops.Cast(in[0], tensor.Float32)
			if err != nil {
				return nil, err
			}
			return ops.Cast(x, tensor.Float64)
		}, tensors([]int{3, 4}), gradtest.Config{Step: 0.1, Tol: 1e-5})
	})
}

func TestInPlaceArithmetic(t *testing.T) {
	// Each result lies over an operand that nobody reads any more, the broadcast one never among them.
	build := func(in []*gorgonia.Node) (y *gorgonia.Node, err error) {
		y = in[0]
		for _, f := range []binary{ops.Add, ops.Mul, ops.Sub, ops.Div, ops.Maximum} {
			if y, err = f(y, in[1]); err != nil {
				return nil, err
			}
			if y, err = f(in[2], y); err != nil {
				return nil, err
			}
		}
		return ops.Exp(y)
	}
	gradtest.Check(t, build, tensors([]int{2, 3, 4, 5}, []int{3, 1, 1}, []int{2, 3, 4, 5}), gradtest.Config{Order: 1, Tol: 1e-7})
}

func TestComparisons(t *testing.T) {
	a := tensor.New(tensor.WithShape(2, 3), tensor.WithBacking([]float32{1, 2, 3, 4, 5, 6}))
	b := tensor.New(tensor.WithShape(3), tensor.WithBacking([]float32{4, 2, 3}))
	labels := tensor.New(tensor.WithShape(2, 1), tensor.WithBacking([]int{2, 4}))
	found := tensor.New(tensor.WithShape(2, 3), tensor.WithBacking([]int{2, 4, 1, 2, 4, 1}))
	for _, c := range []struct {
		name string
		f    binary
		a, b *tensor.Dense
		want []bool
	}{
		{"equal", ops.Equal, a, b, []bool{false, true, true, true, false, false}},
		{"not equal", ops.NotEqual, a, b, []bool{true, false, false, false, true, true}},
		{"less", ops.Less, a, b, []bool{true, false, false, false, false, false}},
		{"less or equal", ops.LessOrEqual, a, b, []bool{true, true, true, true, false, false}},
		{"greater", ops.Greater, a, b, []bool{false, false, false, false, true, true}},
		{"greater or equal", ops.GreaterOrEqual, a, b, []bool{false, true, true, true, true, true}},
		{"equal labels", ops.Equal, labels, found, []bool{true, false, false, false, true, false}},
	} {
		y := valueOf(t, func(in []*gorgonia.Node) (*gorgonia.Node, error) { return c.f(in[0], in[1]) }, c.a, c.b)
		got := y.Data().([]bool)
		for i := range c.want {
			if got[i] != c.want[i] {
				t.Errorf("%s: %v, want %v", c.name, got, c.want)
				break
			}
		}
	}
}

func TestWhereTakesAnyNumberButZeroForTrue(t *testing.T) {
	mask := []float64{0, math.Copysign(0, -1), 1, -1, 1e-300, math.NaN(), math.Inf(-1)}
	for _, dt := range []tensor.Dtype{tensor.Float32, tensor.Float64} {
		if dt == tensor.Float32 {
			mask[4] = 1e-45 // the smallest that is not 0
		}
		m := golden.As(tensor.New(tensor.WithShape(7), tensor.WithBacking(append([]float64(nil), mask...))), dt)
		for _, shape := range [][]int{{7}, {1}} {
			a, b := golden.As(tensor.New(tensor.Of(tensor.Float64), tensor.WithShape(shape...)), dt), golden.As(gradtest.Random(1, 0.5, shape...), dt)
			y := valueOf(t, func(in []*gorgonia.Node) (*gorgonia.Node, error) {
				y, err := ops.Where(in[0], in[1], in[2])
				if err != nil {
					return nil, err
				}
				return ops.Cast(y, tensor.Float64)
			}, m, a, b)
			for i, v := range gradtest.Floats(t, y) {
				if chosen := v == 0; chosen != (i >= 2) {
					t.Errorf("%v: by %g it chooses %g", dt, mask[i], v)
				}
			}
		}
	}
}

func TestCastAndCompareTakeEveryType(t *testing.T) {
	for _, x := range []any{
		[]float32{0, 1, 2, 3}, []float64{0, 1, 2, 3}, []int{0, 1, 2, 3}, []int64{0, 1, 2, 3}, []int32{0, 1, 2, 3}, []uint8{0, 1, 2, 3},
		[]bool{false, true, true, true},
	} {
		v := tensor.New(tensor.WithShape(2, 2), tensor.WithBacking(x))
		for _, to := range []tensor.Dtype{tensor.Float32, tensor.Float64} {
			y := valueOf(t, func(in []*gorgonia.Node) (*gorgonia.Node, error) {
				return ops.Cast(gorgonia.Must(ops.Transpose(in[0])), to)
			}, v)
			want := []float64{0, 2, 1, 3}
			if v.Dtype() == tensor.Bool {
				want = []float64{0, 1, 1, 1}
			}
			golden.Compare(t, "cast", y, tensor.New(tensor.WithShape(2, 2), tensor.WithBacking(want)), 0)
		}
		if v.Dtype() == tensor.Bool {
			continue
		}
		less := valueOf(t, func(in []*gorgonia.Node) (*gorgonia.Node, error) {
			return ops.Less(in[0], gorgonia.Must(ops.Transpose(in[0])))
		}, v)
		for i, want := range []bool{false, true, false, false} {
			if less.Data().([]bool)[i] != want {
				t.Errorf("%v: less than the transpose gives %v", v.Dtype(), less)
			}
		}
	}
}

// Accuracy is what comparisons are there for: the share of rows whose largest element is at the label.
func TestAccuracyOfComparisons(t *testing.T) {
	scores := tensor.New(tensor.WithShape(4, 2), tensor.WithBacking([]float32{1, 2, 3, 0, 5, 5, 0, 1}))
	labels := tensor.New(tensor.WithShape(4), tensor.WithBacking([]int{1, 1, 0, 1}))
	y := valueOf(t, func(in []*gorgonia.Node) (*gorgonia.Node, error) {
		best, err := ops.ArgMax(in[0], -1)
		if err != nil {
			return nil, err
		}
		hit, err := ops.Equal(best, in[1])
		if err != nil {
			return nil, err
		}
		if hit, err = ops.Cast(hit, tensor.Float32); err != nil {
			return nil, err
		}
		return ops.Mean(hit, ops.Over{})
	}, scores, labels)
	if got := y.Data().(float32); got != 0.75 {
		t.Errorf("accuracy %g, want 0.75", got)
	}
}

func TestArithmeticMistakes(t *testing.T) {
	x := tensors([]int{2, 3}, []int{4, 3})
	f32 := tensor.New(tensor.Of(tensor.Float32), tensor.WithShape(2, 3))
	index := tensor.New(tensor.Of(tensor.Int), tensor.WithShape(2, 3))
	var cases []mistake
	for name, f := range binaries {
		build := func(in []*gorgonia.Node) (*gorgonia.Node, error) { return f(in[0], in[1]) }
		cases = append(cases,
			mistake{name + " of shapes that do not broadcast", build, x, []string{"(2, 3)", "(4, 3)"}},
			mistake{name + " of two types", build, []*tensor.Dense{x[0], f32}, []string{"float64", "float32"}},
			mistake{name + " of indices", build, []*tensor.Dense{index, index}, []string{"int", "want float32 or float64"}},
			mistake{name + " of nil", func(in []*gorgonia.Node) (*gorgonia.Node, error) { return f(in[0], nil) }, x, []string{"nil"}},
			mistake{name + " of nine axes", build, tensors([]int{1, 1, 1, 1, 1, 1, 1, 1, 2}, []int{2}), []string{"at most 8"}},
		)
	}
	cases = append(cases,
		mistake{"comparing two types", func(in []*gorgonia.Node) (*gorgonia.Node, error) { return ops.Equal(in[0], in[1]) },
			[]*tensor.Dense{x[0], f32}, []string{"float64", "float32"}},
		mistake{"where by an index", func(in []*gorgonia.Node) (*gorgonia.Node, error) { return ops.Where(in[0], in[1], in[1]) },
			[]*tensor.Dense{index, x[0]}, []string{"int", "bool"}},
		mistake{"where between indices", func(in []*gorgonia.Node) (*gorgonia.Node, error) { return ops.Where(in[1], in[0], in[0]) },
			[]*tensor.Dense{index, x[0]}, []string{"int", "want float32 or float64"}},
		mistake{"cast to int", func(in []*gorgonia.Node) (*gorgonia.Node, error) { return ops.Cast(in[0], tensor.Int) }, x, []string{"int", "want float32 or float64"}},
		mistake{"clamp upside down", func(in []*gorgonia.Node) (*gorgonia.Node, error) { return ops.Clamp(in[0], 2, 1) }, x, []string{"2", "1"}},
		mistake{"negative slope", func(in []*gorgonia.Node) (*gorgonia.Node, error) { return ops.LeakyReLU(in[0], -1) }, x, []string{"-1"}},
		mistake{"negative alpha", func(in []*gorgonia.Node) (*gorgonia.Node, error) { return ops.ELU(in[0], -1) }, x, []string{"-1"}},
		mistake{"hard sigmoid that falls", func(in []*gorgonia.Node) (*gorgonia.Node, error) { return ops.HardSigmoid(in[0], -1, 0) }, x, []string{"-1"}},
		mistake{"slopes for other channels", func(in []*gorgonia.Node) (*gorgonia.Node, error) { return ops.PReLU(in[0], in[1]) },
			tensors([]int{2, 3, 4, 5}, []int{4}), []string{"(4)", "(2, 3, 4, 5)"}},
		mistake{"softmax of axis 2", func(in []*gorgonia.Node) (*gorgonia.Node, error) { return ops.Softmax(in[0], 2) }, x, []string{"axis 2", "2 axes"}},
		mistake{"log-softmax of axis -3", func(in []*gorgonia.Node) (*gorgonia.Node, error) { return ops.LogSoftmax(in[0], -3) }, x, []string{"axis -3"}},
	)
	checkMistakes(t, cases)
}
