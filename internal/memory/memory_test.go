package memory

import (
	"testing"
	"unsafe"
)

func TestSlice(t *testing.T) {
	for _, n := range []int{0, 1, 15, 16, 17, 1 << 10, 1<<20 + 3, 5<<20 + 7} {
		check[uint8](t, n)
		check[float32](t, n)
		check[float64](t, n)
	}
}

func check[T Number](t *testing.T, n int) {
	t.Helper()
	s := Slice[T](n)
	if len(s) != n || cap(s) != n {
		t.Fatalf("%d elements of capacity %d, want %d", len(s), cap(s), n)
	}
	if n > 0 && uintptr(unsafe.Pointer(&s[0]))%Line != 0 {
		t.Errorf("%d elements begin at %p, want a multiple of %d", n, &s[0], Line)
	}
	for i, v := range s {
		if v != 0 {
			t.Fatalf("element %d of %d is %v, want 0", i, n, v)
		}
		s[i] = 1
	}
}
