package ops_test

import (
	"testing"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/internal/golden"
	"github.com/stheno-ml/stheno/internal/gradtest"
	"github.com/stheno-ml/stheno/ops"
)

// One rounding of the input, and sums of few values.
const poolTol32 = 1e-6

func TestMaxPool2DGolden(t *testing.T) {
	for _, c := range golden.Load(t, "testdata/pool_max.safetensors") {
		var a ops.Pool
		c.Attrs(t, &a)
		c.Check(t, poolTol32, func(in []*gorgonia.Node) (*gorgonia.Node, error) { return ops.MaxPool2D(in[0], a) })
		want, ok := c.Tensors["indices"]
		if !ok {
			continue
		}
		for _, dt := range []tensor.Dtype{tensor.Float32, tensor.Float64} {
			g := gorgonia.NewGraph()
			x := gorgonia.NodeFromAny(g, c.Inputs(dt)[0], gorgonia.WithName("x"))
			i, err := ops.MaxPoolIndices(x, a)
			if err != nil {
				t.Fatalf("%s: %+v", c.Name, err)
			}
			runTape(t, i)
			golden.Compare(t, c.Name+": indices", i.Value(), want, 0)
		}
	}
}

func runTape(t *testing.T, outputs ...*gorgonia.Node) {
	t.Helper()
	tape, err := graph.Compile(outputs, graph.Options{})
	if err != nil {
		t.Fatalf("%+v", err)
	}
	if err := tape.RunAll(); err != nil {
		t.Fatalf("%+v", err)
	}
}

func TestMaxPool2DGradient(t *testing.T) {
	for _, c := range []struct {
		x []int
		a ops.Pool
	}{
		{[]int{2, 3, 6, 5}, ops.Pool{Kernel: [2]int{2, 2}}},
		{[]int{2, 3, 7, 6}, ops.Pool{Kernel: [2]int{3, 3}, Stride: [2]int{2, 2}, Pad: [4]int{1, 1, 1, 1}, Ceil: true}},
		{[]int{1, 2, 6, 6}, ops.Pool{Kernel: [2]int{3, 3}, Stride: [2]int{2, 2}, Same: true}},
		{[]int{1, 1, 20, 17}, ops.Pool{Kernel: [2]int{17, 17}, Stride: [2]int{1, 1}}},
		{[]int{1, 3, 1, 1}, ops.Pool{Kernel: [2]int{3, 2}, Stride: [2]int{2, 2}, Pad: [4]int{1, 1, 1, 1}}},
	} {
		// Steps of 1e-6 do not reorder values that are normally distributed with these seeds.
		gradtest.Check(t, func(in []*gorgonia.Node) (*gorgonia.Node, error) { return ops.MaxPool2D(in[0], c.a) },
			[]*tensor.Dense{gradtest.Random(1, 0, c.x...)}, gradtest.Config{Order: 2, Step: 1e-6})
	}
}

// The gradient of max pooling is linear in what it is given, with the largest values fixed.
func TestMaxPool2DSecondGradient(t *testing.T) {
	a := ops.Pool{Kernel: [2]int{3, 2}, Stride: [2]int{2, 1}, Pad: [4]int{1, 0, 0, 1}}
	gradtest.Check(t, func(in []*gorgonia.Node) (*gorgonia.Node, error) {
		y, err := ops.MaxPool2D(in[0], a)
		if err != nil {
			return nil, err
		}
		return derivative(y, in[0])
	}, []*tensor.Dense{gradtest.Random(1, 0, 2, 3, 6, 5)}, gradtest.Config{Order: 2, Step: 1e-6})
}
