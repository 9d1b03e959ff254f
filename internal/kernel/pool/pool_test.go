package pool

import (
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"testing"
	"unsafe"

	"github.com/stheno-ml/stheno/internal/kernel/cpu"
)

// guard is the number of sentinels before and after each buffer: a write past an end shows, and where the
// sentinel is NaN a read poisons a result.
const guard = 70

func guarded[T Float](n int) []T {
	buf := make([]T, n+2*guard)
	for i := range buf {
		buf[i] = T(math.NaN())
	}
	return buf[guard : guard+n : guard+n]
}

func guardedIndex[I Index](n int) []I {
	buf := make([]I, n+2*guard)
	for i := range buf {
		buf[i] = 123
	}
	return buf[guard : guard+n : guard+n]
}

func around[E any](x []E) []E {
	return unsafe.Slice((*E)(unsafe.Add(unsafe.Pointer(unsafe.SliceData(x)), -guard*int(unsafe.Sizeof(x[0])))), len(x)+2*guard)
}

func checkGuards[T Float](t *testing.T, s Shape, x []T) {
	t.Helper()
	buf := around(x)
	for i := range guard {
		if buf[i] == buf[i] || buf[len(buf)-1-i] == buf[len(buf)-1-i] {
			t.Fatalf("%+v: wrote outside the result", s)
		}
	}
}

func random[T Float](seed uint64, n int) []T {
	r := rand.New(rand.NewPCG(seed, 5))
	x := guarded[T](n)
	for i := range x {
		x[i] = T(math.Round(r.NormFloat64()*8) / 8) // coarse, so that there are ties
	}
	return x
}

func shape(n, h, w, c, r, s, strideH, strideW, top, left, bottom, right, dilationH, dilationW int) Shape {
	return Shape{
		N: n, H: h, W: w, C: c, R: r, S: s, StrideH: strideH, StrideW: strideW, PadTop: top, PadLeft: left,
		DilationH: dilationH, DilationW: dilationW,
		P: (h+top+bottom-(r-1)*dilationH-1)/strideH + 1, Q: (w+left+right-(s-1)*dilationW-1)/strideW + 1,
	}
}

var shapes = []Shape{
	shape(1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 1, 1),
	shape(2, 9, 7, 5, 3, 3, 2, 2, 1, 1, 1, 1, 1, 1),
	shape(2, 8, 12, 64, 3, 3, 2, 2, 1, 1, 1, 1, 1, 1),
	shape(1, 8, 8, 33, 2, 2, 2, 2, 0, 0, 0, 0, 1, 1),
	shape(1, 7, 7, 16, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1),
	shape(2, 35, 35, 17, 3, 3, 2, 2, 0, 0, 0, 0, 1, 1),
	shape(1, 6, 9, 20, 3, 2, 3, 1, 1, 0, 2, 1, 1, 1),
	shape(1, 11, 13, 3, 3, 3, 2, 1, 2, 2, 2, 2, 2, 2),
	shape(1, 5, 5, 8, 2, 2, 4, 4, 0, 0, 3, 3, 1, 1), // stride larger than the window, last window outside
	shape(1, 4, 5, 40, 5, 5, 1, 1, 2, 2, 2, 2, 1, 1),
	shape(1, 20, 18, 6, 17, 15, 2, 2, 3, 3, 3, 3, 1, 1), // 255 taps
	shape(3, 7, 7, 100, 7, 7, 7, 7, 0, 0, 0, 0, 1, 1),
	shape(1, 2, 3, 16, 3, 3, 2, 2, 0, 0, 2, 2, 1, 1),
}

// windows calls f with each output element and its window: the input elements inside the picture and their taps.
func windows(s Shape, f func(out int, in, taps []int)) {
	for n := range s.N {
		for p := range s.P {
			for q := range s.Q {
				for c := range s.C {
					var in, taps []int
					for r := range s.R {
						for t := range s.S {
							h, w := p*s.StrideH-s.PadTop+r*s.DilationH, q*s.StrideW-s.PadLeft+t*s.DilationW
							if h >= 0 && h < s.H && w >= 0 && w < s.W {
								in = append(in, ((n*s.H+h)*s.W+w)*s.C+c)
								taps = append(taps, r*s.S+t)
							}
						}
					}
					f(((n*s.P+p)*s.Q+q)*s.C+c, in, taps)
				}
			}
		}
	}
}

func eachRoad(t *testing.T, f func(t *testing.T)) {
	for _, r := range cpu.Roads() {
		t.Run(r.String(), func(t *testing.T) {
			defer cpu.Force(cpu.Force(r))
			f(t)
		})
	}
}

func equal[T Float](a, b T) bool { return a == b || a != a && b != b }

