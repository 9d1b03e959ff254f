package ops_test

import (
	"testing"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/internal/golden"
	"github.com/stheno-ml/stheno/internal/gradtest"
	"github.com/stheno-ml/stheno/ops"
)

func TestAvgPool2DGolden(t *testing.T) {
	for _, c := range golden.Load(t, "testdata/pool_avg.safetensors") {
		var a ops.Pool
		c.Attrs(t, &a)
		c.Check(t, poolTol32, func(in []*gorgonia.Node) (*gorgonia.Node, error) { return ops.AvgPool2D(in[0], a) })
	}
}

func TestAvgPool2DGradient(t *testing.T) {
	for _, a := range []ops.Pool{
		{Kernel: [2]int{2, 2}},
		{Kernel: [2]int{3, 3}, Stride: [2]int{2, 1}, Pad: [4]int{1, 1, 0, 2}, Ceil: true},
		{Kernel: [2]int{3, 3}, Stride: [2]int{2, 2}, Pad: [4]int{1, 1, 1, 1}, Ceil: true, CountPad: true},
		{Kernel: [2]int{3, 3}, Stride: [2]int{2, 2}, Same: true},
	} {
		gradtest.Check(t, func(in []*gorgonia.Node) (*gorgonia.Node, error) {
			y, err := ops.AvgPool2D(in[0], a)
			if err != nil {
				return nil, err
			}
			return derivative(y, in[0])
		}, []*tensor.Dense{gradtest.Random(1, 0, 2, 3, 7, 6)}, gradtest.Config{Order: 2})
	}
}

func TestGlobalPoolGradient(t *testing.T) {
	for _, shape := range [][]int{{2, 3, 4, 5}, {1, 3, 1, 1}, {2, 1, 3, 3}} {
		gradtest.Check(t, func(in []*gorgonia.Node) (*gorgonia.Node, error) {
			y, err := ops.GlobalAvgPool(in[0])
			if err != nil {
				return nil, err
			}
			return derivative(y, in[0])
		}, []*tensor.Dense{gradtest.Random(1, 0, shape...)}, gradtest.Config{Order: 2})
		gradtest.Check(t, func(in []*gorgonia.Node) (*gorgonia.Node, error) { return ops.GlobalMaxPool(in[0]) },
			[]*tensor.Dense{gradtest.Random(1, 0, shape...)}, gradtest.Config{Order: 2, Step: 1e-6})
	}
}
