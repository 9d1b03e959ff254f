//go:build !amd64 || noasm

package norm

func (k *sumTask[T]) rowsFast(s, q []float64, r0, r1, c0, c1 int) bool { return false }

func (k *sumTask[T]) planeFast(from, to, c int) (s, q float64, ok bool) { return 0, 0, false }

func (k *forwardTask[T]) fast(lo, hi int) bool { return false }

func (k *backwardTask[T]) fast(lo, hi int) bool { return false }
