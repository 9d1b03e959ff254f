package train

import (
	"fmt"
	"io"
	"time"

	"github.com/pkg/errors"
)

// Timing writes, after each epoch, what its time went into: waiting for pictures, steps, validation and the
// rest. A run that waits wants more Workers, smaller files or less augmentation.
func Timing(w io.Writer) Callback {
	return Hooks{OnEpochEnd: func(r *Run) error {
		e := r.History[len(r.History)-1]
		share := func(d time.Duration) float64 { return 100 * d.Seconds() / max(e.Took.Seconds(), 1e-9) }
		rest := e.Took - e.Wait - e.Stepping - e.Validating
		_, err := fmt.Fprintf(w, "epoch %d took %v: %.1f %% waiting for pictures, %.1f %% steps, %.1f %% validation, %.1f %% callbacks and checkpoints; %.1f ms a step\n",
			e.Epoch, e.Took.Round(time.Millisecond), share(e.Wait), share(e.Stepping), share(e.Validating), share(max(rest, 0)),
			1e3*e.Stepping.Seconds()/float64(max(r.Batches, 1)))
		return errors.Wrap(err, "timing")
	}}
}
