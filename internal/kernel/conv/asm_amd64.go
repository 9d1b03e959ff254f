//go:build amd64 && !noasm

package conv

import (
	"unsafe"

	"github.com/stheno-ml/stheno/internal/kernel/cpu"
)

// assembly says that T is float32 and the road in force has kernels for it.
func assembly[T Float]() bool {
	var z T
	return unsafe.Sizeof(z) == 4 && cpu.Current() >= cpu.AVX2
}

func pointer[T Float](s []T) *float32 { return (*float32)(unsafe.Pointer(unsafe.SliceData(s))) }

func finish[T Float](y, add []T, stride, rows, cols int, scale, shift []T, slope, lo, hi T) {
	if !assembly[T]() {
		finishGeneric(y, add, stride, rows, cols, scale, shift, slope, lo, hi)
		return
	}
	_ = y[(rows-1)*stride+cols-1]
	finish8(pointer(y), pointer(add), stride, rows, cols, pointer(scale), pointer(shift), float32(slope), float32(lo), float32(hi))
}
