package metric

import (
	"context"
	"image"
	"math"
	"slices"

	"github.com/pkg/errors"
	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"
	"gorgonia.org/tensor"
)

// Stats is what a set of pictures is to a network.
type Stats struct {
	Network string // Network.Name
	N, D    int    // pictures; features of each
	Mean    []float64
	Cov     []float64 // [D, D], over N − 1

	// What follows is kept for the figures that need more than mean and covariance, and nil where it is not there.
	Features []float32 // [N, D]
	Classes  int
	Probs    []float32 // [N, Classes]
}

// block is how many rows go into the sums at a time: the bits of the result depend on it, not on batches.
const block = 64

// Collector makes Stats of pictures or features that come in batches.
type Collector struct {
	// MeanOnly keeps mean and covariance alone: FID needs no more, and memory does not grow with the number of
	// pictures. The other figures want the features: 4 bytes each.
	MeanOnly bool

	network Network
	n, d, k int
	shift   []float64 // the first row: sums are of differences from it, so that large means cost no digits
	rows    []float64 // less than a block of them, shifted
	sum     []float64 // of shifted rows
	outer   []float64 // [D, D], sum of their outer products

	features, probs []float32
}

// NewCollector makes a collector for what a network makes of pictures.
func NewCollector(n Network) *Collector { return &Collector{network: n} }

// Len is the number of pictures so far.
func (c *Collector) Len() int { return c.n }

// Pictures takes in pictures through the network.
func (c *Collector) Pictures(ctx context.Context, pictures []image.Image) error {
	if c.network.Apply == nil {
		return errors.Errorf("metric: network %q has no function from pictures to features", c.network.Name)
	}
	if len(pictures) == 0 {
		return nil
	}
	f, p, err := c.network.Apply(ctx, pictures)
	if err != nil {
		return errors.WithMessagef(err, "metric: %s, pictures from number %d on", c.network.Name, c.n)
	}
	if f == nil || f.Dims() != 2 || f.Shape()[0] != len(pictures) {
		return errors.Errorf("metric: %s gave other than a row of features for each of %d pictures", c.network.Name, len(pictures))
	}
	return c.Add(f, p)
}

// Add takes in features [N, D], and class probabilities [N, K] or nil, in either floating-point type. What is wrong
// with them, it says before it takes anything in.
func (c *Collector) Add(features, probabilities *tensor.Dense) error {
	n, d, x, err := floats("features", features)
	if err != nil {
		return err
	}
	k := 0
	var p []float64
	if probabilities != nil {
		var rows int
		if rows, k, p, err = floats("probabilities", probabilities); err != nil {
			return err
		}
		if rows != n {
			return errors.Errorf("metric: %d rows of probabilities for %d of features", rows, n)
		}
		if err := distributions(p, k, c.n); err != nil {
			return err
		}
	}
	if c.n > 0 && (d != c.d || k != c.k) {
		return errors.Errorf("metric: %d features and %d probabilities for a picture, those before had %d and %d", d, k, c.d, c.k)
	}
	if i := slices.IndexFunc(x, func(v float64) bool { return !finite(float64(float32(v))) }); i >= 0 {
		return errors.Errorf("metric: feature %d of picture %d is %v, want a number that float32 can hold", i%d, c.n+i/d, x[i])
	}
	if c.n == 0 {
		c.d, c.k = d, k
		c.shift = slices.Clone(x[:d])
		c.sum, c.outer = make([]float64, d), make([]float64, d*d)
	}
	for i, v := range x {
		c.rows = append(c.rows, v-c.shift[i%d])
		if len(c.rows) == block*d {
			c.flush()
		}
	}
	c.n += n
	if !c.MeanOnly {
		c.features = appendNarrow(c.features, x)
		c.probs = appendNarrow(c.probs, p)
	}
	return nil
}

// flush adds the waiting rows to the sums.
func (c *Collector) flush() {
	n := len(c.rows) / c.d
	if n == 0 {
		return
	}
	for i, v := range c.rows {
		c.sum[i%c.d] += v
	}
	x := blas64.General{Rows: n, Cols: c.d, Stride: c.d, Data: c.rows}
	blas64.Gemm(blas.Trans, blas.NoTrans, 1, x, x, 1, blas64.General{Rows: c.d, Cols: c.d, Stride: c.d, Data: c.outer})
	c.rows = c.rows[:0]
}

// Stats is the statistics of all pictures so far, of which there must be two. They share no memory with the collector
// that it would still change, and it can go on.
func (c *Collector) Stats() (*Stats, error) {
	if c.n < 2 {
		return nil, errors.Errorf("metric: %d pictures, want at least 2 for a covariance", c.n)
	}
	rest := slices.Clone(c.rows)
	sum, outer := slices.Clone(c.sum), slices.Clone(c.outer)
	last := Collector{d: c.d, rows: rest, sum: sum, outer: outer}
	last.flush()
	s := &Stats{Network: c.network.Name, N: c.n, D: c.d, Mean: make([]float64, c.d), Cov: outer,
		Features: slices.Clip(c.features), Probs: slices.Clip(c.probs)}
	if s.Probs != nil {
		s.Classes = c.k
	}
	n := float64(c.n)
	for i := range c.d {
		s.Mean[i] = c.shift[i] + sum[i]/n
		for j := range i + 1 {
			v := (outer[i*c.d+j] - sum[i]/n*sum[j]) / (n - 1)
			outer[i*c.d+j], outer[j*c.d+i] = v, v
		}
		outer[i*c.d+i] = max(outer[i*c.d+i], 0)
	}
	return s, nil
}

// floats checks that a tensor is [N, D] of a floating-point type.
func floats(what string, t *tensor.Dense) (n, d int, x []float64, err error) {
	if t == nil || t.Dims() != 2 || t.Dtype() != tensor.Float32 && t.Dtype() != tensor.Float64 {
		if t == nil {
			return 0, 0, nil, errors.Errorf("metric: no %s", what)
		}
		return 0, 0, nil, errors.Errorf("metric: %s are %v %v, want floats [N, D]", what, t.Dtype(), t.Shape())
	}
	return t.Shape()[0], t.Shape()[1], float64s(t), nil
}

// distributions checks that each k numbers are probabilities. float32 softmax over thousands of classes sums to 1
// within 1e-4; scores and unnormalised numbers do not.
func distributions(p []float64, k, first int) error {
	for i := 0; i < len(p); i += k {
		sum := 0.0
		for j, v := range p[i : i+k] {
			if !(v >= 0 && v <= 1+1e-4) {
				return errors.Errorf("metric: probability of class %d for picture %d is %v", j, first+i/k, v)
			}
			sum += v
		}
		if math.Abs(sum-1) > 1e-3 {
			return errors.Errorf("metric: probabilities of picture %d sum to %v, want 1", first+i/k, sum)
		}
	}
	return nil
}

func appendNarrow(dst []float32, x []float64) []float32 {
	dst = slices.Grow(dst, len(x))
	for _, v := range x {
		dst = append(dst, float32(v))
	}
	return dst
}
