package gan

import (
	"context"
	"encoding/json"
	"time"

	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/nn"
)

// Callback is told how a run goes. Any method may return an error, which ends the run.
type Callback interface {
	Begin(r *Run) error    // before the first step
	StepEnd(r *Run) error  // after each step of the discriminator, and the generator's that may come with it
	EpochEnd(r *Run) error // after each epoch
	End(r *Run) error      // always, also after an error or a stop
}

// Stateful is a Callback that a resumed run puts where it was. Restore comes before Begin; without a checkpoint to
// resume from, or one without the key, it does not come at all.
type Stateful interface {
	Callback
	Key() string // what kind of callback it is, such as "csv"; several of one kind are told apart by order
	State() (json.RawMessage, error)
	Restore(json.RawMessage) error
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

// quiet is a Callback that does nothing, for others to embed.
type quiet struct{}

func (quiet) Begin(*Run) error    { return nil }
func (quiet) StepEnd(*Run) error  { return nil }
func (quiet) EpochEnd(*Run) error { return nil }
func (quiet) End(*Run) error      { return nil }

// Run is the state of a fit, as callbacks see it.
type Run struct {
	Generator     *nn.Model
	Discriminator *nn.Model
	Config        Config   // with what was 0 filled in
	Classes       []string // names of the classes, if the networks have classes and the data set knows them

	Epoch   int // from 0
	Batch   int // in the epoch, from 0
	Batches int // in an epoch
	Step    int // the discriminator's, over all epochs; after StepEnd of the first it is 1
	Updates int // of the generator

	Last  Figures // of the last step; G of the generator's last
	Mean  Figures // over this epoch so far
	Seen  int     // real pictures of this epoch so far
	Speed float64 // real pictures a second over this epoch so far

	// RealSpread and Spread tell whether samples are all alike: the standard deviation of a pixel over the last
	// real batch, and over Samples, averaged over pixels.
	RealSpread, Spread float64
	// Samples are pictures from fixed latent vectors, [Config.Samples, C, H, W] from −1 to 1, made after each epoch
	// and before the first by the averaged generator if there is one. Their classes go round.
	Samples *tensor.Dense

	History []Epoch
	Resumed bool    // went on from a checkpoint
	Damaged []error // newer checkpoints that were passed over as damaged
	Err     error   // why the run ended, for End

	stopped bool
	fit     *fit
}

// Stop ends the run after the current step, without an error.
func (r *Run) Stop() { r.stopped = true }

// Draw makes pictures [N, C, H, W] from −1 to 1 of latent vectors [N, D, 1, 1], in evaluation mode, with the averaged
// weights if there are any. classes, [N], are for generators that have them.
func (r *Run) Draw(ctx context.Context, latent *tensor.Dense, classes []int) (*tensor.Dense, error) {
	return r.fit.draw(ctx, latent, classes)
}

// Epoch is what is known of one epoch when it is over.
type Epoch struct {
	Epoch   int // from 1
	Figures     // means over its steps

	Spread, RealSpread float64 // see Run
	RateD, RateG       float64 // learning rates of the last steps
	Speed              float64 // real pictures a second
	Took               time.Duration
}
