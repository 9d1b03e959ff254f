package ops_test

import (
	"testing"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/internal/gradtest"
	"github.com/stheno-ml/stheno/ops"
)

func TestReLUGradient(t *testing.T) {
	for _, shape := range [][]int{{1}, {3, 5}, {2, 3, 4, 5}} {
		gradtest.Check(t, func(in []*gorgonia.Node) (*gorgonia.Node, error) { return ops.ReLU(in[0]) },
			[]*tensor.Dense{gradtest.Random(1, 0.01, shape...)}, gradtest.Config{Order: 2})
	}
}

func TestSumGradient(t *testing.T) {
	gradtest.Check(t, func(in []*gorgonia.Node) (*gorgonia.Node, error) { return ops.Sum(in[0], in[1], in[0]) },
		[]*tensor.Dense{gradtest.Random(1, 0, 3, 4), gradtest.Random(2, 0, 3, 4)}, gradtest.Config{Order: 2})
}
