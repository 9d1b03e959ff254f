// Augment draws a sheet that shows what the operations of train/augment do to a picture: a row for each, with
// several throws of the dice.
//
//	go run ./examples/augment -picture dog.jpg -out sheet.png
//
// Without a picture it draws one.
package main

import (
	"flag"
	"fmt"
	"image"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"

	"github.com/pkg/errors"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/train/augment"
	"github.com/stheno-ml/stheno/train/data"
	"github.com/stheno-ml/stheno/train/plot"
)

const side = 112 // pixels of a cell

// row is one line of the sheet.
type row struct {
	name   string
	ops    []augment.Op
	floats []augment.FloatOp
	mix    data.Mixer
}

var rows = []row{
	{name: "ResizedCrop, flip", ops: []augment.Op{augment.RandomResizedCrop{Height: side, Width: side}, augment.RandomHorizontalFlip{}}},
	{name: "flips", ops: []augment.Op{augment.RandomHorizontalFlip{}, augment.RandomVerticalFlip{}}},
	{name: "RandomCrop 16", ops: []augment.Op{augment.RandomCrop{Height: side, Width: side, Padding: 16, Mode: augment.Reflect}}},
	{name: "RandomRotation 30", ops: []augment.Op{augment.RandomRotation{Degrees: 30}}},
	{name: "RandomAffine", ops: []augment.Op{augment.RandomAffine{Degrees: 15, Translate: [2]float64{0.1, 0.1}, Scale: [2]float64{0.7, 1.3}, ShearX: [2]float64{-15, 15}}}},
	{name: "RandomPerspective", ops: []augment.Op{augment.RandomPerspective{P: 1}}},
	{name: "ColorJitter", ops: []augment.Op{augment.ColorJitter{Brightness: 0.4, Contrast: 0.4, Saturation: 0.4, Hue: 0.15}}},
	{name: "FancyPCA", floats: []augment.FloatOp{augment.FancyPCA{Deviation: 0.5}}},
	{name: "RandomGrayscale", ops: []augment.Op{augment.RandomGrayscale{P: 0.5}}},
	{name: "AutoContrast", ops: []augment.Op{augment.AutoContrast{}}},
	{name: "GaussianBlur", ops: []augment.Op{augment.GaussianBlur{Kernel: 13, Sigma: [2]float64{0.1, 5}}}},
	{name: "RandAugment", ops: []augment.Op{augment.RandAugment{Warp: augment.Warp{Fill: [3]uint8{128, 128, 128}}}}},
	{name: "RandomErasing", floats: []augment.FloatOp{augment.RandomErasing{P: 1}}},
	{name: "MixUp", mix: augment.MixUp{}},
	{name: "CutMix", mix: augment.CutMix{}},
}

func main() {
	picture := flag.String("picture", "", "file to change; empty for one that is drawn")
	out := flag.String("out", "runs/augment.png", "where the sheet goes")
	seed := flag.Uint64("seed", 1, "of the dice")
	columns := flag.Int("columns", 6, "throws of the dice for each operation")
	flag.Parse()
	if err := run(*picture, *out, *seed, *columns); err != nil {
		fmt.Fprintln(os.Stderr, "augment:", err)
		os.Exit(1)
	}
	fmt.Println(*out)
}

func run(picture, out string, seed uint64, columns int) error {
	if columns < 1 {
		return errors.Errorf("%d columns, want at least 1", columns)
	}
	img := image.Image(drawn())
	if picture != "" {
		b, err := os.ReadFile(picture)
		if err != nil {
			return errors.WithStack(err)
		}
		if img, err = data.Decode(b, data.DecodeConfig{}); err != nil {
			return errors.WithMessage(err, picture)
		}
	}
	var cells []plot.Picture
	for _, r := range rows {
		line, err := r.draw(img, seed, columns)
		if err != nil {
			return errors.WithMessage(err, r.name)
		}
		cells = append(cells, line...)
	}
	if err := os.MkdirAll(filepath.Dir(out), 0o755); err != nil {
		return errors.WithStack(err)
	}
	return plot.Sheet(out, "augmentation", columns+1, cells)
}

