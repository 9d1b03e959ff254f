package augment

import (
	"math"
	"math/rand/v2"

	"github.com/pkg/errors"
)

// Crop cuts out h×w pixels from row y and column x on; what lies outside the picture is black.
func (p *Picture) Crop(y, x, h, w int) (*Picture, error) {
	if h < 1 || w < 1 || h > maxSide || w > maxSide {
		return nil, errors.Errorf("crop: %d×%d pixels, want 1 to %d a side", h, w, maxSide)
	}
	out := New(h, w, p.C)
	x0, x1 := max(x, 0), min(x+w, p.W)
	for r := max(y, 0); r < min(y+h, p.H) && x0 < x1; r++ {
		copy(out.Pix[((r-y)*w+x0-x)*p.C:], p.Pix[(r*p.W+x0)*p.C:(r*p.W+x1)*p.C])
	}
	return out, nil
}

// PadMode is what a border is made of.
type PadMode uint8

const (
	Constant  PadMode = iota // Fill
	Edge                     // the outermost pixel
	Reflect                  // the picture mirrored, without the outermost pixel
	Symmetric                // with it
)

// Pad puts a border round the picture.
func (p *Picture) Pad(top, left, bottom, right int, mode PadMode, fill [3]uint8) (*Picture, error) {
	h, w := p.H+top+bottom, p.W+left+right
	if top < 0 || left < 0 || bottom < 0 || right < 0 || h > maxSide || w > maxSide || mode > Symmetric {
		return nil, errors.Errorf("pad: %d, %d, %d and %d pixels, mode %d: want none below 0, at most %d a side, and a known mode", top, left, bottom, right, mode, maxSide)
	}
	if mode == Reflect && (max(top, bottom) >= p.H || max(left, right) >= p.W) {
		return nil, errors.Errorf("pad: %d, %d, %d and %d pixels are more than a picture of %d×%d has to reflect", top, left, bottom, right, p.H, p.W)
	}
	from := func(i, n int) int {
		switch mode {
		case Edge:
			return min(max(i, 0), n-1)
		case Reflect:
			if i < 0 {
				return -i
			}
			return min(i, 2*n-2-i)
		case Symmetric:
			for i < 0 || i >= n {
				if i < 0 {
					i = -1 - i
				} else {
					i = 2*n - 1 - i
				}
			}
			return i
		}
		return i
	}
	out := New(h, w, p.C)
	for y := range h {
		sy := from(y-top, p.H)
		for x := range w {
			sx := from(x-left, p.W)
			o := out.Pix[(y*w+x)*p.C:][:p.C]
			if sy < 0 || sy >= p.H || sx < 0 || sx >= p.W {
				copy(o, fill[:])
				continue
			}
			copy(o, p.Pix[(sy*p.W+sx)*p.C:])
		}
	}
	return out, nil
}

// CenterCrop cuts out the middle; a picture that is smaller gets a black border.
type CenterCrop struct{ Height, Width int }

// Apply crops.
func (o CenterCrop) Apply(p *Picture, _ *rand.Rand) (*Picture, error) {
	if o.Height < 1 || o.Width < 1 {
		return nil, errors.Errorf("center crop: %d×%d pixels", o.Height, o.Width)
	}
	// Where it must be padded, the larger half of the border is below and on the right, as in torchvision.
	padH, padW := max(o.Height-p.H, 0), max(o.Width-p.W, 0)
	y := int(math.RoundToEven(float64(p.H+padH-o.Height)/2)) - padH/2
	x := int(math.RoundToEven(float64(p.W+padW-o.Width)/2)) - padW/2
	return p.Crop(y, x, o.Height, o.Width)
}

// RandomCrop cuts out a piece at a random place, after Padding all round.
type RandomCrop struct {
	Height, Width int
	Padding       int
	Mode          PadMode
	Fill          [3]uint8
	PadIfNeeded   bool // widen a picture that is too small
}

// Apply crops.
func (o RandomCrop) Apply(p *Picture, rnd *rand.Rand) (*Picture, error) {
	var err error
	if o.Padding != 0 {
		if p, err = p.Pad(o.Padding, o.Padding, o.Padding, o.Padding, o.Mode, o.Fill); err != nil {
			return nil, err
		}
	}
	if needH, needW := max(o.Height-p.H, 0), max(o.Width-p.W, 0); needH+needW > 0 && o.PadIfNeeded {
		if p, err = p.Pad(needH, needW, needH, needW, o.Mode, o.Fill); err != nil {
			return nil, err
		}
	}
	if o.Height < 1 || o.Width < 1 || o.Height > p.H || o.Width > p.W {
		return nil, errors.Errorf("random crop: %d×%d pixels of a picture of %d×%d", o.Height, o.Width, p.H, p.W)
	}
	return p.Crop(rnd.IntN(p.H-o.Height+1), rnd.IntN(p.W-o.Width+1), o.Height, o.Width)
}

