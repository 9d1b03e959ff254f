package schedule

import (
	"math"

	"github.com/pkg/errors"
)

// Cosine falls from Peak to Floor along half a cosine, step by step, after a warm-up in a straight line
// (Loshchilov and Hutter 2017, equation 5).
type Cosine struct {
	Peak, Floor float64
	Warmup      int // steps; the first has Peak/Warmup
	// Cycle is the length in epochs after which the rate is Peak again; 0 means one fall over the run.
	// The warm-up comes before the first cycle.
	Cycle int
	Grow  int // each cycle is so many times as long as the one before; 0 means 1
}

// Rate is Floor + (Peak − Floor)·(1 + cos(π·s/S))/2, where s of the cycle's S steps are done.
func (c Cosine) Rate(at At) float64 {
	if at.Step < c.Warmup {
		return c.Peak * float64(at.Step+1) / float64(c.Warmup)
	}
	done, length := at.Step-c.Warmup, at.steps()-c.Warmup
	if c.Cycle > 0 {
		length = c.Cycle * at.PerEpoch
		for length > 0 && done >= length {
			done -= length
			length *= max(c.Grow, 1)
		}
	}
	return anneal(c.Peak, c.Floor, ratio(done, length))
}

// Check wants no length below 0.
func (c Cosine) Check() error {
	if c.Warmup < 0 || c.Cycle < 0 || c.Grow < 0 {
		return errors.Errorf("cosine schedule: warm-up %d, cycle %d, growth %d, want none below 0", c.Warmup, c.Cycle, c.Grow)
	}
	return nil
}

// OneCycle rises from Peak/Divide to Peak and falls to the first rate over Final, in one run (Smith and
// Topin 2018). The momentum, which the paper cycles the other way, is left alone.
type OneCycle struct {
	Peak   float64
	Rise   float64 // share of the run; 0 means 0.3
	Divide float64 // 0 means 25
	Final  float64 // 0 means 10,000
	Linear bool    // straight lines rather than cosines
	Steps  int     // length; 0 means the whole run
}

// Rate rises over the first Rise of the steps and falls over the rest.
func (o OneCycle) Rate(at At) float64 {
	n := o.Steps
	if n == 0 {
		n = at.steps()
	}
	start := o.Peak / def(o.Divide, 25)
	end := start / def(o.Final, 1e4)
	// The peak is at this step, which need not be a whole number; the last step has the final rate.
	peak := def(o.Rise, 0.3)*float64(n) - 1
	curve := anneal
	if o.Linear {
		curve = line
	}
	switch s := float64(at.Step); {
	case peak > 0 && s <= peak:
		return curve(start, o.Peak, s/peak)
	case at.Step < n-1:
		return curve(o.Peak, end, (s-peak)/(float64(n-1)-peak))
	}
	return end
}

// Check wants the rise to be a share and the divisors to be above 0.
func (o OneCycle) Check() error {
	if !(o.Rise >= 0 && o.Rise <= 1) || !(o.Divide >= 0) || !(o.Final >= 0) || o.Steps < 0 {
		return errors.Errorf("one-cycle schedule: rise %v, divisors %v and %v, %d steps; want a share of 0 to 1 and nothing below 0", o.Rise, o.Divide, o.Final, o.Steps)
	}
	return nil
}

// anneal goes from a to b along half a cosine as x goes from 0 to 1.
func anneal(a, b, x float64) float64 { return b + (a-b)*(1+math.Cos(math.Pi*x))/2 }

func line(a, b, x float64) float64 { return a + (b-a)*x }