// draw is the picture as it is, and what becomes of it.
func (r row) draw(img image.Image, seed uint64, columns int) ([]plot.Picture, error) {
	// The operation finds the picture at the size of a cell, but for RandomResizedCrop, which makes it.
	l := augment.Pipeline{Channels: 3, Height: side, Width: side, Floats: r.floats}
	resize := []augment.Op{augment.Resize{Height: side}, augment.CenterCrop{Height: side, Width: side}}
	l.Ops = append(resize, r.ops...)
	plain := augment.Pipeline{Channels: 3, Height: side, Width: side, Ops: resize}
	original, err := plain.Picture(img, nil)
	if err != nil {
		return nil, err
	}
	if _, ok := first(r.ops).(augment.RandomResizedCrop); ok {
		l.Ops = r.ops
	}
	size := 3 * side * side
	b := &data.Batch{Images: tensor.New(tensor.Of(tensor.Float32), tensor.WithShape(columns, 3, side, side))}
	x := b.Images.Float32s()
	for i := range columns {
		rnd := rand.New(rand.NewPCG(seed, uint64(i)))
		if err := l.Apply(x[i*size:(i+1)*size], img, rnd); err != nil {
			return nil, err
		}
		b.Labels, b.Second, b.Share = append(b.Labels, i), append(b.Second, i), append(b.Share, 1)
	}
	if r.mix != nil {
		// The batch would be one picture over and over: every other is turned upside down.
		for i := 1; i < columns; i += 2 {
			p := original.Clone().FlipVertical()
			p.Floats(x[i*size : (i+1)*size])
		}
		if err := r.mix.Mix(b, rand.New(rand.NewPCG(seed, 1))); err != nil {
			return nil, err
		}
	}
	cells := []plot.Picture{{Image: original.Image(), Caption: r.name}}
	for i := range columns {
		c := plot.Picture{Image: toImage(x[i*size : (i+1)*size])}
		if r.mix != nil {
			c.Caption = fmt.Sprintf("%.2f + %.2f", b.Share[i], 1-b.Share[i])
		}
		cells = append(cells, c)
	}
	return cells, nil
}

func first(ops []augment.Op) augment.Op {
	if len(ops) == 0 {
		return nil
	}
	return ops[0]
}

// toImage shows numbers [3, side, side] from 0 to 1.
func toImage(x []float32) image.Image {
	p := augment.New(side, side, 3)
	for i := range side * side {
		for c := range 3 {
			p.Pix[3*i+c] = uint8(min(max(x[c*side*side+i], 0), 1)*255 + 0.5)
		}
	}
	return p.Image()
}

// drawn is a house in a landscape: colours, edges, fine patterns, and an up and a down.
func drawn() image.Image {
	const h, w = 240, 320
	p := augment.New(h, w, 3)
	set := func(x, y int, c [3]uint8) { copy(p.Pix[3*(y*w+x):], c[:]) }
	for y := range h {
		for x := range w {
			fx, fy := float64(x)/w, float64(y)/h
			c := [3]uint8{uint8(90 + 90*fy), uint8(150 + 60*fy), uint8(235 - 30*fx)} // sky
			if math.Hypot(fx-0.82, fy-0.2) < 0.09 {
				c = [3]uint8{255, 225, 90}
			}
			if fy > 0.62+0.08*math.Sin(5*fx) { // meadow
				c = [3]uint8{uint8(60 + 40*fx), uint8(130 + 50*math.Abs(math.Sin(40*fx+9*fy))), 50}
			}
			if fx > 0.22 && fx < 0.62 && fy > 0.42 && fy < 0.82 { // wall
				c = [3]uint8{215, 120, 80}
				if (y/6)%2 == 0 && (x+y/6*5)%14 == 0 || y%6 == 0 {
					c = [3]uint8{180, 95, 62}
				}
			}
			if fy > 0.2 && fy <= 0.42 && math.Abs(fx-0.42) < (fy-0.2)*1.1+0.01 { // roof
				c = [3]uint8{120, 40, 45}
			}
			if fx > 0.46 && fx < 0.56 && fy > 0.58 && fy < 0.82 { // door
				c = [3]uint8{60, 50, 110}
			}
			if fx > 0.27 && fx < 0.4 && fy > 0.5 && fy < 0.66 { // window
				c = [3]uint8{235, 240, 200}
				if math.Abs(fx-0.335) < 0.006 || math.Abs(fy-0.58) < 0.008 {
					c = [3]uint8{70, 60, 50}
				}
			}
			set(x, y, c)
		}
	}
	return p.Image()
}
