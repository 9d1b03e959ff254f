package main

import (
	"image"
	"image/color"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestFeatures: a picture is like itself, in every stage that is asked for.
func TestFeatures(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.png")
	img := image.NewNRGBA(image.Rect(0, 0, 40, 30))
	for y := range 30 {
		for x := range 40 {
			img.SetNRGBA(x, y, color.NRGBA{uint8(6 * x), uint8(8 * y), 100, 255})
		}
	}
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := png.Encode(f, img); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	for _, stage := range []string{"pooled", "stem"} {
		var out strings.Builder
		if err := run(&out, "squeezenet1_1", "", stage, false, []string{path, path}); err != nil {
			t.Fatal(err)
		}
		if want := path + "\t1.0000\t1.0000\n"; out.String() != want+want {
			t.Errorf("%s:\n%s", stage, out.String())
		}
	}
	var out strings.Builder
	if err := run(&out, "squeezenet1_1", "", "", true, nil); err != nil || !strings.Contains(out.String(), "pooled\n") {
		t.Errorf("stages %q, error %v", out.String(), err)
	}
	if err := run(&out, "squeezenet1_1", "", "nowhere", false, []string{path}); err == nil {
		t.Error("no error for a stage that is not there")
	}
	if err := run(&out, "squeezenet1_1", path, "pooled", false, []string{path}); err == nil {
		t.Error("no error for a picture in place of weights")
	}
}
