package augment

import (
	"math"
	"math/rand/v2"

	"github.com/pkg/errors"
	"gonum.org/v1/gonum/mat"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/train/data"
	"github.com/stheno-ml/stheno/zoo/weights"
)

// Whitening makes the numbers of pictures uncorrelated and of variance one: y = Matrix·(x − Mean), over all
// D = C·H·W numbers of a picture.
type Whitening struct {
	Mean   []float32 // [D]
	Matrix []float32 // [D, D]
}

// WhitenConfig says how Whitening is fitted.
type WhitenConfig struct {
	ZCA     bool    // turn back, so that a whitened picture looks like the picture (Bell and Sejnowski 1997); else PCA: the principal components, the largest first
	Epsilon float64 // added to the variances, which near 0 would blow up noise; 0 means 1e-5
	Limit   int     // pictures to read, evenly spread; 0 means all
	Seed    uint64  // of the transform's chance, if it has any
}

// maxWhiten bounds D: the matrix has D² numbers, and to find it takes some 10·D³ operations (for the 3072 of a
// CIFAR picture a few minutes).
const maxWhiten = 4096

// FitWhitening fits the matrix to the pictures of a data set, as a transform makes them: one without chance,
// with the size and scale of the pipeline that Whitening will be in.
func FitWhitening(ds data.Dataset, t data.Transform, c WhitenConfig) (*Whitening, error) {
	s := t.Shape()
	d := s[0] * s[1] * s[2]
	if d < 1 || d > maxWhiten {
		return nil, errors.Errorf("whitening: pictures of %v = %d numbers, want at most %d", s, d, maxWhiten)
	}
	if c.Epsilon == 0 {
		c.Epsilon = 1e-5
	}
	n := ds.Len()
	if c.Limit > 0 {
		n = min(n, c.Limit)
	}
	if n < 2 || !(c.Epsilon > 0) {
		return nil, errors.Errorf("whitening: %d pictures, epsilon %v; want at least 2, and a number above 0", n, c.Epsilon)
	}
	x := mat.NewDense(n, d, nil)
	row := make([]float32, d)
	mean := make([]float64, d)
	for k := range n {
		i := int(int64(k) * int64(ds.Len()) / int64(n))
		ex, err := ds.Get(i)
		if err == nil {
			err = t.Apply(row, ex.Image, rand.New(rand.NewPCG(c.Seed, uint64(i))))
		}
		if err != nil {
			return nil, errors.WithMessage(err, data.Name(ds, i))
		}
		for j, v := range row {
			x.Set(k, j, float64(v))
			mean[j] += float64(v) / float64(n)
		}
	}
	for k := range n {
		r := x.RawRowView(k)
		for j := range r {
			r[j] -= mean[j]
		}
	}
	covariance := mat.NewSymDense(d, nil)
	covariance.SymOuterK(1/float64(n), x.T())
	var e mat.EigenSym
	if !e.Factorize(covariance, true) {
		return nil, errors.New("whitening: the covariance has no eigenvalues that can be found")
	}
	values := e.Values(nil)
	var vectors, scaled, w mat.Dense
	e.VectorsTo(&vectors)
	scaled.Apply(func(_, k int, v float64) float64 { return v / math.Sqrt(max(values[k], 0)+c.Epsilon) }, &vectors)
	if c.ZCA {
		w.Mul(&scaled, vectors.T())
	} else {
		w.CloneFrom(scaled.T())
	}
	out := &Whitening{Mean: make([]float32, d), Matrix: make([]float32, d*d)}
	for j, m := range mean {
		out.Mean[j] = float32(m)
		from := j
		if !c.ZCA {
			from = d - 1 - j // eigenvalues rise; the components shall fall
		}
		for k := range d {
			out.Matrix[j*d+k] = float32(w.At(from, k))
		}
	}
	return out, nil
}

// ApplyFloats whitens.
func (o *Whitening) ApplyFloats(x []float32, shape [3]int, _ *rand.Rand) error {
	d := len(x)
	if len(o.Mean) != d || len(o.Matrix) != d*d {
		return errors.Errorf("whitening: fitted to %d numbers, a picture has %v = %d", len(o.Mean), shape, d)
	}
	centred := make([]float32, d)
	for i, v := range x {
		centred[i] = v - o.Mean[i]
	}
	for i := range x {
		sum := float32(0)
		for k, w := range o.Matrix[i*d : (i+1)*d] {
			sum += w * centred[k]
		}
		x[i] = sum
	}
	return nil
}

// Save writes the matrix to a safetensors file: a network that was trained on whitened pictures needs it.
func (o *Whitening) Save(path string) error {
	d := len(o.Mean)
	return weights.Save(path, []weights.Named{
		{Name: "mean", Value: tensor.New(tensor.WithShape(d), tensor.WithBacking(o.Mean))},
		{Name: "matrix", Value: tensor.New(tensor.WithShape(d, d), tensor.WithBacking(o.Matrix))},
	}, nil)
}

// LoadWhitening reads what Save wrote.
func LoadWhitening(path string) (*Whitening, error) {
	f, err := weights.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	mean, err := f.TensorAs("mean", tensor.Float32)
	if err != nil {
		return nil, err
	}
	matrix, err := f.TensorAs("matrix", tensor.Float32)
	if err != nil {
		return nil, err
	}
	d := mean.Shape().TotalSize()
	if !matrix.Shape().Eq(tensor.Shape{d, d}) {
		return nil, errors.Errorf("%s: matrix %v for a mean of %d numbers", path, matrix.Shape(), d)
	}
	return &Whitening{mean.Float32s(), matrix.Float32s()}, nil
}
