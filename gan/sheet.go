package gan

import (
	"context"
	"fmt"
	"image"
	"image/color"
	"image/color/palette"
	"image/draw"
	"image/gif"
	"image/png"
	"io"
	"math"
	"os"
	"path/filepath"
	"sort"

	"github.com/pkg/errors"

	"github.com/stheno-ml/stheno/internal/atomicfile"
)

// Sheets writes into a folder what a run shows: epoch-000.png, epoch-001.png, … with the run's samples before the first
// epoch and after each, and when the run ends samples.gif, which shows one after the other, and interpolation.png, whose
// rows go from one sample to the next.
func Sheets(dir string) Callback {
	s := sheets{dir}
	return Hooks{OnBegin: s.begin, OnEpochEnd: s.epoch, OnEnd: s.end}
}

type sheets struct{ dir string }

func (s sheets) begin(r *Run) error {
	if err := os.MkdirAll(s.dir, 0o755); err != nil {
		return errors.Wrap(err, "sheets")
	}
	if r.Step != r.Epoch*r.Batches {
		return nil // resumed in mid-epoch: the sheet of the last one is there, and these samples are later
	}
	return s.write(r, r.Epoch)
}

func (s sheets) epoch(r *Run) error { return s.write(r, r.Epoch+1) }

func (s sheets) write(r *Run, epoch int) error {
	pictures, err := Images(r.Samples)
	if err != nil {
		return errors.WithMessage(err, "sheets")
	}
	return errors.Wrap(SavePNG(filepath.Join(s.dir, fmt.Sprintf("epoch-%03d.png", epoch)), Grid(pictures, 0)), "sheets")
}

func (s sheets) end(r *Run) error {
	if len(r.History) == 0 {
		return nil
	}
	if err := s.animate(len(r.History)); err != nil {
		return errors.Wrap(err, "sheets")
	}
	if r.Err != nil {
		return nil
	}
	return errors.WithMessage(s.interpolate(r), "sheets")
}

// animate makes the GIF of the sheets that there are: after a resume, those of the run before too.
func (s sheets) animate(epochs int) error {
	paths, err := filepath.Glob(filepath.Join(s.dir, "epoch-*.png"))
	if err != nil {
		return err
	}
	sort.Strings(paths)
	film := &gif.GIF{}
	for _, path := range paths {
		var n int
		if _, err := fmt.Sscanf(filepath.Base(path), "epoch-%d.png", &n); err != nil || n > epochs {
			continue
		}
		img, err := readPNG(path)
		if err != nil {
			return err
		}
		if len(film.Image) > 0 && img.Bounds() != film.Image[0].Rect {
			continue // of another run
		}
		film.Image = append(film.Image, paletted(img))
		film.Delay = append(film.Delay, 40) // hundredths of a second
	}
	if len(film.Image) == 0 {
		return nil
	}
	film.Delay[len(film.Delay)-1] = 300
	return atomicfile.Write(filepath.Join(s.dir, "samples.gif"), func(w io.Writer) error { return gif.EncodeAll(w, film) })
}

func readPNG(path string) (image.Image, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return png.Decode(f)
}

var greys = func() color.Palette {
	var p color.Palette
	for i := range 256 {
		p = append(p, color.Gray{uint8(i)})
	}
	return p
}()

func paletted(img image.Image) *image.Paletted {
	if _, grey := img.(*image.Gray); grey {
		p := image.NewPaletted(img.Bounds(), greys)
		draw.Draw(p, p.Rect, img, p.Rect.Min, draw.Src)
		return p
	}
	p := image.NewPaletted(img.Bounds(), palette.Plan9)
	draw.FloydSteinberg.Draw(p, p.Rect, img, p.Rect.Min)
	return p
}

const (
	pathRows  = 8
	pathSteps = 10
)

func (s sheets) interpolate(r *Run) error {
	ends, err := Latents(r.Generator, 2*pathRows, r.Config.Seed)
	if err != nil {
		return err
	}
	shape := ends.Shape().Clone()
	shape[0] = pathRows
	from, to := blank(ends.Dtype(), shape...), blank(ends.Dtype(), shape...)
	copyRows(from, 0, ends, 0, pathRows)
	copyRows(to, 0, ends, pathRows, pathRows)
	way, err := Interpolate(from, to, pathSteps)
	if err != nil {
		return err
	}
	var classes []int
	if r.fit.classes > 0 {
		for i := range pathRows * pathSteps {
			classes = append(classes, i/pathSteps%r.fit.classes)
		}
	}
	t, err := r.Draw(context.Background(), way, classes)
	if err != nil {
		return err
	}
	pictures, err := Images(t)
	if err != nil {
		return err
	}
	return SavePNG(filepath.Join(s.dir, "interpolation.png"), Grid(pictures, pathSteps))
}

// Grid puts pictures of one size side by side, in rows from the left. Small ones are enlarged to at least 64 pixels,
// pixel by pixel. columns 0 means about as many as there are rows. It is nil for no pictures.
func Grid(pictures []image.Image, columns int) image.Image {
	if len(pictures) == 0 {
		return nil
	}
	if columns < 1 {
		columns = int(math.Ceil(math.Sqrt(float64(len(pictures)))))
	}
	columns = min(columns, len(pictures))
	size := pictures[0].Bounds().Size()
	scale := max(1, 64/max(size.X, size.Y, 1))
	const gap = 2
	w, h := size.X*scale+gap, size.Y*scale+gap
	area := image.Rect(0, 0, columns*w+gap, (len(pictures)+columns-1)/columns*h+gap)
	var sheet draw.Image = image.NewNRGBA(area)
	if _, grey := pictures[0].(*image.Gray); grey {
		sheet = image.NewGray(area)
	}
	draw.Draw(sheet, area, image.White, image.Point{}, draw.Src)
	for i, p := range pictures {
		b := p.Bounds()
		at := image.Pt(gap+i%columns*w, gap+i/columns*h)
		for y := range size.Y * scale {
			for x := range size.X * scale {
				sheet.Set(at.X+x, at.Y+y, p.At(b.Min.X+x/scale, b.Min.Y+y/scale))
			}
		}
	}
	return sheet
}

// SavePNG writes a picture.
func SavePNG(path string, img image.Image) error {
	if img == nil {
		return errors.Errorf("%s: no picture", path)
	}
	return atomicfile.Write(path, func(w io.Writer) error { return png.Encode(w, img) })
}
