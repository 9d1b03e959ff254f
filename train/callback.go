package train

import (
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/pkg/errors"

	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/nn"
	"github.com/stheno-ml/stheno/train/metric"
)

// Callback is told how a run goes. Any method may return an error, which ends the run.
type Callback interface {
	Begin(r *Run) error    // before the first step
	StepEnd(r *Run) error  // after each step
	EpochEnd(r *Run) error // after each epoch and its validation
	End(r *Run) error      // always, also after an error or a stop
}

// Stateful is a Callback that a resumed run puts where it was. Restore comes before Begin; without a
// checkpoint to resume from, or one without the key, it does not come at all.
type Stateful interface {
	Callback
	Key() string // what kind of callback it is, such as "csv"; several of one kind are told apart by order
	State() (json.RawMessage, error)
	Restore(json.RawMessage) error
}

// restoreJSON is Restore for a state that is plain JSON.
func restoreJSON(b json.RawMessage, to any) error { return errors.WithStack(json.Unmarshal(b, to)) }

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

// quiet is a Callback that does nothing, for others to embed.
type quiet struct{}

func (quiet) Begin(*Run) error    { return nil }
func (quiet) StepEnd(*Run) error  { return nil }
func (quiet) EpochEnd(*Run) error { return nil }
func (quiet) End(*Run) error      { return nil }

// Run is the state of a fit, as callbacks see it.
type Run struct {
	Model   *nn.Model
	Config  Config
	Classes []string // names of the classes, if the data set knows them

	Epoch   int // from 0
	Batch   int // in the epoch, from 0
	Batches int // in an epoch
	Step    int // over all epochs; after StepEnd of the first step it is 1
	Updates int // of the weights; fewer than steps when gradients are accumulated

	Rate     float64 // learning rate of the last step
	Loss     float64 // of the last step
	Seen     int     // examples of this epoch so far
	Mean     float64 // loss over them
	Accuracy float64 // share of them that was classified right, before their step
	Speed    float64 // examples a second over this epoch so far

	History []Epoch
	Resumed bool    // went on from a checkpoint
	Damaged []error // newer checkpoints that were passed over as damaged
	Err     error   // why the run ended, for End

	stopped bool
	fit     *fit
}

// Stop ends the run after the current step, without an error.
func (r *Run) Stop() { r.stopped = true }

// Freeze stops the training of all variables under some paths, as graph.Store's Freeze does, from the next
// step on. The step is compiled anew.
func (r *Run) Freeze(paths ...string) error { return r.setFrozen(true, paths) }

// Unfreeze undoes Freeze, and the freezing that was there before the run.
func (r *Run) Unfreeze(paths ...string) error { return r.setFrozen(false, paths) }

func (r *Run) setFrozen(frozen bool, paths []string) error {
	f := r.fit
	if err := f.flush(); err != nil {
		return err
	}
	store := r.Model.Store()
	set := store.Unfreeze
	if frozen {
		set = store.Freeze
	}
	if err := set(paths...); err != nil {
		return err
	}
	for _, v := range store.Variables() {
		if v.Role != graph.Parameter || !slices.ContainsFunc(paths, func(p string) bool { return p == "" || v.Name == p || strings.HasPrefix(v.Name, p+".") }) {
			continue
		}
		if err := f.optim.Freeze(frozen, v.Name); err != nil {
			return err
		}
	}
	clear(f.steps)
	return nil
}

// outputs is the size of the network's second axis: its classes.
func (r *Run) outputs() (int, error) {
	b, err := r.Model.Build(graph.Eval, 1, nil)
	if err != nil {
		return 0, err
	}
	if s := b.Output.Shape(); len(s) == 2 {
		return s[1], nil
	}
	return 0, errors.Errorf("the network's output is %v, want [N, classes]", b.Output.Shape())
}

// Measure adds a metric to what is measured on Config.Validate after each epoch. It is for Begin. A metric
// whose name is empty is fed, and not listed among the figures.
func (r *Run) Measure(m metric.Metric) error {
	if r.fit.validate == nil {
		return errors.Errorf("%s is measured in validation, and there is no Config.Validate", m.Name())
	}
	r.fit.validate.metrics = append(r.fit.validate.metrics, m)
	return nil
}

// Epoch is what is known of one epoch when it is over.
type Epoch struct {
	Epoch                int                // from 1
	Loss, Accuracy       float64            // over the training examples, each before its step
	Validated            bool               // whether the next three are set
	ValLoss, ValAccuracy float64            // over the validation examples, after the epoch
	Metrics              map[string]float64 // Config.Metrics by name; nil when there are none
	Rate                 float64            // learning rate of the last step
	Speed                float64            // training examples a second
	Took                 time.Duration      // training and validation
	Wait                 time.Duration      // of it, spent waiting for pictures
	Stepping, Validating time.Duration      // of it, spent in steps and in validation
}

// Value is a figure by its name: loss, accuracy, val_loss, val_accuracy, or a metric's name. The empty name
// is val_loss, or loss in an epoch without validation.
func (e Epoch) Value(name string) (float64, error) {
	switch {
	case name == "loss", name == "" && !e.Validated:
		return e.Loss, nil
	case name == "accuracy":
		return e.Accuracy, nil
	case e.Validated && (name == "val_loss" || name == ""):
		return e.ValLoss, nil
	case e.Validated && name == "val_accuracy":
		return e.ValAccuracy, nil
	}
	if v, ok := e.Metrics[name]; ok {
		return v, nil
	}
	return 0, errors.Errorf("no figure %q to watch; there is loss and accuracy and, with Config.Validate, val_loss, val_accuracy and Config.Metrics by name", name)
}

// better compares two values of a figure: losses are better when smaller, all else when larger. NaN is worse
// than anything.
func better(name string, a, b float64) bool {
	if a != a || b != b {
		return a == a
	}
	if name == "" || name == "loss" || name == "val_loss" {
		return a < b
	}
	return a > b
}
