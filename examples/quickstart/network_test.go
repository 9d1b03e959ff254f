package main

import (
	"context"
	"math"
	"strings"
	"testing"

	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/internal/golden"
	"github.com/stheno-ml/stheno/nn"
	"github.com/stheno-ml/stheno/ops"
	"github.com/stheno-ml/stheno/train"
)

// tolerance is relative to a tensor's largest element: sums of some thousand float64 terms, in another order
// than PyTorch's, through nine layers and back.
const tolerance = 1e-9

// Output, loss, every gradient and the running statistics after a step are those of PyTorch (testdata/gen.py).
func TestAgreesWithPyTorch(t *testing.T) {
	flat := func(_ *graph.Graph, output, labels *graph.Node) (*graph.Node, error) {
		logits, err := ops.Flatten(output)
		if err != nil {
			return nil, err
		}
		return ops.SoftmaxCrossEntropy(logits, labels)
	}
	nets := map[string]struct {
		net   nn.Layer
		input []int
		pixel func(u float64) float64
	}{
		"network": {network(), []int{1, 28, 28}, func(u float64) float64 { return u }},
		"block":   {blockAlone{block("b", 8, 2)}, []int{6, 9, 7}, func(u float64) float64 { return 2*u - 1 }},
	}
	for _, c := range golden.Load(t, "testdata/torch.safetensors") {
		n := nets[c.Name]
		m, err := nn.NewModel(n.net, n.input, nn.ModelConfig{Dtype: tensor.Float64})
		if err != nil {
			t.Fatalf("%s: %+v", c.Name, err)
		}
		fill(m.Store())
		x := tensor.New(tensor.Of(tensor.Float64), tensor.WithShape(append([]int{4}, n.input...)...))
		for i := range x.Float64s() {
			x.Float64s()[i] = n.pixel(u01(1000003, uint64(i)))
		}
		y, err := m.Predict(context.Background(), x)
		if err != nil {
			t.Fatalf("%s: %+v", c.Name, err)
		}
		compare(t, c, "eval", y)
		s, err := train.NewStep(m, 4, flat, nil)
		if err != nil {
			t.Fatalf("%s: %+v", c.Name, err)
		}
		loss, err := s.Run(context.Background(), x, []int{7, 2, 1, 0})
		if err != nil {
			t.Fatalf("%s: %+v", c.Name, err)
		}
		compare(t, c, "output", s.Output().(*tensor.Dense))
		compare(t, c, "loss", tensor.New(tensor.WithBacking([]float64{loss})))
		vars, grads := s.Gradients()
		for i, v := range vars {
			compare(t, c, "grad:"+name(c.Name, v.Name), grads[i])
		}
		for _, v := range m.Store().Variables() {
			if v.Role == graph.Statistic {
				compare(t, c, "after:"+name(c.Name, v.Name), v.Value)
			}
		}
		if want := len(c.Tensors); compared[c.Name] != want {
			t.Errorf("%s: %d tensors compared, the file has %d", c.Name, compared[c.Name], want)
		}
	}
}

// blockAlone is a block whose variables have no prefix in the file.
type blockAlone struct{ nn.Layer }

func name(c, variable string) string {
	if c == "block" {
		return variable[len("b."):]
	}
	return variable
}

var compared = make(map[string]int)

func compare(t *testing.T, c golden.Case, part string, got *tensor.Dense) {
	t.Helper()
	compared[c.Name]++
	want, ok := c.Tensors[part]
	if !ok {
		t.Errorf("%s: the file has no %s", c.Name, part)
		return
	}
	a, b := got.Float64s(), want.Float64s()
	if len(a) != len(b) {
		t.Errorf("%s: %s has shape %v, want %v", c.Name, part, got.Shape(), want.Shape())
		return
	}
	scale, worst := 0.0, 0.0
	for i := range b {
		scale = math.Max(scale, math.Abs(b[i]))
		worst = math.Max(worst, math.Abs(a[i]-b[i]))
	}
	if !(worst <= tolerance*scale) {
		t.Errorf("%s: %s is off by %.3g where the largest element is %.3g", c.Name, part, worst, scale)
	}
}

// fill gives the variables the values that gen.py gives them.
func fill(s *graph.Store) {
	for t, v := range s.Variables() {
		x, shape := v.Value.Float64s(), v.Value.Shape()
		in, _ := nn.Fans(shape)
		for i := range x {
			u := u01(uint64(t), uint64(i))
			switch {
			case len(shape) > 1:
				x[i] = (2*u - 1) * math.Sqrt(6/in)
			case v.Role == graph.Parameter && isScale(v.Name) || v.Role == graph.Statistic && isVariance(v.Name):
				x[i] = 0.5 + u
			default:
				x[i] = (2*u - 1) * 0.1
			}
		}
	}
}

func isScale(name string) bool    { return strings.HasSuffix(name, "bn.weight") }
func isVariance(name string) bool { return strings.HasSuffix(name, "running_var") }

// u01 is value i of tensor t, in [0, 1): splitmix64, as in gen.py.
func u01(t, i uint64) float64 {
	z := (t<<40 + i) + 0x9E3779B97F4A7C15
	z ^= z >> 30
	z *= 0xBF58476D1CE4E5B9
	z ^= z >> 27
	z *= 0x94D049BB133111EB
	z ^= z >> 31
	return float64(z>>11) / (1 << 53)
}
