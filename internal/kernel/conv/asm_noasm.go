//go:build !amd64 || noasm

package conv

func scatter[T Float](dst, src []T, stride int, offs []int) { scatterGeneric(dst, src, stride, offs) }

func gather[T Float](dst []T, stride int, src []T, offs []int, parts, next int) {
	gatherGeneric(dst, stride, src, offs, parts, next)
}

func finish[T Float](y, add []T, stride, rows, cols int, scale, shift []T, slope, lo, hi T) {
	finishGeneric(y, add, stride, rows, cols, scale, shift, slope, lo, hi)
}
