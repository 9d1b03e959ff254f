package main

import (
	"bytes"
	"context"
	"image"
	"image/color"
	"image/png"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/zoo"
)

// patches fills a folder with n pictures of each of three colours.
func patches(t *testing.T, n int) string {
	t.Helper()
	dir := t.TempDir()
	for class, name := range []string{"blue", "green", "red"} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o755); err != nil {
			t.Fatal(err)
		}
		for i := range n {
			img := image.NewNRGBA(image.Rect(0, 0, 24, 20))
			for k := range 480 {
				c := [3]uint8{uint8(5 * i), uint8(60 + k%7), 50}
				c[2-class] = uint8(180 + k%40)
				img.SetNRGBA(k%24, k/24, color.NRGBA{c[0], c[1], c[2], 255})
			}
			var b bytes.Buffer
			if err := png.Encode(&b, img); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, name, string(rune('a'+i))+".png"), b.Bytes(), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	return dir
}

// The first layers stay as they are in the file, batch norm's statistics included; the others have
// joined in; the classifier is a new one.
func TestStages(t *testing.T) {
	old, err := zoo.New("cifar_resnet20", zoo.Config{Seed: 7})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "w.safetensors")
	if err := old.Save(file); err != nil {
		t.Fatal(err)
	}
	s := settings{dir: patches(t, 6), model: "cifar_resnet20", weights: file, out: filepath.Join(t.TempDir(), "out"), side: 16, each: 4, epochs: 6, batch: 4, rate: 0.02}
	var out bytes.Buffer
	if err := run(context.Background(), s, &out, io.Discard); err != nil {
		t.Fatalf("%+v", err)
	}
	if !strings.Contains(out.String(), "12 pictures to learn from, 6 to test") || !strings.Contains(out.String(), "\ntest accuracy ") {
		t.Errorf("output:\n%s", &out)
	}
	m, err := zoo.New("cifar_resnet20", zoo.Config{Classes: 3, InputSize: [2]int{16, 16}})
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Load(filepath.Join(s.out, "weights.safetensors")); err != nil {
		t.Fatal(err)
	}
	if len(m.Labels) != 3 || m.Labels[2] != "red" {
		t.Errorf("labels %q", m.Labels)
	}
	for scope, moved := range changed(old.Store(), m.Store()) {
		if want := scope == "layer2" || scope == "layer3"; moved != want {
			t.Errorf("%s moved: %v, want %v", scope, moved, want)
		}
	}
}

// changed tells of each part of the network but the classifier whether any of its variables differs.
func changed(a, b *graph.Store) map[string]bool {
	out := make(map[string]bool)
	for _, v := range a.Variables() {
		scope, _, _ := strings.Cut(v.Name, ".")
		if scope == "linear" {
			continue
		}
		w := b.Get(v.Name).Value.Float32s()
		differs := false
		for i, x := range v.Value.Float32s() {
			differs = differs || x != w[i]
		}
		out[scope] = out[scope] || differs
	}
	return out
}

func TestFromNothing(t *testing.T) {
	s := settings{dir: patches(t, 5), model: "cifar_resnet20", out: filepath.Join(t.TempDir(), "out"), side: 16, each: 4, epochs: 3, batch: 4, rate: 0.02}
	if err := run(context.Background(), s, io.Discard, io.Discard); err != nil {
		t.Fatalf("%+v", err)
	}
	for _, name := range []string{"weights.safetensors", "curves.png", "confusion.png", "log.csv"} {
		if i, err := os.Stat(filepath.Join(s.out, name)); err != nil || i.Size() == 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestMistakes(t *testing.T) {
	dir := patches(t, 5)
	for name, c := range map[string]struct {
		s    settings
		want string
	}{
		"no folder":        {settings{}, "-dir"},
		"too few pictures": {settings{dir: dir, each: 6}, `"blue" has 5 examples`},
		"no such weights":  {settings{dir: dir, model: "cifar_resnet20", each: 4, side: 16, weights: filepath.Join(dir, "nothing")}, "nothing"},
		"no such network":  {settings{dir: dir, model: "alexander", each: 4, side: 16}, "alexander"},
	} {
		c.s.out = t.TempDir()
		if err := run(context.Background(), c.s, io.Discard, io.Discard); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want one with %q", name, err, c.want)
		}
	}
}
