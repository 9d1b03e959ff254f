package augment

import (
	"math"
	"math/rand/v2"

	"github.com/pkg/errors"
)

// blend moves every pixel from another value to its own: factor 0 gives the other, 1 its own, more than 1
// goes on beyond. It computes in float32 and cuts fractions off, as PIL does.
func blend(own, other uint8, factor float32) uint8 {
	v := float32(other) + factor*float32(int(own)-int(other))
	if v <= 0 {
		return 0
	}
	return uint8(min(v, 255))
}

// table is blend with one other value, for every value of a pixel.
func table(other uint8, factor float32) (t [256]uint8) {
	for i := range t {
		t[i] = blend(uint8(i), other, factor)
	}
	return t
}

func (p *Picture) lookUp(t *[256]uint8) *Picture {
	for i, v := range p.Pix {
		p.Pix[i] = t[v]
	}
	return p
}

// Brightness multiplies by a factor of 0 or more, in place.
func (p *Picture) Brightness(factor float64) *Picture {
	if factor == 1 {
		return p
	}
	t := table(0, float32(factor))
	return p.lookUp(&t)
}

// Contrast moves pixels away from the mean grey level by a factor of 0 or more, in place.
func (p *Picture) Contrast(factor float64) *Picture {
	if factor == 1 {
		return p
	}
	sum, n := 0, p.H*p.W
	for i := range n {
		sum += int(p.grey(i))
	}
	t := table(uint8(float64(sum)/float64(n)+0.5), float32(factor))
	return p.lookUp(&t)
}

func (p *Picture) grey(i int) uint8 {
	if p.C == 1 {
		return p.Pix[i]
	}
	return luma(p.Pix[3*i], p.Pix[3*i+1], p.Pix[3*i+2])
}

// Saturation moves colours away from their grey levels by a factor of 0 or more, in place.
func (p *Picture) Saturation(factor float64) *Picture {
	if p.C == 1 || factor == 1 {
		return p
	}
	for i := range p.H * p.W {
		g := p.grey(i)
		for c := range 3 {
			p.Pix[3*i+c] = blend(p.Pix[3*i+c], g, float32(factor))
		}
	}
	return p
}

// Hue turns the colour wheel by a share of a turn, −0.5 to 0.5, in place. It goes by way of 8-bit hue,
// saturation and value, as PIL does.
func (p *Picture) Hue(turn float64) *Picture {
	if p.C == 1 {
		return p
	}
	shift := uint8(int(turn * 255))
	for i := range p.H * p.W {
		px := p.Pix[3*i:][:3]
		h, s, v := toHSV(px[0], px[1], px[2])
		px[0], px[1], px[2] = fromHSV(h+shift, s, v)
	}
	return p
}

// toHSV is Smith's hexcone model (1978) in 8 bits.
func toHSV(r, g, b uint8) (h, s, v uint8) {
	top, low := max(r, g, b), min(r, g, b)
	if top == low {
		return 0, 0, top
	}
	span := float32(top - low)
	rc, gc, bc := float32(top-r)/span, float32(top-g)/span, float32(top-b)/span
	var hue float32
	switch top {
	case r:
		hue = bc - gc
	case g:
		hue = float32(2 + float64(rc) - float64(bc))
	default:
		hue = float32(4 + float64(gc) - float64(rc))
	}
	hue = float32(math.Mod(float64(hue)/6+1, 1))
	return clip8(int(float64(hue) * 255)), clip8(int(float64(span/float32(top)) * 255)), top
}

func fromHSV(h, s, v uint8) (r, g, b uint8) {
	if s == 0 {
		return v, v, v
	}
	at := float64(float32(h) * 6 / 255)
	sector := math.Floor(at)
	f, fs, fv := float32(at-sector), float32(s)/255, float64(v)
	p := clip8(int(math.Round(fv * (1 - float64(fs)))))
	q := clip8(int(math.Round(fv * (1 - float64(fs*f)))))
	t := clip8(int(math.Round(fv * (1 - float64(fs)*(1-float64(f))))))
	switch int(sector) % 6 {
	case 0:
		return v, t, p
	case 1:
		return q, v, p
	case 2:
		return p, v, t
	case 3:
		return p, q, v
	case 4:
		return t, p, v
	}
	return v, p, q
}

// ColorJitter changes brightness, contrast, saturation and hue in random order: the first three by factors
// within 1 ± the setting, hue by a turn within ± the setting, at most 0.5.
type ColorJitter struct{ Brightness, Contrast, Saturation, Hue float64 }

// Apply changes them.
func (o ColorJitter) Apply(p *Picture, rnd *rand.Rand) (*Picture, error) {
	if !(o.Brightness >= 0 && o.Contrast >= 0 && o.Saturation >= 0 && o.Hue >= 0 && o.Hue <= 0.5) {
		return nil, errors.Errorf("color jitter: %+v, want none below 0, and hue at most 0.5", o)
	}
	factor := func(s float64) float64 { return uniform(max(1-s, 0), 1+s, rnd) }
	order := rnd.Perm(4)
	b, c, s, h := factor(o.Brightness), factor(o.Contrast), factor(o.Saturation), uniform(-o.Hue, o.Hue, rnd)
	for _, k := range order {
		switch {
		case k == 0 && o.Brightness > 0:
			p.Brightness(b)
		case k == 1 && o.Contrast > 0:
			p.Contrast(c)
		case k == 2 && o.Saturation > 0:
			p.Saturation(s)
		case k == 3 && o.Hue > 0:
			p.Hue(h)
		}
	}
	return p, nil
}

// Grayscale makes a picture grey that keeps its number of channels.
type Grayscale struct{}

// Apply makes it grey.
func (Grayscale) Apply(p *Picture, _ *rand.Rand) (*Picture, error) {
	if p.C == 3 {
		for i := range p.H * p.W {
			g := p.grey(i)
			p.Pix[3*i], p.Pix[3*i+1], p.Pix[3*i+2] = g, g, g
		}
	}
	return p, nil
}

// RandomGrayscale makes a picture grey by chance.
type RandomGrayscale struct{ P float64 } // 0 means 0.1

// Apply makes it grey, or not.
func (o RandomGrayscale) Apply(p *Picture, rnd *rand.Rand) (*Picture, error) {
	if !chance(o.P, 0.1, rnd) {
		return p, nil
	}
	return Grayscale{}.Apply(p, rnd)
}
