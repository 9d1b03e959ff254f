package main

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/color"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stheno-ml/stheno/gan"
	"github.com/stheno-ml/stheno/gan/metric"
	"github.com/stheno-ml/stheno/train/data"
)

// photographs writes pictures of differing sizes into folders of two classes.
func photographs(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for i := range 12 {
		img := image.NewNRGBA(image.Rect(0, 0, 20+i, 30-i))
		for k := range img.Rect.Dx() * img.Rect.Dy() {
			img.SetNRGBA(k%img.Rect.Dx(), k/img.Rect.Dx(), color.NRGBA{uint8(20 * i), uint8(k), 99, 255})
		}
		path := filepath.Join(dir, []string{"cats", "dogs"}[i%2], fmt.Sprint(i, ".png"))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := gan.SavePNG(path, img); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func quick(t *testing.T) settings {
	return settings{data: photographs(t), size: 16, width: 4, batch: 4, epochs: 2, rate: 1e-3, loss: "non-saturating", ema: 0.9, seed: 1, out: filepath.Join(t.TempDir(), "run")}
}

func TestFolderOfPhotographs(t *testing.T) {
	for name, change := range map[string]func(*settings){
		"plain":       func(*settings) {},
		"conditional": func(s *settings) { s.conditional = true },
		"wgan-gp":     func(s *settings) { s.loss = "wgan-gp" },
		"everything":  func(s *settings) { s.loss, s.spectral, s.r1, s.noise = "hinge", true, 0.1, 0.1 },
	} {
		s := quick(t)
		change(&s)
		var out bytes.Buffer
		if err := run(context.Background(), s, &out, io.Discard); err != nil {
			t.Fatalf("%s: %+v", name, err)
		}
		for _, file := range []string{"generator.safetensors", "epoch-002.png", "samples.gif", "interpolation.png", "log.csv", "curves.png"} {
			if i, err := os.Stat(filepath.Join(s.out, file)); err != nil || i.Size() == 0 {
				t.Errorf("%s: %s: %v", name, file, err)
			}
		}
		p, _, classes, err := gan.Open(filepath.Join(s.out, "generator.safetensors"))
		if err != nil || p.Size != 16 || s.conditional != (strings.Join(classes, " ") == "cats dogs") {
			t.Errorf("%s: the generator is of %+v, classes %v, %v", name, p, classes, err)
		}
	}
}

// The same file comes out of a run that was stopped and gone on with.
func TestResume(t *testing.T) {
	s := quick(t)
	var out bytes.Buffer
	if err := run(context.Background(), s, &out, io.Discard); err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile(filepath.Join(s.out, "generator.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	s.out = filepath.Join(t.TempDir(), "again")
	ctx, cancel := context.WithCancel(context.Background())
	stopping := writer(func(p []byte) (int, error) { // the first line of progress comes after the first epoch
		cancel()
		return len(p), nil
	})
	if err := run(ctx, s, &out, stopping); err != nil || !strings.Contains(out.String(), "-resume goes on") {
		t.Fatalf("%v, output %s", err, &out)
	}
	if err := run(context.Background(), s, &out, io.Discard); err == nil || !strings.Contains(err.Error(), "checkpoints of another run") {
		t.Errorf("the same folder without -resume: %v", err)
	}
	s.resume = true
	if err := run(context.Background(), s, &out, io.Discard); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(filepath.Join(s.out, "generator.safetensors"))
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("another generator than that of the run that was not stopped; %v", err)
	}
}

type writer func(p []byte) (int, error)

func (w writer) Write(p []byte) (int, error) { return w(p) }

func TestMistakes(t *testing.T) {
	good := quick(t)
	lone := t.TempDir()
	if err := gan.SavePNG(filepath.Join(lone, "a.png"), image.NewNRGBA(image.Rect(0, 0, 16, 16))); err != nil {
		t.Fatal(err)
	}
	for want, change := range map[string]func(*settings){
		"a power of 2":              func(s *settings) { s.size = 24 },
		"no loss":                   func(s *settings) { s.loss = "vanilla" },
		"no pictures":               func(s *settings) { s.data = t.TempDir() },
		"the data set has 1, want":  func(s *settings) { s.data = lone },
		"want one for each class":   func(s *settings) { s.data, s.conditional = lone, true },
		"batch of -1":               func(s *settings) { s.batch = -1 },
		"no labels that":            func(s *settings) { s.loss, s.smooth = "hinge", 0.1 },
		"no such file or directory": func(s *settings) { s.data = filepath.Join(lone, "nothing") },
	} {
		s := good
		change(&s)
		if err := run(context.Background(), s, io.Discard, io.Discard); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
}

// The judge, taught on a few digits, finds noise of an untrained generator far from digits, and says so.
func TestJudge(t *testing.T) {
	train, test, err := data.MNIST("")
	if err != nil {
		t.Fatal(err)
	}
	first := func(ds data.Dataset, n int) data.Dataset {
		var index []int
		for i := range n {
			index = append(index, i)
		}
		s, err := data.Subset(ds, index)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	ctx := context.Background()
	j, err := newJudge(ctx, first(train, 1500), first(test, 300), 32, 1, io.Discard)
	if err != nil {
		t.Fatalf("%+v", err)
	}
	if j.accuracy < 0.6 { // 0.1 by chance, and twice 1,500 digits are few
		t.Errorf("accuracy %v", j.accuracy)
	}
	pair := gan.Pair{Size: 32, Channels: 1, Width: 4, Classes: 10}
	g, _, err := pair.New()
	if err != nil {
		t.Fatal(err)
	}
	v, err := j.evaluate(ctx, pair, g, first(test, 300), 200, 1)
	if err != nil {
		t.Fatalf("%+v", err)
	}
	total := 0.0
	for _, s := range v.share {
		total += s
	}
	// Two numbers of equal pictures: only the order of 200 additions is between them and 1.
	if v.samples != 200 || v.fid.Generated != 300 || v.fid != v.untaught || total < 1-1e-12 || total > 1+1e-12 || v.holds() == nil {
		t.Errorf("an untrained generator: %v, %v", v, v.holds())
	}
}

func TestVerdict(t *testing.T) {
	good := verdict{accuracy: 0.993, confidence: 0.93, fid: metric.Result{Value: 3}, untaught: metric.Result{Value: 50}, share: [10]float64{0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1}}
	if err := good.holds(); err != nil {
		t.Error(err)
	}
	for _, change := range []func(*verdict){
		func(v *verdict) { v.accuracy = 0.98 }, func(v *verdict) { v.confidence = 0.89 },
		func(v *verdict) { v.fid.Value = 6 }, func(v *verdict) { v.share[7] = 0.02 },
	} {
		v := good
		change(&v)
		if v.holds() == nil {
			t.Errorf("%v holds", v)
		}
	}
}
