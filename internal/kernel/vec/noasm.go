//go:build !amd64 || noasm

package vec

func kernel(op) func(y, a, b *float32, n int, s, t float32) { return nil }

func reduceKernel(reduction) func(a, b *float32, n int, s float32) float64 { return nil }

func updateKernel(kind updateKind, p, d, m, v *float32, n int, c *float32) bool {
	return false
}
