package data

import (
	"image"
	"image/color"
	"math/rand/v2"

	"github.com/pkg/errors"
)

// Transform turns a picture into the numbers that a network reads. It is called from several goroutines
// at the same time.
type Transform interface {
	// Shape is [C, H, W] of the result.
	Shape() [3]int
	// Apply fills dst, C·H·W numbers in that order. All its chance comes from rnd, which is seeded by
	// example and epoch.
	Apply(dst []float32, img image.Image, rnd *rand.Rand) error
}

// Pixels is the plain Transform: grey levels over 255, so 0 to 1, then less Mean and over Std. It neither
// resizes nor crops: a picture of another size is an error.
type Pixels struct {
	Channels      int // 1 for luminance (ITU-R 601), 3 for red, green and blue
	Height, Width int
	Mean, Std     []float32 // a channel each; nil means 0 and 1
}

// Shape is [Channels, Height, Width].
func (p Pixels) Shape() [3]int { return [3]int{p.Channels, p.Height, p.Width} }

// Apply writes the picture's pixels. Transparency is left out of account, as PIL's convert("RGB") does.
func (p Pixels) Apply(dst []float32, img image.Image, _ *rand.Rand) error {
	if err := p.check(dst, img); err != nil {
		return err
	}
	n := p.Height * p.Width
	if grey, ok := img.(*image.Gray); ok {
		p.grey(dst[:n], grey)
		for c := 1; c < p.Channels; c++ {
			copy(dst[c*n:], dst[:n])
		}
	} else if p.Channels == 1 {
		p.luminance(dst, img)
	} else {
		p.colour(dst, img)
	}
	for c := range p.Channels {
		p.scale(dst[c*n:(c+1)*n], c)
	}
	return nil
}

// scale divides, as torchvision does, rather than multiply by an inverse: the last bit is then the same.
func (p Pixels) scale(plane []float32, c int) {
	mean, std := float32(0), float32(1)
	if p.Mean != nil {
		mean = p.Mean[c]
	}
	if p.Std != nil {
		std = p.Std[c]
	}
	for i, v := range plane {
		plane[i] = (v/255 - mean) / std
	}
}

func (p Pixels) check(dst []float32, img image.Image) error {
	if p.Channels != 1 && p.Channels != 3 {
		return errors.Errorf("pixels: %d channels, want 1 or 3", p.Channels)
	}
	if len(dst) != p.Channels*p.Height*p.Width {
		return errors.Errorf("pixels: room for %d numbers, want %d·%d·%d", len(dst), p.Channels, p.Height, p.Width)
	}
	for _, s := range [][]float32{p.Mean, p.Std} {
		if s != nil && len(s) != p.Channels {
			return errors.Errorf("pixels: mean or deviation of %d channels, want %d", len(s), p.Channels)
		}
	}
	if size := img.Bounds().Size(); size.Y != p.Height || size.X != p.Width {
		return errors.Errorf("picture of %d×%d pixels (height×width), want %d×%d", size.Y, size.X, p.Height, p.Width)
	}
	return nil
}

func (p Pixels) grey(dst []float32, img *image.Gray) {
	for y := range p.Height {
		row := img.Pix[y*img.Stride:][:p.Width]
		for x, v := range row {
			dst[y*p.Width+x] = float32(v)
		}
	}
}

// luminance uses color.GrayModel, whose weights and rounding on 8 bits are PIL's.
func (p Pixels) luminance(dst []float32, img image.Image) {
	b := img.Bounds()
	for y := range p.Height {
		for x := range p.Width {
			r, g, bl := rgb(img, b.Min.X+x, b.Min.Y+y)
			dst[y*p.Width+x] = float32((19595*uint32(r) + 38470*uint32(g) + 7471*uint32(bl) + 1<<15) >> 16)
		}
	}
}

func (p Pixels) colour(dst []float32, img image.Image) {
	b := img.Bounds()
	n := p.Height * p.Width
	for y := range p.Height {
		for x := range p.Width {
			r, g, bl := rgb(img, b.Min.X+x, b.Min.Y+y)
			i := y*p.Width + x
			dst[i], dst[n+i], dst[2*n+i] = float32(r), float32(g), float32(bl)
		}
	}
}

// rgb reads one pixel, without the allocation that At makes for the common types.
func rgb(img image.Image, x, y int) (r, g, b uint8) {
	switch img := img.(type) {
	case *image.NRGBA:
		p := img.Pix[img.PixOffset(x, y):]
		return p[0], p[1], p[2]
	case *image.YCbCr:
		c := img.YCbCrAt(x, y)
		return color.YCbCrToRGB(c.Y, c.Cb, c.Cr)
	case *image.RGBA:
		if c := img.RGBAAt(x, y); c.A == 255 {
			return c.R, c.G, c.B
		}
	}
	c := color.NRGBAModel.Convert(img.At(x, y)).(color.NRGBA)
	return c.R, c.G, c.B
}
