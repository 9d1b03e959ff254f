package train

import (
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/pkg/errors"

	"github.com/stheno-ml/stheno/internal/atomicfile"
	"github.com/stheno-ml/stheno/train/checkpoint"
	"github.com/stheno-ml/stheno/zoo/weights"
)

// Checkpoint says what Fit keeps of a run in a folder: the last checkpoints, each with all that Config.Resume
// needs, and best.safetensors, the weights after the best epoch, which any network of the kind can load. One
// is written after each epoch, and when the context ends. A folder that has checkpoints is refused, unless
// the run goes on from them.
type Checkpoint struct {
	Dir   string
	Keep  int           // of the last; 0 means 3
	Steps int           // also after every so many steps; 0 means not
	Every time.Duration // also when so much time has passed; 0 means not

	Monitor  string // figure of an epoch (see Epoch.Value) that makes the best; "" means val_loss, or loss without validation
	LoadBest bool   // leave the best weights, and not the last, in the model when Fit returns without an error
}

const bestFile = "best.safetensors"

func (c Checkpoint) bestPath() string { return filepath.Join(c.Dir, bestFile) }

func (c Checkpoint) check() error {
	if c.Keep < 0 || c.Steps < 0 || c.Every < 0 {
		return errors.Errorf("Config.Checkpoint: Keep %d, Steps %d, Every %v, want none below 0", c.Keep, c.Steps, c.Every)
	}
	if c.Dir == "" && c != (Checkpoint{}) {
		return errors.New("Config.Checkpoint: no Dir")
	}
	return nil
}

// bestValue is the best epoch so far.
type bestValue struct {
	Epoch int
	Value checkpoint.Number
}

// due tells whether a checkpoint is to be written after this step.
func (f *fit) due() bool {
	c := f.Config.Checkpoint
	if c.Dir == "" || f.done == f.Batches {
		return false // after the epoch there will be one
	}
	return c.Steps > 0 && f.Step%c.Steps == 0 || c.Every > 0 && time.Since(f.savedAt) >= c.Every
}

// save writes a checkpoint of the state as it is.
func (f *fit) save() error {
	c, err := f.snapshot()
	if err != nil {
		return errors.Wrap(err, "fit")
	}
	keep := f.Config.Checkpoint.Keep
	if keep == 0 {
		keep = 3
	}
	if _, err := checkpoint.Save(f.Config.Checkpoint.Dir, c, keep); err != nil {
		return errors.Wrap(err, "fit")
	}
	f.saved, f.savedAt = f.Step, time.Now()
	return nil
}

// keepBest writes the weights if the epoch was the best.
func (f *fit) keepBest(e Epoch) error {
	c := f.Config.Checkpoint
	if c.Dir == "" {
		return nil
	}
	v, err := e.Value(c.Monitor)
	if err != nil {
		return errors.Wrap(err, "fit: Config.Checkpoint")
	}
	if f.best != nil && !better(c.Monitor, v, float64(f.best.Value)) {
		return nil
	}
	f.best = &bestValue{e.Epoch, checkpoint.Number(v)}
	if f.average != nil {
		f.average.Swap()
		defer f.average.Swap()
	}
	err = weights.SaveStore(c.bestPath(), f.Model.Store(), map[string]string{
		"epoch": strconv.Itoa(e.Epoch), "step": strconv.Itoa(f.Step), "value": strconv.FormatFloat(v, 'g', -1, 64),
	})
	return errors.Wrap(err, "fit: best weights")
}

// prepareFolder makes the checkpoints' folder, and refuses one that holds those of another run.
func (f *fit) prepareFolder(resumed bool) error {
	dir := f.Config.Checkpoint.Dir
	if err := f.Config.Checkpoint.check(); err != nil || dir == "" {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return errors.Wrap(err, "Config.Checkpoint")
	}
	if err := atomicfile.Leftovers(f.Config.Checkpoint.bestPath()); err != nil {
		return errors.Wrap(err, "Config.Checkpoint")
	}
	f.savedAt = time.Now()
	if resumed {
		return nil
	}
	if there, err := checkpoint.Any(dir); err != nil || there {
		if err == nil {
			err = errors.Errorf("%s holds the checkpoints of another run; set Config.Resume to it to go on, or choose another folder", dir)
		}
		return err
	}
	return nil
}
