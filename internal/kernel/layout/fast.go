//go:build amd64 && !noasm

package layout

import (
	"unsafe"

	"github.com/stheno-ml/stheno/internal/kernel/cpu"
)

//go:generate sh -c "cd ../gen && go run ./layout -out ../layout/kernels_amd64.s -stubs ../layout/kernels_amd64.go -pkg layout"

// fast transposes the part of a block that is made of squares of 8×8, and gives the row and column where it ends.
func fast[T Float](dst, src []T, rows, cols, r0, r1, c0, c1 int) (r, c int) {
	var zero T
	high, wide := (r1-r0)/8*8, (c1-c0)/8*8
	if unsafe.Sizeof(zero) != 4 || cpu.Current() == cpu.Generic || high == 0 || wide == 0 {
		return r0, c0
	}
	for r := r0; r < r0+high; r += 8 {
		squares((*float32)(unsafe.Pointer(&dst[c0*rows+r])), (*float32)(unsafe.Pointer(&src[r*cols+c0])), 4*rows, 4*cols, wide/8)
	}
	return r0 + high, c0 + wide
}

// streamLines copies the whole cache lines of dst past the cache, and gives where they begin and end.
func streamLines(dst, src []float32) (lo, hi int) {
	if cpu.Current() == cpu.Generic || len(dst) == 0 {
		return 0, 0
	}
	lo = int(-uintptr(unsafe.Pointer(&dst[0]))%64) / 4
	lines := (len(dst) - lo) / 16
	if lines <= 0 {
		return 0, 0
	}
	stream(&dst[lo], &src[lo], lines)
	return lo, lo + 16*lines
}
