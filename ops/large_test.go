package ops_test

import (
	"testing"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/internal/gradtest"
	"github.com/stheno-ml/stheno/ops"
)

// at is the element of x that stands at place index of a shape it is broadcast to.
func at(x *tensor.Dense, index []int) float64 {
	shape := x.Shape()
	place := 0
	for k, d := range shape {
		i := index[len(index)-len(shape)+k]
		if d == 1 {
			i = 0
		}
		place = place*d + i
	}
	return x.Float64s()[place]
}

// everyPlace calls f for each index of a shape, in row-major order.
func everyPlace(shape []int, f func(i int, index []int)) {
	index := make([]int, len(shape))
	for i := range tensor.Shape(shape).TotalSize() {
		f(i, index)
		for k := len(shape) - 1; k >= 0; k-- {
			if index[k]++; index[k] < shape[k] {
				break
			}
			index[k] = 0
		}
	}
}

// Operands that are cut in pieces, against a plain loop over indices.
func TestLargeBroadcasts(t *testing.T) {
	for _, c := range [][3][]int{
		{{70001}, {70001}, {70001}}, {{70001}, {1}, {70001}}, {{3, 40000}, {40000}, {3, 40000}}, {{40000, 3}, {3}, {40000, 3}},
		{{40000, 3}, {40000, 1}, {40000, 3}}, {{9, 64, 20, 20}, {64, 1, 1}, {9, 64, 20, 20}}, {{300, 1}, {1, 301}, {300, 301}},
		{{2, 1, 33000}, {3, 1}, {2, 3, 33000}},
	} {
		a, b, shape := gradtest.Random(1, 0.1, c[0]...), gradtest.Random(2, 0.1, c[1]...), c[2]
		for name, op := range map[string]struct {
			build binary
			plain func(a, b float64) float64
		}{
			"add": {ops.Add, func(a, b float64) float64 { return a + b }},
			"sub": {ops.Sub, func(a, b float64) float64 { return a - b }},
			"mul": {ops.Mul, func(a, b float64) float64 { return a * b }},
			"div": {ops.Div, func(a, b float64) float64 { return a / b }},
			"max": {ops.Maximum, func(a, b float64) float64 { return max(a, b) }},
			"min": {ops.Minimum, func(a, b float64) float64 { return min(a, b) }},
			"where": {func(a, b *gorgonia.Node) (*gorgonia.Node, error) {
				return ops.Where(gorgonia.Must(ops.Less(a, b)), b, a)
			}, func(a, b float64) float64 { return max(a, b) }},
		} {
			got := gradtest.Floats(t, valueOf(t, func(in []*gorgonia.Node) (*gorgonia.Node, error) { return op.build(in[0], in[1]) }, a, b))
			everyPlace(shape, func(i int, index []int) {
				if want := op.plain(at(a, index), at(b, index)); got[i] != want && !t.Failed() {
					t.Errorf("%s of %v and %v: element %v is %g, want %g", name, c[0], c[1], index, got[i], want)
				}
			})
		}
		got := gradtest.Floats(t, valueOf(t, func(in []*gorgonia.Node) (*gorgonia.Node, error) { return ops.BroadcastTo(in[0], shape...) }, b))
		everyPlace(shape, func(i int, index []int) {
			if want := at(b, index); got[i] != want && !t.Failed() {
				t.Errorf("%v broadcast to %v: element %v is %g, want %g", c[1], shape, index, got[i], want)
			}
		})
	}
}

