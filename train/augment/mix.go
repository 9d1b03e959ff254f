package augment

import (
	"math"
	"math/rand/v2"

	"github.com/pkg/errors"
	"gonum.org/v1/gonum/stat/distuv"

	"github.com/stheno-ml/stheno/train/data"
)

// MixUp mixes each picture of a batch with the one before it, λ of its own to 1−λ, and the labels alike (Zhang et
// al. 2018). λ is drawn for the batch, from the distribution Beta(Alpha, Alpha).
type MixUp struct {
	Alpha float64 // 0 means 1; the paper has 0.2 for ImageNet
	P     float64 // share of batches that are mixed; 0 means all
}

// CutMix puts a rectangle of the picture before into each picture of a batch, and mixes the labels by area (Yun
// et al. 2019). The rectangle is one for the batch; its share of the area is 1−λ, λ from Beta(Alpha, Alpha).
type CutMix struct {
	Alpha float64 // 0 means 1, as in the paper
	P     float64 // share of batches that are mixed; 0 means all
}

// MixChoice mixes each batch by one of its members.
type MixChoice []data.Mixer

// Mix picks one.
func (o MixChoice) Mix(b *data.Batch, rnd *rand.Rand) error {
	if len(o) == 0 {
		return nil
	}
	return o[rnd.IntN(len(o))].Mix(b, rnd)
}

// share draws λ; false means that the batch is left alone.
func share(alpha, p float64, rnd *rand.Rand) (lambda float64, mix bool, err error) {
	if alpha == 0 {
		alpha = 1
	}
	if !(alpha > 0) || math.IsInf(alpha, 0) || !(p >= 0 && p <= 1) {
		return 0, false, errors.Errorf("alpha %v, probability %v; want alpha above 0, and a probability", alpha, p)
	}
	if !chance(p, 1, rnd) {
		return 0, false, nil
	}
	return distuv.Beta{Alpha: alpha, Beta: alpha, Src: rnd}.Rand(), true, nil
}

// Mix mixes the pictures.
func (o MixUp) Mix(b *data.Batch, rnd *rand.Rand) error {
	lambda, mix, err := share(o.Alpha, o.P, rnd)
	if err != nil || !mix {
		return errors.WithMessage(err, "MixUp")
	}
	own, other := float32(lambda), float32(1-lambda)
	mixWithPrevious(b, lambda, func(dst, src []float32) {
		for i, v := range src {
			dst[i] = own*dst[i] + other*v
		}
	})
	return nil
}

// Mix puts the rectangles in.
func (o CutMix) Mix(b *data.Batch, rnd *rand.Rand) error {
	lambda, mix, err := share(o.Alpha, o.P, rnd)
	if err != nil || !mix {
		return errors.WithMessage(err, "CutMix")
	}
	s := b.Images.Shape()
	c, h, w := s[1], s[2], s[3]
	x, y := rnd.IntN(w), rnd.IntN(h)
	r := 0.5 * math.Sqrt(1-lambda)
	halfW, halfH := int(r*float64(w)), int(r*float64(h))
	x0, x1 := max(x-halfW, 0), min(x+halfW, w)
	y0, y1 := max(y-halfH, 0), min(y+halfH, h)
	lambda = 1 - float64((x1-x0)*(y1-y0))/float64(w*h)
	mixWithPrevious(b, lambda, func(dst, src []float32) {
		for k := range c {
			for row := y0; row < y1; row++ {
				at := (k*h + row) * w
				copy(dst[at+x0:at+x1], src[at+x0:at+x1])
			}
		}
	})
	return nil
}

// mixWithPrevious calls mix for each picture with the one before it, unmixed; the first comes after the last.
func mixWithPrevious(b *data.Batch, lambda float64, mix func(dst, src []float32)) {
	n := len(b.Labels)
	x := b.Images.Float32s()
	size := len(x) / n
	last := append([]float32(nil), x[(n-1)*size:]...)
	for i := n - 1; i >= 0; i-- {
		src := last
		if i > 0 {
			src = x[(i-1)*size : i*size]
		}
		mix(x[i*size:(i+1)*size], src)
		b.Second[i], b.Share[i] = b.Labels[(i+n-1)%n], lambda
	}
}