func testMax[T Float, I Index](t *testing.T, special bool) {
	for _, s := range shapes {
		x := random[T](1, s.inputSize())
		if special {
			for i := range x {
				switch i * 7919 % 23 {
				case 0:
					x[i] = T(math.NaN())
				case 1:
					x[i] = T(math.Inf(1))
				case 2, 3, 4, 5, 6:
					x[i] = T(math.Inf(-1))
				}
			}
		}
		dy := random[T](2, s.outputSize())
		y, arg, dx := guarded[T](s.outputSize()), guardedIndex[I](s.outputSize()), guarded[T](s.inputSize())
		bare := guarded[T](s.outputSize())
		MaxForward[T, I](bare, nil, x, s)
		MaxForward(y, arg, x, s)
		MaxBackward(dx, dy, arg, s)
		want := make([]float64, len(dx))
		windows(s, func(out int, in, taps []int) {
			best, tap := T(math.Inf(-1)), -1
			for i, at := range in {
				if v := x[at]; tap < 0 || v > best || v != v {
					best, tap = v, taps[i]
				}
			}
			if !equal(y[out], best) || !equal(bare[out], best) || tap >= 0 && int(arg[out]) != tap {
				t.Fatalf("%+v: y[%d] is %v (%v without places) at %d, want %v at %d", s, out, y[out], bare[out], arg[out], best, tap)
			}
			for i, at := range in {
				if taps[i] == tap {
					want[at] += float64(dy[out])
				}
			}
		})
		for i := range dx {
			if float64(dx[i]) != want[i] { // sums of a few eighths are exact
				t.Fatalf("%+v: dx[%d] is %v, want %v", s, i, dx[i], want[i])
			}
		}
		checkGuards(t, s, y)
		checkGuards(t, s, dx)
		for i, v := range around(arg) {
			if (i < guard || i >= guard+len(arg)) && v != 123 {
				t.Fatalf("%+v: wrote outside arg", s)
			}
		}
	}
}

func TestMax(t *testing.T) {
	eachRoad(t, func(t *testing.T) {
		for _, special := range []bool{false, true} {
			t.Run("float32 uint8", func(t *testing.T) { testMax[float32, uint8](t, special) })
			t.Run("float32 int32", func(t *testing.T) { testMax[float32, int32](t, special) })
			t.Run("float64 uint8", func(t *testing.T) { testMax[float64, uint8](t, special) })
		}
	})
}

func testAverage[T Float](t *testing.T, tol float64) {
	for _, s := range shapes {
		for _, countPad := range []bool{false, true} {
			d := Divisor{CountPad: countPad, PadBottom: s.PadTop, PadRight: s.PadLeft}
			x, dy := random[T](1, s.inputSize()), random[T](2, s.outputSize())
			y, dx := guarded[T](s.outputSize()), guarded[T](s.inputSize())
			AverageForward(y, x, s, d)
			AverageBackward(dx, dy, s, d)
			want, size := make([]float64, len(dx)), make([]float64, len(dx))
			windows(s, func(out int, in, taps []int) {
				count := float64(len(in))
				if countPad {
					p, q := out/s.C/s.Q%s.P, out/s.C%s.Q
					rows, cols := 0, 0
					for r := range s.R {
						if p*s.StrideH+r*s.DilationH < s.PadTop+s.H+d.PadBottom {
							rows++
						}
					}
					for c := range s.S {
						if q*s.StrideW+c*s.DilationW < s.PadLeft+s.W+d.PadRight {
							cols++
						}
					}
					count = float64(rows * cols)
				}
				sum, abs := 0.0, 0.0
				for _, at := range in {
					sum += float64(x[at])
					abs += math.Abs(float64(x[at]))
					want[at] += float64(dy[out]) / count
					size[at] += math.Abs(float64(dy[out])) / count
				}
				if !(math.Abs(float64(y[out])-sum/count) <= tol*abs/count) && !(count == 0 && y[out] != y[out]) {
					t.Fatalf("%+v: y[%d] is %v, want %v", s, out, y[out], sum/count)
				}
			})
			for i := range dx {
				if math.Abs(float64(dx[i])-want[i]) > tol*size[i] {
					t.Fatalf("%+v: dx[%d] is %v, want %v", s, i, dx[i], want[i])
				}
			}
			checkGuards(t, s, y)
			checkGuards(t, s, dx)
		}
	}
}

func TestAverage(t *testing.T) {
	eachRoad(t, func(t *testing.T) {
		// The values are multiples of 1/8, so sums are exact; what rounds is the division, and sums of quotients.
		t.Run("float32", func(t *testing.T) { testAverage[float32](t, 1e-6) })
		t.Run("float64", func(t *testing.T) { testAverage[float64](t, 1e-14) })
	})
}

