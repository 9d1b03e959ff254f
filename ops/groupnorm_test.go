package ops_test

import (
	"testing"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/internal/golden"
	"github.com/stheno-ml/stheno/internal/gradtest"
	"github.com/stheno-ml/stheno/ops"
)

func TestGroupNormGolden(t *testing.T) {
	for _, c := range golden.Load(t, "testdata/norm_group.safetensors") {
		var a struct {
			Op           string
			Eps          float64
			Axes, Groups int
			Affine       bool
		}
		c.Attrs(t, &a)
		c.Check(t, normTol32, func(in []*gorgonia.Node) (*gorgonia.Node, error) {
			x, gamma, beta := affine(in)
			switch a.Op {
			case "Layer":
				return ops.LayerNorm(x, gamma, beta, a.Axes, a.Eps)
			case "Group":
				return ops.GroupNorm(x, gamma, beta, a.Groups, a.Eps)
			}
			return ops.InstanceNorm(x, gamma, beta, a.Eps)
		})
	}
}

func affine(in []*gorgonia.Node) (x, gamma, beta *gorgonia.Node) {
	if len(in) == 1 {
		return in[0], nil, nil
	}
	return in[0], in[1], in[2]
}

func TestGroupNormGradient(t *testing.T) {
	for _, c := range []struct {
		name      string
		x, affine []int
		build     gradtest.Build
	}{
		{"layer rows", []int{3, 7}, []int{7}, func(in []*gorgonia.Node) (*gorgonia.Node, error) {
			x, gamma, beta := affine(in)
			return ops.LayerNorm(x, gamma, beta, 1, 0)
		}},
		{"layer pictures", []int{2, 3, 2, 4}, []int{3, 2, 4}, func(in []*gorgonia.Node) (*gorgonia.Node, error) {
			x, gamma, beta := affine(in)
			return ops.LayerNorm(x, gamma, beta, 3, 1e-3)
		}},
		{"group", []int{2, 6, 3, 2}, []int{6}, func(in []*gorgonia.Node) (*gorgonia.Node, error) {
			x, gamma, beta := affine(in)
			return ops.GroupNorm(x, gamma, beta, 3, 0)
		}},
		{"instance", []int{2, 3, 3, 4}, []int{3}, func(in []*gorgonia.Node) (*gorgonia.Node, error) {
			x, gamma, beta := affine(in)
			return ops.InstanceNorm(x, gamma, beta, 0)
		}},
		{"instance, batch 1, one channel", []int{1, 1, 3, 4}, []int{1}, func(in []*gorgonia.Node) (*gorgonia.Node, error) {
			x, gamma, beta := affine(in)
			return ops.InstanceNorm(x, gamma, beta, 0)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			x := gradtest.Random(1, 0, c.x...)
			gradtest.Check(t, c.build, []*tensor.Dense{x, gradtest.Random(2, 0, c.affine...), gradtest.Random(3, 0, c.affine...)}, gradtest.Config{Order: 2})
			gradtest.Check(t, c.build, []*tensor.Dense{x}, gradtest.Config{Order: 2})
		})
	}
}
