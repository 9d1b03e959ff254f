package augment

import (
	"math"
	"math/rand/v2"

	"github.com/pkg/errors"
)

// RandAugment applies some of 14 operations, each with one strength (Cubuk et al. 2020), by torchvision's
// table of strengths.
type RandAugment struct {
	Ops       int // one after another; 0 means 2
	Magnitude int // of Bins; 0 means 9, below 0 none
	Bins      int // 0 means 31
	Warp          // Nearest is torchvision's default
}

// augmentation is an operation of RandAugment. strength is from 0 to 1, negative half of the time where the
// operation has two directions.
type augmentation struct {
	name   string
	signed bool
	apply  func(p *Picture, strength float64, o Warp) (*Picture, error)
}

var augmentations = []augmentation{
	{"Identity", false, func(p *Picture, _ float64, _ Warp) (*Picture, error) { return p, nil }},
	{"ShearX", true, func(p *Picture, s float64, o Warp) (*Picture, error) {
		return p.Transform(p.H, p.W, AffineMap(0, 0, 0, 0, 0, 1, math.Atan(0.3*s)*180/math.Pi, 0), o)
	}},
	{"ShearY", true, func(p *Picture, s float64, o Warp) (*Picture, error) {
		return p.Transform(p.H, p.W, AffineMap(0, 0, 0, 0, 0, 1, 0, math.Atan(0.3*s)*180/math.Pi), o)
	}},
	{"TranslateX", true, func(p *Picture, s float64, o Warp) (*Picture, error) {
		return p.Transform(p.H, p.W, AffineMap(float64(p.W)/2, float64(p.H)/2, 0, math.Trunc(150./331*float64(p.W)*s), 0, 1, 0, 0), o)
	}},
	{"TranslateY", true, func(p *Picture, s float64, o Warp) (*Picture, error) {
		return p.Transform(p.H, p.W, AffineMap(float64(p.W)/2, float64(p.H)/2, 0, 0, math.Trunc(150./331*float64(p.H)*s), 1, 0, 0), o)
	}},
	{"Rotate", true, func(p *Picture, s float64, o Warp) (*Picture, error) { return p.Rotate(30*s, false, o) }},
	{"Brightness", true, func(p *Picture, s float64, _ Warp) (*Picture, error) { return p.Brightness(1 + 0.9*s), nil }},
	{"Color", true, func(p *Picture, s float64, _ Warp) (*Picture, error) { return p.Saturation(1 + 0.9*s), nil }},
	{"Contrast", true, func(p *Picture, s float64, _ Warp) (*Picture, error) { return p.Contrast(1 + 0.9*s), nil }},
	{"Sharpness", true, func(p *Picture, s float64, _ Warp) (*Picture, error) { return p.Sharpness(1 + 0.9*s), nil }},
	{"Posterize", false, func(p *Picture, s float64, _ Warp) (*Picture, error) {
		return p.Posterize(8 - int(math.RoundToEven(4*s))), nil
	}},
	{"Solarize", false, func(p *Picture, s float64, _ Warp) (*Picture, error) { return p.Solarize(255 * (1 - s)), nil }},
	{"AutoContrast", false, func(p *Picture, _ float64, _ Warp) (*Picture, error) { return p.AutoContrast(), nil }},
	{"Equalize", false, func(p *Picture, _ float64, _ Warp) (*Picture, error) { return p.Equalize(), nil }},
}

// Apply applies some operations.
func (o RandAugment) Apply(p *Picture, rnd *rand.Rand) (*Picture, error) {
	if o.Ops == 0 {
		o.Ops = 2
	}
	if o.Magnitude == 0 {
		o.Magnitude = 9
	}
	if o.Bins == 0 {
		o.Bins = 31
	}
	if o.Ops < 0 || o.Bins < 2 || o.Magnitude >= o.Bins {
		return nil, errors.Errorf("RandAugment: %d operations of magnitude %d of %d, want a magnitude below the number", o.Ops, o.Magnitude, o.Bins)
	}
	strength := float64(max(o.Magnitude, 0)) / float64(o.Bins-1)
	for range o.Ops {
		a := augmentations[rnd.IntN(len(augmentations))]
		s := strength
		if a.signed && rnd.IntN(2) == 1 {
			s = -s
		}
		var err error
		if p, err = a.apply(p, s, o.Warp); err != nil {
			return nil, errors.WithMessage(err, "RandAugment: "+a.name)
		}
	}
	return p, nil
}