func TestGlobal(t *testing.T) {
	eachRoad(t, func(t *testing.T) {
		for _, s := range [][3]int{{1, 1, 1}, {2, 49, 65}, {3, 1, 7}, {1, 12544, 40}, {9, 64, 300}} {
			n, hw, c := s[0], s[1], s[2]
			x, dy := random[float32](1, n*hw*c), random[float32](2, n*c)
			y, dx := guarded[float32](n*c), guarded[float32](n*hw*c)
			for i := range x {
				x[i] += 0.3
			}
			GlobalForward(y, x, n, hw, c)
			GlobalBackward(dx, dy, n, hw, c)
			for i := range n {
				for j := range c {
					sum := 0.0
					for k := range hw {
						at := (i*hw+k)*c + j
						sum += float64(x[at])
						if want := float64(dy[i*c+j]) / float64(hw); math.Abs(float64(dx[at])-want) > 2e-7*math.Abs(want) { // two roundings
							t.Fatalf("%v: dx is %v, want %v", s, dx[at], want)
						}
					}
					// 1e-6: sums in several levels, so that rounding does not grow with the size of the picture.
					if want := sum / float64(hw); math.Abs(float64(y[i*c+j])-want) > 1e-6*(1+math.Abs(want)) {
						t.Fatalf("%v: y is %v, want %v", s, y[i*c+j], want)
					}
				}
			}
			checkGuards(t, Shape{}, y)
			checkGuards(t, Shape{}, dx)
		}
	})
}

func TestWorkersDoNotChangeBits(t *testing.T) {
	eachRoad(t, func(t *testing.T) {
		s := shape(3, 40, 41, 50, 3, 3, 2, 2, 1, 1, 1, 1, 1, 1)
		var first []float32
		for _, procs := range []int{1, 2, 4} {
			old := runtime.GOMAXPROCS(procs)
			x, dy := random[float32](1, s.inputSize()), random[float32](2, s.outputSize())
			y, dx := make([]float32, len(dy)), make([]float32, len(x))
			arg := make([]uint8, len(y))
			MaxForward(y, arg, x, s)
			MaxBackward(dx, dy, arg, s)
			all := append(y, dx...)
			AverageForward(y, x, s, Divisor{})
			AverageBackward(dx, dy, s, Divisor{})
			all = append(append(all, y...), dx...)
			GlobalForward(y, x, s.N, s.H*s.W, s.C)
			all = append(all, y...)
			runtime.GOMAXPROCS(old)
			if first == nil {
				first = all
			}
			for i := range all {
				if all[i] != first[i] {
					t.Fatalf("element %d is %v with %d workers, %v with one", i, all[i], procs, first[i])
				}
			}
		}
	})
}

func TestAllocatesNothing(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(2))
	s := shape(3, 40, 41, 50, 3, 3, 2, 2, 1, 1, 1, 1, 1, 1)
	x, dy := random[float32](1, s.inputSize()), random[float32](2, s.outputSize())
	arg := make([]uint8, len(dy))
	f := func() {
		MaxForward(dy, arg, x, s)
		MaxBackward(x, dy, arg, s)
		AverageForward(dy, x, s, Divisor{})
		AverageBackward(x, dy, s, Divisor{})
		GlobalForward(dy, x, s.N, s.H*s.W, s.C)
		GlobalBackward(x, dy, s.N, s.H*s.W, s.C)
	}
	f()
	if a := testing.AllocsPerRun(20, f); a >= 1 {
		t.Fatalf("%v allocations a call", a)
	}
}

// The ResNet stem's pool, as in PyTorch's table of peers.
var stem = shape(8, 112, 112, 64, 3, 3, 2, 2, 1, 1, 1, 1, 1, 1)

func benchmark(b *testing.B, bytes int, f func()) {
	for _, r := range cpu.Roads() {
		b.Run(fmt.Sprint(r), func(b *testing.B) {
			defer cpu.Force(cpu.Force(r))
			b.SetBytes(int64(bytes))
			for b.Loop() {
				f()
			}
		})
	}
}

func BenchmarkMaxForward(b *testing.B) {
	x, y, arg := random[float32](1, stem.inputSize()), make([]float32, stem.outputSize()), make([]uint8, stem.outputSize())
	benchmark(b, 4*len(x)+5*len(y), func() { MaxForward(y, arg, x, stem) })
}

func BenchmarkMaxBackward(b *testing.B) {
	x, y, arg := random[float32](1, stem.inputSize()), make([]float32, stem.outputSize()), make([]uint8, stem.outputSize())
	MaxForward(y, arg, x, stem)
	benchmark(b, 4*len(x)+5*len(y), func() { MaxBackward(x, y, arg, stem) })
}

// Inception-v3's average pool at 35².
var mixed = shape(8, 35, 35, 256, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1)

func BenchmarkAverageForward(b *testing.B) {
	x, y := random[float32](1, mixed.inputSize()), make([]float32, mixed.outputSize())
	benchmark(b, 4*len(x)+4*len(y), func() { AverageForward(y, x, mixed, Divisor{}) })
}

func BenchmarkAverageBackward(b *testing.B) {
	x, y := make([]float32, mixed.inputSize()), random[float32](1, mixed.outputSize())
	benchmark(b, 4*len(x)+4*len(y), func() { AverageBackward(x, y, mixed, Divisor{}) })
}

func BenchmarkGlobalForward(b *testing.B) {
	x, y := random[float32](1, 16*49*2048), make([]float32, 16*2048)
	benchmark(b, 4*len(x)+4*len(y), func() { GlobalForward(y, x, 16, 49, 2048) })
}
