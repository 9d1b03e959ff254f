package metric

import (
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/pkg/errors"

	"github.com/stheno-ml/stheno/internal/kernel/dots"
	"github.com/stheno-ml/stheno/internal/kernel/par"
)

// KIDConfig says over what KID averages.
type KIDConfig struct {
	Subsets int    // 0 means 100
	Size    int    // pictures of a subset; 0 means 1,000, or as many as there are
	Seed    uint64 // of the choice
}

// KID is the kernel inception distance (Bińkowski et al. 2018, section 4): the unbiased estimate of the squared maximum
// mean discrepancy with the kernel (x·y/D + 1)³, as mean and standard deviation over random subsets. Unlike FID it
// expects the same of any number of pictures, and may be below 0.
func KID(real, fake *Stats, c KIDConfig) (Result, error) {
	if err := withFeatures("KID", real, fake); err != nil {
		return Result{}, err
	}
	fewest := min(real.N, fake.N)
	if c.Subsets == 0 {
		c.Subsets = 100
	}
	if c.Size == 0 {
		c.Size = min(1000, fewest)
	}
	if c.Subsets < 1 || c.Size < 2 || c.Size > fewest {
		return Result{}, errors.Errorf("KID: %d subsets of %d pictures, want at least 1 of 2 to %d", c.Subsets, c.Size, fewest)
	}
	rng := rand.New(rand.NewPCG(c.Seed, 0))
	x, y := make([]float32, c.Size*real.D), make([]float32, c.Size*real.D)
	estimates := make([]float64, c.Subsets)
	for i := range estimates {
		choose(x, real, rng)
		choose(y, fake, rng)
		n := float64(c.Size)
		same := others(x, real.D) + others(y, real.D)
		estimates[i] = same/(n*(n-1)) - 2*between(x, y, real.D)/(n*n)
	}
	r := result("KID", real, fake)
	r.Value, r.Deviation = meanAndDeviation(estimates)
	if !finite(r.Value) {
		return Result{}, errors.New("KID: features are too large for their kernel")
	}
	r.Parts = fmt.Sprintf("%d subsets of %d", c.Subsets, c.Size)
	return r, nil
}

// choose fills x with rows of features, none twice.
func choose(x []float32, s *Stats, rng *rand.Rand) {
	n := len(x) / s.D
	order := make([]int, s.N)
	for i := range order {
		order[i] = i
	}
	for i := range n { // the beginning of a Fisher–Yates shuffle
		j := i + rng.IntN(s.N-i)
		order[i], order[j] = order[j], order[i]
		copy(x[i*s.D:][:s.D], s.row(order[i]))
	}
}

// between is the sum of the kernel over pairs of a row of x and one of y, [N, D].
func between(x, y []float32, d int) float64 { return kernelSum{x: x, y: y, d: d}.total() }

// others is the sum of the kernel over pairs of a row of x, [N, D], and another of x.
func others(x []float32, d int) float64 { return 2 * kernelSum{x: x, y: x, d: d, above: true}.total() }

// kernelSum sums up the kernel over pairs of rows, a block of rows of x at a time.
type kernelSum struct {
	x, y  []float32 // [N, D]
	d     int
	above bool      // only pairs whose row of y has the larger number
	sums  []float64 // of each block; added up in order
}

func (s kernelSum) total() float64 {
	n := len(s.x) / s.d
	s.sums = make([]float64, (n+block-1)/block)
	par.For(n, block, s)
	sum := 0.0
	for _, v := range s.sums {
		sum += v
	}
	return sum
}

// Run does rows lo to hi − 1 of x, a block.
func (s *kernelSum) Run(lo, hi int) {
	first := 0 // of y
	if s.above {
		first = lo
	}
	columns := len(s.y)/s.d - first
	products := make([]float64, (hi-lo)*columns)
	dots.Products(products, s.x[lo*s.d:], s.y[first*s.d:], hi-lo, columns, s.d)
	sum := 0.0
	for i := range hi - lo {
		row := products[i*columns:][:columns]
		if s.above {
			row = row[i+1:]
		}
		for _, p := range row {
			k := p/float64(s.d) + 1
			sum += k * k * k
		}
	}
	s.sums[lo/block] = sum
}

// meanAndDeviation has N below the variance, as numpy.std.
func meanAndDeviation(x []float64) (mean, deviation float64) {
	for _, v := range x {
		mean += v / float64(len(x))
	}
	for _, v := range x {
		deviation += (v - mean) * (v - mean) / float64(len(x))
	}
	return mean, math.Sqrt(deviation)
}
