package data

import (
	"image"
	"image/draw"
)

// upright turns and mirrors a picture as its orientation says.
func upright(img image.Image, orientation int) image.Image {
	if orientation <= 1 {
		return img
	}
	b := img.Bounds()
	w, h := b.Dx(), b.Dy()
	ow, oh := w, h
	if orientation >= 5 {
		ow, oh = h, w
	}
	// from is where pixel (x, y) of the result is stored.
	from := func(x, y int) (int, int) {
		switch orientation {
		case 2:
			return w - 1 - x, y
		case 3:
			return w - 1 - x, h - 1 - y
		case 4:
			return x, h - 1 - y
		case 5:
			return y, x
		case 6:
			return y, h - 1 - x
		case 7:
			return w - 1 - y, h - 1 - x
		}
		return w - 1 - y, x // 8
	}
	if g, ok := img.(*image.Gray); ok {
		out := image.NewGray(image.Rect(0, 0, ow, oh))
		for y := range oh {
			for x := range ow {
				sx, sy := from(x, y)
				out.Pix[y*out.Stride+x] = g.Pix[g.PixOffset(b.Min.X+sx, b.Min.Y+sy)]
			}
		}
		return out
	}
	src, transparent := img.(*image.NRGBA)
	var pix []byte
	var stride int
	if transparent {
		pix, stride = src.Pix[src.PixOffset(b.Min.X, b.Min.Y):], src.Stride
	} else {
		flat := image.NewRGBA(image.Rect(0, 0, w, h))
		draw.Draw(flat, flat.Rect, img, b.Min, draw.Src)
		pix, stride = flat.Pix, flat.Stride
	}
	turned := make([]byte, 4*ow*oh)
	for y := range oh {
		for x := range ow {
			sx, sy := from(x, y)
			copy(turned[4*(y*ow+x):], pix[sy*stride+4*sx:][:4])
		}
	}
	if transparent {
		return &image.NRGBA{Pix: turned, Stride: 4 * ow, Rect: image.Rect(0, 0, ow, oh)}
	}
	return &image.RGBA{Pix: turned, Stride: 4 * ow, Rect: image.Rect(0, 0, ow, oh)}
}
