package checkpoint

import (
	"bytes"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/zoo/weights"
)

func sample(step int) *Checkpoint {
	return &Checkpoint{Step: step, State: json.RawMessage(`{"epoch":3,"name":"é"}`), Tensors: []weights.Named{
		{Name: "model/a", Value: tensor.New(tensor.WithShape(2, 2), tensor.WithBacking([]float32{1, float32(math.NaN()), 3, float32(step)}))},
		{Name: "optim/step/a", Value: tensor.New(tensor.FromScalar(int64(step)))},
		{Name: "model/b", Value: tensor.New(tensor.WithShape(1), tensor.WithBacking([]float64{math.Pi}))},
	}}
}

func names(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, e := range entries {
		out = append(out, e.Name())
	}
	return out
}

func TestRoundTrip(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new", "folder")
	path, err := Save(dir, sample(7), 3)
	if err != nil {
		t.Fatal(err)
	}
	c, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	var a, b bytes.Buffer
	if err := Write(&a, c); err != nil {
		t.Fatal(err)
	}
	if err := Write(&b, sample(7)); err != nil {
		t.Fatal(err)
	}
	if c.Step != 7 || string(c.State) != string(sample(7).State) || !bytes.Equal(a.Bytes(), b.Bytes()) {
		t.Errorf("step %d, state %s: not what was saved", c.Step, c.State)
	}
}

func TestKeepsTheLast(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "notes.txt"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, ".checkpoint-0000000009.safetensors.0123abcd.tmp"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, step := range []int{1, 2, 30, 4, 5} { // 30 is one that was passed over as damaged
		if _, err := Save(dir, sample(step), 2); err != nil {
			t.Fatal(err)
		}
	}
	want := "checkpoint-0000000004.safetensors checkpoint-0000000005.safetensors notes.txt"
	if got := strings.Join(names(t, dir), " "); got != want {
		t.Errorf("folder holds %q, want %q", got, want)
	}
}

// Any change of a byte, and any truncation, is found, and the checkpoint before is used.
func TestDamage(t *testing.T) {
	dir := t.TempDir()
	if c, _, err := Latest(filepath.Join(dir, "absent")); c != nil || err != nil {
		t.Errorf("absent folder: %v, %v", c, err)
	}
	if _, err := Save(dir, sample(1), 3); err != nil {
		t.Fatal(err)
	}
	path, err := Save(dir, sample(2), 3)
	if err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	check := func(what string, b []byte) {
		t.Helper()
		if err := os.WriteFile(path, b, 0o644); err != nil {
			t.Fatal(err)
		}
		c, damaged, err := Latest(dir)
		if err != nil || c.Step != 1 || len(damaged) != 1 {
			t.Fatalf("%s: error %v, damaged %v: want the checkpoint before", what, err, damaged)
		}
	}
	for i := range whole {
		b := bytes.Clone(whole)
		b[i] ^= 1
		if bytes.ContainsRune([]byte(" \t\n"), rune(whole[i])) {
			continue // padding of the header, which is not content
		}
		check("a bit", b)
	}
	for n := 0; n < len(whole); n += 7 {
		check("truncated", whole[:n])
	}
	check("longer", append(bytes.Clone(whole), 0))
	if err := os.WriteFile(filepath.Join(dir, "checkpoint-0000000001.safetensors"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, damaged, err := Latest(dir); err == nil || len(damaged) != 2 {
		t.Errorf("all damaged: error %v, damaged %v", err, damaged)
	}
}

func FuzzRead(f *testing.F) {
	var b bytes.Buffer
	if err := Write(&b, sample(3)); err != nil {
		f.Fatal(err)
	}
	f.Add(b.Bytes())
	f.Add(b.Bytes()[:40])
	f.Fuzz(func(t *testing.T, in []byte) {
		c, err := Read(in)
		if err != nil {
			return
		}
		var out bytes.Buffer
		if err := Write(&out, c); err != nil {
			t.Fatalf("a checkpoint that was read cannot be written: %v", err)
		}
		if _, err := Read(out.Bytes()); err != nil {
			t.Fatalf("and not be read again: %v", err)
		}
	})
}
