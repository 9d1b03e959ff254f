package bench

import (
	"image"
	"image/png"
	"os"
	"path/filepath"
	"testing"
)

func TestPictures(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"cat/1.png", "cat/2.png", "dog/1.png"} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		f, err := os.Create(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := png.Encode(f, image.NewRGBA(image.Rect(0, 0, 40, 30))); err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
	r, err := Pictures(dir, 16, 2)
	if err != nil {
		t.Fatalf("%+v", err)
	}
	if r.Files != 3 || r.Size != 16 || !(r.Speed > 0) || r.Best < r.Speed {
		t.Errorf("%+v", r)
	}
	if _, err := Pictures(filepath.Join(dir, "none"), 16, 1); err == nil {
		t.Error("a folder that is not there: no error")
	}
}
