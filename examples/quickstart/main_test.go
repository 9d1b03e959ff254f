package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stheno-ml/stheno/zoo/weights"
)

// tiny writes a data set in MNIST's form: n pictures of a bright bar whose place is the label.
func tiny(t *testing.T, n int) string {
	t.Helper()
	dir := t.TempDir()
	rng := rand.New(rand.NewPCG(1, 1))
	for _, name := range []string{"train", "t10k"} {
		var pictures, labels bytes.Buffer
		for _, v := range []uint32{0x803, uint32(n), 28, 28} {
			binary.Write(&pictures, binary.BigEndian, v)
		}
		for _, v := range []uint32{0x801, uint32(n)} {
			binary.Write(&labels, binary.BigEndian, v)
		}
		for i := range n {
			var p [784]byte
			for k := range p {
				p[k] = byte(rng.IntN(50))
				if k/28/2 == i%10+2 {
					p[k] = 255
				}
			}
			pictures.Write(p[:])
			labels.WriteByte(byte(i % 10))
		}
		for part, b := range map[string]*bytes.Buffer{"images-idx3": &pictures, "labels-idx1": &labels} {
			if err := os.WriteFile(filepath.Join(dir, name+"-"+part+"-ubyte"), b.Bytes(), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	return dir
}

func TestRunLeavesItsResults(t *testing.T) {
	s := settings{epochs: 2, batch: 20, seed: 3, out: filepath.Join(t.TempDir(), "runs", "q"), data: tiny(t, 200)}
	var out, progress bytes.Buffer
	if err := run(context.Background(), s, &out, &progress); err != nil {
		t.Fatalf("%+v", err)
	}
	for _, name := range []string{"weights.safetensors", "curves.png", "predictions.png", "log.csv"} {
		if i, err := os.Stat(filepath.Join(s.out, name)); err != nil || i.Size() == 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
	lines := strings.Split(strings.TrimRight(out.String(), "\n"), "\n")
	if last := lines[len(lines)-1]; !regexp.MustCompile(`^test accuracy \d+\.\d\d %$`).MatchString(last) {
		t.Errorf("the last line is %q", last)
	}
	f, err := weights.Open(filepath.Join(s.out, "weights.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, ok := f.Info("layer2.conv2_bn.running_var"); !ok {
		t.Errorf("the weights lack running statistics: %v", f.Names())
	}
}

func TestInterruptSavesWeights(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	s := settings{epochs: 50, batch: 20, out: t.TempDir(), data: tiny(t, 200)}
	var out bytes.Buffer
	// The first line of progress comes after the first epoch.
	if err := run(ctx, s, &out, writer(func(p []byte) (int, error) { cancel(); return len(p), nil })); err != nil {
		t.Fatalf("%+v", err)
	}
	if !strings.Contains(out.String(), "stopped in epoch") {
		t.Errorf("output does not say that the run was stopped:\n%s", &out)
	}
	if _, err := os.Stat(filepath.Join(s.out, "weights.safetensors")); err != nil {
		t.Error(err)
	}
}

type writer func(p []byte) (int, error)

func (w writer) Write(p []byte) (int, error) { return w(p) }

func TestMistakes(t *testing.T) {
	good := tiny(t, 30)
	file := filepath.Join(good, "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		s    settings
		want string
	}{
		"output below a file": {settings{epochs: 1, batch: 10, out: filepath.Join(file, "out"), data: good}, "output folder"},
		"no such data":        {settings{epochs: 1, batch: 10, out: t.TempDir(), data: filepath.Join(good, "nothing")}, "nothing"},
		"no epochs":           {settings{epochs: 0, batch: 10, out: t.TempDir(), data: good}, "0 epochs"},
		"negative batch":      {settings{epochs: 1, batch: -1, out: t.TempDir(), data: good}, "batch -1"},
	} {
		err := run(context.Background(), c.s, new(bytes.Buffer), new(bytes.Buffer))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want one with %q", name, err, c.want)
		}
	}
}
