package train

import (
	"image"
	"maps"
	"slices"

	"github.com/pkg/errors"

	"github.com/stheno-ml/stheno/train/tensorboard"
)

// TensorBoard writes event files into a folder: loss and rate every few steps, the figures of each epoch and,
// if asked, how the weights are spread. A resumed run adds a file to those that are there.
type TensorBoard struct {
	Dir        string
	Every      int  // steps between losses; 0 means 10
	Histograms bool // of every variable, after each epoch
	// Pictures gives pictures to show after each epoch, by name; nil for none.
	Pictures func(r *Run) (map[string]image.Image, error)

	w      *tensorboard.Writer
	buffer []float32
}

// Begin starts a file.
func (t *TensorBoard) Begin(r *Run) error {
	if t.Every < 0 {
		return errors.Errorf("tensorboard: Every %d, want 0 or more", t.Every)
	}
	var err error
	t.w, err = tensorboard.New(t.Dir, r.Step+1)
	return err
}

// StepEnd writes loss and rate.
func (t *TensorBoard) StepEnd(r *Run) error {
	every := t.Every
	if every == 0 {
		every = 10
	}
	if r.Step%every != 0 {
		return nil
	}
	if err := t.w.Scalar("step/loss", r.Step, r.Loss); err != nil {
		return err
	}
	return t.w.Scalar("step/rate", r.Step, r.Rate)
}

// EpochEnd writes the epoch's figures.
func (t *TensorBoard) EpochEnd(r *Run) error {
	e := r.History[len(r.History)-1]
	figures := map[string]float64{"loss/training": e.Loss, "accuracy/training": e.Accuracy, "examples_per_second": e.Speed}
	if e.Validated {
		figures["loss/validation"], figures["accuracy/validation"] = e.ValLoss, e.ValAccuracy
	}
	for name, v := range e.Metrics {
		figures["metrics/"+name] = v
	}
	for _, name := range slices.Sorted(maps.Keys(figures)) {
		if err := t.w.Scalar(name, r.Step, figures[name]); err != nil {
			return err
		}
	}
	if t.Histograms {
		for _, v := range r.Model.Store().Variables() {
			t.buffer = narrow(t.buffer[:0], v.Value)
			if err := t.w.Histogram(v.Name, r.Step, t.buffer); err != nil {
				return err
			}
		}
	}
	if t.Pictures != nil {
		pictures, err := t.Pictures(r)
		if err != nil {
			return errors.Wrap(err, "tensorboard: pictures")
		}
		for _, name := range slices.Sorted(maps.Keys(pictures)) {
			if err := t.w.Image(name, r.Step, pictures[name]); err != nil {
				return err
			}
		}
	}
	return t.w.Flush()
}

// End closes the file.
func (t *TensorBoard) End(*Run) error {
	if t.w == nil {
		return nil
	}
	w := t.w
	t.w = nil
	return w.Close()
}
