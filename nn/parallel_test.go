package nn_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/nn"
)

func TestParallelJoinsChannels(t *testing.T) {
	double := nn.Mark{Name: "double", Layer: nn.Scale(2)}
	m, err := nn.NewModel(nn.Parallel{nn.Identity{}, double, nn.ReLU6{}}, []int{1, 1, 3}, nn.ModelConfig{})
	if err != nil {
		t.Fatalf("%+v", err)
	}
	x := tensor.New(tensor.WithShape(1, 1, 1, 3), tensor.WithBacking([]float32{-1, 5, 8}))
	y, err := m.Predict(context.Background(), x)
	if err != nil {
		t.Fatalf("%+v", err)
	}
	if want := []float32{-1, 5, 8, -2, 10, 16, 0, 5, 6}; !slices.Equal(y.Float32s(), want) || !slices.Equal(y.Shape(), tensor.Shape{1, 3, 1, 3}) {
		t.Errorf("%v %v, want %v", y.Shape(), y.Float32s(), want)
	}
	d, err := m.Outputs(context.Background(), x, "double")
	if err != nil {
		t.Fatalf("%+v", err)
	}
	if want := []float32{-2, 10, 16}; !slices.Equal(d[0].Float32s(), want) {
		t.Errorf("marked %v, want %v", d[0].Float32s(), want)
	}
}

func TestParallelOfOtherSizes(t *testing.T) {
	_, err := nn.NewModel(nn.Parallel{nn.Identity{}, nn.MaxPool2D{Kernel: 2}}, []int{2, 4, 4}, nn.ModelConfig{})
	if err == nil || !strings.Contains(err.Error(), "concat") {
		t.Errorf("error %v, want one of concat", err)
	}
}

func TestLRNAndAdaptivePool(t *testing.T) {
	m, err := nn.NewModel(nn.Sequential{nn.LRN{Size: 1, Alpha: 1, Beta: 1, K: 1}, nn.AdaptiveAvgPool2D{Size: [2]int{1, 2}}}, []int{1, 1, 4}, nn.ModelConfig{Dtype: tensor.Float64})
	if err != nil {
		t.Fatalf("%+v", err)
	}
	y, err := m.Predict(context.Background(), tensor.New(tensor.WithShape(1, 1, 1, 4), tensor.WithBacking([]float64{1, 1, 3, 0})))
	if err != nil {
		t.Fatalf("%+v", err)
	}
	for i, want := range []float64{0.5, 0.15} { // x/(1+x²): 1/2, 1/2 and 3/10, 0
		if got := y.Float64s()[i]; got-want > 1e-15 || want-got > 1e-15 { // rounding of a division and a mean
			t.Errorf("value %d is %g, want %g", i, got, want)
		}
	}
}

func TestBlankModel(t *testing.T) {
	net := nn.Sequential{nn.Conv2D{Name: "conv", Filters: 3, Kernel: 3}, nn.BatchNorm{Name: "bn"}}
	m, err := nn.NewModel(net, []int{2, 5, 5}, nn.ModelConfig{Blank: true})
	if err != nil {
		t.Fatalf("%+v", err)
	}
	if n := len(m.Store().Variables()); n != 6 {
		t.Errorf("%d variables, want 6", n)
	}
	for _, v := range m.Store().Variables() {
		for _, x := range v.Value.Float32s() {
			if x != 0 {
				t.Errorf("%s begins with %g", v.Name, x)
			}
		}
	}
}

func TestScaleOfBatchNorm(t *testing.T) {
	m, err := nn.NewModel(nn.BatchNorm{Name: "bn", Init: nn.Constant(3)}, []int{2, 5, 5}, nn.ModelConfig{})
	if err != nil {
		t.Fatalf("%+v", err)
	}
	v := m.Store().Get("bn.weight")
	if v == nil || v.Role != graph.Parameter || !slices.Equal(v.Value.Float32s(), []float32{3, 3}) {
		t.Errorf("weight %v, want 3 twice", v)
	}
}
