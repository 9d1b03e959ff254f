package gan

import (
	"encoding/json"
	"fmt"
	"io"

	"github.com/pkg/errors"
)

// Collapse writes a warning when a run has gone wrong in one of two known ways:
//
//   - the discriminator's loss has stayed at 0 for 200 steps: it tells all pictures apart, and the generator learns
//     nothing more (only for losses that end at 0);
//   - samples are all alike: after an epoch their pixels differ by less than a tenth of what real ones do (mode
//     collapse).
func Collapse(w io.Writer) Callback { return &collapse{w: w} }

const (
	vanished      = 1e-3 // loss that counts as 0: a picture in a thousand is not told with certainty
	vanishedSteps = 200
	alikeShare    = 0.1
)

type collapse struct {
	quiet
	w     io.Writer
	steps int // for which the loss has been at 0
}

func (c *collapse) Key() string                     { return "collapse" }
func (c *collapse) State() (json.RawMessage, error) { return json.Marshal(c.steps) }
func (c *collapse) Restore(b json.RawMessage) error {
	return errors.WithStack(json.Unmarshal(b, &c.steps))
}

func (c *collapse) StepEnd(r *Run) error {
	if !r.Config.Loss.Vanishes || r.Last.D > vanished {
		c.steps = 0
		return nil
	}
	c.steps++
	if c.steps != vanishedSteps { // once
		return nil
	}
	return c.warn("warning: the discriminator's loss has been at 0 for %d steps: the generator learns nothing more; try a lower rate for the discriminator, label smoothing, noise, or another loss\n", c.steps)
}

func (c *collapse) EpochEnd(r *Run) error {
	if r.Spread >= alikeShare*r.RealSpread || r.Config.Samples < 2 {
		return nil
	}
	return c.warn("warning: after epoch %d samples are all alike: their pixels differ by %.3f, those of real pictures by %.3f\n", r.Epoch+1, r.Spread, r.RealSpread)
}

func (c *collapse) warn(format string, a ...any) error {
	_, err := fmt.Fprintf(c.w, format, a...)
	return errors.Wrap(err, "collapse")
}
