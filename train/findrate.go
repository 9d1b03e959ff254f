package train

import (
	"context"
	"fmt"
	"math"

	"github.com/pkg/errors"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/nn"
	"github.com/stheno-ml/stheno/train/data"
	"github.com/stheno-ml/stheno/train/plot"
	"github.com/stheno-ml/stheno/train/schedule"
)

// RateRange is what FindRate tries. The zero value will do.
type RateRange struct {
	From, To float64 // learning rates; 0 means 1e-7 and 10
	Steps    int     // 0 means 100
}

// Rates is what FindRate found.
type Rates struct {
	Rate   []float64 // of each step
	Loss   []float64 // of each step, before it
	Smooth []float64 // moving average of Loss
	Best   float64   // where Smooth falls most steeply over the logarithm of the rate
	Lowest float64   // where Smooth is least beyond Best: larger rates are too large to begin with
}

// FindRate tries learning rates (Smith 2017, section 3.3): the rate grows by a constant factor from step to
// step, until the loss is four times the best. The model is as before when it returns. Of c, Epochs,
// Schedule, Validate, Checkpoint, Resume and Callbacks are left out of account.
func FindRate(ctx context.Context, m *nn.Model, ds data.Dataset, c Config, over RateRange) (*Rates, error) {
	if over.From == 0 {
		over.From = 1e-7
	}
	if over.To == 0 {
		over.To = 10
	}
	if over.Steps == 0 {
		over.Steps = 100
	}
	if !(over.From > 0 && over.From < over.To) || math.IsInf(over.To, 0) || over.Steps < 5 {
		return nil, errors.Errorf("find rate: %v to %v in %d steps, want a range above 0 and at least 5 steps", over.From, over.To, over.Steps)
	}
	if m == nil {
		return nil, errors.New("find rate: no model")
	}
	var before []*tensor.Dense
	for _, v := range m.Store().Variables() {
		before = append(before, v.Value.Clone().(*tensor.Dense))
	}
	defer func() {
		for i, v := range m.Store().Variables() {
			// Of one shape and type: that cannot fail.
			_ = tensor.Copy(v.Value, before[i])
		}
	}()

	r := &Rates{}
	grow := math.Pow(over.To/over.From, 1/float64(over.Steps-1))
	c.Validate, c.Metrics, c.Checkpoint, c.Resume, c.EMA = nil, nil, Checkpoint{}, "", EMA{}
	c.Epochs = over.Steps // more than enough: an epoch has a step at least
	c.Schedule = rising{over.From, grow}
	average, best := 0.0, math.Inf(1)
	c.Callbacks = []Callback{Hooks{OnStepEnd: func(run *Run) error {
		n := len(r.Loss)
		if n == run.Updates { // gradients of more batches to come
			return nil
		}
		const keep = 0.9 // of ten steps or so; a longer memory would show every turn at too large a rate
		average = keep*average + (1-keep)*run.Loss
		smooth := average / (1 - math.Pow(keep, float64(n+1)))
		r.Rate, r.Loss, r.Smooth = append(r.Rate, run.Rate), append(r.Loss, run.Loss), append(r.Smooth, smooth)
		best = min(best, smooth)
		if n+1 == over.Steps || n > 4 && smooth > 4*best {
			run.Stop()
		}
		return nil
	}}}
	// A loss that is not finite is what the search runs into; what it found before is the result.
	if _, err := Fit(ctx, m, ds, c); err != nil && (ctx.Err() != nil || len(r.Loss) < 5) {
		return nil, errors.WithMessage(err, "find rate")
	}
	r.Best, r.Lowest = r.marks()
	return r, nil
}

type rising struct{ from, grow float64 }

func (s rising) Rate(at schedule.At) float64 { return s.from * math.Pow(s.grow, float64(at.Step)) }

// marks finds where the smoothed loss falls fastest, by central differences, and where it is least after that.
func (r *Rates) marks() (steepest, lowest float64) {
	at, slope := 0, math.Inf(1)
	for i := 1; i+1 < len(r.Smooth); i++ {
		if s := r.Smooth[i+1] - r.Smooth[i-1]; s < slope {
			at, slope = i, s
		}
	}
	least := at
	for i := at; i < len(r.Smooth); i++ {
		if r.Smooth[i] < r.Smooth[least] {
			least = i
		}
	}
	return r.Rate[at], r.Rate[least]
}

// Plot draws the loss over the rate into a PNG file, up to where it leaves the picture for good: where the smoothed
// loss is twice the first, or a single one three times.
func (r *Rates) Plot(path string) error {
	shown := 0
	for shown < len(r.Rate) && r.Smooth[shown] <= 2*r.Loss[0] && r.Loss[shown] <= 3*r.Loss[0] {
		shown++
	}
	title := fmt.Sprintf("learning rate: steepest at %.1g, lowest at %.1g", r.Best, r.Lowest)
	return plot.Curves(path, title, plot.Panel{Title: "loss", XLabel: "learning rate", LogX: true, Series: []plot.Series{
		{Name: "loss", Values: r.Loss[:shown], X: r.Rate[:shown]}, {Name: "smoothed", Values: r.Smooth[:shown], X: r.Rate[:shown]},
	}})
}
