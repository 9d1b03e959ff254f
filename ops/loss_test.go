package ops_test

import (
	"fmt"
	"math"
	"runtime"
	"strings"
	"testing"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/internal/golden"
	"github.com/stheno-ml/stheno/internal/gradtest"
	"github.com/stheno-ml/stheno/ops"
)

// lossAttrs is the attributes of all golden losses.
type lossAttrs struct {
	Reduction         string
	Smoothing         float64
	Ignore            *int
	Weights, Positive []float64
	K                 float64
	Squared           bool
	Temperature, Soft float64
}

func (a lossAttrs) reduction() ops.Reduction {
	return map[string]ops.Reduction{"mean": ops.MeanReduction, "sum": ops.SumReduction, "none": ops.NoReduction, "batchmean": ops.BatchMeanReduction, "": ops.MeanReduction}[a.Reduction]
}

// constant is a node of x's graph and type, nil for no values.
func constant(t *testing.T, x *gorgonia.Node, v []float64, shape ...int) *gorgonia.Node {
	t.Helper()
	if v == nil {
		return nil
	}
	if len(shape) == 0 {
		shape = []int{len(v)}
	}
	n, err := ops.Constant(x.Graph(), golden.As(tensor.New(tensor.WithShape(shape...), tensor.WithBacking(v)), x.Dtype()))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// float32 holds 24 bits; terms of at most some tens are added, which loses some units in the last place, and
// differences of nearly equal terms (log-softmax of a likely class) lose a digit more.
const lossTolerance32 = 2e-6

func TestLossesEqualPyTorch(t *testing.T) {
	counts := make(map[string]int)
	for _, c := range golden.Load(t, "testdata/loss.safetensors") {
		var a lossAttrs
		c.Attrs(t, &a)
		kind, _, _ := strings.Cut(c.Name, "_")
		counts[kind]++
		c.Check(t, lossTolerance32, func(in []*gorgonia.Node) (*gorgonia.Node, error) {
			x, target := in[0], in[1]
			l := ops.LossConfig{Reduction: a.reduction()}
			switch kind {
			case "ce", "cesoft":
				return ops.CrossEntropy(x, target, ops.CrossEntropyConfig{Reduction: a.reduction(), Smoothing: a.Smoothing, Ignore: a.Ignore, Weights: constant(t, x, a.Weights)})
			case "nll":
				return ops.NLL(x, target, ops.NLLConfig{Reduction: a.reduction(), Ignore: a.Ignore, Weights: constant(t, x, a.Weights)})
			case "bcelogits":
				return ops.BCEWithLogits(x, target, ops.BCEConfig{Reduction: a.reduction(), Weights: constant(t, x, a.Weights, x.Shape()...), Positive: constant(t, x, a.Positive)})
			case "bce":
				l.Weights = constant(t, x, a.Weights, x.Shape()...)
				return ops.BCE(x, target, l)
			case "mse":
				return ops.MSE(x, target, l)
			case "l1":
				return ops.L1(x, target, l)
			case "huber":
				return ops.Huber(x, target, a.K, l)
			case "smoothl1":
				return ops.SmoothL1(x, target, a.K, l)
			case "hinge":
				return ops.Hinge(x, target, a.K, l)
			case "embedding":
				return ops.HingeEmbedding(x, target, a.K, l)
			case "multimargin":
				return ops.MultiMargin(x, target, ops.MultiMarginConfig{Margin: &a.K, Squared: a.Squared, Reduction: a.reduction(), Weights: constant(t, x, a.Weights)})
			case "kl":
				return ops.KLDivergence(x, target, l)
			case "kllog":
				return ops.KLDivergenceLog(x, target, l)
			case "distill":
				return ops.Distill(x, target, in[2], ops.DistillConfig{Temperature: a.Temperature, Soft: a.Soft})
			}
			return nil, fmt.Errorf("no loss for case %s", c.Name)
		})
	}
	if len(counts) != 15 {
		t.Errorf("cases of %d losses, want 15: %v", len(counts), counts)
	}
}

// sides is a tensor of −1 and 1.
func sides(shape ...int) *tensor.Dense {
	x := gradtest.Random(9, 0, shape...)
	for i, v := range x.Float64s() {
		x.Float64s()[i] = math.Copysign(1, v)
	}
	return x
}

// between is a tensor of numbers from lo to hi.
func between(seed uint64, lo, hi float64, shape ...int) *tensor.Dense {
	x := gradtest.Random(seed, 0, shape...)
	for i, v := range x.Float64s() {
		x.Float64s()[i] = lo + (hi-lo)*(math.Atan(v)/math.Pi+0.5)
	}
	return x
}

type loss func(x, t *gorgonia.Node, c ops.LossConfig) (*gorgonia.Node, error)

// pointLosses is the losses that are taken element by element, each with a prediction and a target that keep
// clear of its kinks.
func pointLosses() map[string]struct {
	loss loss
	x, t *tensor.Dense
} {
	shape := []int{2, 3, 2, 2}
	t := gradtest.Random(2, 0, shape...)
	// d keeps 0.05 from 0 and from ±1.
	x := gradtest.Random(1, 0.05, shape...)
	for i, d := range x.Float64s() {
		if math.Abs(math.Abs(d)-1) < 0.05 {
			d = math.Copysign(0.9, d)
		}
		x.Float64s()[i] = t.Float64s()[i] + d
	}
	logits := gradtest.Random(3, 0, shape...)
	side := sides(shape...)
	score := gradtest.Random(4, 0, shape...)
	for i, v := range score.Float64s() {
		if math.Abs(1-side.Float64s()[i]*v) < 0.05 || math.Abs(1-v) < 0.05 {
			score.Float64s()[i] = 0.5
		}
	}
	type entry = struct {
		loss loss
		x, t *tensor.Dense
	}
	return map[string]entry{
		"mse":   {ops.MSE, x, t},
		"l1":    {ops.L1, x, t},
		"huber": {func(x, t *gorgonia.Node, c ops.LossConfig) (*gorgonia.Node, error) { return ops.Huber(x, t, 1, c) }, x, t},
		"smoothl1": {func(x, t *gorgonia.Node, c ops.LossConfig) (*gorgonia.Node, error) {
			return ops.SmoothL1(x, t, 1, c)
		}, x, t},
		"bcelogits": {func(x, t *gorgonia.Node, c ops.LossConfig) (*gorgonia.Node, error) {
			return ops.BCEWithLogits(x, t, ops.BCEConfig{Reduction: c.Reduction, Weights: c.Weights, Positive: c.Weights})
		}, logits, between(5, 0, 1, shape...)},
		"bce":   {ops.BCE, between(6, 0.1, 0.9, shape...), between(5, 0, 1, shape...)},
		"kl":    {ops.KLDivergence, logits, between(7, 0.1, 1, shape...)},
		"kllog": {ops.KLDivergenceLog, logits, gradtest.Random(8, 0, shape...)},
		"hinge": {func(x, t *gorgonia.Node, c ops.LossConfig) (*gorgonia.Node, error) { return ops.Hinge(x, t, 1, c) }, score, side},
		"embedding": {func(x, t *gorgonia.Node, c ops.LossConfig) (*gorgonia.Node, error) {
			return ops.HingeEmbedding(x, t, 1, c)
		}, score, side},
	}
}

func TestPointLossGradients(t *testing.T) {
	for name, l := range pointLosses() {
		for _, reduction := range []ops.Reduction{ops.MeanReduction, ops.SumReduction, ops.NoReduction, ops.BatchMeanReduction} {
			for _, weights := range [][]float64{nil, {0.5, 2, 1.5}} {
				inputs := []*tensor.Dense{l.x, l.t}
				constantTarget := strings.HasPrefix(name, "hinge") || name == "embedding"
				if constantTarget {
					inputs = inputs[:1]
				}
				gradtest.Check(t, func(in []*gorgonia.Node) (*gorgonia.Node, error) {
					target := constant(t, in[0], l.t.Float64s(), l.t.Shape()...)
					if !constantTarget {
						target = in[1]
					}
					return l.loss(in[0], target, ops.LossConfig{Reduction: reduction, Weights: constant(t, in[0], weights, 3, 1, 1)})
				}, inputs, gradtest.Config{Order: 2})
			}
		}
		if t.Failed() {
			t.Fatal(name)
		}
	}
}

func TestNLLAndMultiMarginGradients(t *testing.T) {
	weights := []float64{0.5, 2, 1.25}
	x, y := gradtest.Random(11, 0, 4, 3), labels([]int{4}, 0, 2, 1, 2)
	picture, pictureLabels := gradtest.Random(12, 0, 2, 3, 2, 2), labels([]int{2, 2, 2}, 0, 1, 2, 0, 1, 1, 2, 2)
	for _, reduction := range []ops.Reduction{ops.MeanReduction, ops.SumReduction, ops.NoReduction, ops.BatchMeanReduction} {
		for _, w := range [][]float64{nil, weights} {
			for _, in := range [][]*tensor.Dense{{x, y}, {picture, pictureLabels}} {
				for _, ignore := range []*int{nil, new(2)} {
					gradtest.Check(t, func(in []*gorgonia.Node) (*gorgonia.Node, error) {
						return ops.NLL(in[0], in[1], ops.NLLConfig{Reduction: reduction, Ignore: ignore, Weights: constant(t, in[0], w)})
					}, in, gradtest.Config{Order: 2})
				}
			}
			for _, squared := range []bool{false, true} {
				gradtest.Check(t, func(in []*gorgonia.Node) (*gorgonia.Node, error) {
					return ops.MultiMargin(in[0], in[1], ops.MultiMarginConfig{Squared: squared, Reduction: reduction, Weights: constant(t, in[0], w)})
				}, []*tensor.Dense{x, y}, gradtest.Config{})
			}
		}
	}
}

func TestDistillGradient(t *testing.T) {
	gradtest.Check(t, func(in []*gorgonia.Node) (*gorgonia.Node, error) {
		return ops.Distill(in[0], in[1], in[2], ops.DistillConfig{Temperature: 3, Soft: 0.7, Hard: ops.CrossEntropyConfig{Smoothing: 0.1}})
	}, []*tensor.Dense{gradtest.Random(1, 0, 4, 3), gradtest.Random(2, 0, 4, 3), labels([]int{4}, 0, 2, 1, 2)}, gradtest.Config{})
}

func TestBCEWithLogitsIsWellConditioned(t *testing.T) {
	for _, c := range []struct{ x, t, want, slope float32 }{
		{100, 1, 0, 0}, // e^−100 is below the smallest float32
		{-100, 1, 100, -1},
		{100, 0, 100, 1},
		{1e30, 1, 0, 0},
		{-1e30, 1, 1e30, -1},
		{20, 1, 2.0611537e-9, -2.0611537e-9},
	} {
		g := gorgonia.NewGraph()
		x := gorgonia.NewScalar(g, tensor.Float32, gorgonia.WithName("x"), gorgonia.WithValue(c.x))
		target := gorgonia.NewScalar(g, tensor.Float32, gorgonia.WithName("t"), gorgonia.WithValue(c.t))
		loss, err := ops.BCEWithLogits(x, target, ops.BCEConfig{})
		if err != nil {
			t.Fatal(err)
		}
		grads, err := graph.Differentiate(loss, x)
		if err != nil {
			t.Fatal(err)
		}
		run(t, loss, grads[0])
		for _, p := range []struct {
			what      string
			got, want float32
		}{{"loss", float32(*loss.Value().(*gorgonia.F32)), c.want}, {"slope", float32(*grads[0].Value().(*gorgonia.F32)), c.slope}} {
			got, want := float64(p.got), float64(p.want)
			// computed in float64 and rounded to float32 once; (1−t) − σ(−x) near 0 is exact to 1e-16.
			if math.Abs(got-want) > 1e-6*math.Abs(want)+1e-16 {
				t.Errorf("x = %g, t = %g: %s %g, want %g", c.x, c.t, p.what, got, want)
			}
		}
	}
}

func TestLossErrors(t *testing.T) {
	g := gorgonia.NewGraph()
	node := func(v *tensor.Dense, name string) *gorgonia.Node {
		return gorgonia.NodeFromAny(g, v, gorgonia.WithName(name))
	}
	x, y := node(gradtest.Random(1, 0, 2, 3), "x"), node(gradtest.Random(1, 0, 3, 2), "y")
	hard, float := node(labels([]int{2}, 0, 1), "hard"), node(gradtest.Random(1, 0, 2), "float")
	scalar := gorgonia.NewScalar(g, tensor.Float64, gorgonia.WithName("s"), gorgonia.WithValue(1.0))
	single := func(f func() (*gorgonia.Node, error)) error {
		_, err := f()
		return err
	}
	for _, c := range []struct {
		name string
		err  error
		want []string
	}{
		{"mse shapes", single(func() (*gorgonia.Node, error) { return ops.MSE(x, y, ops.LossConfig{}) }), []string{"(2, 3)", "(3, 2)"}},
		{"mse nil", single(func() (*gorgonia.Node, error) { return ops.MSE(x, nil, ops.LossConfig{}) }), []string{"nil"}},
		{"reduction", single(func() (*gorgonia.Node, error) { return ops.L1(x, x, ops.LossConfig{Reduction: 7}) }), []string{"7"}},
		{"batch mean of a scalar", single(func() (*gorgonia.Node, error) {
			return ops.L1(scalar, scalar, ops.LossConfig{Reduction: ops.BatchMeanReduction})
		}), []string{"scalar"}},
		{"weights", single(func() (*gorgonia.Node, error) { return ops.MSE(x, x, ops.LossConfig{Weights: y}) }), []string{"weights", "(3, 2)"}},
		{"types", single(func() (*gorgonia.Node, error) { return ops.MSE(hard, hard, ops.LossConfig{}) }), []string{"int"}},
		{"huber", single(func() (*gorgonia.Node, error) { return ops.Huber(x, x, 0, ops.LossConfig{}) }), []string{"delta 0"}},
		{"smooth l1", single(func() (*gorgonia.Node, error) { return ops.SmoothL1(x, x, -1, ops.LossConfig{}) }), []string{"beta -1"}},
		{"nll shape", single(func() (*gorgonia.Node, error) { return ops.NLL(y, hard, ops.NLLConfig{}) }), []string{"(2)", "(3, 2)"}},
		{"nll type", single(func() (*gorgonia.Node, error) { return ops.NLL(x, float, ops.NLLConfig{}) }), []string{"float64", "int"}},
		{"margin shape", single(func() (*gorgonia.Node, error) { return ops.MultiMargin(float, hard, ops.MultiMarginConfig{}) }), []string{"(2)", "[N, C]"}},
		{"margin type", single(func() (*gorgonia.Node, error) { return ops.MultiMargin(x, float, ops.MultiMarginConfig{}) }), []string{"float64", "int"}},
		{"temperature", single(func() (*gorgonia.Node, error) { return ops.Distill(x, x, hard, ops.DistillConfig{Temperature: -2}) }), []string{"-2"}},
		{"part", single(func() (*gorgonia.Node, error) { return ops.Distill(x, x, hard, ops.DistillConfig{Soft: 2}) }), []string{"2", "0 to 1"}},
		{"no labels", single(func() (*gorgonia.Node, error) { return ops.Distill(x, x, nil, ops.DistillConfig{Soft: 0.5}) }), []string{"labels"}},
		{"teacher", single(func() (*gorgonia.Node, error) { return ops.Distill(x, y, hard, ops.DistillConfig{}) }), []string{"(2, 3)", "(3, 2)"}},
	} {
		if c.err == nil {
			t.Errorf("%s: no error", c.name)
			continue
		}
		for _, w := range c.want {
			if !strings.Contains(c.err.Error(), w) {
				t.Errorf("%s: error %q does not name %q", c.name, c.err, w)
			}
		}
	}
}

// A label out of range is found by each op that takes labels, gradients included.
func TestLossesNameALabelOutOfRange(t *testing.T) {
	for name, build := range map[string]func(x, y *gorgonia.Node) (*gorgonia.Node, error){
		"nll": func(x, y *gorgonia.Node) (*gorgonia.Node, error) { return ops.NLL(x, y, ops.NLLConfig{}) },
		"multimargin": func(x, y *gorgonia.Node) (*gorgonia.Node, error) {
			return ops.MultiMargin(x, y, ops.MultiMarginConfig{})
		},
	} {
		g := gorgonia.NewGraph()
		x := gorgonia.NodeFromAny(g, gradtest.Random(1, 0, 2, 3), gorgonia.WithName("x"))
		loss, err := build(x, gorgonia.NodeFromAny(g, labels([]int{2}, 1, 3), gorgonia.WithName("y")))
		if err != nil {
			t.Fatal(err)
		}
		grads, err := graph.Differentiate(loss, x)
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range []*gorgonia.Node{loss, grads[0]} {
			tape, err := graph.Compile(gorgonia.Nodes{n}, graph.Options{})
			if err != nil {
				t.Fatal(err)
			}
			if err := tape.RunAll(); err == nil || !strings.Contains(err.Error(), "label 3 of row 1 is outside the 3 classes") {
				t.Errorf("%s: error %v", name, err)
			}
		}
	}
}

// The sum of a large loss is cut by size, not by workers.
func TestLossSameBitsForAnyWorkers(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	var results []float32
	for _, procs := range []int{1, 2, 5} {
		runtime.GOMAXPROCS(procs)
		g := gorgonia.NewGraph()
		x := gorgonia.NodeFromAny(g, golden.As(gradtest.Random(1, 0, 100_000), tensor.Float32), gorgonia.WithName("x"))
		y := gorgonia.NodeFromAny(g, golden.As(gradtest.Random(2, 0, 100_000), tensor.Float32), gorgonia.WithName("y"))
		loss, err := ops.MSE(x, y, ops.LossConfig{})
		if err != nil {
			t.Fatal(err)
		}
		run(t, loss)
		results = append(results, float32(*loss.Value().(*gorgonia.F32)))
	}
	if results[0] != results[1] || results[0] != results[2] {
		t.Errorf("losses %v under 1, 2 and 5 workers", results)
	}
}
