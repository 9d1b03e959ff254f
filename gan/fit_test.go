package gan

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/pkg/errors"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/nn"
	"github.com/stheno-ml/stheno/train/data"
	"github.com/stheno-ml/stheno/train/optim"
	"github.com/stheno-ml/stheno/train/schedule"
)

// bars is a data set of grey pictures with a bright bar, across in class 0 and upright in class 1.
type bars struct{ n, size int }

func (b bars) Len() int          { return b.n }
func (b bars) Classes() []string { return []string{"across", "upright"} }

func (b bars) Get(i int) (data.Example, error) {
	rng := rand.New(rand.NewPCG(5, uint64(i)))
	at := 1 + rng.IntN(b.size-3)
	img := image.NewGray(image.Rect(0, 0, b.size, b.size))
	for k := range img.Pix {
		place := k / b.size
		if i%2 == 1 {
			place = k % b.size
		}
		img.Pix[k] = uint8(rng.IntN(40))
		if place == at || place == at+1 {
			img.Pix[k] = 230
		}
	}
	return data.Example{Image: img, Label: i % 2}, nil
}

var tiny = Pair{Size: 8, Channels: 1, Width: 6, Latent: 5, Seed: 3}

// everything is a configuration and a pair in which all that keeps a state between steps is in use.
func everything() (Pair, Config) {
	p := tiny
	p.Classes, p.Embed, p.Spectral, p.DiscriminatorNorm = 2, 3, true, BatchNorm
	return p, Config{
		Epochs: 3, Batch: 6, Seed: 11, Loss: Hinge, Critics: 2, GradientPenalty: 1, R1: 0.5, EMA: 0.9, Samples: 4,
		Noise:         Fading(0.1, 1),
		Generator:     Side{Schedule: schedule.Cosine{Peak: 1e-3}},
		Discriminator: Side{Optimizer: optim.RMSProp{}, Schedule: schedule.Constant(5e-4)},
	}
}

// fingerprint is every bit of both networks.
func fingerprint(t *testing.T, models ...*nn.Model) string {
	t.Helper()
	var b bytes.Buffer
	for _, m := range models {
		for _, v := range m.Store().Variables() {
			fmt.Fprintln(&b, v.Name)
			for _, x := range v.Value.Float32s() {
				fmt.Fprintf(&b, "%x ", math.Float32bits(x))
			}
		}
	}
	return b.String()
}

// fit trains on bars and gives the run with both networks.
func train(t *testing.T, ctx context.Context, p Pair, c Config) (*Run, error) {
	t.Helper()
	g, d, err := p.New()
	if err != nil {
		t.Fatalf("%+v", err)
	}
	return Fit(ctx, g, d, bars{27, p.Size}, c)
}

func mustTrain(t *testing.T, p Pair, c Config) *Run {
	t.Helper()
	r, err := train(t, t.Context(), p, c)
	if err != nil {
		t.Fatalf("%+v", err)
	}
	return r
}

// A run that is stopped, and one that is killed, end with the bits of one that was not, and with its log.
func TestResumeBitForBit(t *testing.T) {
	p, c := everything()
	log := func(dir string) []Callback {
		return []Callback{CSV(filepath.Join(dir, "log.csv")), Collapse(io.Discard)}
	}
	whole := t.TempDir()
	c.Callbacks = log(whole)
	r := mustTrain(t, p, c)
	want := fingerprint(t, r.Generator, r.Discriminator)
	if len(r.History) != 3 || r.Step != 12 || r.Updates != 6 {
		t.Fatalf("%d epochs, %d steps, %d updates; want 3, 12, 6", len(r.History), r.Step, r.Updates)
	}
	for step := 1; step < 12; step++ { // steps with the generator's turn and without, ends of epochs among them
		for _, how := range []string{"stopped", "killed"} {
			dir := t.TempDir()
			ctx, cancel := context.WithCancel(t.Context())
			c := c
			c.Checkpoint = Checkpoint{Dir: filepath.Join(dir, "checkpoints"), Steps: 2}
			c.Callbacks = append(log(dir), Hooks{OnStepEnd: func(r *Run) error {
				if r.Step != step {
					return nil
				}
				if how == "killed" {
					return errors.New("killed") // what there is now is not saved
				}
				cancel()
				return nil
			}})
			if _, err := train(t, ctx, p, c); err == nil {
				t.Fatalf("%s after step %d: no error", how, step)
			}
			cancel()
			c.Callbacks, c.Resume = log(dir), c.Checkpoint.Dir
			again, err := train(t, t.Context(), p, c)
			if err != nil {
				t.Fatalf("%s after step %d: %+v", how, step, err)
			}
			if again.Resumed != (how == "stopped" || step > 2) {
				t.Errorf("%s after step %d: resumed is %v", how, step, again.Resumed)
			}
			if fingerprint(t, again.Generator, again.Discriminator) != want {
				t.Errorf("%s after step %d: other weights than those of the whole run", how, step)
			}
			for i, e := range again.History {
				if w := r.History[i]; e.Figures != w.Figures || e.Spread != w.Spread || e.RateG != w.RateG {
					t.Errorf("%s after step %d: epoch %d has %+v, want %+v", how, step, i+1, e, w)
				}
			}
			b, err := os.ReadFile(filepath.Join(dir, "log.csv"))
			if err != nil || strings.Count(string(b), "\n") != 4 {
				t.Errorf("%s after step %d: log %q, %v: want a heading and 3 rows", how, step, b, err)
			}
		}
	}
}

