//go:build !amd64 || noasm

package pool

// The fast methods give the first channel that they did not do.

func (k *maxForward[T, I]) fast(lo, hi int) int { return 0 }

func (k *maxBackward[T, I]) fast(lo, hi int) int { return 0 }

func (k *averageForward[T]) fast(lo, hi int) int { return 0 }

func (k *averageBackward[T]) fast(lo, hi int) int { return 0 }

func (k *globalForward[T]) addRowsFast(y []T, from, rows int) int { return 0 }
