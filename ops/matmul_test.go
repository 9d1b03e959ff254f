package ops_test

import (
	"testing"

	"gorgonia.org/gorgonia"

	"github.com/stheno-ml/stheno/internal/gradtest"
	"github.com/stheno-ml/stheno/ops"
)

func TestMatMulGradients(t *testing.T) {
	for _, c := range []struct {
		a, b   []int
		ta, tb bool
	}{
		{[]int{3, 5}, []int{5, 4}, false, false}, {[]int{5, 3}, []int{5, 4}, true, false},
		{[]int{3, 5}, []int{4, 5}, false, true}, {[]int{5, 3}, []int{4, 5}, true, true}, {[]int{1, 1}, []int{1, 1}, false, false},
		{[]int{2, 3, 5}, []int{2, 5, 4}, false, false}, {[]int{2, 3, 5}, []int{5, 4}, false, false}, {[]int{2, 3, 5}, []int{4, 5}, false, true},
		{[]int{2, 5, 3}, []int{5, 4}, true, false}, {[]int{3, 5}, []int{2, 5, 4}, false, false}, {[]int{2, 1, 3, 5}, []int{6, 4, 5}, false, true},
	} {
		gradtest.Check(t, squared(func(in []*gorgonia.Node) (*gorgonia.Node, error) {
			return ops.MatMul(in[0], in[1], ops.Transposed{A: c.ta, B: c.tb})
		}), tensors(c.a, c.b), gradtest.Config{Order: 2})
	}
}

func TestLinearGradients(t *testing.T) {
	for _, c := range []struct{ x, w, b []int }{
		{[]int{3, 5}, []int{4, 5}, []int{4}}, {[]int{1, 1}, []int{1, 1}, []int{1}}, {[]int{2, 3, 5}, []int{4, 5}, []int{4}},
	} {
		gradtest.Check(t, squared(func(in []*gorgonia.Node) (*gorgonia.Node, error) { return ops.Linear(in[0], in[1], in[2]) }), tensors(c.x, c.w, c.b), gradtest.Config{Order: 2})
		gradtest.Check(t, squared(func(in []*gorgonia.Node) (*gorgonia.Node, error) { return ops.Linear(in[0], in[1], nil) }), tensors(c.x, c.w), gradtest.Config{Order: 2})
	}
}

func TestMultiplyAddsOfProducts(t *testing.T) {
	in := leaves(tensors([]int{4, 33}, []int{17, 33}, []int{17}, []int{2, 33, 5})...)
	for _, c := range []struct {
		y    *gorgonia.Node
		want int64
	}{
		{gorgonia.Must(ops.Linear(in[0], in[1], in[2])), 4 * 33 * 17},
		{gorgonia.Must(ops.MatMul(in[0], in[3], ops.Transposed{})), 2 * 4 * 33 * 5},
		{gorgonia.Must(ops.Add(in[1], in[1])), 0},
	} {
		if got := ops.MultiplyAdds(c.y); got != c.want {
			t.Errorf("%v: %d multiply-adds, want %d", c.y, got, c.want)
		}
	}
}

func TestLinearMistakes(t *testing.T) {
	linear := func(in []*gorgonia.Node) (*gorgonia.Node, error) { return ops.Linear(in[0], in[1], in[2]) }
	matmul := func(in []*gorgonia.Node) (*gorgonia.Node, error) { return ops.MatMul(in[0], in[1], ops.Transposed{}) }
	checkMistakes(t, []mistake{
		{"features", linear, tensors([]int{3, 5}, []int{4, 6}, []int{4}), []string{"(3, 5)", "(4, 6)", "5", "6"}},
		{"bias", linear, tensors([]int{3, 5}, []int{4, 5}, []int{5}), []string{"bias", "(5)", "4"}},
		{"a vector", linear, tensors([]int{5}, []int{4, 5}, []int{4}), []string{"(5)", "[N, in]"}},
		{"a weight of three axes", linear, tensors([]int{3, 5}, []int{4, 5, 1}, []int{4}), []string{"(4, 5, 1)", "[out, in]"}},
		{"inner sizes", matmul, tensors([]int{3, 5}, []int{4, 5}), []string{"(3, 5)", "(4, 5)", "5 and 4"}},
		{"batches", matmul, tensors([]int{2, 3, 5}, []int{3, 5, 4}), []string{"(2)", "(3)"}},
		{"vectors", matmul, tensors([]int{5}, []int{5}), []string{"(5)", "two axes"}},
	})
}