func TestSameBitsWhateverGOMAXPROCS(t *testing.T) {
	p, c := everything()
	c.Epochs = 1
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	r := mustTrain(t, p, c)
	want := fingerprint(t, r.Generator, r.Discriminator)
	for _, n := range []int{2, 5} {
		runtime.GOMAXPROCS(n)
		r := mustTrain(t, p, c)
		if fingerprint(t, r.Generator, r.Discriminator) != want {
			t.Errorf("GOMAXPROCS %d gives other weights than 1", n)
		}
	}
	c.Seed++
	r = mustTrain(t, p, c)
	if fingerprint(t, r.Generator, r.Discriminator) == want {
		t.Error("another seed gives the same weights")
	}
}

// Every loss with every norm trains for an epoch: figures are finite and both networks move.
func TestEveryLossTrains(t *testing.T) {
	for _, name := range Losses() {
		for _, norm := range []Norm{BatchNorm, InstanceNorm, NoNorm} {
			c, err := Named(name, Config{Epochs: 1, Batch: 5, Samples: 2})
			if err != nil {
				t.Fatal(err)
			}
			c.Critics = min(max(c.Critics, 1), 2)
			p := tiny
			p.Size, p.DiscriminatorNorm, p.GeneratorNorm, p.GeneratorSpectral = 16, norm, norm, norm == NoNorm
			g, d, err := p.New()
			if err != nil {
				t.Fatal(err)
			}
			before := []string{fingerprint(t, g), fingerprint(t, d)}
			r, err := Fit(t.Context(), g, d, bars{20, 16}, c)
			if err != nil {
				t.Errorf("%s, %s: %+v", name, norm, err)
				continue
			}
			for i, m := range []*nn.Model{g, d} {
				if fingerprint(t, m) == before[i] {
					t.Errorf("%s, %s: %s has not changed", name, norm, m.Name)
				}
			}
			if s := r.Mean.D + r.Mean.G + r.Mean.Real + r.Mean.Fake; math.IsNaN(s) || math.IsInf(s, 0) {
				t.Errorf("%s, %s: figures %+v", name, norm, r.Mean)
			}
			if c.Clip > 0 {
				for _, v := range d.Store().Trainable() {
					for _, x := range v.Value.Float32s() {
						if math.Abs(float64(x)) > c.Clip*(1+1e-6) { // the limit in float32
							t.Fatalf("%s: %s has %v, clipped at %v", name, v.Name, x, c.Clip)
						}
					}
				}
			}
		}
	}
}

