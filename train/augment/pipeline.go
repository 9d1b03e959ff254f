package augment

import (
	"image"
	"math/rand/v2"

	"github.com/pkg/errors"

	"github.com/stheno-ml/stheno/train/data"
)

// Op changes a picture. The picture that it gets is its own; the result may be the same one. All its chance
// comes from rnd. It is called from several goroutines at the same time.
type Op interface {
	Apply(p *Picture, rnd *rand.Rand) (*Picture, error)
}

// FloatOp changes a picture as numbers [C, H, W], in place.
type FloatOp interface {
	ApplyFloats(x []float32, shape [3]int, rnd *rand.Rand) error
}

// Func is an Op that is a function.
type Func func(p *Picture, rnd *rand.Rand) (*Picture, error)

// Apply calls the function.
func (f Func) Apply(p *Picture, rnd *rand.Rand) (*Picture, error) { return f(p, rnd) }

// Pipeline is a data.Transform: the picture goes through Ops, becomes numbers from 0 to 1, and goes through
// Floats. After Ops it must have the size.
type Pipeline struct {
	Channels, Height, Width int // Channels is 1 or 3
	Ops                     []Op
	Floats                  []FloatOp
}

var _ data.Transform = Pipeline{}

// Shape is [Channels, Height, Width].
func (l Pipeline) Shape() [3]int { return [3]int{l.Channels, l.Height, l.Width} }

// Apply runs the pipeline.
func (l Pipeline) Apply(dst []float32, img image.Image, rnd *rand.Rand) error {
	if len(dst) != l.Channels*l.Height*l.Width {
		return errors.Errorf("augment: room for %d numbers, want %v", len(dst), l.Shape())
	}
	p, err := l.Picture(img, rnd)
	if err != nil {
		return err
	}
	if p.H != l.Height || p.W != l.Width || p.C != l.Channels {
		return errors.Errorf("augment: the operations give a picture of %d×%d pixels (height×width), %d channels; want %d×%d, %d: does a Resize or a crop lack?",
			p.H, p.W, p.C, l.Height, l.Width, l.Channels)
	}
	p.Floats(dst)
	for _, op := range l.Floats {
		if err := op.ApplyFloats(dst, l.Shape(), rnd); err != nil {
			return err
		}
	}
	return nil
}

// Picture is what Ops make of a picture: what a sheet can show.
func (l Pipeline) Picture(img image.Image, rnd *rand.Rand) (*Picture, error) {
	ops := l.Ops
	if len(ops) > 0 {
		if first, ok := ops[0].(RandomResizedCrop); ok { // only the piece need be converted
			b := img.Bounds()
			y, x, h, w, err := first.box(b.Dy(), b.Dx(), rnd)
			if err != nil {
				return nil, err
			}
			piece := image.Rect(x, y, x+w, y+h).Add(b.Min)
			if s, ok := img.(interface {
				SubImage(image.Rectangle) image.Image
			}); ok {
				img = s.SubImage(piece)
				ops = append([]Op{Resize{first.Height, first.Width, first.By}}, ops[1:]...)
			} else {
				cut := func(p *Picture, _ *rand.Rand) (*Picture, error) { return p.Crop(y, x, h, w) }
				ops = append([]Op{Func(cut), Resize{first.Height, first.Width, first.By}}, ops[1:]...)
			}
		}
	}
	p, err := From(img, l.Channels)
	if err != nil {
		return nil, err
	}
	return apply(ops, p, rnd)
}

func apply(ops []Op, p *Picture, rnd *rand.Rand) (*Picture, error) {
	var err error
	for _, op := range ops {
		if p, err = op.Apply(p, rnd); err != nil {
			return nil, err
		}
		if p.H <= 0 || p.W <= 0 {
			return nil, errors.Errorf("augment: %T leaves %d×%d pixels", op, p.H, p.W)
		}
	}
	return p, nil
}

// RandomApply applies all of Ops or none.
type RandomApply struct {
	P   float64 // 0 means 0.5
	Ops []Op
}

// Apply applies them.
func (o RandomApply) Apply(p *Picture, rnd *rand.Rand) (*Picture, error) {
	if !chance(o.P, 0.5, rnd) {
		return p, nil
	}
	return apply(o.Ops, p, rnd)
}

// RandomChoice applies one of its operations.
type RandomChoice []Op

// Apply picks one.
func (o RandomChoice) Apply(p *Picture, rnd *rand.Rand) (*Picture, error) {
	if len(o) == 0 {
		return p, nil
	}
	return o[rnd.IntN(len(o))].Apply(p, rnd)
}

// chance is true with probability p, or otherwise when p is 0.
func chance(p, otherwise float64, rnd *rand.Rand) bool {
	if p == 0 {
		p = otherwise
	}
	return rnd.Float64() < p
}

// uniform is a number from a to b.
func uniform(a, b float64, rnd *rand.Rand) float64 { return a + (b-a)*rnd.Float64() }

// def is the range, or its default when it was left at 0.
func def(v, otherwise [2]float64) [2]float64 {
	if v == ([2]float64{}) {
		return otherwise
	}
	return v
}
