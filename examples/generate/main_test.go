package main

import (
	"bytes"
	"context"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stheno-ml/stheno/gan"
)

// saved is the file of an untrained generator for pictures of 8 pixels.
func saved(t *testing.T, classes []string) string {
	t.Helper()
	p := gan.Pair{Size: 8, Width: 4, Latent: 6, Classes: len(classes)}
	g, _, err := p.New()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "generator.safetensors")
	if err := gan.Save(path, p, g, classes); err != nil {
		t.Fatal(err)
	}
	return path
}

func size(t *testing.T, path string) (w, h int) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	c, err := png.DecodeConfig(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	return c.Width, c.Height
}

func TestSheets(t *testing.T) {
	dir := t.TempDir()
	s := settings{generator: saved(t, nil), out: filepath.Join(dir, "a.png"), each: filepath.Join(dir, "each"), count: 10, columns: 5, steps: 10, seed: 3}
	if err := run(context.Background(), s, new(bytes.Buffer)); err != nil {
		t.Fatalf("%+v", err)
	}
	if w, h := size(t, s.out); w != 5*66+2 || h != 2*66+2 { // pictures are enlarged to 64 pixels, with 2 between them
		t.Errorf("the sheet has %d×%d pixels", w, h)
	}
	if w, h := size(t, filepath.Join(s.each, "00009.png")); w != 8 || h != 8 {
		t.Errorf("a picture has %d×%d pixels, want 8×8", w, h)
	}
	s.generator, s.interpolate, s.count, s.steps = saved(t, []string{"cat", "dog", "eel"}), true, 3, 4
	for _, s.class = range []string{"", "eel"} {
		if err := run(context.Background(), s, new(bytes.Buffer)); err != nil {
			t.Fatalf("%+v", err)
		}
		if w, h := size(t, s.out); w != 4*66+2 || h != 3*66+2 {
			t.Errorf("the sheet has %d×%d pixels", w, h)
		}
	}
}

func TestMistakes(t *testing.T) {
	good := settings{generator: saved(t, nil), out: filepath.Join(t.TempDir(), "a.png"), count: 4, steps: 2}
	for want, change := range map[string]func(s *settings){
		"no such file":    func(s *settings) { s.generator = filepath.Join(t.TempDir(), "none") },
		"without classes": func(s *settings) { s.class = "cat" },
		"cat, dog":        func(s *settings) { s.generator, s.class = saved(t, []string{"cat", "dog"}), "eel" },
		"-count 0":        func(s *settings) { s.count = 0 },
		"-steps 1":        func(s *settings) { s.interpolate, s.steps = true, 1 },
	} {
		s := good
		change(&s)
		if err := run(context.Background(), s, new(bytes.Buffer)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
}
