package bench

import (
	"context"
	"runtime"
	"time"

	"github.com/pkg/errors"

	"github.com/stheno-ml/stheno/train/augment"
	"github.com/stheno-ml/stheno/train/data"
)

// PicturesRow is how fast pictures are made ready for training.
type PicturesRow struct {
	Files   int     `json:"files"`
	Size    int     `json:"size"`    // pixels on a side of what comes out
	Workers int     `json:"workers"` // goroutines
	Speed   float64 `json:"pictures_per_s"`
	Best    float64 `json:"best_pictures_per_s"` // of the epochs
	CPU     float64 `json:"cpu_ms"`              // processor time for a picture
}

// Pictures decodes the files of a folder of classes, crops and resizes them by chance to size × size, flips half of
// them and normalises, as networks are trained on ImageNet, for some epochs; the first one warms up.
func Pictures(dir string, size, epochs int) (PicturesRow, error) {
	r := PicturesRow{Size: size, Workers: runtime.GOMAXPROCS(0)}
	files, err := data.Folder(dir)
	if err != nil {
		return r, errors.Wrap(err, "bench")
	}
	r.Files = files.Len()
	loader, err := data.NewLoader(files, data.LoaderConfig{Batch: min(32, r.Files), Shuffle: true, Seed: 1, Transform: augment.Pipeline{
		Channels: 3, Height: size, Width: size,
		Ops:    []augment.Op{augment.RandomResizedCrop{Height: size, Width: size}, augment.RandomHorizontalFlip{}},
		Floats: []augment.FloatOp{augment.ImageNet},
	}})
	if err != nil {
		return r, errors.Wrap(err, "bench")
	}
	var took, spent time.Duration
	for epoch := range epochs + 1 {
		start, own := time.Now(), ownBusy()
		for _, err := range loader.Epoch(context.Background(), epoch, 0) {
			if err != nil {
				return r, errors.Wrap(err, "bench")
			}
		}
		if epoch > 0 {
			d := time.Since(start)
			took += d
			spent += ownBusy() - own
			r.Best = max(r.Best, float64(r.Files)/d.Seconds())
		}
	}
	all := float64(r.Files * epochs)
	r.Speed, r.CPU = all/took.Seconds(), 1e3*spent.Seconds()/all
	return r, nil
}
