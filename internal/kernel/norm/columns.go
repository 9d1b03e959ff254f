package norm

// Columns sets sum[c] = Σ_r x[r·stride + c] over rows, carried in float64, on the calling goroutine: for kernels that
// have these rows in the cache anyway.
func Columns[T Float](sum []float64, x []T, rows, stride int) {
	k := sumTask[T]{shape: Shape{Outer: rows, C: stride, Inner: 1}, x: x}
	var squares [blockWidth]float64
	for c0 := 0; c0 < len(sum); c0 += blockWidth {
		c1 := min(c0+blockWidth, len(sum))
		k.rows(sum[c0:c1], squares[:c1-c0], 0, rows, c0, c1)
	}
}
