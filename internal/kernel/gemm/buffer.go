package gemm

import (
	"math/bits"
	"sync"
	"unsafe"

	"github.com/stheno-ml/stheno/internal/memory"
)

func isFloat32[T Float]() bool {
	var z T
	return unsafe.Sizeof(z) == 4
}

// Buffer is scratch memory of a kernel. It is recycled by hand, not by a sync.Pool, so that a garbage
// collection in the middle of training costs no new allocation.
type Buffer[T Float] struct {
	Data  []T // begins on a cache line; the content is whatever was left there
	class int
}

// shelf keeps free buffers by the logarithm of their size.
type shelf[T Float] struct {
	mu   sync.Mutex
	free [48][]*Buffer[T]
}

var (
	shelf32 shelf[float32]
	shelf64 shelf[float64]
)

func shelfFor[T Float]() *shelf[T] {
	if isFloat32[T]() {
		return (*shelf[T])(unsafe.Pointer(&shelf32))
	}
	return (*shelf[T])(unsafe.Pointer(&shelf64))
}

// Borrow returns a buffer of n elements; give it back by Return.
func Borrow[T Float](n int) *Buffer[T] {
	s := shelfFor[T]()
	class := bits.Len(uint(max(n, 64) - 1))
	s.mu.Lock()
	if l := s.free[class]; len(l) > 0 {
		b := l[len(l)-1]
		s.free[class] = l[:len(l)-1]
		s.mu.Unlock()
		b.Data = b.Data[:n]
		return b
	}
	s.mu.Unlock()
	return &Buffer[T]{Data: memory.Slice[T](1 << class)[:n], class: class}
}

// Return hands the buffer back; it must not be used afterwards.
func (b *Buffer[T]) Return() {
	s := shelfFor[T]()
	s.mu.Lock()
	s.free[b.class] = append(s.free[b.class], b)
	s.mu.Unlock()
}
