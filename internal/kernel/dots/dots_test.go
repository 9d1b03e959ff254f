package dots

import (
	"math"
	"math/rand"
	"testing"

	"github.com/stheno-ml/stheno/internal/kernel/cpu"
)

const guard = 37 // elements of NaN before and after every buffer; odd, so that nothing happens to be aligned

func guarded[T float32 | float64](n int, next func() float64) (all, data []T) {
	all = make([]T, n+2*guard)
	for i := range all {
		all[i] = T(math.NaN())
	}
	data = all[guard : guard+n : guard+n]
	for i := range data {
		data[i] = T(next())
	}
	return all, data
}

func eachRoad(t *testing.T, f func(t *testing.T)) {
	for _, r := range cpu.Roads() {
		t.Run(r.String(), func(t *testing.T) {
			defer cpu.Force(cpu.Force(r))
			f(t)
		})
	}
}

// naive is the definition, in one sum.
func naive(a, b []float32) (sum, size float64) {
	for k, v := range a {
		p := float64(v) * float64(b[k])
		sum += p
		size += math.Abs(p)
	}
	return sum, size
}

func TestProducts(t *testing.T) {
	eachRoad(t, func(t *testing.T) {
		rng := rand.New(rand.NewSource(1))
		for _, s := range [][3]int{{1, 1, 1}, {4, 3, 8}, {5, 4, 9}, {3, 2, 7}, {9, 10, 33}, {2, 70, 2049}, {1, 5, 0}, {8, 7, 16}} {
			m, n, d := s[0], s[1], s[2]
			_, a := guarded[float32](m*d, rng.NormFloat64)
			_, b := guarded[float32](n*d, rng.NormFloat64)
			all, c := guarded[float64](m*n, math.NaN)
			Products(c, a, b, m, n, d)
			for i := range m {
				for j := range n {
					want, size := naive(a[i*d:][:d], b[j*d:][:d])
					// Two orders of d additions, each of which rounds by 2⁻⁵³ of at most the sum of all terms' sizes.
					if got := c[i*n+j]; !(math.Abs(got-want) <= 2*float64(d)*math.Pow(2, -53)*size) {
						t.Fatalf("%v: row %d by row %d is %v, want %v", s, i, j, got, want)
					}
				}
			}
			for i := range guard {
				if all[i] == all[i] || all[len(all)-1-i] == all[len(all)-1-i] {
					t.Fatalf("%v: something wrote into the guard zone", s)
				}
			}
		}
	})
}

// A product is the same to the bit wherever its rows stand, and whichever of them comes first.
func TestProductsByPlace(t *testing.T) {
	eachRoad(t, func(t *testing.T) {
		rng := rand.New(rand.NewSource(2))
		const n, d = 11, 75
		_, x := guarded[float32](n*d, rng.NormFloat64)
		c := make([]float64, n*n)
		Products(c, x, x, n, n, d)
		one := make([]float64, 1)
		for i := range n {
			for j := range n {
				if Products(one, x[i*d:], x[j*d:], 1, 1, d); one[0] != c[i*n+j] || c[i*n+j] != c[j*n+i] {
					t.Fatalf("rows %d and %d: %v among others, %v alone, %v the other way round", i, j, c[i*n+j], one[0], c[j*n+i])
				}
			}
		}
	})
}

func BenchmarkProducts(b *testing.B) {
	const n, d = 256, 2048
	x, y, c := make([]float32, n*d), make([]float32, n*d), make([]float64, n*n)
	for b.Loop() {
		Products(c, x, y, n, n, d)
	}
	b.ReportMetric(2*n*n*d*float64(b.N)/b.Elapsed().Seconds()/1e9, "GFLOPS")
}
