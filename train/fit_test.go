package train_test

import (
	"bytes"
	"context"
	"image"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/pkg/errors"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/nn"
	"github.com/stheno-ml/stheno/train"
	"github.com/stheno-ml/stheno/train/data"
	"github.com/stheno-ml/stheno/train/optim"
	"github.com/stheno-ml/stheno/train/schedule"
)

// bars are pictures of 8×8 noise with a bright row (class 0) or column (class 1).
type bars struct {
	n     int
	label func(i int) int // nil: i mod 2
}

func (b bars) Len() int { return b.n }

func (b bars) Get(i int) (data.Example, error) {
	rng := rand.New(rand.NewPCG(uint64(i), 9))
	img := image.NewGray(image.Rect(0, 0, 8, 8))
	for k := range img.Pix {
		img.Pix[k] = uint8(rng.IntN(120))
	}
	at := rng.IntN(8)
	for k := range 8 {
		if i%2 == 0 {
			img.Pix[at*8+k] = 255
		} else {
			img.Pix[k*8+at] = 255
		}
	}
	label := i % 2
	if b.label != nil {
		label = b.label(i)
	}
	return data.Example{Image: img, Label: label}, nil
}

func network() nn.Layer {
	return nn.Sequential{
		nn.Conv2D{Name: "conv", Filters: 6, Kernel: 3, Pad: 1, NoBias: true}, nn.BatchNorm{Name: "bn"}, nn.ReLU{},
		nn.MaxPool2D{Kernel: 2}, nn.Flatten{}, nn.Dropout{P: 0.2}, nn.Linear{Name: "fc", Units: 2},
	}
}

func newModel(t *testing.T, c nn.ModelConfig) *nn.Model {
	t.Helper()
	m, err := nn.NewModel(network(), []int{1, 8, 8}, c)
	if err != nil {
		t.Fatalf("%+v", err)
	}
	return m
}

func config(callbacks ...train.Callback) train.Config {
	return train.Config{Epochs: 3, Batch: 16, Seed: 5, Optimizer: optim.SGD{Momentum: 0.9, Nesterov: true, WeightDecay: 1e-4},
		Schedule: schedule.Constant(0.05), Validate: bars{n: 50}, Callbacks: callbacks}
}

func TestFitLearns(t *testing.T) {
	m := newModel(t, nn.ModelConfig{})
	var out bytes.Buffer
	dir := t.TempDir()
	c := config(train.Progress(&out), train.CSV(filepath.Join(dir, "log.csv")), train.Curves(filepath.Join(dir, "curves.png")))
	r, err := train.Fit(context.Background(), m, bars{n: 330}, c) // the last batch of an epoch has 10 pictures
	if err != nil {
		t.Fatalf("%+v", err)
	}
	if len(r.History) != 3 || r.Step != 3*21 {
		t.Fatalf("%d epochs, %d steps, want 3 and 63", len(r.History), r.Step)
	}
	// Rows and columns are easy to tell apart; a network that learns nothing gets one half.
	if acc := r.History[2].ValAccuracy; acc < 0.95 {
		t.Errorf("validation accuracy %.3f, want 0.95", acc)
	}
	e, err := train.Evaluate(context.Background(), m, bars{n: 50}, train.EvaluateConfig{})
	if err != nil {
		t.Fatal(err)
	}
	if e.Accuracy != r.History[2].ValAccuracy || e.Examples != 50 {
		t.Errorf("Evaluate says %+v, Fit said accuracy %v", e, r.History[2].ValAccuracy)
	}
	if n := strings.Count(out.String(), "\n"); n != 3 {
		t.Errorf("progress printed %d lines, want 3:\n%s", n, &out)
	}
	log, err := os.ReadFile(filepath.Join(dir, "log.csv"))
	if err != nil || strings.Count(string(log), "\n") != 4 {
		t.Errorf("log: %v\n%s", err, log)
	}
	if s, err := os.Stat(filepath.Join(dir, "curves.png")); err != nil || s.Size() == 0 {
		t.Errorf("curves: %v", err)
	}
}

// The same seed gives the same bits, in two runs and whatever the number of workers is.
func TestFitIsDeterministic(t *testing.T) {
	weights := func(procs int) []*graph.Variable {
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(procs))
		m := newModel(t, nn.ModelConfig{Seed: 3})
		if _, err := train.Fit(context.Background(), m, bars{n: 100}, config()); err != nil {
			t.Fatalf("%+v", err)
		}
		return m.Store().Variables()
	}
	first := weights(1)
	for _, procs := range []int{1, 2, 4} {
		for i, v := range weights(procs) {
			a, b := first[i].Value.Float32s(), v.Value.Float32s()
			for k := range a {
				if math.Float32bits(a[k]) != math.Float32bits(b[k]) {
					t.Fatalf("GOMAXPROCS %d: %s differs at %d: %v and %v", procs, v.Name, k, a[k], b[k])
				}
			}
		}
	}
}

func TestFitStopsWithTheContext(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	m := newModel(t, nn.ModelConfig{})
	ended := false
	c := config(train.Hooks{
		OnStepEnd: func(r *train.Run) error {
			if r.Step == 5 {
				cancel()
			}
			return nil
		},
		OnEnd: func(r *train.Run) error { ended = errors.Is(r.Err, context.Canceled); return nil },
	})
	r, err := train.Fit(ctx, m, bars{n: 330}, c)
	if !errors.Is(err, context.Canceled) || r == nil || r.Step != 5 {
		t.Fatalf("error %v, run %+v: want context.Canceled after 5 steps", err, r)
	}
	if !ended {
		t.Error("End was not called with the error")
	}
}

