// Package dots multiplies rows with rows: C = A·Bᵀ of float32 matrices, with all sums in float64. Products of
// float32 are exact there, so a result is as good as the rounding of float64 sums: it serves statistics, where
// large numbers cancel.
package dots

import (
	"unsafe"

	"github.com/stheno-ml/stheno/internal/kernel/cpu"
)

//go:generate sh -c "cd ../gen && go run ./dots -out ../dots/kernels_amd64.s -stubs ../dots/kernels_amd64.go -pkg dots"

// Rows of a and of b in one call of the kernel.
const (
	rowsA = 4
	rowsB = 3
)

// Products are summed in parts: seven rows of length numbers, 28 KiB, lie in the first-level cache, and what of b is
// gone through again and again, stretch rows of them, in the second.
const (
	length  = 1024
	stretch = 48
)

// Products computes c[i·n + j] = Σ a[i·d + k]·b[j·d + k] over k, for m rows of a, n of b and d numbers in each: c is
// [m, n], a [m, d], b [n, d]. What stands at one place of c depends on the two rows and d alone. It allocates nothing
// and starts no goroutine.
func Products(c []float64, a, b []float32, m, n, d int) {
	if m <= 0 || n <= 0 {
		return
	}
	_, _, _ = c[m*n-1], a[:m*d], b[:n*d]
	clear(c[:m*n])
	var rows [rowsA + rowsB]*float32
	var sums [rowsA * rowsB]float64
	for k := 0; k < d; k += length {
		l := min(length, d-k)
		at := func(x []float32, i int) *float32 { return unsafe.SliceData(x[i*d+k:]) }
		for first := 0; first < n; first += stretch {
			for i := 0; i < m; i += rowsA {
				for p := range rowsA { // what has no row is computed from the last again
					rows[p] = at(a, min(i+p, m-1))
				}
				for j := first; j < min(first+stretch, n); j += rowsB {
					for q := range rowsB {
						rows[rowsA+q] = at(b, min(j+q, n-1))
					}
					block(&rows, l, &sums)
					for p := range min(rowsA, m-i) {
						for q := range min(rowsB, n-j) {
							c[(i+p)*n+j+q] += sums[p*rowsB+q]
						}
					}
				}
			}
		}
	}
}

// block computes one block of products of rows of d numbers, by the road in force.
func block(rows *[rowsA + rowsB]*float32, d int, sums *[rowsA * rowsB]float64) {
	whole := 0
	*sums = [rowsA * rowsB]float64{}
	if road := cpu.Current(); road != cpu.Generic {
		whole = d &^ 7
		fast(road, rows, whole, sums)
	}
	for i, a := range rows[:rowsA] {
		x := unsafe.Slice(a, d)
		y0, y1, y2 := unsafe.Slice(rows[rowsA], d), unsafe.Slice(rows[rowsA+1], d), unsafe.Slice(rows[rowsA+2], d)
		s := sums[i*rowsB:][:rowsB]
		s0, s1, s2 := s[0], s[1], s[2]
		for k := whole; k < d; k++ {
			v := float64(x[k])
			s0 += v * float64(y0[k])
			s1 += v * float64(y1[k])
			s2 += v * float64(y2[k])
		}
		s[0], s[1], s[2] = s0, s1, s2
	}
}
