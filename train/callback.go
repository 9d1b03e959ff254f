package train

import (
	"time"

	"github.com/stheno-ml/stheno/nn"
)

// Callback is told how a run goes. Any method may return an error, which ends the run.
type Callback interface {
	Begin(r *Run) error    // before the first step
	StepEnd(r *Run) error  // after each step
	EpochEnd(r *Run) error // after each epoch and its validation
	End(r *Run) error      // always, also after an error or a stop
}

// Hooks is a Callback made of functions; those that are nil are skipped.
type Hooks struct {
	OnBegin, OnStepEnd, OnEpochEnd, OnEnd func(r *Run) error
}

func call(f func(*Run) error, r *Run) error {
	if f == nil {
		return nil
	}
	return f(r)
}

func (h Hooks) Begin(r *Run) error    { return call(h.OnBegin, r) }
func (h Hooks) StepEnd(r *Run) error  { return call(h.OnStepEnd, r) }
func (h Hooks) EpochEnd(r *Run) error { return call(h.OnEpochEnd, r) }
func (h Hooks) End(r *Run) error      { return call(h.OnEnd, r) }

// Run is the state of a fit, as callbacks see it.
type Run struct {
	Model   *nn.Model
	Config  Config
	Classes []string // names of the classes, if the data set knows them

	Epoch   int // from 0
	Batch   int // in the epoch, from 0
	Batches int // in an epoch
	Step    int // over all epochs; after StepEnd of the first step it is 1

	Rate     float64 // learning rate of the last step
	Loss     float64 // of the last step
	Seen     int     // examples of this epoch so far
	Mean     float64 // loss over them
	Accuracy float64 // share of them that was classified right, before their step
	Speed    float64 // examples a second over this epoch so far

	History []Epoch
	Err     error // why the run ended, for End

	stopped bool
}

// Stop ends the run after the current step, without an error.
func (r *Run) Stop() { r.stopped = true }

// Epoch is what is known of one epoch when it is over.
type Epoch struct {
	Epoch                int           // from 1
	Loss, Accuracy       float64       // over the training examples, each before its step
	Validated            bool          // whether the next two are set
	ValLoss, ValAccuracy float64       // over the validation examples, after the epoch
	Rate                 float64       // learning rate of the last step
	Speed                float64       // training examples a second
	Took                 time.Duration // training and validation
}
