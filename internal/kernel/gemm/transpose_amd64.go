//go:build amd64 && !noasm

package gemm

import (
	"unsafe"

	"github.com/stheno-ml/stheno/internal/kernel/cpu"
)

// assembly says that T is float32 and the road in force has kernels for it.
func assembly[T Float]() bool { return isFloat32[T]() && cpu.Current() >= cpu.AVX2 }

func pointer[T Float](s []T) *float32 { return (*float32)(unsafe.Pointer(unsafe.SliceData(s))) }

// Scatter reads eight rows of len(offs) elements, stride apart, from src and writes column i, as eight
// elements, to dst[offs[i]:]: a transpose whose rows may go anywhere, as long as they do not overlap. Where
// offsets of one block of eight columns are equal, the first of them is written last.
func Scatter[T Float](dst, src []T, stride int, offs []int) {
	done := 0
	if blocks := len(offs) / 8; blocks > 0 && assembly[T]() {
		done = 8 * blocks
		_ = src[7*stride+done-1]
		scatter8(pointer(dst), pointer(src), stride, unsafe.SliceData(offs), blocks)
	}
	if done < len(offs) {
		scatterGeneric(dst, src[done:], stride, offs[done:])
	}
}

// Gather is the inverse: column i of eight rows of dst, stride apart, becomes the sum over parts, in order,
// of the eight elements at src[offs[i]+part·next:].
func Gather[T Float](dst []T, stride int, src []T, offs []int, parts, next int) {
	done := 0
	if blocks := len(offs) / 8; blocks > 0 && assembly[T]() {
		done = 8 * blocks
		_ = dst[7*stride+done-1]
		gather8(pointer(dst), stride, pointer(src), unsafe.SliceData(offs), blocks, parts, next)
	}
	if done < len(offs) {
		gatherGeneric(dst[done:], stride, src, offs[done:], parts, next)
	}
}

// Split copies rows of 16·pieces elements, stride apart, piece by piece: piece p of row r goes to
// dst[p·gap + 16·r:].
func Split[T Float](dst []T, gap int, src []T, stride, rows, pieces int) {
	if rows <= 0 || pieces <= 0 || !assembly[T]() {
		splitGeneric(dst, gap, src, stride, rows, pieces)
		return
	}
	_ = dst[(pieces-1)*gap+16*rows-1]
	_ = src[(rows-1)*stride+16*pieces-1]
	split16(pointer(dst), gap, pointer(src), stride, rows, pieces)
}
