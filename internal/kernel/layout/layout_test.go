package layout

import (
	"math/rand/v2"
	"runtime"
	"testing"

	"github.com/stheno-ml/stheno/internal/kernel/cpu"
)

var sizes = [][3]int{
	{1, 1, 1}, {2, 1, 7}, {2, 7, 1}, {1, 3, 5}, {2, 3, 49}, {3, 16, 16}, {1, 17, 33}, {2, 64, 49},
	{1, 31, 100}, {2, 100, 31}, {1, 200, 129}, {4, 3, 1000}, {1, 728, 19}, {1, 8, 8}, {1, 15, 24}, {1, 24, 15},
}

func random[T Float](n int) []T {
	r := rand.New(rand.NewPCG(1, 2))
	x := make([]T, n)
	for i := range x {
		x[i] = T(r.NormFloat64())
	}
	return x
}

func testTransposes[T Float](t *testing.T) {
	for _, s := range sizes {
		n, c, hw := s[0], s[1], s[2]
		x := random[T](n * c * hw)
		const guard = 20 // more than a vector, so that a store past the end shows
		buf := make([]T, len(x)+2*guard)
		for i := range buf {
			buf[i] = -7
		}
		last := buf[guard : guard+len(x)]
		ToChannelsLast(last, x, n, c, hw)
		for i := range n {
			for j := range c {
				for k := range hw {
					if got, want := last[(i*hw+k)*c+j], x[(i*c+j)*hw+k]; got != want {
						t.Fatalf("size %v: channels-last [%d %d %d] is %v, want %v", s, i, k, j, got, want)
					}
				}
			}
		}
		for i := range guard {
			if buf[i] != -7 || buf[len(buf)-1-i] != -7 {
				t.Fatalf("size %v: wrote outside the result", s)
			}
		}
		back := make([]T, len(x))
		ToChannelsFirst(back, last, n, c, hw)
		for i := range x {
			if back[i] != x[i] {
				t.Fatalf("size %v: there and back changes element %d", s, i)
			}
		}
	}
}

func TestTransposes(t *testing.T) {
	for _, r := range cpu.Roads() {
		t.Run(r.String(), func(t *testing.T) {
			defer cpu.Force(cpu.Force(r))
			t.Run("float32", testTransposes[float32])
			t.Run("float64", testTransposes[float64])
		})
	}
}

func TestAllocatesNothing(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(2))
	x := random[float32](4 * 64 * 784)
	y := make([]float32, len(x))
	f := func() { ToChannelsLast(y, x, 4, 64, 784) }
	f()
	if a := testing.AllocsPerRun(50, f); a >= 1 {
		t.Fatalf("%v allocations a call", a)
	}
}

func BenchmarkToChannelsLast(b *testing.B) {
	x := random[float32](8 * 64 * 56 * 56)
	y := make([]float32, len(x))
	b.SetBytes(int64(8 * len(x)))
	for b.Loop() {
		ToChannelsLast(y, x, 8, 64, 56*56)
	}
}

func BenchmarkToChannelsFirst(b *testing.B) {
	x := random[float32](8 * 64 * 56 * 56)
	y := make([]float32, len(x))
	b.SetBytes(int64(8 * len(x)))
	for b.Loop() {
		ToChannelsFirst(y, x, 8, 64, 56*56)
	}
}

func TestStream(t *testing.T) {
	for _, r := range cpu.Roads() {
		defer cpu.Force(cpu.Force(r))
		for _, n := range []int{0, 1, 7, 15, 16, 17, 31, 33, 100, 1000} {
			for at := range 17 {
				const guard = 20
				src, buf := random[float32](n + at)[at:], make([]float32, n+at+2*guard)
				for i := range buf {
					buf[i] = -7
				}
				Stream(buf[guard+at:guard+at+n], src)
				for i, v := range buf {
					want := float32(-7)
					if j := i - guard - at; j >= 0 && j < n {
						want = src[j]
					}
					if v != want {
						t.Fatalf("%v: %d elements from %d on: element %d is %v, want %v", r, n, at, i-guard-at, v, want)
					}
				}
			}
		}
	}
}
