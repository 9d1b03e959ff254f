package nn_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/internal/golden"
	"github.com/stheno-ml/stheno/nn"
	"github.com/stheno-ml/stheno/ops"
)

// layers are the counterparts of the modules in testdata/gen_layers.py.
var layers = map[string]nn.Layer{
	"elu": nn.ELU{}, "elu_half": nn.ELU{Alpha: 0.5}, "selu": nn.SELU{}, "gelu": nn.GELU{}, "gelu_tanh": nn.GELU{Tanh: true},
	"silu": nn.SiLU{}, "hard_swish": nn.HardSwish{}, "hard_sigmoid": nn.HardSigmoid{}, "softplus": nn.Softplus{},
	"prelu": nn.PReLU{}, "group_norm": nn.GroupNorm{Groups: 4}, "layer_norm": nn.LayerNorm{},
	"layer_norm_last": nn.LayerNorm{Axes: 1, Eps: 1e-3}, "instance_norm": nn.InstanceNorm{},
	"upsample": nn.Upsample2D{}, "upsample_bilinear": nn.Upsample2D{Scale: 3, Bilinear: true},
	"upsample_corners": nn.Upsample2D{Bilinear: true, AlignCorners: true},
	"pixel_shuffle":    nn.PixelShuffle{Factor: 2}, "zero_pad": nn.Pad2D{Padding: [4]int{1, 2, 3, 4}},
	"reflect": nn.Pad2D{Pad: 2, Mode: ops.PadReflect},
}

func TestLayersAgreeWithPyTorch(t *testing.T) {
	seen := 0
	for _, c := range golden.Load(t, "testdata/layers.safetensors") {
		seen++
		x := c.Tensors["x0"]
		m, err := nn.NewModel(layers[c.Name], x.Shape()[1:], nn.ModelConfig{Dtype: tensor.Float64})
		if err != nil {
			t.Fatalf("%s: %+v", c.Name, err)
		}
		y, err := m.Predict(context.Background(), x)
		if err != nil {
			t.Fatalf("%s: %+v", c.Name, err)
		}
		golden.Compare(t, c.Name, y, c.Tensors["y"], 1e-12) // sums of at most 96 terms, in another order
	}
	if seen != len(layers) {
		t.Errorf("%d cases, %d layers", seen, len(layers))
	}
}

// Layers name their variables as PyTorch does.
func TestVariablesOfLayers(t *testing.T) {
	m, err := nn.NewModel(nn.Sequential{
		nn.GroupNorm{Name: "gn", Groups: 2}, nn.PReLU{Name: "act", Shared: true}, nn.GroupNorm{Name: "bare", Groups: 2, NoAffine: true},
		nn.LayerNorm{Name: "ln", Axes: 2}, nn.Reshape{Sizes: []int{-1}},
	}, []int{4, 3, 5}, nn.ModelConfig{})
	if err != nil {
		t.Fatalf("%+v", err)
	}
	want := map[string]string{"gn.weight": "(4)", "gn.bias": "(4)", "act.weight": "(1)", "ln.weight": "(3, 5)", "ln.bias": "(3, 5)"}
	all := m.Store().Variables()
	for _, v := range all {
		if got := fmt.Sprint(v.Value.Shape()); got != want[v.Name] {
			t.Errorf("%s has shape %s, want %s", v.Name, got, want[v.Name])
		}
	}
	if len(all) != len(want) {
		t.Errorf("%d variables, want %d", len(all), len(want))
	}
}

func TestWrongLayersAreErrors(t *testing.T) {
	for want, l := range map[string]nn.Layer{
		"3 groups":            nn.GroupNorm{Groups: 3},
		"over 4 axes":         nn.Sequential{nn.Flatten{}, nn.LayerNorm{Axes: 4}},
		"AlignCorners":        nn.Upsample2D{AlignCorners: true},
		"factor 3":            nn.PixelShuffle{Factor: 3},
		"want a picture":      nn.Sequential{nn.Flatten{}, nn.PixelShuffle{Factor: 1}},
		"[N, C, H, W] (given": nn.Sequential{nn.Flatten{}, nn.Pad2D{Pad: 1}},
		"pad":                 nn.Pad2D{Pad: -1},
		"reshape":             nn.Reshape{Sizes: []int{7, 7}},
	} {
		_, err := nn.NewModel(l, []int{4, 5, 6}, nn.ModelConfig{})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%#v: error %v, want one with %q", l, err, want)
		}
	}
}

// Random layers change what they get in training, and nothing in evaluation.
func TestRandomLayers(t *testing.T) {
	for name, l := range map[string]nn.Layer{
		"dropout": nn.Dropout{P: 0.5}, "spatial": nn.SpatialDropout{P: 0.5}, "path": nn.DropPath{P: 0.5}, "noise": nn.GaussianNoise{Deviation: 1},
	} {
		for _, mode := range []graph.Mode{graph.Eval, graph.Train} {
			g := graph.New(mode)
			x := g.Input("x", 8, 4, 5, 5)
			y := l.Apply(g, x)
			if err := g.Err(); err != nil {
				t.Fatalf("%+v", err)
			}
			if same := y == x; same != (mode == graph.Eval) {
				t.Errorf("%s in mode %v: the same node: %v", name, mode, same)
			}
		}
	}
}
