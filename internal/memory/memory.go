// Package memory allocates the large slices of a program: arenas, scratch, packed panels.
package memory

import "unsafe"

// Line is the boundary, in bytes, on which slices begin: a cache line.
const Line = 64

// Number is an element without pointers.
type Number interface {
	~uint8 | ~int32 | ~float32 | ~float64
}

// Slice makes n zeros that begin on a cache line. Where the system has large pages and gives them to those who ask,
// it asks: kernels walk pictures pixel by pixel, channels kilobytes apart, and with small pages nearly every step of
// such a walk is a page that the processor has to look up.
func Slice[T Number](n int) []T {
	if n == 0 {
		return nil
	}
	var zero T
	size := int(unsafe.Sizeof(zero))
	s := make([]T, n+Line/size)
	skip := int(-uintptr(unsafe.Pointer(&s[0]))&(Line-1)) / size
	s = s[skip : skip+n : skip+n]
	wantLargePages(unsafe.Pointer(&s[0]), n*size)
	return s
}
