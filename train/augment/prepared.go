package augment

import (
	"math/rand/v2"

	"github.com/pkg/errors"

	"github.com/stheno-ml/stheno/zoo/preprocess"
)

// Prepared makes of pixels from 0 to 1 the numbers that a network's weights want: scale, mean, deviation and order
// of channels of zoo.Model.Preprocess. The size is the business of the operations before.
type Prepared preprocess.Config

// ApplyFloats scales.
func (o Prepared) ApplyFloats(x []float32, shape [3]int, rnd *rand.Rand) error {
	if o.Background != nil {
		return errors.New("prepared: a background for transparent pixels is not supported in training")
	}
	scale := float32(1) // of pixels from 0 to 1
	if o.Scale != 0 {
		scale = float32(o.Scale * 255)
	}
	norm := Normalize{Mean: make([]float32, shape[0]), Std: make([]float32, shape[0])}
	for c := range shape[0] {
		norm.Mean[c], norm.Std[c] = float32(channel(o.Mean, c, shape[0], 0))/scale, float32(channel(o.Std, c, shape[0], 1))/scale
	}
	if o.BGR && shape[0] == 3 {
		n := shape[1] * shape[2]
		for i := range n {
			x[i], x[2*n+i] = x[2*n+i], x[i]
		}
	}
	return norm.ApplyFloats(x, shape, rnd)
}

// channel is the value for a channel: of one for all, of one each, or their mean for grey pictures.
func channel(values []float64, c, channels int, none float64) float64 {
	switch {
	case len(values) == 0:
		return none
	case channels == 1:
		sum := 0.0
		for _, v := range values {
			sum += v
		}
		return sum / float64(len(values))
	case c < len(values):
		return values[c]
	}
	return values[0]
}
