package gan

import (
	"fmt"
	"io"
	"os"

	"github.com/pkg/errors"
	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// Progress shows a bar for each epoch with both losses, what the discriminator takes real and generated pictures for,
// pictures a second and time left, and a line with the epoch's figures when it is over. A file or a pipe gets the lines
// only.
func Progress(w io.Writer) Callback {
	p := &progress{w: w}
	if f, ok := w.(*os.File); !ok || !term.IsTerminal(int(f.Fd())) {
		return Hooks{OnEpochEnd: p.epoch}
	}
	return Hooks{OnStepEnd: p.step, OnEpochEnd: p.epoch, OnEnd: p.end}
}

type progress struct {
	w   io.Writer
	bar *progressbar.ProgressBar
}

func (f Figures) String() string {
	return fmt.Sprintf("D %.4f  G %.4f  D(x) %.3f  D(G(z)) %.3f", f.D, f.G, f.Real, f.Fake)
}

func (p *progress) step(r *Run) error {
	if p.bar == nil {
		p.bar = progressbar.NewOptions(r.Batches,
			progressbar.OptionSetWriter(p.w), progressbar.OptionSetWidth(24), progressbar.OptionThrottle(100e6),
			progressbar.OptionSetPredictTime(true), progressbar.OptionSetElapsedTime(true), progressbar.OptionClearOnFinish(),
			progressbar.OptionSetTheme(progressbar.Theme{Saucer: "█", SaucerPadding: "░", BarStart: "", BarEnd: ""}))
	}
	p.bar.Describe(fmt.Sprintf("epoch %d/%d  %v  %.0f pictures/s", r.Epoch+1, r.Config.Epochs, r.Mean, r.Speed))
	return errors.Wrap(p.bar.Set(r.Batch+1), "progress")
}

func (p *progress) epoch(r *Run) error {
	if err := p.end(r); err != nil {
		return err
	}
	e := r.History[len(r.History)-1]
	_, err := fmt.Fprintf(p.w, "epoch %d/%d  %v  %.0f pictures/s  %.1f s\n", e.Epoch, r.Config.Epochs, e.Figures, e.Speed, e.Took.Seconds())
	return errors.Wrap(err, "progress")
}

func (p *progress) end(*Run) error {
	if p.bar == nil {
		return nil
	}
	bar := p.bar
	p.bar = nil
	return errors.Wrap(bar.Clear(), "progress")
}
