package resample

import (
	"sync"

	"github.com/pkg/errors"
)

// Image is a picture of 8-bit samples, [Height, Width, Channels] in memory. The zero value is empty.
type Image struct {
	Width, Height, Channels int
	Stride                  int // from one row to the next, in bytes; at least Width·Channels
	Pix                     []uint8
}

// New makes a black picture.
func New(width, height, channels int) *Image {
	return &Image{Width: width, Height: height, Channels: channels, Stride: width * channels, Pix: make([]uint8, width*height*channels)}
}

// Crop is the part of the picture from (x, y) on. It shares the picture's memory.
func (m *Image) Crop(x, y, width, height int) (*Image, error) {
	if x < 0 || y < 0 || width < 1 || height < 1 || width > m.Width-x || height > m.Height-y {
		return nil, errors.Errorf("resample: a part of %d×%d at (%d, %d) is not inside a picture of %d×%d", width, height, x, y, m.Width, m.Height)
	}
	return &Image{Width: width, Height: height, Channels: m.Channels, Stride: m.Stride, Pix: m.Pix[y*m.Stride+x*m.Channels:]}, nil
}

// Row is the samples of a row, [Width, Channels].
func (m *Image) Row(y int) []uint8 { return m.Pix[y*m.Stride:][:m.Width*m.Channels] }

func (m *Image) check(what string) error {
	row := m.Width * m.Channels
	if m.Width < 1 || m.Height < 1 || m.Channels < 1 || m.Stride < row || len(m.Pix) < (m.Height-1)*m.Stride+row {
		return errors.Errorf("resample: %s of %d×%d with %d channels, rows %d bytes apart, in %d bytes is not a picture", what, m.Width, m.Height, m.Channels, m.Stride, len(m.Pix))
	}
	return nil
}

// Resize fills dst with src resized to dst's size. The two must not share memory.
func Resize(dst, src *Image, f Filter) error {
	return ResizeCrop(dst, src, dst.Width, dst.Height, 0, 0, f)
}

// ResizeCrop fills dst with the part at (x, y) of src resized to width×height, and computes no more than that
// part. The two must not share memory.
func ResizeCrop(dst, src *Image, width, height, x, y int, f Filter) error {
	if err := src.check("source"); err != nil {
		return err
	}
	if err := dst.check("destination"); err != nil {
		return err
	}
	if int(f) >= len(filterNames) {
		return errors.Errorf("resample: no filter %v", f)
	}
	if dst.Channels != src.Channels {
		return errors.Errorf("resample: %d channels to %d", src.Channels, dst.Channels)
	}
	if x < 0 || y < 0 || dst.Width > width-x || dst.Height > height-y {
		return errors.Errorf("resample: a part of %d×%d at (%d, %d) is not inside a picture of %d×%d", dst.Width, dst.Height, x, y, width, height)
	}
	if f == Nearest {
		nearest(dst, src, width, height, x, y)
		return nil
	}
	// A pass that changes nothing is left out.
	h, v := width != src.Width, height != src.Height
	var rows []taps
	top, end := y, y+dst.Height // the rows of src that are wanted
	if v {
		rows = coefficients(f, src.Height, height, y, dst.Height)
		top, end = span(rows)
	}
	part, err := src.Crop(0, top, src.Width, end-top)
	if err != nil {
		return err
	}
	if h {
		wide := dst
		if v {
			wide = scratch.Get().(*Image)
			defer scratch.Put(wide)
			wide.reuse(dst.Width, part.Height, src.Channels)
		}
		horizontal(wide, part, coefficients(f, src.Width, width, x, dst.Width))
		part = wide
	} else if part, err = part.Crop(x, 0, dst.Width, part.Height); err != nil {
		return err
	}
	switch {
	case v:
		vertical(dst, part, rows, top)
	case !h:
		for i := range dst.Height {
			copy(dst.Row(i), part.Row(i))
		}
	}
	return nil
}

// span is the first source sample of all taps and the one after the last.
func span(all []taps) (first, end int) {
	first = all[0].first
	for _, t := range all {
		first, end = min(first, t.first), max(end, t.first+len(t.weights))
	}
	return first, end
}

// scratch keeps pictures between the two passes.
var scratch = sync.Pool{New: func() any { return new(Image) }}

func (m *Image) reuse(width, height, channels int) {
	n := width * height * channels
	if cap(m.Pix) < n {
		m.Pix = make([]uint8, n)
	}
	*m = Image{Width: width, Height: height, Channels: channels, Stride: width * channels, Pix: m.Pix[:n]}
}

const half = 1 << (precision - 1)

// clip is the rounded sum as a sample.
func clip(sum int32) uint8 { return uint8(min(max(sum>>precision, 0), 255)) }

// horizontal resizes every row of src into dst.
func horizontal(dst, src *Image, cols []taps) {
	for y := range dst.Height {
		to, from := dst.Row(y), src.Row(y)
		switch src.Channels {
		case 1:
			for x, t := range cols {
				sum := int32(half)
				for i, s := range from[t.first:][:len(t.weights)] {
					sum += t.weights[i] * int32(s)
				}
				to[x] = clip(sum)
			}
		case 3:
			for x, t := range cols {
				r, g, b := int32(half), int32(half), int32(half)
				p := from[3*t.first:]
				for _, w := range t.weights {
					r += w * int32(p[0])
					g += w * int32(p[1])
					b += w * int32(p[2])
					p = p[3:]
				}
				q := to[3*x:][:3]
				q[0], q[1], q[2] = clip(r), clip(g), clip(b)
			}
		default:
			for x, t := range cols {
				for c := range src.Channels {
					sum := int32(half)
					for i, w := range t.weights {
						sum += w * int32(from[(t.first+i)*src.Channels+c])
					}
					to[x*src.Channels+c] = clip(sum)
				}
			}
		}
	}
}

// vertical resizes every column of src, whose first row is row top of the picture that the taps mean.
func vertical(dst, src *Image, rows []taps, top int) {
	sums := make([]int32, dst.Width*dst.Channels)
	for y, t := range rows {
		for i := range sums {
			sums[i] = half
		}
		for k, w := range t.weights {
			for i, s := range src.Row(t.first - top + k)[:len(sums)] {
				sums[i] += w * int32(s)
			}
		}
		to := dst.Row(y)
		for i, s := range sums {
			to[i] = clip(s)
		}
	}
}

// nearest copies the sample under the middle of each sample of dst. Positions are summed up step by step, as
// the Python Imaging Library does, because the rounding shows.
func nearest(dst, src *Image, width, height, x, y int) {
	columns, lines := positions(src.Width, width), positions(src.Height, height)
	for i := range dst.Height {
		to, from := dst.Row(i), src.Row(lines[y+i])
		for j := range dst.Width {
			copy(to[j*dst.Channels:][:dst.Channels], from[columns[x+j]*src.Channels:])
		}
	}
}

func positions(in, out int) []int {
	all := make([]int, out)
	scale := float64(in) / float64(out)
	at := scale * 0.5
	for i := range all {
		all[i] = min(int(at), in-1)
		at += scale
	}
	return all
}
