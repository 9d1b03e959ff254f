package gan

import (
	"os"
	"path/filepath"

	"github.com/pkg/errors"

	"github.com/stheno-ml/stheno/train/plot"
)

// Curves draws both losses and the discriminator's scores over the epochs into a PNG file, anew after each epoch.
func Curves(path string) Callback {
	return Hooks{OnEpochEnd: func(r *Run) error {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return errors.Wrap(err, "curves")
		}
		var d, g, real, fake []float64
		for _, e := range r.History {
			d, g, real, fake = append(d, e.D), append(g, e.G), append(real, e.Real), append(fake, e.Fake)
		}
		return errors.Wrap(plot.Curves(path, r.Config.Loss.Name,
			plot.Panel{Title: "loss", Series: []plot.Series{{Name: "discriminator", Values: d}, {Name: "generator", Values: g}}},
			plot.Panel{Title: "the discriminator's score", Series: []plot.Series{{Name: "real", Values: real}, {Name: "generated", Values: fake}}}), "curves")
	}}
}
