package gan

import (
	"context"
	"encoding/csv"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stheno-ml/stheno/train/checkpoint"
)

// lengthyRun is a run with all that keeps a state, in a folder, and goes on from what is there.
func lengthyRun(t *testing.T, dir string, others ...Callback) *Run {
	t.Helper()
	p, c := everything()
	c.Epochs = 8
	c.Checkpoint = Checkpoint{Dir: filepath.Join(dir, "kept"), Steps: 1}
	c.Resume = c.Checkpoint.Dir
	c.Callbacks = append([]Callback{CSV(filepath.Join(dir, "log.csv")), Collapse(io.Discard), Sheets(dir), Curves(filepath.Join(dir, "curves.png"))}, others...)
	return mustTrain(t, p, c)
}

// outcome is what a run leaves: both networks, the last checkpoint with both optimisers and the average, pictures and
// log without the times.
func outcome(t *testing.T, dir string, r *Run) string {
	t.Helper()
	var b strings.Builder
	b.WriteString(fingerprint(t, r.Generator, r.Discriminator))
	c, _, err := checkpoint.Latest(filepath.Join(dir, "kept"))
	if err != nil || c == nil {
		t.Fatalf("no checkpoint: %v", err)
	}
	parts := make(map[string]int)
	for _, x := range c.Tensors {
		part, _, _ := strings.Cut(x.Name, "/")
		parts[part]++
		fmt.Fprintln(&b, x.Name, x.Value.Shape())
		switch v := x.Value.Data().(type) {
		case []float32:
			for _, f := range v {
				fmt.Fprintf(&b, "%x ", math.Float32bits(f))
			}
		default:
			fmt.Fprintf(&b, "%v", v)
		}
	}
	if len(parts) != 5 {
		t.Errorf("a checkpoint has %v: want two networks, two optimisers and the average", parts)
	}
	pictures, err := filepath.Glob(filepath.Join(dir, "*.[pg][ni][gf]"))
	if err != nil || len(pictures) != 12 { // nine sheets, curves, film and interpolation
		t.Fatalf("pictures %v, %v", pictures, err)
	}
	for _, path := range pictures {
		picture, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&b, "%s %x\n", filepath.Base(path), picture)
	}
	f, err := os.Open(filepath.Join(dir, "log.csv"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range rows {
		fmt.Fprintln(&b, row[:9]) // without speed and time
	}
	return b.String()
}

const killVariable = "STHENO_GAN_KILL_DIR"

// TestKilledChild is the process that TestKill kills; alone it does nothing.
func TestKilledChild(t *testing.T) {
	dir := os.Getenv(killVariable)
	if dir == "" {
		t.Skip("only TestKill runs it")
	}
	r := lengthyRun(t, dir, Hooks{OnStepEnd: func(*Run) error {
		time.Sleep(5 * time.Millisecond) // so that a kill finds the run at any place in it
		return nil
	}})
	if err := os.WriteFile(filepath.Join(dir, "outcome"), []byte(outcome(t, dir, r)), 0o644); err != nil {
		t.Fatal(err)
	}
}

// A training process that is killed again and again, with no chance to do anything about it, leaves what one leaves
// that is not.
func TestKill(t *testing.T) {
	const kills = 4
	whole := t.TempDir()
	r := lengthyRun(t, whole)
	if r.Resumed || r.Step != 32 {
		t.Errorf("a run without checkpoints: resumed %v, %d steps", r.Resumed, r.Step)
	}
	want := outcome(t, whole, r)
	dir := t.TempDir()
	for killed := 0; ; {
		cmd := exec.Command(os.Args[0], "-test.run=^TestKilledChild$")
		cmd.Env = append(os.Environ(), killVariable+"="+dir)
		var out strings.Builder
		cmd.Stdout, cmd.Stderr = &out, &out
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		over := make(chan error, 1)
		go func() { over <- cmd.Wait() }()
		var kill <-chan struct{}
		if killed < kills {
			kill = moment(t.Context(), dir)
		}
		select {
		case err := <-over:
			if err != nil {
				t.Fatalf("the child ended with %v:\n%s", err, &out)
			}
			got, err := os.ReadFile(filepath.Join(dir, "outcome"))
			if err != nil || string(got) != want {
				t.Fatalf("after %d kills the run ends otherwise than the unbroken one; %v", killed, err)
			}
			if killed == kills {
				return
			}
			dir = t.TempDir() // it was too quick
		case <-kill:
			if err := cmd.Process.Kill(); err != nil { // SIGKILL
				t.Fatal(err)
			}
			<-over
			killed++
		}
	}
}

// moment is when a process has written three checkpoints more than there were, and then some: it may be at any place
// of a step, or in the midst of a file.
func moment(ctx context.Context, dir string) <-chan struct{} {
	newest := func() (name string) {
		files, _ := filepath.Glob(filepath.Join(dir, "kept", "*.safetensors")) // in order of their steps
		if len(files) > 0 {
			name = files[len(files)-1]
		}
		return name
	}
	come := make(chan struct{})
	go func() {
		last := newest()
		for range 3 {
			for newest() == last {
				if ctx.Err() != nil {
					return
				}
				time.Sleep(time.Millisecond)
			}
			last = newest()
		}
		time.Sleep(time.Duration(rand.IntN(15_000)) * time.Microsecond)
		close(come)
	}()
	return come
}
