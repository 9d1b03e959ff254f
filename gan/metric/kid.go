package metric

import (
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/pkg/errors"
	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"
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
	d := real.D
	x, y := make([]float64, c.Size*d), make([]float64, c.Size*d)
	products := make([]float64, c.Size*c.Size)
	estimates := make([]float64, c.Subsets)
	for i := range estimates {
		choose(x, real, rng)
		choose(y, fake, rng)
		same := kernelSum(products, x, x, d, true) + kernelSum(products, y, y, d, true)
		n := float64(c.Size)
		estimates[i] = same/(n*(n-1)) - 2*kernelSum(products, x, y, d, false)/(n*n)
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
func choose(x []float64, s *Stats, rng *rand.Rand) {
	n := len(x) / s.D
	order := make([]int, s.N)
	for i := range order {
		order[i] = i
	}
	for i := range n { // the beginning of a Fisher–Yates shuffle
		j := i + rng.IntN(s.N-i)
		order[i], order[j] = order[j], order[i]
		for k, v := range s.Features[order[i]*s.D:][:s.D] {
			x[i*s.D+k] = float64(v)
		}
	}
}

// kernelSum is the sum of the kernel over pairs of rows of x and y, without those of equal index if others is true.
func kernelSum(products, x, y []float64, d int, others bool) float64 {
	n := len(x) / d
	rows := func(a []float64) blas64.General { return blas64.General{Rows: n, Cols: d, Stride: d, Data: a} }
	blas64.Gemm(blas.NoTrans, blas.Trans, 1/float64(d), rows(x), rows(y), 0, blas64.General{Rows: n, Cols: n, Stride: n, Data: products})
	sum := 0.0
	for i := range n {
		for j, p := range products[i*n:][:n] {
			if !others || i != j {
				sum += (p + 1) * (p + 1) * (p + 1)
			}
		}
	}
	return sum
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
