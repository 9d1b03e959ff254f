package data

import (
	"bufio"
	"image"
	"image/color"
	"io"

	"github.com/pkg/errors"
)

// pnm is the header of a PGM or PPM file, plain (P2, P3) or raw (P5, P6), by Netpbm's manual pages.
type pnm struct {
	plain, colour bool
	w, h, max     int
}

func pnmHeader(r *bufio.Reader) (pnm, error) {
	var magic [2]byte
	if _, err := io.ReadFull(r, magic[:]); err != nil {
		return pnm{}, errors.New("truncated")
	}
	p := pnm{plain: magic[1] < '5', colour: magic[1] == '3' || magic[1] == '6'}
	for _, v := range []*int{&p.w, &p.h, &p.max} {
		var err error
		if *v, err = pnmNumber(r, 1<<24); err != nil {
			return pnm{}, err
		}
	}
	if p.max < 1 || p.max > 65535 {
		return pnm{}, errors.Errorf("largest value %d, want 1 to 65535", p.max)
	}
	return p, nil // the one white space after the header has been read as the end of a number
}

// pnmNumber reads a decimal number and the white space after it; comments run from # to the end of a line.
func pnmNumber(r *bufio.Reader, limit int) (int, error) {
	n, digits := 0, 0
	for {
		c, err := r.ReadByte()
		if err == io.EOF && digits > 0 {
			return n, nil
		}
		if err != nil {
			return 0, errors.New("truncated")
		}
		switch {
		case c >= '0' && c <= '9':
			if n = 10*n + int(c-'0'); n > limit {
				return 0, errors.Errorf("a number above %d", limit)
			}
			digits++
		case c == ' ' || c >= '\t' && c <= '\r':
			if digits > 0 {
				return n, nil
			}
		case c == '#' && digits == 0:
			for c != '\n' {
				if c, err = r.ReadByte(); err != nil {
					return 0, errors.New("truncated")
				}
			}
		default:
			return 0, errors.Errorf("%q, want a number", c)
		}
	}
}

func pnmConfig(r io.Reader) (image.Config, error) {
	p, err := pnmHeader(bufio.NewReader(r))
	if err != nil {
		return image.Config{}, err
	}
	c := image.Config{Width: p.w, Height: p.h, ColorModel: color.GrayModel}
	if p.colour {
		c.ColorModel = color.NRGBAModel
	}
	return c, nil
}

func pnmDecode(r io.Reader) (image.Image, error) {
	in := bufio.NewReader(r)
	p, err := pnmHeader(in)
	if err != nil {
		return nil, err
	}
	// sample is the next value, as 8 bits.
	sample := func() (byte, error) {
		v, err := 0, error(nil)
		switch {
		case p.plain:
			v, err = pnmNumber(in, 65535)
		default:
			var b byte
			if p.max > 255 { // two bytes, the more significant first
				b, err = in.ReadByte()
				v = int(b) << 8
			}
			if err == nil {
				b, err = in.ReadByte()
				v += int(b)
			}
		}
		if err != nil {
			return 0, errors.New("truncated")
		}
		return byte((min(v, p.max)*255 + p.max/2) / p.max), nil
	}
	if !p.colour {
		img := image.NewGray(image.Rect(0, 0, p.w, p.h))
		for i := range img.Pix {
			if img.Pix[i], err = sample(); err != nil {
				return nil, err
			}
		}
		return img, nil
	}
	img := image.NewNRGBA(image.Rect(0, 0, p.w, p.h))
	for i := range img.Pix {
		if i%4 == 3 {
			img.Pix[i] = 255
		} else if img.Pix[i], err = sample(); err != nil {
			return nil, err
		}
	}
	return img, nil
}
