package depthwise

import (
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"testing"
	"unsafe"

	"github.com/stheno-ml/stheno/internal/kernel/cpu"
	"github.com/stheno-ml/stheno/internal/kernel/layout"
)

// guard is the number of NaNs before and after each buffer: a write past an end shows, a read poisons a result.
const guard = 70

func guarded[T Float](n int) []T {
	buf := make([]T, n+2*guard)
	for i := range buf {
		buf[i] = T(math.NaN())
	}
	return buf[guard : guard+n : guard+n]
}

func checkGuards[T Float](t *testing.T, s Shape, x []T) {
	t.Helper()
	buf := unsafe.Slice((*T)(unsafe.Add(unsafe.Pointer(unsafe.SliceData(x)), -guard*int(unsafe.Sizeof(x[0])))), len(x)+2*guard)
	for i := range guard {
		if buf[i] == buf[i] || buf[len(buf)-1-i] == buf[len(buf)-1-i] {
			t.Fatalf("%+v: wrote outside a buffer of %d", s, len(x))
		}
	}
}

func random[T Float](seed uint64, n int) []T {
	r := rand.New(rand.NewPCG(seed, 5))
	x := guarded[T](n)
	for i := range x {
		x[i] = T(r.NormFloat64())
	}
	return x
}

func shape(n, h, w, c, m, r, s, strideH, strideW, top, left, bottom, right, dilationH, dilationW int) Shape {
	return Shape{
		N: n, H: h, W: w, C: c, M: m, R: r, S: s, StrideH: strideH, StrideW: strideW, PadTop: top, PadLeft: left,
		DilationH: dilationH, DilationW: dilationW,
		P: (h+top+bottom-(r-1)*dilationH-1)/strideH + 1, Q: (w+left+right-(s-1)*dilationW-1)/strideW + 1,
	}
}

func same3x3(n, hw, c int) Shape { return shape(n, hw, hw, c, 1, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1) }

var shapes = []Shape{
	shape(1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 1, 1),
	same3x3(1, 1, 20),
	same3x3(2, 2, 3),
	same3x3(2, 5, 16),
	same3x3(1, 19, 33),
	same3x3(2, 9, 104),
	shape(1, 7, 30, 17, 1, 3, 3, 1, 1, 0, 0, 0, 0, 1, 1),
	shape(1, 4, 3, 17, 1, 3, 3, 1, 1, 2, 2, 2, 2, 1, 1),
	shape(1, 9, 5, 35, 1, 2, 3, 2, 1, 0, 0, 0, 0, 3, 1),
	{N: 1, H: 5, W: 12, C: 18, M: 1, R: 3, S: 3, P: 4, Q: 5, StrideH: 1, StrideW: 1, PadTop: 1, PadLeft: 1, DilationH: 1, DilationW: 1}, // part of the result
	shape(2, 9, 12, 40, 1, 3, 3, 2, 2, 1, 1, 1, 1, 1, 1),
	shape(1, 12, 9, 24, 1, 3, 3, 2, 2, 0, 0, 1, 1, 1, 1), // TensorFlow's "same"
	shape(1, 11, 14, 18, 1, 5, 5, 1, 1, 2, 2, 2, 2, 1, 1),
	shape(1, 9, 13, 9, 1, 3, 3, 1, 1, 2, 2, 2, 2, 2, 2),
	shape(1, 9, 13, 8, 1, 3, 2, 2, 3, 2, 1, 1, 0, 2, 1),
	shape(1, 15, 16, 5, 1, 7, 7, 1, 1, 3, 3, 3, 3, 1, 1),
	shape(1, 13, 12, 6, 1, 9, 9, 2, 1, 4, 4, 4, 4, 1, 1),
	shape(1, 6, 6, 5, 1, 2, 2, 3, 3, 0, 0, 0, 0, 1, 1),  // stride larger than the filter
	shape(1, 3, 4, 5, 1, 5, 5, 1, 1, 4, 4, 4, 4, 1, 1),  // filter larger than the picture
	shape(1, 3, 4, 20, 1, 1, 1, 1, 1, 1, 2, 1, 0, 1, 1), // padding beyond the filter
	shape(2, 6, 5, 3, 4, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1),
	shape(1, 8, 9, 20, 2, 3, 3, 2, 2, 1, 1, 1, 1, 1, 1),
	shape(2, 5, 7, 16, 3, 1, 5, 1, 2, 0, 2, 0, 2, 1, 1),
	same3x3(1, 19, 256), // pixels 1 KB apart
	shape(2, 9, 11, 512, 1, 5, 3, 2, 1, 2, 1, 2, 1, 1, 2),
}

