package ops_test

import (
	"math"
	"strings"
	"testing"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/internal/gradtest"
	"github.com/stheno-ml/stheno/ops"
)

func labels(shape []int, v ...int) *tensor.Dense {
	return tensor.New(tensor.WithShape(shape...), tensor.WithBacking(v))
}

// distributions is a [N, C, …] tensor of positive numbers that sum to 1 over axis 1.
func distributions(seed uint64, shape ...int) *tensor.Dense {
	x := gradtest.Random(seed, 0, shape...)
	v, rest := x.Float64s(), tensor.Shape(shape[2:]).TotalSize()
	for n := range shape[0] {
		for s := range rest {
			at, sum := n*shape[1]*rest+s, 0.0
			for c := range shape[1] {
				sum += math.Exp(v[at+c*rest])
			}
			for c := range shape[1] {
				v[at+c*rest] = math.Exp(v[at+c*rest]) / sum
			}
		}
	}
	return x
}

func TestCrossEntropyGradient(t *testing.T) {
	weights := tensor.New(tensor.WithShape(3), tensor.WithBacking([]float64{0.5, 2, 1.25}))
	flat, picture := gradtest.Random(1, 0, 4, 3), gradtest.Random(2, 0, 2, 3, 2, 2)
	flatLabels, pictureLabels := labels([]int{4}, 0, 2, 1, 2), labels([]int{2, 2, 2}, 0, 1, 2, 0, 1, 1, 2, 2)
	for _, reduction := range []ops.Reduction{ops.MeanReduction, ops.SumReduction, ops.NoReduction, ops.BatchMeanReduction} {
		for _, smoothing := range []float64{0, 0.1} {
			for _, weighted := range []bool{false, true} {
				for _, in := range [][]*tensor.Dense{
					{flat, flatLabels}, {picture, pictureLabels}, {gradtest.Random(3, 0, 1, 3, 1, 1), labels([]int{1, 1, 1}, 1)},
					{flat, distributions(3, 4, 3)}, {picture, distributions(4, 2, 3, 2, 2)},
				} {
					for _, ignore := range []*int{nil, new(2)} {
						if ignore != nil && in[1].Dtype() != tensor.Int {
							continue
						}
						gradtest.Check(t, func(x []*gorgonia.Node) (*gorgonia.Node, error) {
							c := ops.CrossEntropyConfig{Reduction: reduction, Smoothing: smoothing, Ignore: ignore}
							if weighted {
								var err error
								if c.Weights, err = ops.Constant(x[0].Graph(), weights); err != nil {
									return nil, err
								}
							}
							return ops.CrossEntropy(x[0], x[1], c)
						}, in, gradtest.Config{Order: 2})
					}
				}
			}
		}
	}
}

