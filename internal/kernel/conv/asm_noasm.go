//go:build !amd64 || noasm

package conv

func finish[T Float](y, add []T, stride, rows, cols int, scale, shift []T, slope, lo, hi T) {
	finishGeneric(y, add, stride, rows, cols, scale, shift, slope, lo, hi)
}

func (t *laneTile[T]) forward() { t.forwardGeneric() }

func (t *laneTile[T]) grad() { t.gradGeneric() }
