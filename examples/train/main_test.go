package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"image"
	"image/color"
	"image/png"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stheno-ml/stheno/zoo"
)

// bars fills a folder with a folder of n pictures for each of two classes: bars that stand and bars that lie.
func bars(t *testing.T, dir string, n int) {
	t.Helper()
	for class, name := range []string{"lying", "standing"} {
		if err := os.MkdirAll(filepath.Join(dir, name), 0o755); err != nil {
			t.Fatal(err)
		}
		for i := range n {
			img := image.NewNRGBA(image.Rect(0, 0, 16, 16))
			for k := range 256 {
				at := [2]int{k / 16, k % 16}[class]
				c := color.NRGBA{uint8(40 + i), 60, 80, 255}
				if at/2 == i%8 {
					c = color.NRGBA{250, 240, 230, 255}
				}
				img.SetNRGBA(k%16, k/16, c)
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
}

// A run on a folder that is stopped and resumed leaves all its results, and weights that bring their
// preprocessing and classes along.
func TestFolder(t *testing.T) {
	dir := t.TempDir()
	bars(t, filepath.Join(dir, "train"), 16)
	bars(t, filepath.Join(dir, "test"), 4)
	s := settings{data: "folder", dir: dir, out: filepath.Join(t.TempDir(), "runs", "bars"), model: "cifar_resnet20", side: 16, epochs: 2, batch: 8, rate: 0.05}
	ctx, cancel := context.WithCancel(context.Background())
	var out bytes.Buffer
	// The first line of progress comes after the first epoch.
	if err := run(ctx, s, &out, writer(func() { cancel() })); err != nil {
		t.Fatalf("%+v", err)
	}
	if !strings.Contains(out.String(), "-resume") {
		t.Errorf("the output does not say how to go on:\n%s", &out)
	}
	if err := run(context.Background(), s, io.Discard, io.Discard); err == nil || !strings.Contains(err.Error(), "another run") {
		t.Errorf("a second run into the same folder: error %v", err)
	}
	s.resume = true
	out.Reset()
	if err := run(context.Background(), s, &out, io.Discard); err != nil {
		t.Fatalf("%+v", err)
	}
	if !regexp.MustCompile(`test accuracy \d+\.\d\d %\n$`).MatchString(out.String()) {
		t.Errorf("output:\n%s", &out)
	}
	for _, name := range []string{"weights.safetensors", "curves.png", "confusion.png", "log.csv", "checkpoints/best.safetensors"} {
		if i, err := os.Stat(filepath.Join(s.out, name)); err != nil || i.Size() == 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
	m, err := zoo.New("cifar_resnet20", zoo.Config{Classes: 2, InputSize: [2]int{16, 16}})
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Load(filepath.Join(s.out, "weights.safetensors")); err != nil {
		t.Fatal(err)
	}
	if len(m.Labels) != 2 || m.Labels[0] != "lying" || len(m.Preprocess.Mean) != 3 || m.Preprocess.Mean[0] < 0.2 || m.Preprocess.Mean[0] > 0.5 {
		t.Errorf("labels %q, preprocessing %+v", m.Labels, m.Preprocess)
	}
}

type writer func()

func (w writer) Write(p []byte) (int, error) { w(); return len(p), nil }

// A folder of classes is split, and the rates are drawn.
func TestFindRate(t *testing.T) {
	dir := t.TempDir()
	bars(t, dir, 10)
	p, err := open("folder", dir, 0, 1)
	if err != nil {
		t.Fatal(err)
	}
	if p.train.Len() != 16 || p.test.Len() != 4 {
		t.Errorf("split into %d and %d, want 16 and 4", p.train.Len(), p.test.Len())
	}
	s := settings{data: "folder", dir: dir, out: filepath.Join(t.TempDir(), "rates"), model: "cifar_resnet20", side: 16, epochs: 1, batch: 8, rate: 0.05, findRate: true}
	var out bytes.Buffer
	if err := run(context.Background(), s, &out, io.Discard); err != nil {
		t.Fatalf("%+v", err)
	}
	if _, err := os.Stat(filepath.Join(s.out, "rates.png")); err != nil || !strings.Contains(out.String(), "rate of") {
		t.Errorf("error %v, output %s", err, &out)
	}
}

// Both idx data sets go through their augmentation and a step of training.
func TestIDX(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"train", "t10k"} {
		pictures := binary.BigEndian.AppendUint32(nil, 0x803)
		labels := binary.BigEndian.AppendUint32(nil, 0x801)
		for _, v := range []uint32{20, 28, 28} {
			pictures = binary.BigEndian.AppendUint32(pictures, v)
		}
		labels = binary.BigEndian.AppendUint32(labels, 20)
		for i := range 20 * 784 {
			pictures = append(pictures, byte(i*i%251))
		}
		for i := range 20 {
			labels = append(labels, byte(i%10))
		}
		for part, b := range map[string][]byte{"images-idx3": pictures, "labels-idx1": labels} {
			if err := os.WriteFile(filepath.Join(dir, name+"-"+part+"-ubyte"), b, 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, name := range []string{"mnist", "fashion"} {
		s := settings{data: name, dir: dir, out: filepath.Join(t.TempDir(), name), epochs: 1, batch: 10}
		if err := run(context.Background(), s, io.Discard, io.Discard); err != nil {
			t.Errorf("%s: %+v", name, err)
		}
	}
}

func TestMistakes(t *testing.T) {
	dir := t.TempDir()
	bars(t, filepath.Join(dir, "train"), 2)
	bars(t, filepath.Join(dir, "test"), 2)
	if err := os.Rename(filepath.Join(dir, "test", "lying"), filepath.Join(dir, "test", "sitting")); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		s    settings
		want string
	}{
		"no such data set": {settings{data: "cats"}, `"cats"`},
		"no folder":        {settings{data: "folder"}, "-dir"},
		"no clothes":       {settings{data: "fashion"}, "-dir"},
		"not there":        {settings{data: "folder", dir: filepath.Join(dir, "nothing")}, "nothing"},
		"other classes":    {settings{data: "folder", dir: dir}, "sitting"},
	} {
		c.s.out = t.TempDir()
		if err := run(context.Background(), c.s, io.Discard, io.Discard); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want one with %q", name, err, c.want)
		}
	}
}
