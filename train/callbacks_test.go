package train_test

import (
	"bytes"
	"context"
	"image"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stheno-ml/stheno/nn"
	"github.com/stheno-ml/stheno/train"
	"github.com/stheno-ml/stheno/train/data"
	"github.com/stheno-ml/stheno/train/metric"
	"github.com/stheno-ml/stheno/train/optim"
	"github.com/stheno-ml/stheno/train/schedule"
)

func TestCallbacksWriteFiles(t *testing.T) {
	dir := t.TempDir()
	var out bytes.Buffer
	c := config(train.ConfusionMatrix(filepath.Join(dir, "new", "confusion.png")), train.Timing(&out),
		&train.TensorBoard{Dir: filepath.Join(dir, "tb"), Every: 1, Histograms: true, Pictures: func(*train.Run) (map[string]image.Image, error) {
			return map[string]image.Image{"grey": image.NewGray(image.Rect(0, 0, 4, 4))}, nil
		}}, train.CSV(filepath.Join(dir, "log.csv")))
	c.Metrics = []metric.Metric{&metric.TopK{K: 2}}
	r, err := train.Fit(context.Background(), newModel(t, nn.ModelConfig{}), bars{n: 64}, c)
	if err != nil {
		t.Fatalf("%+v", err)
	}
	if v, err := r.History[0].Value("top-2"); err != nil || v != 1 {
		t.Errorf("top-2 of two classes: %v, %v", v, err)
	}
	if len(r.History[0].Metrics) != 1 {
		t.Errorf("metrics %v, want top-2 alone", r.History[0].Metrics)
	}
	if n := strings.Count(out.String(), "steps"); n != 3 {
		t.Errorf("timing:\n%s", &out)
	}
	if s, err := os.Stat(filepath.Join(dir, "new", "confusion.png")); err != nil || s.Size() == 0 {
		t.Errorf("confusion matrix: %v", err)
	}
	if log := read(t, filepath.Join(dir, "log.csv")); !strings.Contains(log, ",top-2\n") || !strings.Contains(log, ",1\n") {
		t.Errorf("log:\n%s", log)
	}
	files, err := filepath.Glob(filepath.Join(dir, "tb", "events.out.tfevents.*"))
	if err != nil || len(files) != 1 {
		t.Fatalf("event files %v, %v", files, err)
	}
	events := read(t, files[0])
	for _, tag := range []string{"step/loss", "step/rate", "loss/validation", "metrics/top-2", "conv.weight", "bn.running_mean", "grey"} {
		if !strings.Contains(events, tag) {
			t.Errorf("no event of %s", tag)
		}
	}
	if n := strings.Count(events, "step/loss"); n != r.Step {
		t.Errorf("%d losses for %d steps", n, r.Step)
	}

	c.Validate = nil
	c.Metrics = nil
	if _, err := train.Fit(context.Background(), newModel(t, nn.ModelConfig{}), bars{n: 64}, c); err == nil || !strings.Contains(err.Error(), "Validate") {
		t.Errorf("confusion matrix without validation: error %v", err)
	}
}

func TestEarlyStopping(t *testing.T) {
	for _, c := range []struct {
		stop train.EarlyStopping
		want int // epochs
	}{
		{train.EarlyStopping{MinDelta: 9, Patience: -1}, 2}, // nothing is better by so much
		{train.EarlyStopping{MinDelta: 9, Patience: 2}, 4},
		{train.EarlyStopping{Monitor: "accuracy", MinDelta: 9, Patience: 1}, 3},
	} {
		cfg := config(&c.stop)
		cfg.Epochs = 7
		r, err := train.Fit(context.Background(), newModel(t, nn.ModelConfig{}), bars{n: 32}, cfg)
		if err != nil || len(r.History) != c.want {
			t.Errorf("%+v: error %v, %d epochs, want %d", c.stop, err, len(r.History), c.want)
		}
	}
	cfg := config(&train.EarlyStopping{Monitor: "beauty"})
	if _, err := train.Fit(context.Background(), newModel(t, nn.ModelConfig{}), bars{n: 32}, cfg); err == nil || !strings.Contains(err.Error(), "beauty") {
		t.Errorf("unknown figure: error %v", err)
	}
}

// What is frozen by schedule moves before and after, and not between.
func TestFreezingBySchedule(t *testing.T) {
	m := newModel(t, nn.ModelConfig{})
	if err := m.Store().Freeze("conv"); err != nil {
		t.Fatal(err)
	}
	last := m.Store().Get("conv.weight").Value.Float32s()
	var moved []bool
	before := append([]float32(nil), last...)
	c := config(train.UnfreezeAt(1, "conv"), train.FreezeAt(2, "conv"), train.Hooks{OnEpochEnd: func(r *train.Run) error {
		now := m.Store().Get("conv.weight").Value.Float32s()
		changed := false
		for i, v := range now {
			changed = changed || v != before[i]
		}
		moved = append(moved, changed)
		before = append([]float32(nil), now...)
		return nil
	}})
	if _, err := train.Fit(context.Background(), m, bars{n: 64}, c); err != nil {
		t.Fatalf("%+v", err)
	}
	if len(moved) != 3 || moved[0] || !moved[1] || moved[2] {
		t.Errorf("moved in epochs: %v, want the second alone", moved)
	}
	c = config(train.UnfreezeAt(1, "nothing"))
	if _, err := train.Fit(context.Background(), m, bars{n: 64}, c); err == nil || !strings.Contains(err.Error(), "nothing") {
		t.Errorf("no such path: error %v", err)
	}
}

