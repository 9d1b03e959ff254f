package schedule

import (
	"math"

	"github.com/pkg/errors"
)

// Plateau multiplies the rate by Factor when a measured value has stopped getting better (PyTorch's and
// Keras's ReduceLROnPlateau). It has a state: State and Restore carry it over a resume.
type Plateau struct {
	Start     float64
	Monitor   string  // which value is measured, such as "val_loss", for the training loop to know; "" means that
	Max       bool    // the value is better when it is larger, as an accuracy is
	Factor    float64 // 0 means 0.1
	Patience  int     // epochs without a better value that are borne; 0 means 10, below 0 none
	Threshold float64 // how much better counts, as a share of the best value; 0 means 1e-4
	Absolute  bool    // Threshold is a difference rather than a share
	Cooldown  int     // epochs after a reduction during which nothing is counted
	Min       float64 // the rate falls no lower

	state PlateauState
}

// PlateauState is what a Plateau has learned so far. All fields are finite, so that any encoding can carry it.
type PlateauState struct {
	Seen     bool    // whether there was a value yet
	Best     float64 // best value so far
	Bad      int     // epochs since
	Cooldown int     // epochs of it that are left
	Rate     float64 // 0 means Start
}

// Rate is the rate since the last value.
func (p *Plateau) Rate(At) float64 { return def(p.state.Rate, p.Start) }

// Watches is the name of the value that Observe wants, "val_loss" unless Monitor says otherwise.
func (p *Plateau) Watches() string {
	if p.Monitor == "" {
		return "val_loss"
	}
	return p.Monitor
}

// Observe takes in the value of an epoch. One that is not finite is not better than any.
func (p *Plateau) Observe(value float64) {
	s := &p.state
	if p.better(value) {
		s.Seen, s.Best, s.Bad = true, value, 0
	} else {
		s.Bad++
	}
	if s.Cooldown > 0 {
		s.Cooldown--
		s.Bad = 0
	}
	if s.Bad > p.patience() {
		p.reduce()
		s.Cooldown, s.Bad = p.Cooldown, 0
	}
}

func (p *Plateau) patience() int {
	switch {
	case p.Patience == 0:
		return 10
	case p.Patience < 0:
		return 0
	}
	return p.Patience
}

func (p *Plateau) better(value float64) bool {
	if math.IsNaN(value) || math.IsInf(value, 0) {
		return false
	}
	if !p.state.Seen {
		return true
	}
	margin := def(p.Threshold, 1e-4)
	if !p.Absolute {
		margin *= math.Abs(p.state.Best) // PyTorch omits Abs, and takes a negative loss for better when it is worse
	}
	if p.Max {
		return value > p.state.Best+margin
	}
	return value < p.state.Best-margin
}

func (p *Plateau) reduce() {
	rate := p.Rate(At{})
	lower := max(rate*def(p.Factor, 0.1), p.Min)
	// PyTorch's eps: a change that is lost in the noise is not made.
	if rate-lower > 1e-8 {
		p.state.Rate = lower
	}
}

// State is what to store in a checkpoint.
func (p *Plateau) State() PlateauState { return p.state }

// Restore goes on from a stored state.
func (p *Plateau) Restore(s PlateauState) error {
	if math.IsNaN(s.Best) || math.IsInf(s.Best, 0) || !(s.Rate >= 0 && s.Rate <= p.Start) || s.Bad < 0 || s.Cooldown < 0 {
		return errors.Errorf("plateau schedule: no state to go on from: %+v", s)
	}
	p.state = s
	return nil
}

// Check wants a factor that reduces.
func (p *Plateau) Check() error {
	if !(p.Start > 0) || !(p.Factor >= 0 && p.Factor < 1) || !(p.Threshold >= 0) || p.Cooldown < 0 || !(p.Min >= 0) {
		return errors.Errorf("plateau schedule: start %v, factor %v, threshold %v, cooldown %d, min %v; want start above 0, factor from 0 and below 1, the rest not below 0",
			p.Start, p.Factor, p.Threshold, p.Cooldown, p.Min)
	}
	return nil
}

// PlateauOf finds the Plateau in a schedule, behind a warm-up too; nil when there is none.
func PlateauOf(s Schedule) *Plateau {
	switch s := s.(type) {
	case *Plateau:
		return s
	case Warmup:
		return PlateauOf(s.After)
	}
	return nil
}
