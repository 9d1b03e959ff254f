package train

import (
	"encoding/json"

	"github.com/pkg/errors"

	"github.com/stheno-ml/stheno/train/checkpoint"
)

// EarlyStopping ends a run when a figure has not become better for some epochs.
type EarlyStopping struct {
	Monitor  string  // a figure of Epoch.Value; "" means val_loss, or loss without validation
	Patience int     // epochs without a better value that are borne; 0 means 10, below 0 none
	MinDelta float64 // a value that is better by no more does not count

	quiet
	state earlyState
}

type earlyState struct {
	Best checkpoint.Number
	Seen bool
	Bad  int  // epochs since
	Over bool // the run was ended: a resumed one has nothing left to do
}

// Key is "early stopping".
func (s *EarlyStopping) Key() string { return "early stopping" }

// State is best value and patience.
func (s *EarlyStopping) State() (json.RawMessage, error) { return json.Marshal(s.state) }

// Restore goes on from State.
func (s *EarlyStopping) Restore(b json.RawMessage) error {
	if err := restoreJSON(b, &s.state); err != nil {
		return err
	}
	if s.state.Bad < 0 {
		return errors.Errorf("%d epochs without a better value", s.state.Bad)
	}
	return nil
}

// Begin ends a run that was ended before.
func (s *EarlyStopping) Begin(r *Run) error {
	if !(s.MinDelta >= 0) {
		return errors.Errorf("early stopping: MinDelta %v, want 0 or more", s.MinDelta)
	}
	if !r.Resumed {
		s.state = earlyState{}
	}
	if s.state.Over {
		r.Stop()
	}
	return nil
}

// EpochEnd looks at the figure.
func (s *EarlyStopping) EpochEnd(r *Run) error {
	v, err := r.History[len(r.History)-1].Value(s.Monitor)
	if err != nil {
		return errors.Wrap(err, "early stopping")
	}
	patience := s.Patience
	switch {
	case patience == 0:
		patience = 10
	case patience < 0:
		patience = 0
	}
	margin := s.MinDelta
	if better(s.Monitor, 0, 1) { // smaller is better
		margin = -margin
	}
	if v == v && (!s.state.Seen || better(s.Monitor, v, float64(s.state.Best)+margin)) {
		s.state = earlyState{Best: checkpoint.Number(v), Seen: true}
		return nil
	}
	if s.state.Bad++; s.state.Bad > patience {
		s.state.Over = true
		r.Stop()
	}
	return nil
}
