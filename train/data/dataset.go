package data

import (
	"fmt"
	"image"
	"slices"

	"github.com/pkg/errors"
)

// Example is one picture and its class.
type Example struct {
	Image image.Image // may be shared with the data set: not to be written to
	Label int         // class index from 0; −1 when there is none
}

// Dataset is a list of examples. Get must be safe for several goroutines at the same time.
type Dataset interface {
	Len() int
	Get(i int) (Example, error)
}

// Classer is a Dataset that knows the names of its classes, in the order of the labels.
type Classer interface{ Classes() []string }

// Namer is a Dataset that knows where an example comes from, such as a file's name. It is asked only when
// something is wrong with the example.
type Namer interface{ Name(i int) string }

// Transformer is a Dataset that brings the Transform for its pictures (see With).
type Transformer interface{ Transform() Transform }

// Classes is what ds knows of its classes' names, or nil.
func Classes(ds Dataset) []string {
	if c, ok := ds.(Classer); ok {
		return c.Classes()
	}
	return nil
}

// Name is what ds calls example i, or else its number.
func Name(ds Dataset, i int) string {
	if n, ok := ds.(Namer); ok {
		return n.Name(i)
	}
	return fmt.Sprintf("example %d", i)
}

// With is ds with a transform of its own, which loaders use.
func With(ds Dataset, t Transform) Dataset { return &with{ds, t} }

type with struct {
	Dataset
	transform Transform
}

func (w *with) Transform() Transform { return w.transform }
func (w *with) Classes() []string    { return Classes(w.Dataset) }
func (w *with) Name(i int) string    { return Name(w.Dataset, i) }

// Subset is the examples of ds that indices name, in that order.
func Subset(ds Dataset, indices []int) (Dataset, error) {
	for _, i := range indices {
		if i < 0 || i >= ds.Len() {
			return nil, errors.Errorf("subset: index %d of a data set of %d examples", i, ds.Len())
		}
	}
	return &subset{ds, slices.Clone(indices)}, nil
}

// Split deals ds out by seed: a share of the examples, rounded to a whole number, goes to second, the rest
// to first. Each keeps the order that the examples have in ds.
func Split(ds Dataset, share float64, seed uint64) (first, second Dataset, err error) {
	if !(share >= 0 && share <= 1) {
		return nil, nil, errors.Errorf("split: share %v, want 0 to 1", share)
	}
	order := permutation(nil, ds.Len(), seed, 0)
	n := int(share*float64(ds.Len()) + 0.5)
	a, b := order[n:], order[:n]
	slices.Sort(a)
	slices.Sort(b)
	return &subset{ds, a}, &subset{ds, b}, nil
}

type subset struct {
	ds      Dataset
	indices []int
}

func (s *subset) Len() int                   { return len(s.indices) }
func (s *subset) Get(i int) (Example, error) { return s.ds.Get(s.indices[i]) }
func (s *subset) Classes() []string          { return Classes(s.ds) }
func (s *subset) Name(i int) string          { return Name(s.ds, s.indices[i]) }

// Transform hands on the transform of the whole set, or nil, which loaders take for none.
func (s *subset) Transform() Transform { return transformOf(s.ds) }

func transformOf(ds Dataset) Transform {
	if t, ok := ds.(Transformer); ok {
		return t.Transform()
	}
	return nil
}
