package plot

import (
	"image"
	"math"

	"github.com/pkg/errors"
	xdraw "golang.org/x/image/draw"
)

// Picture is one cell of a sheet.
type Picture struct {
	Image   image.Image
	Caption string // one line; what does not fit is cut off
	Wrong   bool   // framed and captioned in orange
}

const (
	side   = 112 // pixels of the longer side of a picture
	margin = 10
	frame  = 3
)

// Sheet draws pictures in rows, all of one size, with a caption under each. Small pictures are enlarged pixel
// by pixel, so that they show what the network sees. columns 0 means as many as make the sheet a little wider
// than high.
func Sheet(path, title string, columns int, pictures []Picture) error {
	if len(pictures) == 0 || columns < 0 {
		return errors.Errorf("sheet: %d pictures in %d columns, want at least one picture and no columns below 0", len(pictures), columns)
	}
	if columns == 0 {
		columns = int(math.Ceil(math.Sqrt(1.5 * float64(len(pictures)))))
	}
	columns = min(columns, len(pictures))
	rows := (len(pictures) + columns - 1) / columns
	head, err := newPen(bold, 18)
	if err != nil {
		return err
	}
	caption, err := newPen(regular, 14)
	if err != nil {
		return err
	}
	cellW, cellH := side+2*margin, side+margin+caption.height
	top := margin
	if title != "" {
		top += head.height + margin
	}
	img, err := newImage("sheet", margin+columns*cellW, top+rows*cellH+margin)
	if err != nil {
		return err
	}
	head.write(img, 2*margin, margin, head.fit(title, img.Rect.Dx()-3*margin), black)
	for i, p := range pictures {
		if p.Image == nil || p.Image.Bounds().Empty() {
			return errors.Errorf("sheet: picture %d, %q, is empty", i, p.Caption)
		}
		at := image.Pt(margin/2+i%columns*cellW+margin, top+i/columns*cellH)
		ink := black
		box := image.Rectangle{at, at.Add(image.Pt(side, side))}
		fill(img, box, pale)
		if p.Wrong {
			ink = orange
			fill(img, box.Inset(-frame), orange)
		}
		place(img, box, p.Image)
		line := box.Add(image.Pt(0, side+frame))
		line.Max.Y = line.Min.Y + caption.height
		caption.centre(img, line, caption.fit(p.Caption, cellW-4), ink)
	}
	return save(path, img)
}

// place scales a picture into the middle of a box, keeping its proportions.
func place(dst xdraw.Image, box image.Rectangle, src image.Image) {
	size := src.Bounds().Size()
	scale := float64(side) / float64(max(size.X, size.Y))
	w, h := max(int(float64(size.X)*scale+0.5), 1), max(int(float64(size.Y)*scale+0.5), 1)
	at := box.Min.Add(image.Pt((side-w)/2, (side-h)/2))
	scaler := xdraw.Interpolator(xdraw.CatmullRom)
	if scale >= 1 {
		scaler = xdraw.NearestNeighbor
	}
	scaler.Scale(dst, image.Rectangle{at, at.Add(image.Pt(w, h))}, src, src.Bounds(), xdraw.Over, nil)
}
