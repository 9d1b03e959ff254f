//go:build !amd64 || noasm

package depthwise

func (k *forward[T]) fast(lo, hi int) bool { return false }

func (k *inputGrad[T]) fast(lo, hi int) bool { return false }

func (k *weightGrad[T]) fast(lo, hi int) bool { return false }
