//go:build !amd64 || noasm

package gemm

// Scatter is a transpose; see the assembly road.
func Scatter[T Float](dst, src []T, stride int, offs []int) { scatterGeneric(dst, src, stride, offs) }

// Gather is its inverse, summing parts.
func Gather[T Float](dst []T, stride int, src []T, offs []int, parts, next int) {
	gatherGeneric(dst, stride, src, offs, parts, next)
}

// Split copies rows piece by piece.
func Split[T Float](dst []T, gap int, src []T, stride, rows, pieces int) {
	splitGeneric(dst, gap, src, stride, rows, pieces)
}
