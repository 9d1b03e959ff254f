package main

import (
	"image"
	"image/png"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stheno-ml/stheno/zoo"
)

// TestClassify runs an untrained network on a picture, and then the same network from a file.
func TestClassify(t *testing.T) {
	dir := t.TempDir()
	picture := filepath.Join(dir, "a.png")
	f, err := os.Create(picture)
	if err != nil {
		t.Fatal(err)
	}
	if err := png.Encode(f, image.NewGray(image.Rect(0, 0, 60, 40))); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	m, err := open("squeezenet1_1", "", true)
	if err != nil {
		t.Fatal(err)
	}
	var first strings.Builder
	if err := classify(&first, m, 3, []string{picture, picture}); err != nil {
		t.Fatal(err)
	}
	line := regexp.MustCompile(`(?m)^ +\d+\.\d\d%  .+ \(class \d+\)$`)
	if n := len(line.FindAllString(first.String(), -1)); n != 6 {
		t.Errorf("%d lines with a class, want 3 for each of 2 pictures:\n%s", n, first.String())
	}
	weights := filepath.Join(dir, "w.safetensors")
	if err := m.Save(weights); err != nil {
		t.Fatal(err)
	}
	var loaded *zoo.Model
	if loaded, err = open("squeezenet1_1", weights, false); err != nil {
		t.Fatal(err)
	}
	var second strings.Builder
	if err := classify(&second, loaded, 3, []string{picture, picture}); err != nil || second.String() != first.String() {
		t.Errorf("from the file: error %v\n%s", err, second.String())
	}
	if err := classify(&second, m, 3, []string{weights}); err == nil || !strings.Contains(err.Error(), "w.safetensors") {
		t.Errorf("error %v, want one that names the file", err)
	}
	if err := classify(&second, m, 3, nil); err == nil {
		t.Error("no error without a picture")
	}
}
