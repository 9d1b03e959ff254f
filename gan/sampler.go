package gan

import (
	"context"
	"image"
	"image/color"
	"math"

	"github.com/pkg/errors"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/nn"
)

// Sampler draws pictures from a generator in evaluation mode. It serves one goroutine at a time; weights may change
// between calls.
type Sampler struct {
	batch   int
	latent  *tensor.Dense
	labels  *tensor.Dense
	z       *graph.Node
	classes *graph.Node // nil for a generator without
	made    *graph.Node
	tape    *graph.Tape
}

// NewSampler compiles a generator for batches of the given size.
func NewSampler(generator *nn.Model, batch int) (*Sampler, error) {
	b, err := generator.Build(graph.Eval, batch, nil)
	if err != nil {
		return nil, errors.Wrap(err, "sampler")
	}
	s := &Sampler{batch: batch, z: b.Input, classes: b.Graph.Marked(labelsMark), made: b.Output,
		latent: blank(b.Input.Dtype(), b.Input.Shape()...), labels: tensor.New(tensor.WithShape(batch), tensor.Of(tensor.Int))}
	if len(b.Output.Shape()) != 4 {
		return nil, errors.Errorf("sampler: the generator makes %v, want pictures [N, C, H, W]", b.Output.Shape())
	}
	s.tape, err = graph.Compile(gorgonia.Nodes{b.Output}, graph.Options{Private: true})
	return s, errors.Wrap(err, "sampler")
}

// Draw makes pictures [N, C, H, W] from −1 to 1 of any number of latent vectors [N, D, 1, 1]. classes, [N], are for
// generators that have them, and nil for others. The result is the caller's.
func (s *Sampler) Draw(ctx context.Context, latent *tensor.Dense, classes []int) (*tensor.Dense, error) {
	shape := latent.Shape()
	want := s.z.Shape()
	if len(shape) != len(want) || !shape[1:].Eq(want[1:]) || latent.Dtype() != s.z.Dtype() {
		return nil, errors.Errorf("draw: latent vectors are %v %v, want %v [N, …] as %v", latent.Dtype(), shape, s.z.Dtype(), want)
	}
	n := shape[0]
	switch {
	case s.classes == nil && classes != nil:
		return nil, errors.New("draw: classes are given, the generator has none")
	case s.classes != nil && len(classes) != n:
		return nil, errors.Errorf("draw: %d classes for %d latent vectors", len(classes), n)
	}
	made := s.made.Shape().Clone()
	made[0] = n
	out := blank(latent.Dtype(), made...)
	for first := 0; first < n; first += s.batch {
		count := min(s.batch, n-first)
		copyRows(s.latent, 0, latent, first, count)
		if classes != nil {
			copy(s.labels.Ints(), classes[first:first+count])
		}
		if err := s.run(ctx); err != nil {
			return nil, errors.Wrap(err, "draw")
		}
		v, err := s.tape.Value(s.made)
		if err != nil {
			return nil, errors.Wrap(err, "draw")
		}
		copyRows(out, first, v.(*tensor.Dense), 0, count)
	}
	return out, nil
}

func (s *Sampler) run(ctx context.Context) error {
	if err := s.tape.Let(s.z, s.latent); err != nil {
		return err
	}
	if s.classes != nil {
		if err := s.tape.Let(s.classes, s.labels); err != nil {
			return err
		}
	}
	return s.tape.Run(ctx)
}

// copyRows copies count rows of src, from row from on, into dst from row to on.
func copyRows(dst *tensor.Dense, to int, src *tensor.Dense, from, count int) {
	if dst.Dtype() == tensor.Float64 {
		rows(dst.Float64s(), dst.Shape()[0], to, src.Float64s(), src.Shape()[0], from, count)
	} else {
		rows(dst.Float32s(), dst.Shape()[0], to, src.Float32s(), src.Shape()[0], from, count)
	}
}

func rows[T any](dst []T, dstRows, to int, src []T, srcRows, from, count int) {
	d, s := len(dst)/dstRows, len(src)/srcRows
	copy(dst[to*d:(to+count)*d], src[from*s:(from+count)*s])
}

// Images makes pictures of numbers [N, C, H, W] from −1 to 1, for C of 1 or 3. Numbers outside are cut off.
func Images(t *tensor.Dense) ([]image.Image, error) {
	s := t.Shape()
	if len(s) != 4 || s[1] != 1 && s[1] != 3 {
		return nil, errors.Errorf("images: shape %v, want [N, 1, H, W] or [N, 3, H, W]", s)
	}
	at := func(i int) uint8 {
		var v float64
		if t.Dtype() == tensor.Float64 {
			v = t.Float64s()[i]
		} else {
			v = float64(t.Float32s()[i])
		}
		return uint8(math.Round(min(max((v+1)/2, 0), 1) * 255))
	}
	n, c, h, w := s[0], s[1], s[2], s[3]
	all := make([]image.Image, n)
	for i := range all {
		first := i * c * h * w
		if c == 1 {
			grey := image.NewGray(image.Rect(0, 0, w, h))
			for k := range grey.Pix {
				grey.Pix[k] = at(first + k)
			}
			all[i] = grey
			continue
		}
		img := image.NewNRGBA(image.Rect(0, 0, w, h))
		for k := range h * w {
			img.SetNRGBA(k%w, k/w, color.NRGBA{at(first + k), at(first + h*w + k), at(first + 2*h*w + k), 255})
		}
		all[i] = img
	}
	return all, nil
}
