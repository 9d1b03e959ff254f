package train_test

import (
	"context"
	"encoding/csv"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/pkg/errors"

	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/nn"
	"github.com/stheno-ml/stheno/train"
	"github.com/stheno-ml/stheno/train/checkpoint"
	"github.com/stheno-ml/stheno/train/data"
	"github.com/stheno-ml/stheno/train/metric"
	"github.com/stheno-ml/stheno/train/optim"
	"github.com/stheno-ml/stheno/train/schedule"
	"github.com/stheno-ml/stheno/zoo/weights"
)

// everything is a run with all that has a state: slots, accumulation over batches that do not divide the
// epoch, average, plateau, dropout, mixing, freezing by schedule, early stopping and log.
func everything(dir string) train.Config {
	return train.Config{
		Epochs: 8, Batch: 8, Seed: 11,
		Optimizer:  optim.NAdam{},
		Updates:    optim.Config{Accumulate: 3, ClipGlobalNorm: 1, Groups: []optim.Group{{Names: []string{"conv"}, RateScale: 0.5}}},
		Schedule:   schedule.Warmup{Steps: 7, After: &schedule.Plateau{Start: 0.01, Patience: -1, Factor: 0.5, Threshold: 0.6}},
		EMA:        train.EMA{Decay: 0.9, Warmup: true},
		Mix:        swapHalf{},
		Validate:   bars{n: 30},
		Metrics:    []metric.Metric{&metric.TopK{K: 2}},
		Checkpoint: train.Checkpoint{Dir: filepath.Join(dir, "kept"), Steps: 1},
		Resume:     filepath.Join(dir, "kept"),
		Callbacks: []train.Callback{
			train.CSV(filepath.Join(dir, "log.csv")),
			&train.EarlyStopping{Patience: 3, MinDelta: 1}, train.UnfreezeAt(2, "conv"), // ends it after epoch 5
		},
	}
}

// swapHalf mixes each picture with the next one, by chance.
type swapHalf struct{}

func (swapHalf) Mix(b *data.Batch, rnd *rand.Rand) error {
	share := 0.5 + 0.5*rnd.Float64()
	x, size := b.Images.Float32s(), 64
	first := append([]float32(nil), x[:size]...)
	for i := range b.Labels {
		next := first
		if i+1 < len(b.Labels) {
			next = x[(i+1)*size : (i+2)*size]
		}
		for k := range size {
			x[i*size+k] = float32(share)*x[i*size+k] + float32(1-share)*next[k]
		}
		b.Second[i], b.Share[i] = b.Labels[(i+1)%len(b.Labels)], share
	}
	return nil
}

func bigRun(ctx context.Context, t *testing.T, dir string, change func(*train.Config)) (*nn.Model, *train.Run, error) {
	t.Helper()
	m := newModel(t, nn.ModelConfig{Seed: 3})
	if err := m.Store().Freeze("conv"); err != nil {
		t.Fatal(err)
	}
	c := everything(dir)
	if change != nil {
		change(&c)
	}
	r, err := train.Fit(ctx, m, bars{n: 93}, c)
	return m, r, err
}

func drawCurves(dir string) func(*train.Config) {
	return func(c *train.Config) {
		c.Callbacks = append(c.Callbacks, train.Curves(filepath.Join(dir, "curves.png")))
	}
}

// kinds are the two ways in which a step moves the weights: after it, for what is clipped and accumulated has to
// be known first, and in the middle of it.
var kinds = map[string]func(*train.Config){
	"after": func(*train.Config) {},
	"direct": func(c *train.Config) {
		c.Updates.Accumulate, c.Updates.ClipGlobalNorm = 0, 0
	},
}

