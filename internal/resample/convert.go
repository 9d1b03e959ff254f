package resample

import (
	"image"
	"image/color"
)

// FromImage is the samples of a picture: 1 channel for grey ones, 4 for those with transparent pixels (red,
// green, blue, not multiplied with alpha, and alpha), else 3. Pictures from JPEG files get their colours as
// libjpeg gives them: where chroma was stored at half the size it is interpolated (jdsample.c, "fancy
// upsampling"), and the conversion is in fixed point of 16 bits (jdcolor.c).
func FromImage(img image.Image) *Image {
	b := img.Bounds()
	w, h := b.Dx(), b.Dy()
	switch m := img.(type) {
	case *image.Gray:
		out := New(w, h, 1)
		for y := range h {
			copy(out.Row(y), m.Pix[m.PixOffset(b.Min.X, b.Min.Y+y):])
		}
		return out
	case *image.Gray16:
		out := New(w, h, 1)
		for y := range h {
			from := m.Pix[m.PixOffset(b.Min.X, b.Min.Y+y):]
			for x := range out.Row(y) {
				out.Row(y)[x] = from[2*x] // the high byte comes first
			}
		}
		return out
	case *image.YCbCr:
		return fromYCbCr(m)
	}
	channels := 4
	if o, ok := img.(interface{ Opaque() bool }); ok && o.Opaque() {
		channels = 3
	}
	out := New(w, h, channels)
	for y := range h {
		row := out.Row(y)
		for x := range w {
			p := row[x*channels:]
			var c color.NRGBA
			switch m := img.(type) {
			case *image.NRGBA:
				c = m.NRGBAAt(b.Min.X+x, b.Min.Y+y)
			case *image.RGBA:
				if rgba := m.RGBAAt(b.Min.X+x, b.Min.Y+y); rgba.A == 255 {
					c = color.NRGBA(rgba)
				} else {
					c = color.NRGBAModel.Convert(rgba).(color.NRGBA)
				}
			default:
				c = color.NRGBAModel.Convert(img.At(b.Min.X+x, b.Min.Y+y)).(color.NRGBA)
			}
			p[0], p[1], p[2] = c.R, c.G, c.B
			if channels == 4 {
				p[3] = c.A
			}
		}
	}
	return out
}

func fromYCbCr(m *image.YCbCr) *Image {
	b := m.Rect
	w, h := b.Dx(), b.Dy()
	out := New(w, h, 3)
	cb, cr := make([]uint8, w), make([]uint8, w)
	// Interpolation wants whole rows of chroma, from the first one on; of a part of a picture it is not known
	// what lies beside.
	fancy := b.Min == image.Point{} && w > 2 &&
		(m.SubsampleRatio == image.YCbCrSubsampleRatio420 || m.SubsampleRatio == image.YCbCrSubsampleRatio422)
	for y := range h {
		luma := m.Y[m.YOffset(b.Min.X, b.Min.Y+y):][:w]
		if fancy {
			upsample(cb, m.Cb, m, y)
			upsample(cr, m.Cr, m, y)
		} else {
			for x := range w {
				i := m.COffset(b.Min.X+x, b.Min.Y+y)
				cb[x], cr[x] = m.Cb[i], m.Cr[i]
			}
		}
		row := out.Row(y)
		for x, l := range luma {
			yy, u, v := int32(l), int32(cb[x])-128, int32(cr[x])-128
			const half = 1 << 15
			p := row[3*x:][:3]
			p[0] = byteOf(yy + (91881*v+half)>>16)          // 1.402
			p[1] = byteOf(yy + (-22554*u-46802*v+half)>>16) // 0.344136, 0.714136
			p[2] = byteOf(yy + (116130*u+half)>>16)         // 1.772
		}
	}
	return out
}

func byteOf(v int32) uint8 { return uint8(min(max(v, 0), 255)) }

// upsample gives a row of the picture its chroma, by a triangle filter: the nearer sample has weight 3/4 in each
// direction in which chroma was halved. Roundings go down and up by turns.
func upsample(dst, plane []uint8, m *image.YCbCr, y int) {
	n := (len(dst) + 1) / 2
	row := func(i int) []uint8 { return plane[i*m.CStride:][:n] }
	if m.SubsampleRatio == image.YCbCrSubsampleRatio422 {
		chroma := row(y)
		between(dst, n, func(i int) int32 { return int32(chroma[i]) }, 2, 1, 2)
		return
	}
	last := (m.Rect.Dy()+1)/2 - 1
	other := y/2 - 1 + y%2*2 // above for even rows, below for odd ones
	near, far := row(y/2), row(min(max(other, 0), last))
	between(dst, n, func(i int) int32 { return 3*int32(near[i]) + int32(far[i]) }, 4, 8, 7)
}

// between doubles n columns; sums are shifted after down or up was added.
func between(dst []uint8, n int, column func(i int) int32, shift uint, down, up int32) {
	for i := range n {
		c := column(i)
		left, right := column(max(i-1, 0)), column(min(i+1, n-1))
		dst[2*i] = uint8((3*c + left + down) >> shift)
		if 2*i+1 < len(dst) {
			dst[2*i+1] = uint8((3*c + right + up) >> shift)
		}
	}
}
