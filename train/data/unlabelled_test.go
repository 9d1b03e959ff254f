package data

import (
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

func TestUnlabelled(t *testing.T) {
	dir := t.TempDir()
	img := picture(t, "rgb.png")
	for _, name := range []string{"b.png", "more/a.PNG", "more/yet/c.jpeg", "notes.txt", ".hidden.png", ".git/y.png"} {
		write(t, img, dir, filepath.FromSlash(name))
	}
	f, err := Unlabelled(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if want := []string{"b.png", "more/a.PNG", "more/yet/c.jpeg"}; !reflect.DeepEqual(f.paths, want) {
		t.Errorf("files %v, want %v", f.paths, want)
	}
	ex, err := f.Get(1)
	if err != nil || ex.Label != -1 || ex.Image.Bounds().Dx() != 12 {
		t.Errorf("error %v, %+v", err, ex)
	}
	if f.Classes() != nil {
		t.Errorf("classes %v, want none", f.Classes())
	}
	if _, err := Unlabelled(t.TempDir()); err == nil || !strings.Contains(err.Error(), "no pictures") {
		t.Errorf("an empty folder: %v", err)
	}
}
