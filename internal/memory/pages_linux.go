package memory

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

const largePage = 2 << 20

// wantLargePages asks for large pages in the whole ones among n bytes from p on. It is advice: what comes of it does
// not matter to the content, so neither does an error.
func wantLargePages(p unsafe.Pointer, n int) {
	skip := int(-uintptr(p) & (largePage - 1))
	if whole := (n - skip) &^ (largePage - 1); whole > 0 {
		_ = unix.Madvise(unsafe.Slice((*byte)(unsafe.Add(p, skip)), whole), unix.MADV_HUGEPAGE)
	}
}