// The generator learns what it is asked for: with classes, bars across are not bars upright.
func TestConditionalLearnsClasses(t *testing.T) {
	if testing.Short() {
		t.Skip("some 600 steps")
	}
	p := tiny
	p.Classes, p.Width = 2, 16
	g, d, err := p.New()
	if err != nil {
		t.Fatal(err)
	}
	r, err := Fit(t.Context(), g, d, bars{512, 8}, Config{Epochs: 40, Batch: 32, EMA: 0.95, Samples: 200,
		Generator: Side{Schedule: schedule.Constant(1e-3)}, Discriminator: Side{Schedule: schedule.Constant(1e-3)}})
	if err != nil {
		t.Fatalf("%+v", err)
	}
	right := 0
	x := r.Samples.Float32s()
	for i := range 200 {
		picture := x[i*64 : (i+1)*64]
		var across, upright float64 // squared sums over rows and over columns: that along the bar is larger
		for k := range 8 {
			var row, column float64
			for j := range 8 {
				row += float64(picture[k*8+j]) + 1
				column += float64(picture[j*8+k]) + 1
			}
			across += row * row
			upright += column * column
		}
		if (upright > across) == (i%2 == 1) {
			right++
		}
	}
	if right < 180 { // 100 by chance
		t.Errorf("%d of 200 pictures have the bar of their class, want 180", right)
	}
}

func TestMistakesAreExplained(t *testing.T) {
	good := Config{Epochs: 1, Batch: 5, Samples: 2}
	with := func(f func(*Config)) Config {
		c := good
		f(&c)
		return c
	}
	wide := tiny
	wide.Size = 16
	conditional := tiny
	conditional.Classes = 1
	used := t.TempDir()
	mustTrain(t, tiny, with(func(c *Config) { c.Checkpoint.Dir = used }))
	for name, k := range map[string]struct {
		g, d Pair
		ds   data.Dataset
		c    Config
		want string
	}{
		"one picture":        {tiny, tiny, bars{1, 8}, good, "pictures: the data set has 1, want at least a batch of 5: take more pictures"},
		"few pictures":       {tiny, tiny, bars{4, 8}, good, "or a smaller Config.Batch"},
		"no epochs":          {tiny, tiny, bars{20, 8}, Config{}, "0 epochs"},
		"batch of 1":         {tiny, tiny, bars{20, 8}, with(func(c *Config) { c.Batch = 1 }), "batch of 1"},
		"sizes differ":       {tiny, wide, bars{20, 8}, good, "the generator makes pictures of shape (5, 1, 8, 8)"},
		"smooth Wasserstein": {tiny, tiny, bars{20, 8}, with(func(c *Config) { c.Loss, c.Smooth = Wasserstein, 0.1 }), "no labels that could be smoothed"},
		"negative penalty":   {tiny, tiny, bars{20, 8}, with(func(c *Config) { c.GradientPenalty = -1 }), "GradientPenalty -1"},
		"half conditional":   {conditional, tiny, bars{20, 8}, good, "one of generator and discriminator has classes"},
		"too many classes":   {conditional, conditional, bars{20, 8}, good, "want 0 to 0"},
		"wrong transform":    {tiny, tiny, bars{20, 8}, with(func(c *Config) { c.Transform = Pictures(3, 8, 8) }), "pictures have shape [3 8 8]"},
		"used folder":        {tiny, tiny, bars{27, 8}, with(func(c *Config) { c.Checkpoint.Dir = used }), "holds the checkpoints of another run"},
		"another run's": {tiny, tiny, bars{27, 8}, with(func(c *Config) { c.Resume, c.Loss = used, Hinge }),
			"its loss: non-saturating, this run's: hinge"},
		"huge rate": {tiny, tiny, bars{20, 8}, with(func(c *Config) {
			c.Epochs = 9
			c.Generator.Schedule, c.Discriminator.Schedule = schedule.Constant(1e38), schedule.Constant(1e38)
		}), "epoch 1, batch 1: the generator's loss: the loss is NaN: tape: +Inf first appears in the result of conv2d at main."},
	} {
		g, _, err := k.g.New()
		if err != nil {
			t.Fatal(err)
		}
		_, d, err := k.d.New()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Fit(t.Context(), g, d, k.ds, k.c); err == nil || !strings.Contains(err.Error(), k.want) {
			t.Errorf("%s: error %v, want one with %q", name, err, k.want)
		}
	}
	for _, p := range []Pair{{Size: 28}, {Size: 2048}, {Width: -1}, {Classes: -1}, {GeneratorNorm: "group"}} {
		if _, _, err := p.New(); err == nil {
			t.Errorf("%+v makes networks", p)
		}
	}
	if _, err := Named("vanilla", Config{}); err == nil || !strings.Contains(err.Error(), "wgan-gp") {
		t.Errorf("an unknown loss gives %v, want a list of those known", err)
	}
}