// outcome is what a run leaves: its weights, its best weights, its curves if any, and its log without the times.
func outcome(t *testing.T, dir string, m *nn.Model) string {
	t.Helper()
	var b strings.Builder
	for _, v := range m.Store().Variables() {
		fmt.Fprintln(&b, v.Name, v.Frozen)
		for _, x := range v.Value.Float32s() {
			fmt.Fprintf(&b, "%x ", x)
		}
	}
	best, err := os.ReadFile(filepath.Join(dir, "kept", "best.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(&b, "%x\n", best)
	if curves, err := os.ReadFile(filepath.Join(dir, "curves.png")); err == nil {
		fmt.Fprintf(&b, "%x\n", curves)
	}
	f, err := os.Open(filepath.Join(dir, "log.csv"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range rows {
		row[6], row[7] = "", "" // speed and time
		fmt.Fprintln(&b, row)
	}
	return b.String()
}

// TestKilledChild is the process that TestKill kills; alone it does nothing.
func TestKilledChild(t *testing.T) {
	dir := os.Getenv("STHENO_KILL_DIR")
	if dir == "" {
		t.Skip("only TestKill runs it")
	}
	m, _, err := bigRun(context.Background(), t, dir, func(c *train.Config) {
		kinds[os.Getenv("STHENO_KILL_KIND")](c)
		drawCurves(dir)(c)
		c.Callbacks = append(c.Callbacks, train.Hooks{OnStepEnd: func(*train.Run) error {
			time.Sleep(time.Millisecond) // so that a kill finds the run at any place in it
			return nil
		}})
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "outcome"), []byte(outcome(t, dir, m)), 0o644); err != nil {
		t.Fatal(err)
	}
}

// A run that is killed again and again ends as one that is not. STHENO_KILLS says how often, for each
// kind of step; 3 if unset.
func TestKill(t *testing.T) {
	kills := 3
	if s := os.Getenv("STHENO_KILLS"); s != "" {
		var err error
		if kills, err = strconv.Atoi(s); err != nil {
			t.Fatalf("STHENO_KILLS: %v", err)
		}
	}
	for kind := range kinds {
		t.Run(kind, func(t *testing.T) { kill(t, kind, kills) })
	}
}

func kill(t *testing.T, kind string, kills int) {
	whole := t.TempDir()
	m, r, err := bigRun(context.Background(), t, whole, func(c *train.Config) {
		kinds[kind](c)
		drawCurves(whole)(c)
	})
	if err != nil {
		t.Fatalf("%+v", err)
	}
	if r.Resumed {
		t.Error("a run without checkpoints says that it was resumed")
	}
	want := outcome(t, whole, m)
	dir := t.TempDir()
	killed, running := 0, true
	begin := time.Now()
	for running {
		cmd := exec.Command(os.Args[0], "-test.run=^TestKilledChild$")
		cmd.Env = append(os.Environ(), "STHENO_KILL_DIR="+dir, "STHENO_KILL_KIND="+kind)
		var out strings.Builder
		cmd.Stdout, cmd.Stderr = &out, &out
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		over := make(chan error, 1)
		go func() { over <- cmd.Wait() }()
		patience := time.Duration(1<<62 - 1)
		if killed < kills && time.Since(begin) < 5*time.Minute {
			patience = time.Duration(rand.IntN(400)) * time.Millisecond
		}
		select {
		case err := <-over:
			if err != nil {
				t.Fatalf("the child ended with %v:\n%s", err, &out)
			}
			running = false
		case <-time.After(patience):
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			<-over
			killed++
		}
		if !running && killed < kills { // it was too quick: once more
			if got := read(t, filepath.Join(dir, "outcome")); got != want {
				t.Fatalf("after %d kills the run ends otherwise than the unbroken one", killed)
			}
			dir, running = t.TempDir(), true
		}
	}
	if got := read(t, filepath.Join(dir, "outcome")); got != want {
		t.Errorf("after %d kills the run ends otherwise than the unbroken one", killed)
	}
	t.Logf("%d kills", killed)
}

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// A run that is stopped by its context after any step, or by a callback, goes on from there.
func TestResumeAtEveryStep(t *testing.T) {
	for kind, change := range kinds {
		t.Run(kind, func(t *testing.T) { resumeAtEveryStep(t, change) })
	}
}

func resumeAtEveryStep(t *testing.T, kind func(*train.Config)) {
	whole := t.TempDir()
	m, r, err := bigRun(context.Background(), t, whole, kind)
	if err != nil {
		t.Fatalf("%+v", err)
	}
	want := outcome(t, whole, m)
	if len(r.History) != 5 {
		t.Errorf("%d epochs: early stopping has no part in this test", len(r.History))
	}
	if r.History[len(r.History)-1].Rate >= 0.01 || r.Model.Store().Get("conv.weight").Frozen {
		t.Error("the plateau or the unfreezing has no part in this test")
	}
	for stop := 1; stop <= r.Step; stop += 11 {
		dir := t.TempDir()
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		_, _, err := bigRun(ctx, t, dir, func(c *train.Config) {
			kind(c)
			c.Checkpoint.Steps = 0
			c.Callbacks = append(c.Callbacks, train.Hooks{OnStepEnd: func(r *train.Run) error {
				if r.Step == stop {
					if stop%2 == 0 {
						r.Stop()
					} else {
						cancel()
					}
				}
				return nil
			}})
		})
		if err != nil && !errors.Is(err, context.Canceled) {
			t.Fatalf("step %d: %+v", stop, err)
		}
		// The rest of the run is the same, whether there are more epochs to come or one more worker.
		m, r, err := bigRun(context.Background(), t, dir, func(c *train.Config) { kind(c); c.Workers = 3; c.Checkpoint.Steps = 7 })
		if err != nil {
			t.Fatalf("step %d: %+v", stop, err)
		}
		if !r.Resumed {
			t.Errorf("step %d: not resumed", stop)
		}
		if got := outcome(t, dir, m); got != want {
			t.Fatalf("resumed after step %d the run ends otherwise than the unbroken one", stop)
		}
	}
}

// A run that is over stays so, a damaged checkpoint gives way to the one before, and one of another run is
// an error that leaves the model alone.
func TestResumeEdges(t *testing.T) {
	dir := t.TempDir()
	m, r, err := bigRun(context.Background(), t, dir, nil)
	if err != nil {
		t.Fatalf("%+v", err)
	}
	want := outcome(t, dir, m)
	again := func(change func(*train.Config)) (*nn.Model, *train.Run, error) {
		return bigRun(context.Background(), t, dir, change)
	}
	m, r2, err := again(nil)
	if err != nil || r2.Step != r.Step || outcome(t, dir, m) != want {
		t.Errorf("a run that was over: error %v, %d steps, want %d and the same weights", err, r2.Step, r.Step)
	}

	files, err := filepath.Glob(filepath.Join(dir, "kept", "checkpoint-*"))
	if err != nil || len(files) != 3 {
		t.Fatalf("error %v, checkpoints %v, want 3", err, files)
	}
	b := []byte(read(t, files[2]))
	b[len(b)/2] ^= 0x10
	if err := os.WriteFile(files[2], b, 0o644); err != nil {
		t.Fatal(err)
	}
	m, r2, err = again(nil)
	if err != nil || len(r2.Damaged) != 1 || outcome(t, dir, m) != want {
		t.Errorf("after damage: error %v, damaged %v", err, r2.Damaged)
	}

	for name, change := range map[string]func(*train.Config){
		"seed":      func(c *train.Config) { c.Seed++ },
		"batch":     func(c *train.Config) { c.Batch = 16 },
		"optimiser": func(c *train.Config) { c.Optimizer = optim.SGD{} },
		"settings":  func(c *train.Config) { c.EMA = train.EMA{} },
		"measured":  func(c *train.Config) { c.Resume, c.Checkpoint.Dir = "", dir },
		"holds":     func(c *train.Config) { c.Resume = "" },
	} {
		before := newModel(t, nn.ModelConfig{Seed: 3})
		m, _, err := again(change)
		if name == "measured" { // another folder: no checkpoints there, so a run like any other
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: error %v", name, err)
		}
		if !same(m.Store(), before.Store()) {
			t.Errorf("%s: the model was changed", name)
		}
	}
}

func same(a, b *graph.Store) bool {
	for i, v := range a.Variables() {
		w := b.Variables()[i].Value.Float32s()
		for k, x := range v.Value.Float32s() {
			if x != w[k] {
				return false
			}
		}
	}
	return true
}

// The best weights are those of the best epoch, and LoadBest leaves them in the model.
func TestBest(t *testing.T) {
	dir := t.TempDir()
	m := newModel(t, nn.ModelConfig{})
	c := config()
	c.Checkpoint = train.Checkpoint{Dir: dir, Monitor: "val_accuracy", LoadBest: true, Keep: 1}
	c.Epochs = 5
	c.Schedule = schedule.Func(func(epoch int) float64 { return []float64{0.05, 0.05, 0.05, 5, 5}[epoch] }) // spoilt at the end
	r, err := train.Fit(context.Background(), m, bars{n: 200}, c)
	if err != nil {
		t.Fatalf("%+v", err)
	}
	best := 0.0
	for _, e := range r.History {
		best = max(best, e.ValAccuracy)
	}
	e, err := train.Evaluate(context.Background(), m, bars{n: 50}, train.EvaluateConfig{})
	if err != nil || e.Accuracy != best || r.History[4].ValAccuracy >= best {
		t.Errorf("error %v, accuracy %v, want %v, the best of %+v", err, e.Accuracy, best, r.History)
	}
	other := newModel(t, nn.ModelConfig{Seed: 9})
	if err := weights.LoadStore(filepath.Join(dir, "best.safetensors"), other.Store()); err != nil {
		t.Fatal(err)
	}
	if !same(m.Store(), other.Store()) {
		t.Error("best.safetensors has other weights")
	}
}

// A checkpoint whose sum is right but whose state makes no sense is an error, and the model stays as it was.
func TestHostileState(t *testing.T) {
	dir := t.TempDir()
	if _, _, err := bigRun(context.Background(), t, dir, func(c *train.Config) { c.Epochs = 1 }); err != nil {
		t.Fatalf("%+v", err)
	}
	kept := filepath.Join(dir, "kept")
	good, _, err := checkpoint.Latest(kept)
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(c *checkpoint.Checkpoint){
		"not an object": func(c *checkpoint.Checkpoint) { c.State = []byte(`[1]`) },
		"batch":         func(c *checkpoint.Checkpoint) { c.State = replace(c.State, `"Done":0`, `"Done":99`) },
		"history":       func(c *checkpoint.Checkpoint) { c.State = replace(c.State, `"Epoch":1,"Done"`, `"Epoch":3,"Done"`) },
		"negative":      func(c *checkpoint.Checkpoint) { c.State = replace(c.State, `"Step":`, `"Step":-`) },
		"callback":      func(c *checkpoint.Checkpoint) { c.State = replace(c.State, `"Bad":0,"Over"`, `"Bad":-5,"Over"`) },
		"frozen":        func(c *checkpoint.Checkpoint) { c.State = replace(c.State, `"Still":[`, `"Still":["nobody",`) },
		"plateau": func(c *checkpoint.Checkpoint) {
			c.State = replace(c.State, `"Cooldown":0`, `"Cooldown":-1`)
		},
		"no variable": func(c *checkpoint.Checkpoint) { c.Tensors = without(c.Tensors, "model/conv.weight") },
		"no slot":     func(c *checkpoint.Checkpoint) { c.Tensors = without(c.Tensors, "optim/step/fc.weight") },
		"no average":  func(c *checkpoint.Checkpoint) { c.Tensors = without(c.Tensors, "average/ema_updates") },
	} {
		c := *good
		c.Tensors = append([]weights.Named(nil), good.Tensors...)
		change(&c)
		if string(c.State) == string(good.State) && len(c.Tensors) == len(good.Tensors) {
			t.Errorf("%s: nothing was changed in %s", name, good.State)
		}
		if _, err := checkpoint.Save(kept, &c, 1); err != nil {
			t.Fatal(err)
		}
		m, _, err := bigRun(context.Background(), t, dir, nil)
		if err == nil {
			t.Errorf("%s: no error", name)
		}
		if before := newModel(t, nn.ModelConfig{Seed: 3}); !same(m.Store(), before.Store()) {
			t.Errorf("%s: the model was changed", name)
		}
	}
}

func replace(b []byte, from, to string) []byte {
	return []byte(strings.Replace(string(b), from, to, 1))
}

func without(tensors []weights.Named, name string) []weights.Named {
	return slices.DeleteFunc(tensors, func(t weights.Named) bool { return t.Name == name })
}
