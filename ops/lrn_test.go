package ops_test

import (
	"testing"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/internal/golden"
	"github.com/stheno-ml/stheno/internal/gradtest"
	"github.com/stheno-ml/stheno/ops"
)

func TestLocalResponseNormGolden(t *testing.T) {
	for _, c := range golden.Load(t, "testdata/norm_lrn.safetensors") {
		var a ops.LRN
		c.Attrs(t, &a)
		// One rounding of the input and one of the result; between them everything is float64.
		c.Check(t, 1e-6, func(in []*gorgonia.Node) (*gorgonia.Node, error) { return ops.LocalResponseNorm(in[0], a) })
	}
}

func TestLocalResponseNormGradient(t *testing.T) {
	for _, a := range []ops.LRN{{Size: 5, Alpha: 0.3}, {Size: 4, Alpha: 0.3, Beta: 0.6, K: 2}, {Size: 4, Alpha: 0.2, Up: true, Sum: true}} {
		gradtest.Check(t, func(in []*gorgonia.Node) (*gorgonia.Node, error) { return ops.LocalResponseNorm(in[0], a) },
			[]*tensor.Dense{gradtest.Random(1, 0, 2, 6, 3, 2)}, gradtest.Config{})
	}
}

// An even window reaches one channel farther down as in PyTorch, or up as in ONNX: turning the channels round
// turns one into the other.
func TestLocalResponseNormEvenWindow(t *testing.T) {
	const channels = 5
	values := gradtest.Random(1, 0, 1, channels, 1, 1).Float64s()
	turned := make([]float64, channels)
	for i, v := range values {
		turned[channels-1-i] = v
	}
	g := gorgonia.NewGraph()
	var y gorgonia.Nodes
	for i, v := range [][]float64{values, turned} {
		x := gorgonia.NodeFromAny(g, tensor.New(tensor.WithShape(1, channels, 1, 1), tensor.WithBacking(v)), gorgonia.WithName("x"+string(rune('0'+i))))
		n, err := ops.LocalResponseNorm(x, ops.LRN{Size: 4, Alpha: 1, Up: i == 1})
		if err != nil {
			t.Fatal(err)
		}
		y = append(y, n)
	}
	runTape(t, y...)
	down, up := gradtest.Floats(t, y[0].Value()), gradtest.Floats(t, y[1].Value())
	for i := range down {
		if down[i] != up[channels-1-i] && !near(down[i], up[channels-1-i], 1e-15) {
			t.Errorf("channel %d: %g, turned round %g", i, down[i], up[channels-1-i])
		}
	}
}
