package metric

import (
	"math"
	"slices"

	"github.com/pkg/errors"

	"github.com/stheno-ml/stheno/internal/kernel/par"
)

// PrecisionRecall is precision, the share of generated pictures within the manifold of real ones, and recall, the share
// of real pictures within that of generated ones (Kynkäänniemi et al. 2019, section 2). The manifold of a set is the
// union of balls about the features of its pictures, each as large as the distance to the k-th nearest neighbour
// of the same set; 0 means 3 as published. The time grows with the square of the number of pictures.
func PrecisionRecall(real, fake *Stats, k int) (precision, recall Result, err error) {
	const name = "precision and recall"
	if err := withFeatures(name, real, fake); err != nil {
		return precision, recall, err
	}
	if k == 0 {
		k = 3
	}
	if k < 1 || k >= real.N || k >= fake.N {
		return precision, recall, errors.Errorf("%s: neighbour number %d, want 1 to less than the number of pictures, %d real and %d generated", name, k, real.N, fake.N)
	}
	precision, recall = result("precision", real, fake), result("recall", real, fake)
	precision.Value = covered(fake, real, k)
	recall.Value = covered(real, fake, k)
	return precision, recall, nil
}

// covered is the share of the points of a that are within the manifold of b.
func covered(a, b *Stats, k int) float64 {
	radii := make([]float64, b.N) // squared
	par.For(b.N, 16, radius{b, k, radii})
	inside := make([]bool, a.N)
	par.For(a.N, 16, within{a, b, radii, inside})
	count := 0
	for _, in := range inside {
		if in {
			count++
		}
	}
	return float64(count) / float64(a.N)
}

// radius finds the squared distance of each point to its k-th nearest neighbour.
type radius struct {
	s     *Stats
	k     int
	radii []float64
}

func (r *radius) Run(lo, hi int) {
	nearest := make([]float64, 0, r.k+1) // ascending
	for i := lo; i < hi; i++ {
		nearest = nearest[:0]
		for j := range r.s.N {
			if i == j {
				continue
			}
			limit := math.Inf(1)
			if len(nearest) == r.k {
				limit = nearest[r.k-1]
			}
			if d := distance(r.s.row(i), r.s.row(j), limit); d < limit {
				at, _ := slices.BinarySearch(nearest, d)
				nearest = slices.Insert(nearest, at, d)
				nearest = nearest[:min(len(nearest), r.k)]
			}
		}
		r.radii[i] = nearest[r.k-1]
	}
}

// within tells which points of a lie in a ball of b.
type within struct {
	a, b   *Stats
	radii  []float64
	inside []bool
}

func (w *within) Run(lo, hi int) {
	for i := lo; i < hi; i++ {
		for j := 0; j < w.b.N && !w.inside[i]; j++ {
			w.inside[i] = distance(w.a.row(i), w.b.row(j), w.radii[j]) <= w.radii[j]
		}
	}
}

func (s *Stats) row(i int) []float32 { return s.Features[i*s.D:][:s.D] }

// distance is the squared Euclidean distance; it may stop at a part of it that is above the limit.
func distance(a, b []float32, limit float64) float64 {
	sum := 0.0
	for len(a) > 0 {
		n := min(len(a), 64)
		for i, v := range a[:n] {
			d := float64(v) - float64(b[i])
			sum += d * d
		}
		if sum > limit {
			break
		}
		a, b = a[n:], b[n:]
	}
	return sum
}
