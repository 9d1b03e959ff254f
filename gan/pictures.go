package gan

import (
	"math/rand/v2"

	"github.com/stheno-ml/stheno/train/augment"
	"github.com/stheno-ml/stheno/train/data"
)

// Pictures is a transform for pictures of any size: they are scaled until they just cover the size, the middle is cut
// out, and numbers go from −1 to 1, as a generator's do. channels is 1 or 3.
func Pictures(channels, height, width int) data.Transform {
	half := make([]float32, channels)
	for i := range half {
		half[i] = 0.5
	}
	cover := augment.Func(func(p *augment.Picture, _ *rand.Rand) (*augment.Picture, error) {
		h, w := height, max((p.W*height+p.H/2)/p.H, width)
		if p.W*height < p.H*width {
			h, w = max((p.H*width+p.W/2)/p.W, height), width
		}
		return p.Resize(h, w, augment.Bilinear)
	})
	return augment.Pipeline{Channels: channels, Height: height, Width: width,
		Ops:    []augment.Op{cover, augment.CenterCrop{Height: height, Width: width}},
		Floats: []augment.FloatOp{augment.Normalize{Mean: half, Std: half}},
	}
}
