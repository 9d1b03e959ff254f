package nn_test

import (
	"context"
	"strings"
	"sync"
	"testing"

	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/internal/gradtest"
	"github.com/stheno-ml/stheno/nn"
)

func small() nn.Layer {
	return nn.Sequential{
		nn.Conv2D{Name: "conv", Filters: 8, Kernel: 3, Pad: 1, NoBias: true}, nn.BatchNorm{Name: "bn"}, nn.ReLU{},
		nn.Func(func(g *graph.Graph, x *nn.Node) *nn.Node { return g.Mark("features", x) }),
		nn.GlobalAvgPool{}, nn.Linear{Name: "fc", Units: 3},
	}
}

func model(t *testing.T) *nn.Model {
	t.Helper()
	m, err := nn.NewModel(small(), []int{2, 9, 7}, nn.ModelConfig{Dtype: tensor.Float64})
	if err != nil {
		t.Fatalf("%+v", err)
	}
	return m
}

// A batch gives what its pictures give one by one, and marked outputs can be asked for.
func TestPredictAnyBatch(t *testing.T) {
	m := model(t)
	ctx := context.Background()
	x := gradtest.Random(1, 0, 5, 2, 9, 7)
	all, err := m.Predict(ctx, x)
	if err != nil {
		t.Fatalf("%+v", err)
	}
	for i := range 5 {
		one := tensor.New(tensor.WithShape(1, 2, 9, 7), tensor.WithBacking(x.Float64s()[i*126:(i+1)*126]))
		y, err := m.Predict(ctx, one)
		if err != nil {
			t.Fatal(err)
		}
		for k, v := range y.Float64s() {
			if w := all.Float64s()[i*3+k]; v-w > 1e-14 || w-v > 1e-14 { // the same sums, perhaps in other blocks
				t.Errorf("picture %d, output %d: %v alone, %v in a batch", i, k, v, w)
			}
		}
	}
	f, err := m.Outputs(ctx, x, "features")
	if err != nil {
		t.Fatal(err)
	}
	if !f[0].Shape().Eq(tensor.Shape{5, 8, 9, 7}) {
		t.Errorf("features have shape %v", f[0].Shape())
	}
	if _, err := m.Outputs(ctx, x, "nothing"); err == nil || !strings.Contains(err.Error(), "features") {
		t.Errorf("an output that is not there: %v", err)
	}
	if _, err := m.Predict(ctx, gradtest.Random(1, 0, 2, 9, 7)); err == nil {
		t.Error("a picture without a batch is not an error")
	}
	if _, err := m.Predict(ctx, gradtest.Random(1, 0, 1, 2, 9, 8)); err == nil {
		t.Error("a picture of another size is not an error")
	}
}

// A server runs a predictor in each of its goroutines over one set of weights.
func TestPredictorsInParallel(t *testing.T) {
	m := model(t)
	x := gradtest.Random(2, 0, 1, 2, 9, 7)
	want, err := m.Predict(context.Background(), x)
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			p, err := m.NewPredictor(nn.PredictorConfig{Fixed: true})
			if err != nil {
				t.Error(err)
				return
			}
			for range 20 {
				y, err := p.Run(context.Background(), x)
				if err != nil {
					t.Error(err)
					return
				}
				for k, v := range y[0].Float64s() {
					if v != want.Float64s()[k] {
						t.Errorf("output %d: %v, want %v", k, v, want.Float64s()[k])
						return
					}
				}
			}
		}()
	}
	wg.Wait()
}

func TestWrongNetworksAreErrors(t *testing.T) {
	for name, c := range map[string]struct {
		net   nn.Layer
		input []int
		want  string
	}{
		"kernel too large":   {nn.Conv2D{Name: "c", Filters: 1, Kernel: 5}, []int{1, 3, 3}, "c: conv2d"},
		"no filters":         {nn.Conv2D{Name: "c", Kernel: 5}, []int{1, 8, 8}, "0 filters"},
		"groups":             {nn.Conv2D{Filters: 4, Kernel: 1, Groups: 2}, []int{3, 8, 8}, "groups"},
		"linear on pictures": {nn.Linear{Units: 2}, []int{3, 8, 8}, "flatten"},
		"batch norm rank":    {nn.BatchNorm{}, []int{3, 8}, "[N, C]"},
		"negative input":     {nn.ReLU{}, []int{3, -8}, "-8"},
		"nothing":            {nn.Func(func(*graph.Graph, *nn.Node) *nn.Node { return nil }), []int{3}, "no result"},
	} {
		if _, err := nn.NewModel(c.net, c.input, nn.ModelConfig{}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want one with %q", name, err, c.want)
		}
	}
}