// NaN in either network is traced to where it was born.
func TestNaNIsTraced(t *testing.T) {
	for _, k := range []struct {
		spoil func(g, d *nn.Model) *nn.Model
		name  string
		want  string
	}{
		{func(g, _ *nn.Model) *nn.Model { return g }, "main.0.weight", "the generator's pictures are not finite"},
		{func(_, d *nn.Model) *nn.Model { return d }, "main.0.weight", "discriminator, real pictures"},
	} {
		g, d, err := tiny.New()
		if err != nil {
			t.Fatal(err)
		}
		k.spoil(g, d).Store().Get(k.name).Value.Float32s()[3] = float32(math.NaN())
		_, err = Fit(t.Context(), g, d, bars{20, 8}, Config{Epochs: 1, Batch: 5, Samples: 2})
		if err == nil || !strings.Contains(err.Error(), k.want) || !strings.Contains(err.Error(), k.name) {
			t.Errorf("error %v, want one with %q and %q", err, k.want, k.name)
		}
	}
}

// Pictures of differing sizes, grey and in colour, are brought to one size.
func TestFolderOfDifferingSizes(t *testing.T) {
	dir := t.TempDir()
	for i, size := range []image.Point{{8, 8}, {20, 9}, {9, 31}, {3, 4}, {100, 17}, {8, 9}} {
		img := image.NewRGBA(image.Rect(0, 0, size.X, size.Y))
		for k := range size.X * size.Y {
			img.SetRGBA(k%size.X, k/size.X, color.RGBA{uint8(40 * i), uint8(k), 90, 255})
		}
		var b bytes.Buffer
		name, err := "p.png", error(nil)
		if i%2 == 0 {
			err = png.Encode(&b, img)
		} else {
			name, err = "p.jpg", jpeg.Encode(&b, img, nil)
		}
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprint(i)+name), b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	ds, err := data.Unlabelled(dir)
	if err != nil {
		t.Fatal(err)
	}
	p := tiny
	p.Channels = 3
	g, d, err := p.New()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Fit(t.Context(), g, d, ds, Config{Epochs: 2, Batch: 3, Samples: 2}); err != nil {
		t.Errorf("%+v", err)
	}
}