// The float32 loss of a confident, right answer is e^−20, which ln(softmax) in two steps rounds to 0.
func TestCrossEntropyIsWellConditioned(t *testing.T) {
	for _, c := range []struct {
		logits []float32
		want   float64
	}{
		{[]float32{20, 0}, math.Log1p(math.Exp(-20))},
		{[]float32{1000, -1000}, 0},
		{[]float32{-1000, 1000}, 2000},
	} {
		g := gorgonia.NewGraph()
		x := gorgonia.NodeFromAny(g, tensor.New(tensor.WithShape(1, 2), tensor.WithBacking(c.logits)), gorgonia.WithName("x"))
		y := gorgonia.NodeFromAny(g, labels([]int{1}, 0), gorgonia.WithName("labels"))
		loss, err := ops.SoftmaxCrossEntropy(x, y)
		if err != nil {
			t.Fatal(err)
		}
		tape, err := graph.Compile(gorgonia.Nodes{loss}, graph.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if err := tape.RunAll(); err != nil {
			t.Fatal(err)
		}
		got := float64(*loss.Value().(*gorgonia.F32))
		// ln Σ exp(x−max) keeps nothing below half an ulp of 1, 6e-8: the loss e^−20 = 2e-9 may come out as 0.
		if math.Abs(got-c.want) > 1e-7*math.Max(1, c.want) {
			t.Errorf("logits %v: loss %g, want %g", c.logits, got, c.want)
		}
	}
}

func TestCrossEntropyErrors(t *testing.T) {
	g := gorgonia.NewGraph()
	node := func(v *tensor.Dense, name string) *gorgonia.Node {
		return gorgonia.NodeFromAny(g, v, gorgonia.WithName(name))
	}
	logits, hard := node(gradtest.Random(1, 0, 4, 3), "logits"), node(labels([]int{4}, 0, 1, 2, 0), "hard")
	soft := node(distributions(1, 4, 3), "soft")
	flat := node(gradtest.Random(1, 0, 4), "flat")
	for _, c := range []struct {
		name           string
		logits, target *gorgonia.Node
		config         ops.CrossEntropyConfig
		want           []string
	}{
		{"nil", nil, hard, ops.CrossEntropyConfig{}, []string{"nil"}},
		{"rank 1", flat, hard, ops.CrossEntropyConfig{}, []string{"(4)", "[N, C]"}},
		{"few labels", node(gradtest.Random(1, 0, 5, 3), "five"), hard, ops.CrossEntropyConfig{}, []string{"(4)", "(5, 3)"}},
		{"soft of another shape", node(gradtest.Random(1, 0, 4, 5), "wide"), soft, ops.CrossEntropyConfig{}, []string{"(4, 3)", "(4, 5)"}},
		{"smoothing", logits, hard, ops.CrossEntropyConfig{Smoothing: 1.5}, []string{"1.5", "0 to 1"}},
		{"smoothing NaN", logits, hard, ops.CrossEntropyConfig{Smoothing: math.NaN()}, []string{"NaN", "0 to 1"}},
		{"ignore with soft", logits, soft, ops.CrossEntropyConfig{Ignore: new(3)}, []string{"3", "distributions"}},
		{"weights", logits, hard, ops.CrossEntropyConfig{Weights: flat}, []string{"(4)", "(3)"}},
		{"reduction", logits, hard, ops.CrossEntropyConfig{Reduction: 9}, []string{"9"}},
	} {
		_, err := ops.CrossEntropy(c.logits, c.target, c.config)
		if err == nil {
			t.Errorf("%s: no error", c.name)
			continue
		}
		for _, w := range append(c.want, "cross-entropy") {
			if !strings.Contains(err.Error(), w) {
				t.Errorf("%s: error %q does not name %q", c.name, err, w)
			}
		}
	}
}

func TestCrossEntropyNamesALabelOutOfRange(t *testing.T) {
	for _, c := range []struct {
		logits, labels *tensor.Dense
		want           []string
	}{
		{gradtest.Random(1, 0, 2, 3), labels([]int{2}, 0, 3), []string{"label 3", "row 1", "3 classes"}},
		{gradtest.Random(1, 0, 2, 3), labels([]int{2}, -1, 0), []string{"label -1", "row 0", "3 classes"}},
		{gradtest.Random(1, 0, 1, 3, 2, 2), labels([]int{1, 2, 2}, 0, 1, 7, 0), []string{"label 7", "[0 1 0]", "3 classes"}},
	} {
		g := gorgonia.NewGraph()
		x, y := gorgonia.NodeFromAny(g, c.logits, gorgonia.WithName("x")), gorgonia.NodeFromAny(g, c.labels, gorgonia.WithName("y"))
		loss, err := ops.SoftmaxCrossEntropy(x, y)
		if err != nil {
			t.Fatal(err)
		}
		grads, err := graph.Differentiate(loss, x)
		if err != nil {
			t.Fatal(err)
		}
		for _, out := range []*gorgonia.Node{loss, grads[0]} {
			tape, err := graph.Compile(gorgonia.Nodes{out}, graph.Options{})
			if err != nil {
				t.Fatal(err)
			}
			err = tape.RunAll()
			if err == nil {
				t.Fatalf("labels %v: no error", c.labels)
			}
			for _, w := range c.want {
				if !strings.Contains(err.Error(), w) {
					t.Errorf("error %q does not name %q", err, w)
				}
			}
		}
	}
}