func TestLargeMoves(t *testing.T) {
	shape := []int{5, 70, 33, 41}
	x := gradtest.Random(1, 0, shape...)
	for _, order := range [][]int{{0, 1, 2, 3}, {0, 2, 3, 1}, {3, 2, 1, 0}, {1, 0, 2, 3}, {0, 3, 1, 2}, {2, 0, 3, 1}} {
		to := make([]int, 4)
		for k, a := range order {
			to[k] = shape[a]
		}
		got := gradtest.Floats(t, valueOf(t, func(in []*gorgonia.Node) (*gorgonia.Node, error) { return ops.Transpose(in[0], order...) }, x))
		everyPlace(to, func(i int, index []int) {
			from := make([]int, 4)
			for k, a := range order {
				from[a] = index[k]
			}
			if want := at(x, from); got[i] != want && !t.Failed() {
				t.Errorf("axes %v: element %v is %g, want %g", order, index, got[i], want)
			}
		})
	}
	ranges := []ops.Range{{Start: 1}, {Step: 3}, {Start: 2, Stop: -1}, {Start: 1, Step: 2}}
	got := gradtest.Floats(t, valueOf(t, func(in []*gorgonia.Node) (*gorgonia.Node, error) { return ops.Slice(in[0], ranges...) }, x))
	everyPlace([]int{4, 24, 30, 20}, func(i int, index []int) {
		if want := at(x, []int{1 + index[0], 3 * index[1], 2 + index[2], 1 + 2*index[3]}); got[i] != want && !t.Failed() {
			t.Errorf("slice: element %v is %g, want %g", index, got[i], want)
		}
	})
	got = gradtest.Floats(t, valueOf(t, func(in []*gorgonia.Node) (*gorgonia.Node, error) { return ops.Flip(in[0], 0, 3) }, x))
	everyPlace(shape, func(i int, index []int) {
		if want := at(x, []int{4 - index[0], index[1], index[2], 40 - index[3]}); got[i] != want && !t.Failed() {
			t.Errorf("flip: element %v is %g, want %g", index, got[i], want)
		}
	})
}

// A step of a tape allocates nothing, whatever it is made of.
func TestSteadyStateAllocatesNothing(t *testing.T) {
	in := leaves(tensors([]int{8, 16, 20, 20}, []int{16, 1, 1}, []int{16}, []int{12, 400}, []int{12})...)
	x := in[0]
	must := gorgonia.Must
	over := func(axes ...int) ops.Over { return ops.Over{Axes: axes, Keep: true} }
	y := must(ops.Add(must(ops.Mul(x, in[1])), x))
	y = must(ops.PReLU(must(ops.GELUTanh(y)), in[2]))
	y = must(ops.Clamp(must(ops.HardSwish(must(ops.ELU(y, 1)))), -3, 3))
	y = must(ops.Sub(y, must(ops.Mean(y, over(0, 2, 3)))))
	y = must(ops.Div(y, must(ops.AddScalar(must(ops.Variance(y, 0, over(0, 2, 3))), 1))))
	y = must(ops.Where(must(ops.Greater(y, in[1])), y, must(ops.Softmax(y, 1))))
	y = must(ops.Concat(1, must(ops.Slice(y, ops.Range{}, ops.Range{Start: 3})), must(ops.Flip(y, 3))))
	y = must(ops.Pad(must(ops.Resize(y, ops.ResizeConfig{Mode: ops.Bilinear, Size: [2]int{19, 18}})), ops.PadConfig{Before: []int{0, 0, 1, 2}, Mode: ops.PadReflect}))
	y = must(ops.Maximum(y, must(ops.Max(y, over(1)))))
	y = must(ops.Add(must(ops.LogSumExp(y, over(2))), must(ops.L2Norm(y, over(2)))))
	y = must(ops.Transpose(y, 0, 2, 3, 1))
	y = must(ops.Flatten(must(ops.Slice(y, ops.Range{}, ops.Range{}, ops.Range{}, ops.Range{Stop: 20}))))
	y = must(ops.LogSoftmax(must(ops.Linear(y, in[3], in[4])), -1))
	cost := must(ops.Mean(must(ops.Square(y)), ops.Over{}))
	grads, err := graph.Differentiate(cost, in...)
	if err != nil {
		t.Fatalf("%+v", err)
	}
	tape, err := graph.Compile(append(gorgonia.Nodes{cost}, grads...), graph.Options{})
	if err != nil {
		t.Fatalf("%+v", err)
	}
	if err := tape.RunAll(); err != nil {
		t.Fatalf("%+v", err)
	}
	if n := testing.AllocsPerRun(5, func() {
		if err := tape.RunAll(); err != nil {
			t.Fatalf("%+v", err)
		}
	}); n > 0 {
		t.Errorf("%g allocations a run, want none", n)
	}
}
