// Package checkpoint keeps what a training run needs to go on, in files that are whole or not there.
//
// A checkpoint is a safetensors file, so that any tool that reads those can look into it. Its metadata holds
// the step, the part of the state that is not arrays, as JSON, and the SHA-256 of all of it; a file whose
// content has another sum is damaged, and the one before it is used.
package checkpoint

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/pkg/errors"

	"github.com/stheno-ml/stheno/internal/atomicfile"
	"github.com/stheno-ml/stheno/zoo/weights"
)

// Checkpoint is the state of a run after some step.
type Checkpoint struct {
	Step    int             // steps done; orders the files of a folder
	State   json.RawMessage // what is not arrays
	Tensors []weights.Named
}

const (
	format    = "stheno checkpoint 1"
	formatKey = "format"
	stepKey   = "step"
	stateKey  = "state"
	sumKey    = "sha256"
	prefix    = "checkpoint-"
	suffix    = ".safetensors"
	maxStep   = 1 << 53
)

// Save writes a checkpoint into a folder, which is made if need be, and then removes all but the last keep
// ones (at least 1). Files of later steps are removed too: a run that saves at a step has gone on from
// before them, so they were damaged.
func Save(dir string, c *Checkpoint, keep int) (path string, err error) {
	if c.Step < 0 || c.Step > maxStep {
		return "", errors.Errorf("checkpoint: step %d, want 0 to 2⁵³", c.Step)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", errors.Wrap(err, "checkpoint")
	}
	path = filepath.Join(dir, fmt.Sprintf("%s%010d%s", prefix, c.Step, suffix))
	if err := atomicfile.Write(path, func(w io.Writer) error { return Write(w, c) }); err != nil {
		return "", errors.WithMessage(err, "checkpoint")
	}
	files, err := list(dir)
	if err != nil {
		return path, err
	}
	for _, f := range files {
		if f.step <= c.Step && keep > 1 {
			if f.step < c.Step {
				keep--
			}
			continue
		}
		if f.step == c.Step {
			continue
		}
		if err := os.Remove(f.path); err != nil {
			return path, errors.Wrap(err, "checkpoint")
		}
	}
	return path, nil
}

// Write writes a checkpoint.
func Write(w io.Writer, c *Checkpoint) error {
	meta := map[string]string{formatKey: format, stepKey: strconv.Itoa(c.Step), stateKey: string(c.State)}
	sum, err := digest(c.Tensors, meta)
	if err != nil {
		return err
	}
	meta[sumKey] = sum
	return weights.Write(w, c.Tensors, meta)
}

// digest is the SHA-256 of the file without the digest in it.
func digest(tensors []weights.Named, meta map[string]string) (string, error) {
	h := sha256.New()
	if err := weights.Write(h, tensors, meta); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// Load reads one checkpoint. A damaged one is an error.
func Load(path string) (*Checkpoint, error) {
	f, err := weights.Open(path)
	if err != nil {
		return nil, errors.WithMessage(err, "checkpoint")
	}
	defer f.Close()
	c, err := read(f)
	return c, errors.WithMessagef(err, "checkpoint %s", path)
}

// Read is Load for bytes in memory.
func Read(b []byte) (*Checkpoint, error) {
	f, err := weights.NewFile(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		return nil, errors.WithMessage(err, "checkpoint")
	}
	c, err := read(f)
	return c, errors.WithMessage(err, "checkpoint")
}

func read(f *weights.File) (*Checkpoint, error) {
	if got := f.Metadata[formatKey]; got != format {
		return nil, errors.Errorf("format %q, want %q", got, format)
	}
	step, err := strconv.Atoi(f.Metadata[stepKey])
	if err != nil || step < 0 || step > maxStep {
		return nil, errors.Errorf("step %q, want a whole number", f.Metadata[stepKey])
	}
	c := &Checkpoint{Step: step, State: json.RawMessage(f.Metadata[stateKey])}
	if c.Tensors, err = f.All(); err != nil {
		return nil, err
	}
	meta := maps.Clone(f.Metadata)
	delete(meta, sumKey)
	sum, err := digest(c.Tensors, meta)
	if err != nil {
		return nil, err
	}
	if sum != f.Metadata[sumKey] {
		return nil, errors.Errorf("damaged: its content has SHA-256 %s, it says %q", sum, f.Metadata[sumKey])
	}
	if !json.Valid(c.State) {
		return nil, errors.New("its state is not JSON")
	}
	return c, nil
}

// Latest loads the newest checkpoint of a folder that is whole, and lists why newer ones were passed over. It
// is nil when the folder holds none or does not exist, and an error when all are damaged. Temporary files
// that a killed run left are removed.
func Latest(dir string) (c *Checkpoint, damaged []error, err error) {
	files, err := list(dir)
	if err != nil || len(files) == 0 {
		return nil, nil, err
	}
	for _, f := range files {
		c, err := Load(f.path)
		if err == nil && c.Step != f.step {
			err = errors.Errorf("checkpoint %s: it is of step %d", f.path, c.Step)
		}
		if err == nil {
			return c, damaged, nil
		}
		damaged = append(damaged, err)
	}
	return nil, damaged, errors.Errorf("%s: none of its %d checkpoints can be read; the newest: %v", dir, len(files), damaged[0])
}

// Any tells whether a folder holds checkpoints.
func Any(dir string) (bool, error) {
	files, err := list(dir)
	return len(files) > 0, err
}

type file struct {
	path string
	step int
}

// list is the checkpoints of a folder, the newest first. It removes what killed writers left.
func list(dir string) ([]file, error) {
	entries, err := os.ReadDir(dir)
	if os.IsNotExist(err) {
		return nil, nil
	}
	if err != nil {
		return nil, errors.Wrap(err, "checkpoint")
	}
	var files []file
	for _, e := range entries {
		name := e.Name()
		if base, ok := leftover(name); ok {
			if err := atomicfile.Leftovers(filepath.Join(dir, base)); err != nil {
				return nil, errors.Wrap(err, "checkpoint")
			}
			continue
		}
		if step, ok := stepOf(name); ok && e.Type().IsRegular() {
			files = append(files, file{filepath.Join(dir, name), step})
		}
	}
	slices.SortFunc(files, func(a, b file) int { return b.step - a.step })
	return files, nil
}

// leftover is the name of the checkpoint that a temporary file of atomicfile was to become.
func leftover(name string) (base string, ok bool) {
	base, ok = strings.CutPrefix(name, ".")
	at := strings.Index(base, suffix+".")
	if !ok || at < 0 || !strings.HasSuffix(base, ".tmp") {
		return "", false
	}
	base = base[:at+len(suffix)]
	_, ok = stepOf(base)
	return base, ok
}

func stepOf(name string) (int, bool) {
	digits, ok := strings.CutPrefix(name, prefix)
	digits, ok2 := strings.CutSuffix(digits, suffix)
	if !ok || !ok2 || len(digits) < 10 {
		return 0, false
	}
	step, err := strconv.Atoi(digits)
	return step, err == nil && step >= 0 && step <= maxStep
}
