package augment

import (
	"image"
	"image/color"
	"image/draw"

	"github.com/pkg/errors"
)

// Picture is an 8-bit picture, grey or in colour, that its holder may change.
type Picture struct {
	H, W, C int     // C is 1 or 3: red, green, blue
	Pix     []uint8 // [H, W, C]
}

// New makes a black picture.
func New(h, w, c int) *Picture { return &Picture{h, w, c, make([]uint8, h*w*c)} }

// From copies an image, as grey (channels 1; ITU-R 601, as PIL's convert("L")) or as colour (3). Transparency
// is left out of account, as PIL's convert does.
func From(img image.Image, channels int) (*Picture, error) {
	if channels != 1 && channels != 3 {
		return nil, errors.Errorf("augment: %d channels, want 1 or 3", channels)
	}
	b := img.Bounds()
	p := New(b.Dy(), b.Dx(), channels)
	if g, ok := img.(*image.Gray); ok {
		for y := range p.H {
			row := g.Pix[g.PixOffset(b.Min.X, b.Min.Y+y):][:p.W]
			if channels == 1 {
				copy(p.Pix[y*p.W:], row)
				continue
			}
			for x, v := range row {
				o := p.Pix[3*(y*p.W+x):][:3]
				o[0], o[1], o[2] = v, v, v
			}
		}
		return p, nil
	}
	if ycc, ok := img.(*image.YCbCr); ok && channels == 3 {
		p.fromYCbCr(ycc)
		return p, nil
	}
	pix, stride := rgba(img)
	for y := range p.H {
		row := pix[y*stride:][:4*p.W]
		for x := range p.W {
			c := row[4*x : 4*x+4]
			if channels == 1 {
				p.Pix[y*p.W+x] = luma(c[0], c[1], c[2])
				continue
			}
			copy(p.Pix[3*(y*p.W+x):][:3], c)
		}
	}
	return p, nil
}

// rgba is the pixels of an image, four bytes each, colours not multiplied by alpha.
func rgba(img image.Image) (pix []uint8, stride int) {
	b := img.Bounds()
	switch img := img.(type) {
	case *image.NRGBA:
		return img.Pix[img.PixOffset(b.Min.X, b.Min.Y):], img.Stride
	case *image.YCbCr: // draw has a quick way for these to RGBA
		flat := image.NewRGBA(image.Rect(0, 0, b.Dx(), b.Dy()))
		draw.Draw(flat, flat.Rect, img, b.Min, draw.Src)
		return flat.Pix, flat.Stride
	case *image.RGBA:
		if img.Opaque() {
			return img.Pix[img.PixOffset(b.Min.X, b.Min.Y):], img.Stride
		}
	}
	flat := image.NewNRGBA(image.Rect(0, 0, b.Dx(), b.Dy()))
	for y := range b.Dy() {
		for x := range b.Dx() {
			c := color.NRGBAModel.Convert(img.At(b.Min.X+x, b.Min.Y+y)).(color.NRGBA)
			copy(flat.Pix[flat.PixOffset(x, y):], []uint8{c.R, c.G, c.B, c.A})
		}
	}
	return flat.Pix, flat.Stride
}

// fromYCbCr is what color.YCbCrToRGB makes of each pixel, without a call for each.
func (p *Picture) fromYCbCr(img *image.YCbCr) {
	b := img.Rect
	for y := range p.H {
		luma := img.Y[img.YOffset(b.Min.X, b.Min.Y+y):][:p.W]
		row := p.Pix[3*y*p.W:][:3*p.W]
		first := img.COffset(b.Min.X, b.Min.Y+y)
		shift, odd := 0, 0 // columns that share a colour are 2^shift
		switch img.SubsampleRatio {
		case image.YCbCrSubsampleRatio420, image.YCbCrSubsampleRatio422:
			shift, odd = 1, b.Min.X&1
		case image.YCbCrSubsampleRatio410, image.YCbCrSubsampleRatio411:
			shift, odd = 2, b.Min.X&3
		}
		for x, v := range luma {
			c := first + (x+odd)>>shift
			yy, cb, cr := int32(v)*0x10101, int32(img.Cb[c])-128, int32(img.Cr[c])-128
			r, g, bl := yy+91881*cr, yy-22554*cb-46802*cr, yy+116130*cb
			o := row[3*x:][:3]
			o[0], o[1], o[2] = top8(r), top8(g), top8(bl)
		}
	}
}

// top8 is v/2¹⁶, clipped to 8 bits.
func top8(v int32) uint8 {
	if uint32(v)&0xff000000 == 0 {
		return uint8(v >> 16)
	}
	return uint8(^(v >> 31)) // 0 below, 255 above
}

// luma is the grey level of a colour, with PIL's weights and rounding.
func luma(r, g, b uint8) uint8 {
	return uint8((19595*uint32(r) + 38470*uint32(g) + 7471*uint32(b) + 1<<15) >> 16)
}

// Image copies the picture into an image.Image.
func (p *Picture) Image() image.Image {
	if p.C == 1 {
		return &image.Gray{Pix: append([]uint8(nil), p.Pix...), Stride: p.W, Rect: image.Rect(0, 0, p.W, p.H)}
	}
	img := image.NewNRGBA(image.Rect(0, 0, p.W, p.H))
	for i := range p.W * p.H {
		copy(img.Pix[4*i:], p.Pix[3*i:3*i+3])
		img.Pix[4*i+3] = 255
	}
	return img
}

// Clone copies the picture.
func (p *Picture) Clone() *Picture { return &Picture{p.H, p.W, p.C, append([]uint8(nil), p.Pix...)} }

// Floats writes the pixels over 255 as [C, H, W].
func (p *Picture) Floats(dst []float32) {
	n := p.H * p.W
	for c := range p.C {
		plane := dst[c*n : (c+1)*n]
		for i := range plane {
			plane[i] = float32(p.Pix[i*p.C+c]) / 255
		}
	}
}

func clip8(v int) uint8 {
	if uint(v) <= 255 {
		return uint8(v)
	}
	return uint8(^(v >> 63)) // 0 below, 255 above
}