func TestSheetsAndGIF(t *testing.T) {
	dir := t.TempDir()
	p := tiny
	p.Channels = 3
	c := Config{Epochs: 2, Batch: 5, Samples: 6, Callbacks: []Callback{Sheets(dir), Curves(filepath.Join(dir, "curves.png")), Progress(new(bytes.Buffer))}}
	g, d, err := p.New()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Fit(t.Context(), g, d, bars{20, 8}, c); err != nil {
		t.Fatalf("%+v", err)
	}
	for _, name := range []string{"epoch-000.png", "epoch-001.png", "epoch-002.png", "interpolation.png", "curves.png"} {
		if _, err := readPNG(filepath.Join(dir, name)); err != nil {
			t.Error(err)
		}
	}
	f, err := os.Open(filepath.Join(dir, "samples.gif"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	film, err := gif.DecodeAll(f)
	if err != nil || len(film.Image) != 3 {
		t.Errorf("the GIF has %d pictures, %v; want 3", len(film.Image), err)
	}
}

func TestCollapseWarns(t *testing.T) {
	var b bytes.Buffer
	c := Collapse(&b)
	r := &Run{Config: Config{Loss: NonSaturating, Samples: 4}, Last: Figures{D: 1e-4}, Spread: 0.3, RealSpread: 0.5}
	for range vanishedSteps {
		if err := c.StepEnd(r); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.EpochEnd(r); err != nil || strings.Count(b.String(), "warning") != 1 || !strings.Contains(b.String(), "at 0 for 200 steps") {
		t.Errorf("after %d steps at 0: %q, %v", vanishedSteps, &b, err)
	}
	b.Reset()
	r.Last.D, r.Spread = 1, 0.04
	c.StepEnd(r)
	if err := c.EpochEnd(r); err != nil || !strings.Contains(b.String(), "all alike") {
		t.Errorf("samples alike: %q, %v", &b, err)
	}
	b.Reset()
	r.Config.Loss, r.Last.D, r.Spread = Wasserstein, -40, 0.5 // whose loss has no end at 0
	for range 2 * vanishedSteps {
		c.StepEnd(r)
	}
	if b.Len() > 0 {
		t.Errorf("Wasserstein: %q", &b)
	}
}

func TestSaveAndOpen(t *testing.T) {
	p := tiny
	p.Classes, p.GeneratorSpectral = 2, true
	g, _, err := p.New()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "g.safetensors")
	if err := Save(path, p, g, []string{"a", "b"}); err != nil {
		t.Fatal(err)
	}
	q, h, classes, err := Open(path)
	if err != nil {
		t.Fatalf("%+v", err)
	}
	if q.Size != 8 || q.Classes != 2 || strings.Join(classes, " ") != "a b" || fingerprint(t, g) != fingerprint(t, h) {
		t.Errorf("opened %+v with classes %v", q, classes)
	}
	z, err := Latents(g, 5, 1)
	if err != nil {
		t.Fatal(err)
	}
	var drawn []*tensor.Dense
	for _, m := range []*nn.Model{g, h} {
		s, err := NewSampler(m, 3) // 5 pictures are not whole batches
		if err != nil {
			t.Fatal(err)
		}
		x, err := s.Draw(t.Context(), z, []int{0, 1, 0, 1, 0})
		if err != nil {
			t.Fatal(err)
		}
		drawn = append(drawn, x)
		if _, err := s.Draw(t.Context(), z, nil); err == nil {
			t.Error("pictures without classes from a generator that has classes")
		}
		if _, err := s.Draw(t.Context(), z, []int{0, 1, 0, 1, 7}); err == nil {
			t.Error("a picture of class 7 of 2")
		}
	}
	for i, v := range drawn[0].Float32s() {
		if v != drawn[1].Float32s()[i] {
			t.Fatalf("pixel %d is %v, before saving %v", i, drawn[1].Float32s()[i], v)
		}
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for old, new := range map[string]string{`\"Width\":6`: `\"Width\":7`, `\"Classes\":2`: `\"Classes\":9`, "stheno.gan.pair": "stheno.gan.pear", `\"Size\":8`: `\"Size\":9`} {
		bad := bytes.Replace(b, []byte(old), []byte(new), 1)
		if bytes.Equal(bad, b) {
			t.Fatalf("the file has no %s", old)
		}
		if err := os.WriteFile(path, bad, 0o644); err != nil {
			t.Fatal(err)
		}
		if _, _, _, err := Open(path); err == nil {
			t.Errorf("a file with %s for %s is opened", new, old)
		}
	}
}

func TestInterpolate(t *testing.T) {
	a := tensor.New(tensor.WithShape(2, 2), tensor.WithBacking([]float64{1, 0, 3, 0}))
	b := tensor.New(tensor.WithShape(2, 2), tensor.WithBacking([]float64{0, 1, -3, 0}))
	x, err := Interpolate(a, b, 3)
	if err != nil {
		t.Fatal(err)
	}
	h := math.Sqrt(0.5)
	// The second pair points opposite ways, where there is no one great circle.
	want := []float64{1, 0, h, h, 0, 1, 3, 0, 0, 0, -3, 0}
	for i, v := range x.Float64s() {
		if math.Abs(v-want[i]) > 1e-15 { // a few roundings of numbers near 1
			t.Errorf("number %d is %v, want %v", i, v, want[i])
		}
	}
	if _, err := Interpolate(a, b, 1); err == nil {
		t.Error("a way of one step")
	}
}

// Open takes any file for hostile.
func FuzzOpen(f *testing.F) {
	p := tiny
	p.Classes = 2
	g, _, err := p.New()
	if err != nil {
		f.Fatal(err)
	}
	path := filepath.Join(f.TempDir(), "g.safetensors")
	if err := Save(path, p, g, []string{"a", "b"}); err != nil {
		f.Fatal(err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add(bytes.Replace(b, []byte(`\"Size\":8`), []byte(`\"Size\":99`), 1))
	f.Fuzz(func(t *testing.T, b []byte) {
		path := filepath.Join(t.TempDir(), "g.safetensors")
		if err := os.WriteFile(path, b, 0o644); err != nil {
			t.Fatal(err)
		}
		if _, g, _, err := Open(path); err == nil {
			if _, err := NewSampler(g, 1); err != nil {
				t.Errorf("opened, but cannot be drawn from: %v", err)
			}
		}
	})
}
