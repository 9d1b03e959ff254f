package metric

import (
	"math"

	"github.com/pkg/errors"
	"gonum.org/v1/gonum/mat"
)

// FID is the Fréchet inception distance (Heusel et al. 2017, section "FID"), of normal distributions with the means and
// covariances of the features: ‖μ₁ − μ₂‖² + tr(C₁ + C₂ − 2·(C₁C₂)^½). It is smaller for more pictures of the same
// kind: compare figures of equal numbers. With fewer pictures than features covariances are singular; the formula
// holds all the same.
//
// With C = AᵀA the trace of (C₁C₂)^½ is the sum of the singular values of A₁A₂ᵀ. That takes no root of what is 0 but
// for rounding, so that singular covariances cost no digits.
func FID(real, fake *Stats) (Result, error) {
	if err := compatible("FID", real, fake); err != nil {
		return Result{}, err
	}
	d := real.D
	distance, traces := 0.0, 0.0
	for i := range d {
		diff := real.Mean[i] - fake.Mean[i]
		distance += diff * diff
		traces += real.Cov[i*d+i] + fake.Cov[i*d+i]
	}
	a, b := factor(real), factor(fake)
	root := 0.0
	if a != nil && b != nil {
		var product mat.Dense
		product.Mul(a, b.T())
		var svd mat.SVD
		if !svd.Factorize(&product, mat.SVDNone) {
			return Result{}, errors.Errorf("FID: the singular values of a %d×%d matrix did not converge", d, d)
		}
		for _, v := range svd.Values(nil) {
			root += v
		}
	}
	r := result("FID", real, fake)
	// Equal statistics differ by rounding, to either side.
	if r.Value = math.Max(distance+traces-2*root, 0); !finite(r.Value) {
		return Result{}, errors.New("FID: features are too large for their squares to be summed")
	}
	return r, nil
}

// factor is A [rank, D] with AᵀA = C; nil for rank 0.
func factor(s *Stats) *mat.Dense {
	var c mat.PivotedCholesky
	c.Factorize(mat.NewSymDense(s.D, s.Cov), -1) // −1: rank by rounding, D·ε of the largest variance
	rank := c.Rank()
	if rank == 0 {
		return nil
	}
	var u mat.TriDense
	c.UTo(&u)
	a := mat.NewDense(rank, s.D, nil)
	for k, column := range c.ColumnPivots(nil) {
		for i := range min(rank, k+1) {
			a.Set(i, column, u.At(i, k))
		}
	}
	return a
}
