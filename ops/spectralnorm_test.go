package ops_test

import (
	"testing"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/internal/golden"
	"github.com/stheno-ml/stheno/internal/gradtest"
	"github.com/stheno-ml/stheno/ops"
)

func TestSpectralNormGolden(t *testing.T) {
	for _, c := range golden.Load(t, "testdata/norm_spectral.safetensors") {
		var a ops.Spectral
		c.Attrs(t, &a)
		// A singular value of about 1 is divided by; it is summed in float64.
		c.Check(t, 1e-6, func(in []*gorgonia.Node) (*gorgonia.Node, error) {
			y, _, _, err := ops.SpectralNorm(in[0], in[1], a)
			return y, err
		})
		g := gorgonia.NewGraph()
		in := c.Inputs(tensor.Float64)
		w, u := gorgonia.NodeFromAny(g, in[0], gorgonia.WithName("w")), gorgonia.NodeFromAny(g, in[1], gorgonia.WithName("u"))
		_, newU, newV, err := ops.SpectralNorm(w, u, a)
		if err != nil {
			t.Fatalf("%s: %+v", c.Name, err)
		}
		fixed, err := ops.SpectralNormFixed(w, newU, newV, a)
		if err != nil {
			t.Fatalf("%s: %+v", c.Name, err)
		}
		runTape(t, newU, newV, fixed)
		golden.Compare(t, c.Name+": u", newU.Value(), c.Tensors["u"], 1e-12)
		golden.Compare(t, c.Name+": v", newV.Value(), c.Tensors["v"], 1e-12)
		golden.Compare(t, c.Name+": evaluation", fixed.Value(), c.Tensors["eval"], 1e-12)
	}
}

// With u and v fixed, as they count for the gradient.
func TestSpectralNormGradient(t *testing.T) {
	for _, c := range []struct {
		w          []int
		axis, u, v int
	}{{[]int{4, 3, 2, 3}, 0, 4, 18}, {[]int{3, 4, 2, 2}, 1, 4, 12}, {[]int{5, 2}, 0, 5, 2}} {
		gradtest.Check(t, func(in []*gorgonia.Node) (*gorgonia.Node, error) {
			u, err := ops.Constant(in[0].Graph(), gradtest.Random(2, 0, c.u))
			if err != nil {
				return nil, err
			}
			v, err := ops.Constant(in[0].Graph(), gradtest.Random(3, 0, c.v))
			if err != nil {
				return nil, err
			}
			return ops.SpectralNormFixed(in[0], u, v, ops.Spectral{Axis: c.axis})
		}, []*tensor.Dense{gradtest.Random(1, 0, c.w...)}, gradtest.Config{Order: 2})
	}
}
