package augment

import "math/rand/v2"

// Invert makes a negative, in place.
func (p *Picture) Invert() *Picture { return p.Solarize(0) }

// Solarize makes a negative of the values from threshold on, in place.
func (p *Picture) Solarize(threshold float64) *Picture {
	var t [256]uint8
	for i := range t {
		t[i] = uint8(i)
		if float64(i) >= threshold {
			t[i] = uint8(255 - i)
		}
	}
	return p.lookUp(&t)
}

// Posterize keeps so many bits of each value, 0 to 8, in place.
func (p *Picture) Posterize(bits int) *Picture {
	var t [256]uint8
	for i := range t {
		t[i] = uint8(i) &^ uint8(1<<(8-min(max(bits, 0), 8))-1)
	}
	return p.lookUp(&t)
}

// AutoContrast stretches the values of each channel over the whole range, in place.
func (p *Picture) AutoContrast() *Picture {
	return p.byHistogram(func(h *[256]int) (t [256]uint8) {
		lo, hi := 0, 255
		for lo < 255 && h[lo] == 0 {
			lo++
		}
		for hi > 0 && h[hi] == 0 {
			hi--
		}
		for i := range t {
			t[i] = uint8(i)
			if hi > lo {
				scale := 255 / float64(hi-lo)
				t[i] = clip8(int(float64(i)*scale + -float64(lo)*scale))
			}
		}
		return t
	})
}

// Equalize makes all values of each channel as frequent as can be, in place.
func (p *Picture) Equalize() *Picture {
	return p.byHistogram(func(h *[256]int) (t [256]uint8) {
		total, last, used := 0, 0, 0
		for i, n := range h {
			t[i] = uint8(i)
			if n > 0 {
				total, last, used = total+n, n, used+1
			}
		}
		step := (total - last) / 255
		if used < 2 || step == 0 {
			return t
		}
		n := step / 2
		for i := range t {
			t[i] = clip8(n / step)
			n += h[i]
		}
		return t
	})
}

// byHistogram maps each channel by a table made of how often each value occurs in it.
func (p *Picture) byHistogram(make func(*[256]int) [256]uint8) *Picture {
	for c := range p.C {
		var h [256]int
		for i := c; i < len(p.Pix); i += p.C {
			h[p.Pix[i]]++
		}
		t := make(&h)
		for i := c; i < len(p.Pix); i += p.C {
			p.Pix[i] = t[p.Pix[i]]
		}
	}
	return p
}

// Sharpness moves pixels away from those of a smoothed picture by a factor: 0 smooths, 2 sharpens. The border of one
// pixel stays.
func (p *Picture) Sharpness(factor float64) *Picture {
	if factor == 1 {
		return p
	}
	const side, middle = float32(1) / 13, float32(5) / 13
	out := p.Clone()
	n := p.W * p.C
	for y := 1; y < p.H-1; y++ {
		for i := y*n + p.C; i < (y+1)*n-p.C; i++ {
			row := func(at int, centre float32) float32 {
				return float32(p.Pix[at-p.C])*side + float32(p.Pix[at])*centre + float32(p.Pix[at+p.C])*side
			}
			smooth := 0.5 + row(i+n, side) + row(i, middle) + row(i-n, side)
			out.Pix[i] = blend(p.Pix[i], uint8(min(smooth, 255)), float32(factor))
		}
	}
	return out
}

// AutoContrast stretches contrast always.
type AutoContrast struct{}

// Apply stretches it.
func (AutoContrast) Apply(p *Picture, _ *rand.Rand) (*Picture, error) { return p.AutoContrast(), nil }

// RandomAutocontrast stretches contrast by chance.
type RandomAutocontrast struct{ P float64 } // 0 means 0.5

// Apply stretches it, or not.
func (o RandomAutocontrast) Apply(p *Picture, rnd *rand.Rand) (*Picture, error) {
	if chance(o.P, 0.5, rnd) {
		p.AutoContrast()
	}
	return p, nil
}

// RandomEqualize equalises the histogram by chance.
type RandomEqualize struct{ P float64 } // 0 means 0.5

// Apply equalises it, or not.
func (o RandomEqualize) Apply(p *Picture, rnd *rand.Rand) (*Picture, error) {
	if chance(o.P, 0.5, rnd) {
		p.Equalize()
	}
	return p, nil
}

// RandomInvert makes a negative by chance.
type RandomInvert struct{ P float64 } // 0 means 0.5

// Apply inverts, or not.
func (o RandomInvert) Apply(p *Picture, rnd *rand.Rand) (*Picture, error) {
	if chance(o.P, 0.5, rnd) {
		p.Invert()
	}
	return p, nil
}

// RandomPosterize keeps a few bits of each value by chance.
type RandomPosterize struct {
	Bits int
	P    float64 // 0 means 0.5
}

// Apply posterises, or not.
func (o RandomPosterize) Apply(p *Picture, rnd *rand.Rand) (*Picture, error) {
	if chance(o.P, 0.5, rnd) {
		p.Posterize(o.Bits)
	}
	return p, nil
}

// RandomSolarize makes a negative of bright values by chance.
type RandomSolarize struct {
	Threshold float64
	P         float64 // 0 means 0.5
}

// Apply solarises, or not.
func (o RandomSolarize) Apply(p *Picture, rnd *rand.Rand) (*Picture, error) {
	if chance(o.P, 0.5, rnd) {
		p.Solarize(o.Threshold)
	}
	return p, nil
}

// RandomAdjustSharpness sharpens or smooths by chance.
type RandomAdjustSharpness struct {
	Factor float64 // 0 smooths, 2 sharpens
	P      float64 // 0 means 0.5
}

// Apply changes sharpness, or not.
func (o RandomAdjustSharpness) Apply(p *Picture, rnd *rand.Rand) (*Picture, error) {
	if chance(o.P, 0.5, rnd) {
		return p.Sharpness(o.Factor), nil
	}
	return p, nil
}