// Two batches of 8, accumulated, are the step of one batch of 16 (without batch norm and dropout, which see
// batches), but for rounding.
func TestAccumulation(t *testing.T) {
	net := nn.Sequential{nn.Conv2D{Name: "conv", Filters: 4, Kernel: 3, Pad: 1}, nn.ReLU{}, nn.Flatten{}, nn.Linear{Name: "fc", Units: 2}}
	fit := func(batch, each int) (*nn.Model, *train.Run) {
		m, err := nn.NewModel(net, []int{1, 8, 8}, nn.ModelConfig{Seed: 4})
		if err != nil {
			t.Fatal(err)
		}
		c := config()
		c.Batch, c.Updates.Accumulate, c.Epochs = batch, each, 2
		r, err := train.Fit(context.Background(), m, bars{n: 40}, c) // the last step of an epoch has 8
		if err != nil {
			t.Fatalf("%+v", err)
		}
		return m, r
	}
	a, ra := fit(16, 1)
	b, rb := fit(8, 2)
	if ra.Updates != 6 || rb.Updates != 6 || rb.Step != 10 {
		t.Errorf("updates %d and %d, want 6; steps %d, want 10", ra.Updates, rb.Updates, rb.Step)
	}
	for i, v := range a.Store().Variables() {
		w := b.Store().Variables()[i].Value.Float32s()
		for k, x := range v.Value.Float32s() {
			// Sums of 40 float32 terms in another order, over 6 steps: some 1e-6 of weights around 0.1 to 1.
			if math.Abs(float64(x-w[k])) > 2e-5 {
				t.Fatalf("%s differs at %d: %v and %v", v.Name, k, x, w[k])
			}
		}
	}
}

// The model that Fit leaves has the average, and validation saw it.
func TestAverage(t *testing.T) {
	m := newModel(t, nn.ModelConfig{})
	c := config()
	c.EMA = train.EMA{Decay: 0.95, Warmup: true}
	var last []float32
	c.Callbacks = []train.Callback{train.Hooks{OnEpochEnd: func(*train.Run) error {
		last = append(last[:0], m.Store().Get("fc.weight").Value.Float32s()...)
		return nil
	}}}
	r, err := train.Fit(context.Background(), m, bars{n: 200}, c)
	if err != nil {
		t.Fatalf("%+v", err)
	}
	e, err := train.Evaluate(context.Background(), m, bars{n: 50}, train.EvaluateConfig{Batch: 16})
	if err != nil || e.Loss != r.History[2].ValLoss {
		t.Errorf("error %v, loss %v, the run's validation said %v", err, e.Loss, r.History[2].ValLoss)
	}
	differ := false
	for i, v := range m.Store().Get("fc.weight").Value.Float32s() {
		differ = differ || v != last[i]
	}
	if !differ {
		t.Error("the weights are those of the last step")
	}
}

func TestFindRate(t *testing.T) {
	m := newModel(t, nn.ModelConfig{})
	before := newModel(t, nn.ModelConfig{})
	r, err := train.FindRate(context.Background(), m, bars{n: 330}, train.Config{Batch: 16, Optimizer: optim.SGD{Momentum: 0.9}}, train.RateRange{From: 1e-4, To: 1e4, Steps: 60})
	if err != nil {
		t.Fatalf("%+v", err)
	}
	if !same(m.Store(), before.Store()) {
		t.Error("the model was changed")
	}
	if len(r.Rate) < 20 || len(r.Rate) == 60 || math.Abs(r.Rate[1]/r.Rate[0]-math.Pow(1e8, 1./59)) > 1e-9 {
		t.Errorf("%d rates from %v and %v: want a constant factor, and an end before 1e4", len(r.Rate), r.Rate[0], r.Rate[1])
	}
	// At 1e-3 this network hardly moves, at 10 it breaks.
	if r.Best < 1e-3 || r.Best > 10 || r.Lowest < r.Best {
		t.Errorf("steepest at %v, lowest at %v", r.Best, r.Lowest)
	}
	if err := r.Plot(filepath.Join(t.TempDir(), "rates.png")); err != nil {
		t.Error(err)
	}
	if _, err := train.FindRate(context.Background(), m, bars{n: 330}, train.Config{Optimizer: optim.SGD{}}, train.RateRange{From: 2, To: 1}); err == nil {
		t.Error("no error for a range that falls")
	}
}

// With weights, rare examples are drawn as often as the others; a broken picture is passed over if asked.
func TestWeightsAndSkip(t *testing.T) {
	ds := bars{n: 100, label: func(i int) int { return min(i/90, 1) }}
	w, err := data.Balance(ds)
	if err != nil {
		t.Fatal(err)
	}
	c := config()
	c.Weights = w
	c.Schedule = schedule.Constant(0)
	rare := 0
	c.Loss = train.SmoothCrossEntropy(0.1)
	broken := &brokenBars{bars: ds}
	c.Skip = func(name string, err error) { rare++ }
	if _, err := train.Fit(context.Background(), newModel(t, nn.ModelConfig{}), broken, c); err != nil {
		t.Fatalf("%+v", err)
	}
	// 300 draws, half of them of the ten rare ones, of which one is broken: 15 are to be expected.
	if rare < 3 || rare > 40 {
		t.Errorf("the broken rare picture was drawn %d times in 300", rare)
	}
	c.Skip = nil
	if _, err := train.Fit(context.Background(), newModel(t, nn.ModelConfig{}), broken, c); err == nil || !strings.Contains(err.Error(), "example 95") {
		t.Errorf("a broken picture: error %v", err)
	}
}

type brokenBars struct{ bars }

func (b *brokenBars) Get(i int) (data.Example, error) {
	if i == 95 {
		return data.Example{}, os.ErrInvalid
	}
	return b.bars.Get(i)
}
