package ops_test

import (
	"testing"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/internal/golden"
	"github.com/stheno-ml/stheno/internal/gradtest"
	"github.com/stheno-ml/stheno/ops"
)

// The input gradient subtracts means from values of their size.
const normTol32 = 2e-5

func TestBatchNormGolden(t *testing.T) {
	for _, c := range golden.Load(t, "testdata/norm_batch.safetensors") {
		var a struct {
			Eps                 float64
			Train, Scale, Shift bool
		}
		c.Attrs(t, &a)
		for _, stat := range []string{"dx1", "dx2", "dx3", "dx4"} {
			// Means and variances are inputs without a gradient here.
			if k := stat[2] - '1'; !a.Train && (k >= 2 || !a.Scale) {
				delete(c.Tensors, stat)
			}
		}
		c.Check(t, normTol32, func(in []*gorgonia.Node) (*gorgonia.Node, error) {
			x, rest := in[0], in[1:]
			var gamma, beta *gorgonia.Node
			if a.Scale {
				gamma, rest = rest[0], rest[1:]
			}
			if a.Shift {
				beta, rest = rest[0], rest[1:]
			}
			if !a.Train {
				return ops.BatchNormEval(x, gamma, beta, rest[0], rest[1], ops.BatchNorm{Eps: a.Eps})
			}
			y, _, err := ops.BatchNormTrain(x, gamma, beta, ops.BatchNorm{Eps: a.Eps})
			return y, err
		})
	}
}

func TestRunningUpdateGolden(t *testing.T) {
	for _, c := range golden.Load(t, "testdata/norm_running.safetensors") {
		var a ops.Running
		c.Attrs(t, &a)
		g := gorgonia.NewGraph()
		var in gorgonia.Nodes
		for i, v := range c.Inputs(tensor.Float64) {
			in = append(in, gorgonia.NodeFromAny(g, v, gorgonia.WithName("x"+string(rune('0'+i)))))
		}
		s := in[0].Shape()
		_, stats, err := ops.BatchNormTrain(in[0], nil, nil, ops.BatchNorm{})
		if err != nil {
			t.Fatal(err)
		}
		mean, variance, err := ops.RunningUpdate(in[1], in[2], stats, s[0]*s[2]*s[3], a)
		if err != nil {
			t.Fatal(err)
		}
		decayed, biased, err := ops.RunningUpdate(in[1], in[2], stats, s[0]*s[2]*s[3], ops.Running{Decay: 1 - a.Momentum, Biased: true})
		if err != nil {
			t.Fatal(err)
		}
		runTape(t, mean, variance, decayed, biased, stats)
		golden.Compare(t, c.Name+": mean", mean.Value(), c.Tensors["mean"], 1e-12)
		golden.Compare(t, c.Name+": variance", variance.Value(), c.Tensors["variance"], 1e-12)
		golden.Compare(t, c.Name+": mean by decay", decayed.Value(), c.Tensors["mean"], 1e-12)
		old, batch, got := c.Tensors["x2"].Float64s(), gradtest.Floats(t, stats.Value())[s[1]:], gradtest.Floats(t, biased.Value())
		for i := range got {
			if want := (1-a.Momentum)*old[i] + a.Momentum*batch[i]; !near(got[i], want, 1e-14) {
				t.Errorf("%s: biased variance %d is %g, want %g", c.Name, i, got[i], want)
			}
		}
	}
}

func near(a, b, tol float64) bool { return a-b <= tol && b-a <= tol }

func TestBatchNormGradient(t *testing.T) {
	for _, shape := range [][]int{{4, 3, 3, 2}, {6, 3}, {1, 3, 2, 4}, {3, 1, 2, 2}, {3, 4, 1, 1}} {
		c := shape[1]
		x, gamma, beta, mean := gradtest.Random(1, 0, shape...), gradtest.Random(2, 0, c), gradtest.Random(3, 0, c), gradtest.Random(4, 0, c)
		variance := gradtest.Random(5, 0.5, c)
		for i, v := range variance.Float64s() {
			variance.Float64s()[i] = v * v
		}
		train := func(in []*gorgonia.Node) (*gorgonia.Node, error) {
			var gamma, beta *gorgonia.Node
			if len(in) > 1 {
				gamma, beta = in[1], in[2]
			}
			y, _, err := ops.BatchNormTrain(in[0], gamma, beta, ops.BatchNorm{Eps: 1e-3})
			return y, err
		}
		gradtest.Check(t, train, []*tensor.Dense{x, gamma, beta}, gradtest.Config{Order: 2})
		gradtest.Check(t, train, []*tensor.Dense{x}, gradtest.Config{Order: 2})
		frozen := func(in []*gorgonia.Node) (*gorgonia.Node, error) {
			m, err := ops.Constant(in[0].Graph(), mean)
			if err != nil {
				return nil, err
			}
			v, err := ops.Constant(in[0].Graph(), variance)
			if err != nil {
				return nil, err
			}
			y, err := ops.BatchNormEval(in[0], in[1], in[2], m, v, ops.BatchNorm{})
			if err != nil {
				return nil, err
			}
			return derivative(y, in[0])
		}
		gradtest.Check(t, frozen, []*tensor.Dense{x, gamma, beta}, gradtest.Config{Order: 2})
	}
}
