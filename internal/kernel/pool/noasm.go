package pool

func (k *maxForward[T, I]) fast(lo, hi int) bool { return false }

func (k *maxBackward[T, I]) fast(lo, hi int) bool { return false }

func (k *averageForward[T]) fast(lo, hi int) bool { return false }

func (k *averageBackward[T]) fast(lo, hi int) bool { return false }

func (k *globalForward[T]) addRowsFast(y []T, from, rows int) bool { return false }
