// Package schedule says how the learning rate changes while a network trains.
//
// A Schedule is a pure function of the place in the run, so that a resumed run gets the same rates without
// anything being stored. The exception is Plateau, which goes by a measured value and has a state to store.
package schedule

import (
	"math"

	"github.com/pkg/errors"
)

// At is a place in a run.
type At struct {
	Epoch    int // from 0
	Step     int // optimiser steps done since the run began
	PerEpoch int // steps in an epoch
	Epochs   int // epochs in the whole run
}

// steps is the length of the whole run.
func (a At) steps() int { return a.Epochs * a.PerEpoch }

// Schedule gives the learning rate of the step that is about to be made.
type Schedule interface {
	Rate(at At) float64
}

// Checker is a Schedule that can tell before the first step that its settings make no sense.
type Checker interface{ Check() error }

// Func is any function of the epoch, from 0.
//
//	schedule.Func(func(epoch int) float64 {
//		switch {
//		case epoch < 50:
//			return 1e-3
//		case epoch < 100:
//			return 1e-4
//		}
//		return 1e-5
//	})
type Func func(epoch int) float64

// Rate calls the function.
func (f Func) Rate(at At) float64 { return f(at.Epoch) }

// Constant is the same rate throughout.
type Constant float64

// Rate is the constant.
func (c Constant) Rate(At) float64 { return float64(c) }

// Step multiplies the rate by Gamma after every Every epochs.
type Step struct {
	Start float64
	Every int     // epochs; 0 means 1
	Gamma float64 // 0 means 0.1
}

// Rate is Start · Gamma^⌊epoch/Every⌋.
func (s Step) Rate(at At) float64 {
	return s.Start * math.Pow(def(s.Gamma, 0.1), float64(at.Epoch/max(s.Every, 1)))
}

// Check wants no setting below 0.
func (s Step) Check() error {
	if s.Every < 0 || !(s.Gamma >= 0) {
		return errors.Errorf("step schedule: factor %v every %d epochs, want neither below 0", s.Gamma, s.Every)
	}
	return nil
}

// MultiStep multiplies the rate by Gamma at the start of each epoch in Epochs.
type MultiStep struct {
	Start  float64
	Epochs []int
	Gamma  float64 // 0 means 0.1
}

// Rate is Start · Gamma^(number of Epochs reached).
func (m MultiStep) Rate(at At) float64 {
	n := 0
	for _, e := range m.Epochs {
		if at.Epoch >= e {
			n++
		}
	}
	return m.Start * math.Pow(def(m.Gamma, 0.1), float64(n))
}

// Exponential multiplies the rate by Gamma each epoch.
type Exponential struct {
	Start float64
	Gamma float64
}

// Rate is Start · Gamma^epoch.
func (e Exponential) Rate(at At) float64 { return e.Start * math.Pow(e.Gamma, float64(at.Epoch)) }

// Check wants Gamma above 0.
func (e Exponential) Check() error {
	if !(e.Gamma > 0) {
		return errors.Errorf("exponential schedule: gamma %v, want above 0", e.Gamma)
	}
	return nil
}

// Polynomial falls from Start to End over the run, step by step.
type Polynomial struct {
	Start, End float64
	Power      float64 // 0 means 1, a straight line
	Steps      int     // length of the fall; 0 means the whole run
}

// Rate is End + (Start − End)·(1 − step/Steps)^Power, and End afterwards.
func (p Polynomial) Rate(at At) float64 {
	n := p.Steps
	if n == 0 {
		n = at.steps()
	}
	left := 1 - ratio(at.Step, n)
	return p.End + (p.Start-p.End)*math.Pow(left, def(p.Power, 1))
}

// Check wants no setting below 0.
func (p Polynomial) Check() error {
	if p.Steps < 0 || !(p.Power >= 0) {
		return errors.Errorf("polynomial schedule: %d steps with power %v, want neither below 0", p.Steps, p.Power)
	}
	return nil
}

// Warmup rises in a straight line to the rate of the schedule After, and then follows it. After starts at
// the first step of the run: it is covered by the warm-up, not delayed.
type Warmup struct {
	Steps int
	After Schedule
}

// Rate is After's, times (step + 1)/Steps during the warm-up.
func (w Warmup) Rate(at At) float64 {
	rate := w.After.Rate(at)
	if at.Step < w.Steps {
		rate *= float64(at.Step+1) / float64(w.Steps)
	}
	return rate
}

// Check wants a schedule that follows, and checks it.
func (w Warmup) Check() error {
	if w.After == nil || w.Steps < 0 {
		return errors.Errorf("warm-up schedule: %d steps before schedule %v, want 0 or more before one that is there", w.Steps, w.After)
	}
	return Check(w.After)
}

// Check checks the settings of any schedule.
func Check(s Schedule) error {
	if s == nil {
		return errors.New("no schedule")
	}
	if c, ok := s.(Checker); ok {
		return c.Check()
	}
	return nil
}

func def(v, otherwise float64) float64 {
	if v == 0 {
		return otherwise
	}
	return v
}

// ratio is step/steps, at most 1.
func ratio(step, steps int) float64 {
	if step >= steps {
		return 1
	}
	return float64(step) / float64(steps)
}
