// Package vec holds kernels that go over long vectors once: arithmetic, activations and their gradients,
// reductions, row softmax, and the update of a parameter by an optimiser.
//
// Every elementwise function writes len(y) values and needs its inputs at least that long; y may be the same
// slice as an input (in place), but must not overlap one otherwise. Work is cut by size, so results do not
// depend on GOMAXPROCS. float32 has assembly for AVX2 and AVX-512; float64 and other processors run plain Go.
package vec

import (
	"unsafe"

	"github.com/stheno-ml/stheno/internal/kernel/par"
)

// Float is a type of number that the kernels compute with.
type Float interface{ ~float32 | ~float64 }

// A chunk of work is long enough to hide what handing it to a worker costs (about a microsecond), and short
// enough to stay in a core's second-level cache.
const (
	grainMemory = 32 << 10 // elements a chunk where memory is the limit
	grainMath   = 4 << 10  // elements a chunk where arithmetic is
)

// elementwise is y[i] = op(a[i], b[i], s, t); operands that op does not use are nil or zero.
type elementwise[T Float] struct {
	op      op
	y, a, b []T
	s, t    T
}

func (e *elementwise[T]) Run(lo, hi int) {
	y, a, b := e.y[lo:hi], part(e.a, lo, hi), part(e.b, lo, hi)
	if isFloat32[T]() {
		if k := kernel(e.op); k != nil {
			k(first(y), first(a), first(b), hi-lo, float32(e.s), float32(e.t))
			return
		}
	}
	loop(e.op, y, a, b, e.s, e.t)
}

// apply runs op over len(y) elements.
func apply[T Float](o op, y, a, b []T, s, t T) {
	n := len(y)
	if n == 0 {
		return
	}
	if a != nil {
		a = a[:n]
	}
	if b != nil {
		b = b[:n]
	}
	grain := grainMemory
	if o >= firstMath {
		grain = grainMath
	}
	e := elementwise[T]{o, y, a, b, s, t}
	if n <= grain {
		e.Run(0, n)
		return
	}
	par.For(n, grain, e)
}

func part[T Float](x []T, lo, hi int) []T {
	if x == nil {
		return nil
	}
	return x[lo:hi]
}

// isFloat32 tells whether T is stored as a float32; the compiler knows the answer for each instance.
func isFloat32[T Float]() bool {
	var zero T
	return unsafe.Sizeof(zero) == 4
}

// first is the address of x[0], for T stored as a float32.
func first[T Float](x []T) *float32 { return (*float32)(unsafe.Pointer(unsafe.SliceData(x))) }
