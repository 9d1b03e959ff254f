package plot

import (
	"image"
	"image/color"
	"image/draw"
	"sync"

	"github.com/pkg/errors"
	"golang.org/x/image/font"
	"golang.org/x/image/font/gofont/gobold"
	"golang.org/x/image/font/gofont/goregular"
	"golang.org/x/image/font/opentype"
	"golang.org/x/image/math/fixed"
)

var (
	regular = sync.OnceValues(func() (*opentype.Font, error) { return opentype.Parse(goregular.TTF) })
	bold    = sync.OnceValues(func() (*opentype.Font, error) { return opentype.Parse(gobold.TTF) })
)

// pen writes in one font and size, given in pixels.
type pen struct {
	face           font.Face
	ascent, height int
}

func newPen(load func() (*opentype.Font, error), size float64) (pen, error) {
	f, err := load()
	if err != nil {
		return pen{}, errors.WithStack(err)
	}
	face, err := opentype.NewFace(f, &opentype.FaceOptions{Size: size, DPI: 72, Hinting: font.HintingFull})
	if err != nil {
		return pen{}, errors.WithStack(err)
	}
	m := face.Metrics()
	return pen{face, m.Ascent.Ceil(), m.Height.Ceil()}, nil
}

func (p pen) width(s string) int { return font.MeasureString(p.face, s).Ceil() }

// widest is the width of the longest of some lines.
func (p pen) widest(lines []string) int {
	w := 0
	for _, s := range lines {
		w = max(w, p.width(s))
	}
	return w
}

// write puts the line's upper left corner at (x, y).
func (p pen) write(dst draw.Image, x, y int, s string, c color.Color) {
	d := font.Drawer{Dst: dst, Src: image.NewUniform(c), Face: p.face, Dot: fixed.P(x, y+p.ascent)}
	d.DrawString(s)
}

// centre writes a line into the middle of r.
func (p pen) centre(dst draw.Image, r image.Rectangle, s string, c color.Color) {
	p.write(dst, r.Min.X+(r.Dx()-p.width(s))/2, r.Min.Y+(r.Dy()-p.height)/2, s, c)
}

// upward writes a line that runs from (x, y), its lower left corner, to the top.
func (p pen) upward(dst draw.Image, x, y int, s string, c color.Color) {
	flat := image.NewAlpha(image.Rect(0, 0, p.width(s), p.height))
	p.write(flat, 0, 0, s, color.Opaque)
	turned := image.NewAlpha(image.Rect(x, y-flat.Rect.Dx(), x+p.height, y))
	for v := range flat.Rect.Dy() {
		for u := range flat.Rect.Dx() {
			turned.SetAlpha(x+v, y-1-u, flat.AlphaAt(u, v))
		}
	}
	draw.DrawMask(dst, turned.Rect, image.NewUniform(c), image.Point{}, turned, turned.Rect.Min, draw.Over)
}

// fit shortens a line until it is no wider than width.
func (p pen) fit(s string, width int) string {
	if p.width(s) <= width {
		return s
	}
	runes := []rune(s)
	for n := len(runes) - 1; n > 0; n-- {
		if t := string(runes[:n]) + "…"; p.width(t) <= width {
			return t
		}
	}
	return ""
}

func fill(dst draw.Image, r image.Rectangle, c color.Color) {
	draw.Draw(dst, r, image.NewUniform(c), image.Point{}, draw.Over)
}
