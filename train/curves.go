package train

import (
	"encoding/json"
	"os"
	"path/filepath"

	"github.com/pkg/errors"

	"github.com/stheno-ml/stheno/internal/atomicfile"
	"github.com/stheno-ml/stheno/train/plot"
)

// Curves draws loss and accuracy over the epochs into a PNG file, anew after each epoch. The training loss is
// that of the steps, averaged over stretches of an epoch; accuracy in training is that before each step.
func Curves(path string) Callback { return &curves{path: path} }

// points is how many stretches an epoch's training loss is drawn in.
const points = 50

type curves struct {
	quiet
	path    string
	x, loss []float64
	sum     float64
	count   int
}

// curvesState is what a resumed run needs; all losses are finite, for others end the run.
type curvesState struct {
	X, Loss []float64
	Sum     float64
	Count   int
}

func (c *curves) Key() string { return "curves" }

func (c *curves) State() (json.RawMessage, error) {
	return json.Marshal(curvesState{c.x, c.loss, c.sum, c.count})
}

func (c *curves) Restore(b json.RawMessage) error {
	var s curvesState
	if err := restoreJSON(b, &s); err != nil {
		return err
	}
	if len(s.X) != len(s.Loss) || s.Count < 0 {
		return errors.Errorf("curves: %d values at %d places", len(s.Loss), len(s.X))
	}
	c.x, c.loss, c.sum, c.count = s.X, s.Loss, s.Sum, s.Count
	return nil
}

func (c *curves) Begin(*Run) error {
	if err := os.MkdirAll(filepath.Dir(c.path), 0o755); err != nil {
		return errors.Wrap(err, "curves")
	}
	return errors.Wrap(atomicfile.Leftovers(c.path), "curves")
}

func (c *curves) StepEnd(r *Run) error {
	c.sum += r.Loss
	c.count++
	stretch := func(batch int) int { return batch * points / r.Batches }
	if stretch(r.Batch+1) > stretch(r.Batch) {
		c.x = append(c.x, float64(r.Epoch)+float64(r.Batch+1)/float64(r.Batches))
		c.loss = append(c.loss, c.sum/float64(c.count))
		c.sum, c.count = 0, 0
	}
	return nil
}

func (c *curves) EpochEnd(r *Run) error {
	loss := plot.Panel{Title: "loss", LogY: true, Series: []plot.Series{{Name: "training", Values: c.loss, X: c.x}}}
	var train, valLoss, val []float64
	for _, e := range r.History {
		train = append(train, e.Accuracy)
		if e.Validated {
			valLoss, val = append(valLoss, e.ValLoss), append(val, e.ValAccuracy)
		}
	}
	accuracy := plot.Panel{Title: "accuracy", Series: []plot.Series{{Name: "training", Values: train}}}
	if len(val) > 0 {
		loss.Series = append(loss.Series, plot.Series{Name: "validation", Values: valLoss})
		accuracy.Series = append(accuracy.Series, plot.Series{Name: "validation", Values: val})
	}
	return errors.Wrap(plot.Curves(c.path, r.Model.Name, loss, accuracy), "curves")
}