func TestCallbackStops(t *testing.T) {
	m := newModel(t, nn.ModelConfig{})
	c := config(train.Hooks{OnStepEnd: func(r *train.Run) error {
		if r.Step == 7 {
			r.Stop()
		}
		return nil
	}})
	r, err := train.Fit(context.Background(), m, bars{n: 330}, c)
	if err != nil || r.Step != 7 || len(r.History) != 1 {
		t.Fatalf("error %v, run %+v: want 7 steps and no error", err, r)
	}
}

// A loss that is not finite names the layer where it was born, and running statistics stay as they were.
func TestNaNNamesItsLayer(t *testing.T) {
	m := newModel(t, nn.ModelConfig{})
	m.Store().Get("conv.weight").Value.Float32s()[0] = float32(math.Inf(1))
	_, err := train.Fit(context.Background(), m, bars{n: 64}, config())
	if err == nil || !strings.Contains(err.Error(), "conv.weight") {
		t.Errorf("error %v: want one that names conv.weight", err)
	}

	m = newModel(t, nn.ModelConfig{})
	for i := range m.Store().Get("conv.weight").Value.Float32s() {
		m.Store().Get("conv.weight").Value.Float32s()[i] = 1e38 // finite, but sums of it are not
	}
	before := m.Store().Get("bn.running_mean").Value.Clone().(*tensor.Dense).Float32s()
	_, err = train.Fit(context.Background(), m, bars{n: 64}, config())
	if err == nil || !strings.Contains(err.Error(), "conv") || !strings.Contains(err.Error(), "Inf") {
		t.Errorf("error %v: want one that says that conv gives infinity", err)
	}
	for i, v := range m.Store().Get("bn.running_mean").Value.Float32s() {
		if v != before[i] {
			t.Errorf("running mean %d moved from %v to %v", i, before[i], v)
		}
	}
}

func TestMistakesAreErrors(t *testing.T) {
	m := newModel(t, nn.ModelConfig{})
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		ds     data.Dataset
		change func(*train.Config)
		want   string
	}{
		"label too large":   {bars{n: 40, label: func(i int) int { return i % 3 }}, func(*train.Config) {}, "2 classes"},
		"negative label":    {bars{n: 40, label: func(i int) int { return -1 }}, func(*train.Config) {}, "-1"},
		"no epochs":         {bars{n: 40}, func(c *train.Config) { c.Epochs = 0 }, "0 epochs"},
		"no optimiser":      {bars{n: 40}, func(c *train.Config) { c.Optimizer = nil }, "Optimizer"},
		"bad optimiser":     {bars{n: 40}, func(c *train.Config) { c.Optimizer = optim.SGD{Momentum: -1} }, "momentum"},
		"empty data":        {bars{}, func(*train.Config) {}, "empty"},
		"unwritable log":    {bars{n: 40}, func(c *train.Config) { c.Callbacks = []train.Callback{train.CSV(filepath.Join(file, "log.csv"))} }, "log"},
		"unwritable curves": {bars{n: 40}, func(c *train.Config) { c.Callbacks = []train.Callback{train.Curves(filepath.Join(file, "c", "c.png"))} }, "curves"},
	} {
		cfg := config()
		c.change(&cfg)
		if _, err := train.Fit(context.Background(), m, c.ds, cfg); err == nil || !strings.Contains(strings.ToLower(err.Error()), strings.ToLower(c.want)) {
			t.Errorf("%s: error %v, want one with %q", name, err, c.want)
		}
	}
	other, err := nn.NewModel(network(), []int{1, 10, 10}, nn.ModelConfig{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := train.Fit(context.Background(), other, bars{n: 40}, config()); err == nil || !strings.Contains(err.Error(), "[1 10 10]") {
		t.Errorf("pictures of another size: error %v", err)
	}
}

// A frozen batch norm keeps its running statistics while the rest trains.
func TestFrozenBatchNormStaysStill(t *testing.T) {
	m := newModel(t, nn.ModelConfig{})
	if err := m.Store().Freeze("conv", "bn"); err != nil {
		t.Fatal(err)
	}
	before := make(map[string][]float32)
	for _, v := range m.Store().Variables() {
		before[v.Name] = append([]float32(nil), v.Value.Float32s()...)
	}
	if _, err := train.Fit(context.Background(), m, bars{n: 64}, config()); err != nil {
		t.Fatalf("%+v", err)
	}
	for _, v := range m.Store().Variables() {
		moved := false
		for i, x := range v.Value.Float32s() {
			moved = moved || x != before[v.Name][i]
		}
		if frozen := v.Frozen; moved == frozen {
			t.Errorf("%s: frozen %v, moved %v", v.Name, frozen, moved)
		}
	}
}

func TestStepAllocatesLittle(t *testing.T) {
	m := newModel(t, nn.ModelConfig{})
	s, err := train.NewStep(m, 4, train.CrossEntropy, nil)
	if err != nil {
		t.Fatal(err)
	}
	x := tensor.New(tensor.Of(tensor.Float32), tensor.WithShape(4, 1, 8, 8))
	labels := []int{0, 1, 0, 1}
	run := func() {
		if _, err := s.Run(context.Background(), x, labels); err != nil {
			t.Fatal(err)
		}
	}
	run()
	// The tape itself allocates nothing; binding two inputs and reading the loss through Gorgonia do.
	if n := testing.AllocsPerRun(20, run); n > 20 {
		t.Errorf("%v allocations a step", n)
	}
}
