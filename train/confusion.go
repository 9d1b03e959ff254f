package train

import (
	"os"
	"path/filepath"

	"github.com/pkg/errors"

	"github.com/stheno-ml/stheno/internal/atomicfile"
	"github.com/stheno-ml/stheno/train/metric"
	"github.com/stheno-ml/stheno/train/plot"
)

// ConfusionMatrix draws the confusion matrix of the validation examples into a PNG file, anew after each
// epoch.
func ConfusionMatrix(path string) Callback { return &confusion{path: path} }

type confusion struct {
	quiet
	path   string
	matrix *metric.Confusion
}

func (c *confusion) Begin(r *Run) error {
	if err := os.MkdirAll(filepath.Dir(c.path), 0o755); err != nil {
		return errors.Wrap(err, "confusion matrix")
	}
	if err := atomicfile.Leftovers(c.path); err != nil {
		return errors.Wrap(err, "confusion matrix")
	}
	classes, err := r.outputs()
	if err != nil {
		return errors.Wrap(err, "confusion matrix")
	}
	if c.matrix, err = metric.NewConfusion(classes); err != nil {
		return err
	}
	return errors.Wrap(r.Measure(quietly{c.matrix}), "confusion matrix")
}

// quietly is a metric whose figure is known by another name already.
type quietly struct{ metric.Metric }

func (quietly) Name() string { return "" }

func (c *confusion) EpochEnd(r *Run) error {
	names := r.Classes
	if len(names) != len(c.matrix.Counts()) {
		names = nil
	}
	return errors.Wrap(plot.Confusion(c.path, r.Model.Name, c.matrix.Counts(), names), "confusion matrix")
}
