//go:build !amd64 || noasm

package conv

func scatter[T Float](dst, src []T, stride int, offs []int) { scatterGeneric(dst, src, stride, offs) }

func gather[T Float](dst []T, stride int, src []T, offs []int, parts, next int) {
	gatherGeneric(dst, stride, src, offs, parts, next)
}
