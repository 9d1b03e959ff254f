package metric

import (
	"math"
	"slices"
	"sync/atomic"

	"github.com/pkg/errors"

	"github.com/stheno-ml/stheno/internal/kernel/dots"
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
	r, f := newManifold(real), newManifold(fake)
	r.grow(k)
	f.grow(k)
	inReal, inFake := make([]atomic.Bool, fake.N), make([]atomic.Bool, real.N)
	par.For(fake.N, block, meeting{r, f, inReal, inFake})
	precision, recall = result("precision", real, fake), result("recall", real, fake)
	precision.Value, recall.Value = share(inReal), share(inFake)
	return precision, recall, nil
}

func share(in []atomic.Bool) float64 {
	count := 0
	for i := range in {
		if in[i].Load() {
			count++
		}
	}
	return float64(count) / float64(len(in))
}

// manifold is the points of a set and the squared radii of their balls.
//
// Which points are near each other is first asked of ‖x‖² + ‖y‖² − 2x·y, which is fast, but cancels: where that
// decides nothing within its error, the sum of squared differences does.
type manifold struct {
	*Stats
	squares []float64 // ‖x‖²
	radii   []float64
}

func newManifold(s *Stats) *manifold {
	m := &manifold{Stats: s, squares: make([]float64, s.N), radii: make([]float64, s.N)}
	for i := range m.squares {
		for _, v := range s.row(i) {
			m.squares[i] += float64(v) * float64(v)
		}
	}
	return m
}

// about gives the squared distance of point i of m to point j of n from their product x·y, and a bound of its error.
func (m *manifold) about(n *manifold, i, j int, product float64) (square, bound float64) {
	sum := m.squares[i] + n.squares[j]
	// Each of the three sums rounds by D·2⁻⁵³ of what its terms are in size, x·y by that of half the sum; so does
	// the sum of squared differences, which are no more than twice the sum. The rest is the last additions.
	return sum - 2*product, float64(m.D+8) * 0x1p-51 * sum
}

// products computes x·y of points lo to hi − 1 of m and all of n: [hi − lo, n.N].
func (m *manifold) products(n *manifold, lo, hi int) []float64 {
	p := make([]float64, (hi-lo)*n.N)
	dots.Products(p, m.Features[lo*m.D:], n.Features, hi-lo, n.N, m.D)
	return p
}

// grow finds the radii: distances to the k-th nearest neighbour.
func (m *manifold) grow(k int) { par.For(m.N, block, growth{m, k}) }

type growth struct {
	*manifold
	k int
}

func (g *growth) Run(lo, hi int) {
	products := g.products(g.manifold, lo, hi)
	nearest, far := make([]float64, 0, g.k+1), make([]float64, g.N) // ascending; at most so far away
	for i := lo; i < hi; i++ {
		row := products[(i-lo)*g.N:][:g.N]
		nearest = nearest[:0]
		for j := range row {
			var bound float64
			row[j], bound = g.about(g.manifold, i, j, row[j])
			far[j] = row[j] + bound
			if j != i {
				nearest = keep(nearest, far[j], g.k)
			}
		}
		limit := nearest[g.k-1] // k points are no further away than this
		nearest = nearest[:0]
		for j, v := range row {
			if j != i && !(2*v-far[j] > limit) {
				nearest = keep(nearest, distance(g.row(i), g.row(j)), g.k)
			}
		}
		g.radii[i] = nearest[g.k-1]
	}
}

// keep puts v among the k smallest, in order.
func keep(smallest []float64, v float64, k int) []float64 {
	if len(smallest) == k && !(v < smallest[k-1]) {
		return smallest
	}
	at, _ := slices.BinarySearch(smallest, v)
	smallest = slices.Insert(smallest, at, v)
	return smallest[:min(len(smallest), k)]
}

// meeting tells which points of each manifold lie in a ball of the other.
type meeting struct {
	real, fake     *manifold
	inReal, inFake []atomic.Bool // points of fake; points of real
}

func (t *meeting) Run(lo, hi int) {
	products := t.fake.products(t.real, lo, hi)
	for i := lo; i < hi; i++ {
		for j, p := range products[(i-lo)*t.real.N:][:t.real.N] {
			square, bound := t.fake.about(t.real, i, j, p)
			within := func(radius float64) bool {
				if math.Abs(square-radius) > bound {
					return square < radius
				}
				return distance(t.fake.row(i), t.real.row(j)) <= radius
			}
			if within(t.real.radii[j]) {
				t.inReal[i].Store(true)
			}
			if within(t.fake.radii[i]) {
				t.inFake[j].Store(true)
			}
		}
	}
}

func (s *Stats) row(i int) []float32 { return s.Features[i*s.D:][:s.D] }

// distance is the squared Euclidean distance.
func distance(a, b []float32) float64 {
	sum := 0.0
	for i, v := range a {
		d := float64(v) - float64(b[i])
		sum += d * d
	}
	return sum
}