// RandomResizedCrop cuts out a piece of random size, proportion and place, and scales it (Szegedy et al.
// 2015, section 6).
type RandomResizedCrop struct {
	Height, Width int
	Scale         [2]float64 // of the piece's area, as a share of the picture's; 0 means 0.08 to 1
	Ratio         [2]float64 // width to height; 0 means 3/4 to 4/3
	By            Interpolation
}

// Apply crops and scales.
func (o RandomResizedCrop) Apply(p *Picture, rnd *rand.Rand) (*Picture, error) {
	y, x, h, w, err := o.box(p.H, p.W, rnd)
	if err != nil {
		return nil, err
	}
	if p, err = p.Crop(y, x, h, w); err != nil {
		return nil, err
	}
	return p.Resize(o.Height, o.Width, o.By)
}

// box draws a piece of a picture.
func (o RandomResizedCrop) box(height, width int, rnd *rand.Rand) (y, x, h, w int, err error) {
	scale, ratio := def(o.Scale, [2]float64{0.08, 1}), def(o.Ratio, [2]float64{3. / 4, 4. / 3})
	if !(scale[0] > 0 && scale[1] >= scale[0] && ratio[0] > 0 && ratio[1] >= ratio[0]) {
		return 0, 0, 0, 0, errors.Errorf("random resized crop: scale %v, ratio %v, want rising ranges above 0", scale, ratio)
	}
	area := float64(height * width)
	for range 10 {
		target := area * uniform(scale[0], scale[1], rnd)
		r := math.Exp(uniform(math.Log(ratio[0]), math.Log(ratio[1]), rnd))
		w = int(math.RoundToEven(math.Sqrt(target * r)))
		h = int(math.RoundToEven(math.Sqrt(target / r)))
		if w > 0 && w <= width && h > 0 && h <= height {
			return rnd.IntN(height - h + 1), rnd.IntN(width - w + 1), h, w, nil
		}
	}
	// No piece fitted: the middle, as near to the proportions as can be.
	h, w = height, width
	switch in := float64(width) / float64(height); {
	case in < ratio[0]:
		h = max(int(math.RoundToEven(float64(w)/ratio[0])), 1)
	case in > ratio[1]:
		w = max(int(math.RoundToEven(float64(h)*ratio[1])), 1)
	}
	return (height - h) / 2, (width - w) / 2, h, w, nil
}

// FlipHorizontal mirrors left and right, in place.
func (p *Picture) FlipHorizontal() *Picture {
	for y := range p.H {
		row := p.Pix[y*p.W*p.C:][:p.W*p.C]
		for a, b := 0, (p.W-1)*p.C; a < b; a, b = a+p.C, b-p.C {
			for c := range p.C {
				row[a+c], row[b+c] = row[b+c], row[a+c]
			}
		}
	}
	return p
}

// FlipVertical mirrors top and bottom, in place.
func (p *Picture) FlipVertical() *Picture {
	n := p.W * p.C
	row := make([]uint8, n)
	for a, b := 0, p.H-1; a < b; a, b = a+1, b-1 {
		copy(row, p.Pix[a*n:])
		copy(p.Pix[a*n:], p.Pix[b*n:(b+1)*n])
		copy(p.Pix[b*n:], row)
	}
	return p
}

// RandomHorizontalFlip mirrors left and right.
type RandomHorizontalFlip struct{ P float64 } // 0 means 0.5

// Apply mirrors, or not.
func (o RandomHorizontalFlip) Apply(p *Picture, rnd *rand.Rand) (*Picture, error) {
	if chance(o.P, 0.5, rnd) {
		p.FlipHorizontal()
	}
	return p, nil
}

// RandomVerticalFlip mirrors top and bottom.
type RandomVerticalFlip struct{ P float64 } // 0 means 0.5

// Apply mirrors, or not.
func (o RandomVerticalFlip) Apply(p *Picture, rnd *rand.Rand) (*Picture, error) {
	if chance(o.P, 0.5, rnd) {
		p.FlipVertical()
	}
	return p, nil
}