// taps calls f with the element numbers of each product y[out] += filter[k]·x[in].
func taps(s Shape, f func(out, k, in int)) {
	for n := range s.N {
		for p := range s.P {
			for q := range s.Q {
				for r := range s.R {
					for t := range s.S {
						h, w := p*s.StrideH-s.PadTop+r*s.DilationH, q*s.StrideW-s.PadLeft+t*s.DilationW
						if h < 0 || h >= s.H || w < 0 || w >= s.W {
							continue
						}
						for o := range s.C * s.M {
							f(((n*s.P+p)*s.Q+q)*s.C*s.M+o, (o*s.R+r)*s.S+t, ((n*s.H+h)*s.W+w)*s.C+o/s.M)
						}
					}
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

// sums is Σ a·b and Σ |a·b| for each result.
type sums struct{ value, size []float64 }

func newSums(n int) sums { return sums{make([]float64, n), make([]float64, n)} }

func (s sums) add(i int, v float64) {
	s.value[i] += v
	s.size[i] += math.Abs(v)
}

func near[T Float](t *testing.T, s Shape, what string, got []T, want sums, tol float64) {
	t.Helper()
	for i := range got {
		if !(math.Abs(float64(got[i])-want.value[i]) <= tol*want.size[i]) {
			t.Fatalf("%+v: %s[%d] is %v, want %v", s, what, i, got[i], want.value[i])
		}
	}
	checkGuards(t, s, got)
}

func testAll[T Float](t *testing.T, tol float64) {
	for _, s := range shapes {
		x, dy, f := random[T](1, s.inputSize()), random[T](2, s.outputSize()), random[T](3, s.filterSize())
		y, dx, df := newSums(s.outputSize()), newSums(s.inputSize()), newSums(s.filterSize())
		taps(s, func(out, k, in int) {
			y.add(out, float64(f[k])*float64(x[in]))
			dx.add(in, float64(f[k])*float64(dy[out]))
			df.add(k, float64(x[in])*float64(dy[out]))
		})
		got := guarded[T](s.outputSize())
		ws := guarded[T](s.ForwardWorkspace())
		Forward(got, x, f, s, Epilogue[T]{}, ws)
		near(t, s, "y", got, y, tol)
		checkGuards(t, s, ws)

		e := Epilogue[T]{Scale: random[T](4, s.C*s.M), Shift: random[T](5, s.C*s.M), Act: true, Slope: 0.1}
		for i := range y.value {
			o := i % (s.C * s.M)
			v := y.value[i]*float64(e.Scale[o]) + float64(e.Shift[o])
			if v <= 0 {
				v *= float64(e.Slope)
			}
			y.value[i] = v
			y.size[i] = y.size[i]*math.Abs(float64(e.Scale[o])) + math.Abs(float64(e.Shift[o]))
		}
		Forward(got, x, f, s, e, ws)
		near(t, s, "y with epilogue", got, y, tol)

		got = guarded[T](s.inputSize())
		ws = guarded[T](s.InputGradWorkspace())
		InputGrad(got, dy, f, s, ws)
		near(t, s, "dx", got, dx, tol)
		checkGuards(t, s, ws)

		got = guarded[T](s.filterSize())
		ws = guarded[T](s.WeightGradWorkspace())
		WeightGrad(got, dy, x, s, ws)
		near(t, s, "df", got, df, tol)
		checkGuards(t, s, ws)
	}
}

func TestAgainstDefinition(t *testing.T) {
	eachRoad(t, func(t *testing.T) {
		// Relative to Σ|a·b|; a sum of k products errs by at most (k+1)/2 · 1.2e-7, and by far less as signs vary.
		t.Run("float32", func(t *testing.T) { testAll[float32](t, 1e-6) })
		t.Run("float64", func(t *testing.T) { testAll[float64](t, 1e-14) })
	})
}

// A NaN in the picture reaches just the outputs that read it.
func TestNaN(t *testing.T) {
	eachRoad(t, func(t *testing.T) {
		s := same3x3(1, 6, 20)
		x, f, y := random[float32](1, s.inputSize()), random[float32](2, s.filterSize()), guarded[float32](s.outputSize())
		x[0] = float32(math.NaN())
		Forward(y, x, f, s, Epilogue[float32]{Act: true}, make([]float32, s.ForwardWorkspace()))
		hit := map[int]bool{}
		taps(s, func(out, k, in int) {
			if in == 0 {
				hit[out] = true
			}
		})
		for i, v := range y {
			if (v != v) != hit[i] {
				t.Fatalf("y[%d] is %v", i, v)
			}
		}
	})
}

// One in the gradient of the filter reaches just the taps that read it.
func TestNaNInWeightGrad(t *testing.T) {
	eachRoad(t, func(t *testing.T) {
		s := same3x3(1, 6, 20)
		for _, at := range []int{0, 5 * 20, 17 * 20, 35 * 20} {
			x, dy, df := random[float32](1, s.inputSize()), random[float32](2, s.outputSize()), guarded[float32](s.filterSize())
			x[at] = float32(math.NaN())
			WeightGrad(df, dy, x, s, make([]float32, s.WeightGradWorkspace()))
			hit := map[int]bool{}
			taps(s, func(out, k, in int) {
				if in == at {
					hit[k] = true
				}
			})
			for i, v := range df {
				if (v != v) != hit[i] {
					t.Fatalf("NaN at %d: df[%d] is %v", at, i, v)
				}
			}
		}
	})
}

func TestWorkersDoNotChangeBits(t *testing.T) {
	eachRoad(t, func(t *testing.T) {
		for _, s := range []Shape{same3x3(3, 20, 104), shape(2, 21, 20, 30, 2, 3, 3, 2, 2, 1, 1, 1, 1, 1, 1)} {
			x, dy, f := random[float32](1, s.inputSize()), random[float32](2, s.outputSize()), random[float32](3, s.filterSize())
			ws := make([]float32, max(s.ForwardWorkspace(), s.InputGradWorkspace(), s.WeightGradWorkspace()))
			var first []float32
			for _, procs := range []int{1, 2, 4} {
				old := runtime.GOMAXPROCS(procs)
				y, dx, df := make([]float32, len(dy)), make([]float32, len(x)), make([]float32, len(f))
				Forward(y, x, f, s, Epilogue[float32]{}, ws)
				InputGrad(dx, dy, f, s, ws)
				WeightGrad(df, dy, x, s, ws)
				runtime.GOMAXPROCS(old)
				all := append(append(y, dx...), df...)
				if first == nil {
					first = all
				}
				for i := range all {
					if all[i] != first[i] {
						t.Fatalf("%+v: element %d is %v with %d workers, %v with one", s, i, all[i], procs, first[i])
					}
				}
			}
		}
	})
}

func TestAllocatesNothing(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(2))
	s := same3x3(3, 20, 104)
	x, dy, f := random[float32](1, s.inputSize()), random[float32](2, s.outputSize()), random[float32](3, s.filterSize())
	ws := make([]float32, max(s.ForwardWorkspace(), s.InputGradWorkspace(), s.WeightGradWorkspace()))
	all := func() {
		Forward(dy, x, f, s, Epilogue[float32]{}, ws)
		InputGrad(x, dy, f, s, ws)
		WeightGrad(f, dy, x, s, ws)
	}
	all()
	if a := testing.AllocsPerRun(20, all); a >= 1 {
		t.Fatalf("%v allocations a call", a)
	}
}

// benchmark runs Xception's shapes on every road and reports the speed.
func benchmark(b *testing.B, pass func(x, y, f, ws []float32, s Shape)) {
	for _, s := range []Shape{same3x3(8, 19, 728), same3x3(8, 37, 728), same3x3(8, 74, 256)} {
		x, y, f := random[float32](1, s.inputSize()), random[float32](2, s.outputSize()), random[float32](3, s.filterSize())
		ws := make([]float32, max(s.ForwardWorkspace(), s.InputGradWorkspace(), s.WeightGradWorkspace()))
		for _, r := range cpu.Roads() {
			b.Run(fmt.Sprintf("%dx%d/%v", s.H, s.C, r), func(b *testing.B) {
				defer cpu.Force(cpu.Force(r))
				for b.Loop() {
					pass(x, y, f, ws, s)
				}
				flops := 2 * float64(s.outputSize()) * float64(s.R*s.S)
				b.ReportMetric(flops*float64(b.N)/b.Elapsed().Seconds()/1e9, "GFLOP/s")
			})
		}
	}
}

func BenchmarkForward(b *testing.B) {
	benchmark(b, func(x, y, f, ws []float32, s Shape) { Forward(y, x, f, s, Epilogue[float32]{}, ws) })
}

func BenchmarkInputGrad(b *testing.B) {
	benchmark(b, func(x, y, f, ws []float32, s Shape) { InputGrad(x, y, f, s, ws) })
}

func BenchmarkWeightGrad(b *testing.B) {
	benchmark(b, func(x, y, f, ws []float32, s Shape) { WeightGrad(f, y, x, s, ws) })
}

// TestPastTheCache compares a result so large that its rows are streamed with the same computed in pieces that
// are not.
func TestPastTheCache(t *testing.T) {
	s := same3x3(5, 40, 531)
	if s.outputSize() < layout.Past || s.outputSize()/s.N >= layout.Past {
		t.Fatal("the shape does not show anything")
	}
	x, f := random[float32](1, s.inputSize()), random[float32](2, s.filterSize())
	one := s
	one.N = 1
	eachRoad(t, func(t *testing.T) {
		y, want := guarded[float32](s.outputSize()), guarded[float32](one.outputSize())
		check := func(name string, all func(), each func(i, size int)) {
			all()
			checkGuards(t, s, y)
			for i := range s.N {
				each(i, len(want))
				for j, v := range want {
					if y[i*len(want)+j] != v {
						t.Fatalf("%s: picture %d, element %d is %v, want %v", name, i, j, y[i*len(want)+j], v)
					}
				}
			}
		}
		check("forward",
			func() { Forward(y, x, f, s, Epilogue[float32]{}, make([]float32, s.ForwardWorkspace())) },
			func(i, n int) {
				Forward(want, x[i*n:(i+1)*n], f, one, Epilogue[float32]{}, make([]float32, s.ForwardWorkspace()))
			})
		check("input gradient",
			func() { InputGrad(y, x, f, s, make([]float32, s.InputGradWorkspace())) },
			func(i, n int) { InputGrad(want, x[i*n:(i+1)*n], f, one, make([]float32, s.InputGradWorkspace())) })
	})
}
