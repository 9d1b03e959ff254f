package main

import (
	"image/png"
	"os"
	"path/filepath"
	"testing"
)

func TestSheet(t *testing.T) {
	out := filepath.Join(t.TempDir(), "new", "sheet.png")
	if err := run("", out, 1, 2); err != nil {
		t.Fatalf("%+v", err)
	}
	f, err := os.Open(out)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	img, err := png.DecodeConfig(f)
	if err != nil || img.Width < 3*side || img.Height < len(rows)*side {
		t.Errorf("error %v, %d×%d pixels", err, img.Width, img.Height)
	}
	if err := run(out+".none", out, 1, 2); err == nil {
		t.Error("no error for a picture that is not there")
	}
	if err := run("", out, 1, 0); err == nil {
		t.Error("no error for no columns")
	}
}
