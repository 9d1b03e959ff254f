package conv

import (
	"flag"
	"fmt"
	"math"
	"math/rand"
	"os"
	"runtime"
	"slices"
	"testing"
	"unsafe"

	"github.com/stheno-ml/stheno/internal/kernel/cpu"
)

const guard = 37 // elements of NaN before and after every buffer; odd, so that nothing happens to be aligned

// guarded is a slice between two zones of NaN.
type guarded[T Float] struct{ all, data []T }

func newGuarded[T Float](n int, rng *rand.Rand) guarded[T] {
	g := guarded[T]{all: make([]T, n+2*guard)}
	for i := range g.all {
		g.all[i] = T(math.NaN())
	}
	g.data = g.all[guard : guard+n : guard+n]
	if rng != nil {
		for i := range g.data {
			g.data[i] = T(rng.NormFloat64())
		}
	}
	return g
}

func (g guarded[T]) intact(t *testing.T, name string) {
	t.Helper()
	for i := range guard {
		if g.all[i] == g.all[i] || g.all[len(g.all)-1-i] == g.all[len(g.all)-1-i] {
			t.Fatalf("%s: something wrote into the guard zone", name)
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

// naive visits every product of the convolution: input, filter and output index.
func naive(s *Shape, visit func(x, w, y int)) {
	cg, kg := s.C/s.Groups, s.K/s.Groups
	for n := range s.N {
		for p := range s.P {
			for q := range s.Q {
				for r := range s.R {
					for c := range s.S {
						h, w := p*s.StrideH+r*s.DilationH-s.PadTop, q*s.StrideW+c*s.DilationW-s.PadLeft
						if h < 0 || w < 0 || h >= s.H || w >= s.W {
							continue
						}
						for k := range s.K {
							for i := range cg {
								visit(((n*s.H+h)*s.W+w)*s.C+k/kg*cg+i, ((k*cg+i)*s.R+r)*s.S+c, ((n*s.P+p)*s.Q+q)*s.K+k)
							}
						}
					}
				}
			}
		}
	}
}

// shape makes a Shape with P and Q from symmetric padding.
func shape(n, h, w, c, k, r, s, stride, pad, dilation, groups int) Shape {
	return Shape{
		N: n, H: h, W: w, C: c, K: k, R: r, S: s,
		P: (h+2*pad-dilation*(r-1)-1)/stride + 1, Q: (w+2*pad-dilation*(s-1)-1)/stride + 1,
		StrideH: stride, StrideW: stride, PadTop: pad, PadLeft: pad, DilationH: dilation, DilationW: dilation, Groups: groups,
	}
}

var shapes = []Shape{
	shape(1, 1, 1, 1, 1, 1, 1, 1, 0, 1, 1),
	shape(2, 5, 7, 3, 4, 3, 3, 1, 1, 1, 1),
	shape(1, 12, 12, 1, 8, 5, 5, 1, 2, 1, 1),    // MNIST
	shape(1, 23, 21, 3, 18, 7, 7, 2, 3, 1, 1),   // stem
	shape(2, 9, 9, 33, 47, 3, 3, 1, 1, 1, 1),    // tails everywhere
	shape(1, 17, 17, 16, 24, 3, 3, 2, 0, 1, 1),  // stride 2, no padding
	shape(2, 8, 8, 20, 12, 4, 4, 2, 1, 1, 1),    // DCGAN
	shape(3, 4, 4, 40, 20, 4, 4, 1, 0, 1, 1),    // one output pixel
	shape(2, 4, 4, 70, 36, 3, 3, 1, 1, 1, 1),    // small pictures
	shape(1, 14, 14, 64, 96, 1, 1, 1, 0, 1, 1),  // 1×1
	shape(2, 13, 11, 40, 50, 1, 1, 2, 0, 1, 1),  // 1×1 stride 2
	shape(1, 10, 10, 20, 20, 3, 3, 1, 2, 2, 1),  // dilation 2
	shape(1, 11, 10, 6, 5, 3, 2, 3, 2, 2, 1),    // stride 3, dilation 2
	shape(1, 9, 8, 5, 6, 3, 3, 2, 2, 3, 1),      // stride 2, dilation 3: some phases without taps
	shape(1, 9, 9, 32, 32, 3, 3, 1, 1, 1, 8),    // grouped
	shape(2, 11, 19, 64, 64, 3, 3, 1, 1, 1, 16), // groups of 4
	shape(2, 12, 15, 32, 32, 3, 3, 2, 1, 1, 4),  // groups of 8, stride 2
	shape(1, 9, 9, 160, 160, 1, 1, 2, 0, 1, 20), // more than one task of blocks; phases without taps
	shape(2, 8, 7, 12, 24, 3, 3, 2, 1, 1, 3),    // grouped, stride 2
	shape(1, 9, 9, 40, 80, 3, 3, 1, 1, 1, 2),    // groups wider than a panel
	shape(2, 7, 7, 10, 10, 3, 3, 1, 1, 1, 10),   // depthwise
	shape(2, 7, 6, 5, 10, 3, 3, 2, 1, 1, 5),     // depthwise with a multiplier
	shape(1, 6, 6, 512, 40, 1, 1, 1, 0, 1, 1),   // pixels 2 KB apart
	shape(1, 5, 5, 512, 33, 3, 3, 1, 1, 1, 1),   // deep
	shape(1, 3, 3, 1500, 17, 1, 1, 1, 0, 1, 1),  // deep
	shape(1, 4, 5, 7, 9, 3, 3, 1, 5, 1, 1),      // more padding than filter
	shape(1, 2, 2, 6, 5, 2, 2, 5, 2, 1, 1),      // stride larger than the picture
	shape(4, 17, 17, 24, 32, 3, 3, 1, 1, 1, 1),  // more than one chunk of pixels
	shape(1, 40, 41, 32, 70, 3, 3, 1, 1, 1, 1),  // wide rows
	shape(2, 30, 29, 4, 16, 3, 3, 2, 1, 1, 1),
	{N: 1, H: 9, W: 12, C: 20, K: 28, R: 1, S: 7, P: 9, Q: 12, StrideH: 1, StrideW: 1, PadLeft: 3, DilationH: 1, DilationW: 1, Groups: 1},
	{N: 1, H: 12, W: 9, C: 20, K: 28, R: 7, S: 1, P: 12, Q: 9, StrideH: 1, StrideW: 1, PadTop: 3, DilationH: 1, DilationW: 1, Groups: 1},
	shape(2, 40, 34, 3, 20, 4, 4, 2, 1, 1, 1), // gradient of a picture
	shape(1, 37, 45, 2, 9, 3, 3, 2, 1, 1, 1),  // odd: views of different sizes
	shape(2, 20, 35, 24, 3, 3, 3, 1, 1, 1, 1), // few output channels
	shape(1, 18, 40, 5, 8, 5, 5, 1, 2, 1, 1),  // and few of both
	shape(3, 1, 1, 12, 30, 1, 1, 1, 0, 1, 1),
	shape(1, 31, 28, 16, 16, 1, 1, 1, 1, 1, 1), // 1×1 with padding
	{N: 1, H: 5, W: 20, C: 63, K: 32, R: 1, S: 1, P: 5, Q: 22, StrideH: 1, StrideW: 1, PadLeft: 1, DilationH: 1, DilationW: 1, Groups: 1},
	{N: 3, H: 6, W: 19, C: 24, K: 40, R: 1, S: 5, P: 6, Q: 7, StrideH: 1, StrideW: 3, PadLeft: 2, DilationH: 1, DilationW: 2, Groups: 1},
	{N: 3, H: 7, W: 16, C: 24, K: 40, R: 5, S: 1, P: 9, Q: 16, StrideH: 1, StrideW: 1, PadTop: 4, DilationH: 1, DilationW: 1, Groups: 1}, // pictures share a band
	shape(0, 20, 20, 3, 20, 3, 3, 1, 1, 1, 1), // no pictures
	shape(0, 8, 8, 32, 32, 3, 3, 1, 1, 1, 8),
	{N: 2, H: 20, W: 20, C: 3, K: 20, R: 3, S: 3, StrideH: 1, StrideW: 1, DilationH: 1, DilationW: 1, Groups: 1}, // no output
	{N: 2, H: 8, W: 8, C: 32, K: 32, R: 3, S: 3, StrideH: 1, StrideW: 1, DilationH: 1, DilationW: 1, Groups: 8},
	shape(3, 4, 4, 30, 12, 4, 4, 2, 0, 1, 1), // window as large as the picture, with a stride that does not matter
	{N: 2, H: 9, W: 8, C: 9, K: 10, R: 3, S: 2, P: 6, Q: 4, StrideH: 2, StrideW: 3, PadTop: 1, PadLeft: 2, DilationH: 2, DilationW: 1, Groups: 1}, // nothing symmetric
	{N: 1, H: 7, W: 7, C: 4, K: 6, R: 3, S: 3, P: 8, Q: 9, StrideH: 1, StrideW: 1, PadTop: 0, PadLeft: 1, DilationH: 1, DilationW: 1, Groups: 1},  // padding below and right
	{N: 1, H: 8, W: 8, C: 4, K: 6, R: 2, S: 2, P: 3, Q: 3, StrideH: 2, StrideW: 2, DilationH: 1, DilationW: 1, Groups: 1},                         // last rows of the input unseen
}

// In short mode, which is what the race detector is run with, the large shapes are left out: the naive sums
// would take minutes.
func TestMain(m *testing.M) {
	flag.Parse()
	if testing.Short() {
		shapes = slices.DeleteFunc(shapes, func(s Shape) bool { return s.Flops() > 1.5e6 })
	}
	os.Exit(m.Run())
}

func is32[T Float]() bool {
	var z T
	return unsafe.Sizeof(z) == 4
}

// tolerance of a sum of k products of standard normal numbers, whose standard deviation is sqrt(k): the
// bound of issue 4, 2e-6·sqrt(k) relative, and 1e-12 for float64. Four deviations are the largest of some
// ten thousand results.
func tolerance[T Float](k int) float64 {
	e := 1e-12
	if is32[T]() {
		e = 2e-6
	}
	return e * float64(k+1)
}

func compare[T Float](t *testing.T, name string, got []T, want []float64, tol float64) {
	t.Helper()
	for i, w := range want {
		if !(math.Abs(float64(got[i])-w) <= tol) {
			t.Fatalf("%s: element %d is %v, want %v ± %g", name, i, got[i], w, tol)
		}
	}
}

type buffers[T Float] struct{ x, w, y guarded[T] }

func newBuffers[T Float](s *Shape, rng *rand.Rand) buffers[T] {
	return buffers[T]{
		x: newGuarded[T](s.N*s.H*s.W*s.C, rng), w: newGuarded[T](s.K*s.C/s.Groups*s.R*s.S, rng), y: newGuarded[T](s.N*s.P*s.Q*s.K, rng),
	}
}

// randomShapes are shapes of every kind that are quick: flat filters, padding beyond the picture, pixels that clash.
func randomShapes(rng *rand.Rand, count int) (some []Shape) {
	pick := func(v ...int) int { return v[rng.Intn(len(v))] }
	channels := func() int { return pick(1+rng.Intn(8), 1+rng.Intn(70), pick(16, 32, 48, 64), pick(5, 20, 128, 512)) }
	for len(some) < count {
		s := Shape{
			N: 1 + rng.Intn(3), H: 1 + rng.Intn(20), W: 1 + rng.Intn(20), Groups: pick(1, 1, 1, 2),
			R: pick(1, 1, 2, 3, 5, 7), S: pick(1, 1, 2, 3, 5, 7),
			StrideH: pick(1, 1, 2, 3), StrideW: pick(1, 1, 2, 3), DilationH: pick(1, 1, 2), DilationW: pick(1, 1, 2),
		}
		s.C, s.K = s.Groups*channels(), s.Groups*channels()
		s.PadTop, s.PadLeft = rng.Intn(pick(1, s.R+1, 24)), rng.Intn(pick(1, s.S+1, 24))
		// Below and to the right another padding.
		high := s.H + s.PadTop + rng.Intn(s.R+1) - s.DilationH*(s.R-1) - 1
		wide := s.W + s.PadLeft + rng.Intn(s.S+1) - s.DilationW*(s.S-1) - 1
		if high < 0 || wide < 0 {
			continue
		}
		s.P, s.Q = high/s.StrideH+1, wide/s.StrideW+1
		if s.Flops() < 4e6 {
			some = append(some, s)
		}
	}
	return some
}

func testPasses[T Float](t *testing.T) {
	rng := rand.New(rand.NewSource(1))
	few := 300
	if testing.Short() {
		few = 60
	}
	all := append(slices.Clone(shapes), randomShapes(rng, few)...)
	for i := range all {
		s := &all[i]
		name := fmt.Sprintf("%+v", *s)
		in := newBuffers[T](s, rng)
		x, w, dy := in.x.data, in.w.data, in.y.data
		y64, dx64, dw64 := make([]float64, len(dy)), make([]float64, len(x)), make([]float64, len(w))
		naive(s, func(i, f, o int) {
			y64[o] += float64(x[i]) * float64(w[f])
			dx64[i] += float64(dy[o]) * float64(w[f])
			dw64[f] += float64(dy[o]) * float64(x[i])
		})
		// Workspaces and results begin as NaN: nothing may read what it has not written.
		y, dx, dw := newGuarded[T](len(dy), nil), newGuarded[T](len(x), nil), newGuarded[T](len(w), nil)
		ws := newGuarded[T](Workspace[T](s, PassForward), nil)
		Forward(s, y.data, x, w, nil, ws.data)
		y.intact(t, name)
		ws.intact(t, name)
		compare(t, "forward "+name, y.data, y64, tolerance[T](s.C/s.Groups*s.R*s.S))

		ws = newGuarded[T](Workspace[T](s, PassInputGrad), nil)
		InputGrad(s, dx.data, dy, w, ws.data)
		dx.intact(t, name)
		ws.intact(t, name)
		compare(t, "input gradient "+name, dx.data, dx64, tolerance[T](s.K/s.Groups*s.R*s.S))

		ws = newGuarded[T](Workspace[T](s, PassWeightGrad), nil)
		WeightGrad(s, dw.data, dy, x, ws.data)
		dw.intact(t, name)
		ws.intact(t, name)
		compare(t, "weight gradient "+name, dw.data, dw64, tolerance[T](s.N*s.P*s.Q))
		if CanSumBias(s) {
			again, db := newGuarded[T](len(w), nil), newGuarded[T](s.K, nil)
			WeightBiasGrad(s, again.data, db.data, dy, x, ws.data)
			again.intact(t, name)
			db.intact(t, name)
			if !slices.Equal(again.data, dw.data) {
				t.Errorf("weight gradient %s has other bits beside the bias's", name)
			}
			checkBias(t, name, db.data, dy)
		}
	}
}

// checkBias wants db [K] to be the sum of dy [pixels, K], rounded once: it is carried in float64.
func checkBias[T Float](t *testing.T, name string, db, dy []T) {
	t.Helper()
	for k, got := range db {
		want, size := 0.0, 0.0
		for i := k; i < len(dy); i += len(db) {
			want += float64(dy[i])
			size += math.Abs(float64(dy[i]))
		}
		if off := math.Abs(float64(got) - float64(T(want))); off > 1e-13*size+math.Abs(want)*float64(ulp[T]()) {
			t.Errorf("bias gradient %s: element %d is %v, want %v", name, k, got, want)
		}
	}
}

func ulp[T Float]() T {
	if unsafe.Sizeof(T(0)) == 4 {
		return T(math.Nextafter32(1, 2) - 1)
	}
	return T(math.Nextafter(1, 2) - 1)
}

func TestPassesAgainstNaive(t *testing.T) {
	eachRoad(t, func(t *testing.T) {
		testPasses[float32](t)
		testPasses[float64](t)
	})
}

// <conv(x, w), dy> = <x, dx> = <w, dw>: the three passes are adjoints of one trilinear form.
func TestAdjoint(t *testing.T) {
	rng := rand.New(rand.NewSource(2))
	dot := func(a, b []float64) (s float64) {
		for i := range a {
			s += a[i] * b[i]
		}
		return s
	}
	for i := range shapes {
		s := &shapes[i]
		in := newBuffers[float64](s, rng)
		y, dx, dw := make([]float64, len(in.y.data)), make([]float64, len(in.x.data)), make([]float64, len(in.w.data))
		Forward(s, y, in.x.data, in.w.data, nil, make([]float64, Workspace[float64](s, PassForward)))
		InputGrad(s, dx, in.y.data, in.w.data, make([]float64, Workspace[float64](s, PassInputGrad)))
		WeightGrad(s, dw, in.y.data, in.x.data, make([]float64, Workspace[float64](s, PassWeightGrad)))
		a, b, c := dot(y, in.y.data), dot(in.x.data, dx), dot(in.w.data, dw)
		// 1e-12 of the length of the two vectors: rounding of sums of up to 1e6 terms.
		bound := 1e-12 * math.Sqrt(dot(y, y)*dot(in.y.data, in.y.data))
		if !(math.Abs(a-b) <= bound && math.Abs(a-c) <= bound) {
			t.Errorf("%+v: <y, dy> = %v, <x, dx> = %v, <w, dw> = %v", *s, a, b, c)
		}
	}
}

func testEpilogue[T Float](t *testing.T) {
	rng := rand.New(rand.NewSource(3))
	for i := range shapes {
		s := &shapes[i]
		in := newBuffers[T](s, rng)
		want := make([]float64, len(in.y.data))
		naive(s, func(x, f, o int) { want[o] += float64(in.x.data[x]) * float64(in.w.data[f]) })
		scale, shift, add := newGuarded[T](s.K, rng), newGuarded[T](s.K, rng), in.y
		packed := make([]T, PackedSize(s))
		PackForward(s, packed, in.w.data)
		for q, ep := range []Epilogue[T]{
			{Shift: shift.data}, {Scale: scale.data, Shift: shift.data, Activation: ReLU}, {Add: add.data, Activation: LeakyReLU, Slope: 0.25},
			{Scale: scale.data, Shift: shift.data, Add: add.data, Activation: Clamp, Lo: -0.5, Hi: 1}, {Activation: ReLU},
		} {
			y := newGuarded[T](len(want), nil)
			ForwardPacked(s, y.data, in.x.data, packed, &ep)
			y.intact(t, "epilogue")
			for i, v := range want {
				if ep.Scale != nil {
					v *= float64(scale.data[i%s.K])
				}
				if ep.Shift != nil {
					v += float64(shift.data[i%s.K])
				}
				if ep.Add != nil {
					v += float64(add.data[i])
				}
				switch ep.Activation {
				case ReLU:
					v = max(v, 0)
				case LeakyReLU:
					v = max(v, 0.25*v)
				case Clamp:
					v = min(max(v, -0.5), 1)
				}
				// Scale is a standard normal number: four deviations.
				if tol := 4 * tolerance[T](s.C/s.Groups*s.R*s.S); !(math.Abs(v-float64(y.data[i])) <= tol) {
					t.Fatalf("%+v, epilogue %d: element %d is %v, want %v ± %g", *s, q, i, y.data[i], v, tol)
				}
			}
		}
	}
}

func TestEpilogue(t *testing.T) {
	eachRoad(t, func(t *testing.T) {
		testEpilogue[float32](t)
		testEpilogue[float64](t)
	})
}

func TestSameBitsForAnyProcs(t *testing.T) {
	rng := rand.New(rand.NewSource(4))
	for _, s := range append([]Shape{shape(4, 28, 28, 32, 64, 3, 3, 1, 1, 1, 1), shape(2, 30, 30, 3, 32, 7, 7, 2, 3, 1, 1)}, shapes...) {
		in := newBuffers[float32](&s, rng)
		var first [3][]float32
		for _, procs := range []int{1, 2, 4} {
			y, dx, dw := make([]float32, len(in.y.data)), make([]float32, len(in.x.data)), make([]float32, len(in.w.data))
			old := runtime.GOMAXPROCS(procs)
			Forward(&s, y, in.x.data, in.w.data, nil, make([]float32, Workspace[float32](&s, PassForward)))
			InputGrad(&s, dx, in.y.data, in.w.data, make([]float32, Workspace[float32](&s, PassInputGrad)))
			WeightGrad(&s, dw, in.y.data, in.x.data, make([]float32, Workspace[float32](&s, PassWeightGrad)))
			runtime.GOMAXPROCS(old)
			for i, got := range [][]float32{y, dx, dw} {
				if procs == 1 {
					first[i] = got
				}
				for j, v := range got {
					if math.Float32bits(v) != math.Float32bits(first[i][j]) {
						t.Fatalf("%+v, pass %d, GOMAXPROCS %d: element %d is %v, with 1 it is %v", s, i, procs, j, v, first[i][j])
					}
				}
			}
		}
	}
}

// A NaN or an infinity reaches exactly those results whose sum contains it, also when a factor is zero.
func TestSpecials(t *testing.T) {
	eachRoad(t, func(t *testing.T) {
		for i := range shapes {
			s := &shapes[i]
			rng := rand.New(rand.NewSource(5))
			if s.N*s.P*s.Q == 0 {
				continue
			}
			for _, v := range []float32{float32(math.NaN()), float32(math.Inf(-1))} {
				x, w, dy := make([]float32, s.N*s.H*s.W*s.C), make([]float32, s.K*s.C/s.Groups*s.R*s.S), make([]float32, s.N*s.P*s.Q*s.K)
				at := rng.Intn(len(x))
				at2 := rng.Intn(len(dy))
				x[at], dy[at2] = v, v
				wantY, wantX, wantW := make([]bool, len(dy)), make([]bool, len(x)), make([]bool, len(w))
				naive(s, func(i, f, o int) {
					if i == at {
						wantY[o] = true
					}
					if o == at2 {
						wantX[i] = true
					}
					if i == at || o == at2 {
						wantW[f] = true
					}
				})
				y, dx, dw := make([]float32, len(dy)), make([]float32, len(x)), make([]float32, len(w))
				Forward(s, y, x, w, nil, make([]float32, Workspace[float32](s, PassForward)))
				InputGrad(s, dx, dy, w, make([]float32, Workspace[float32](s, PassInputGrad)))
				WeightGrad(s, dw, dy, x, make([]float32, Workspace[float32](s, PassWeightGrad)))
				check := func(pass string, got []float32, want []bool, either func(i int) bool) {
					for i, g := range got {
						if (g == 0) == want[i] && (want[i] || !either(i)) {
							t.Fatalf("%s with %v, %+v: element %d is %v", pass, v, *s, i, g)
						}
					}
				}
				never := func(int) bool { return false }
				check("forward", y, wantY, never)
				check("input gradient", dx, wantX, never)
				// Where a tap of its channel sees dy[at2] with padding, that is 0·v or nothing: some shapes leave padding out.
				check("weight gradient", dw, wantW, func(i int) bool { return i/(len(w)/s.K) == at2%s.K })
			}
		}
	})
}

func TestNaNThroughActivations(t *testing.T) {
	eachRoad(t, func(t *testing.T) {
		s := shape(1, 3, 3, 4, 20, 1, 1, 1, 0, 1, 1)
		x, w, y := make([]float32, 36), make([]float32, 80), make([]float32, 180)
		x[0] = float32(math.NaN())
		for _, a := range []Activation{Identity, ReLU, LeakyReLU, Clamp} {
			Forward(&s, y, x, w, &Epilogue[float32]{Activation: a, Lo: -1, Hi: 1}, make([]float32, Workspace[float32](&s, PassForward)))
			for k, v := range y[:20] {
				if v == v {
					t.Fatalf("activation %d turned NaN of channel %d into %v", a, k, v)
				}
			}
		}
	})
}

func TestAllocatesNothing(t *testing.T) {
	for _, s := range []Shape{shape(2, 28, 28, 32, 64, 3, 3, 1, 1, 1, 1), shape(1, 30, 30, 3, 32, 7, 7, 2, 3, 1, 1), shape(2, 14, 14, 32, 32, 3, 3, 2, 1, 1, 8)} {
		in := newBuffers[float32](&s, rand.New(rand.NewSource(6)))
		y, dx, dw := make([]float32, len(in.y.data)), make([]float32, len(in.x.data)), make([]float32, len(in.w.data))
		ws := make([]float32, max(Workspace[float32](&s, PassForward), Workspace[float32](&s, PassInputGrad), Workspace[float32](&s, PassWeightGrad)))
		ep := Epilogue[float32]{Activation: ReLU}
		f := func() {
			Forward(&s, y, in.x.data, in.w.data, &ep, ws)
			InputGrad(&s, dx, in.y.data, in.w.data, ws)
			WeightGrad(&s, dw, in.y.data, in.x.data, ws)
		}
		for range 5 {
			f()
		}
		if a := testing.AllocsPerRun(20, f); a >= 1 {
			t.Errorf("%+v: %v allocations a call", s, a)
		}
	}
}

// Packed filters are data that may be kept: every road must read what another has packed.
func TestPackedOnAnotherRoad(t *testing.T) {
	defer cpu.Force(cpu.Current())
	rng := rand.New(rand.NewSource(10))
	for i := range shapes {
		s := &shapes[i]
		in := newBuffers[float32](s, rng)
		want := make([]float64, len(in.y.data))
		naive(s, func(x, f, o int) { want[o] += float64(in.x.data[x]) * float64(in.w.data[f]) })
		for _, pack := range cpu.Roads() {
			cpu.Force(pack)
			packed := make([]float32, PackedSize(s))
			PackForward(s, packed, in.w.data)
			for _, run := range cpu.Roads() {
				cpu.Force(run)
				y := make([]float32, len(want))
				ForwardPacked(s, y, in.x.data, packed, nil)
				compare(t, fmt.Sprintf("packed by %v, run by %v, %+v", pack, run, *s), y, want, tolerance[float32](s.C/s.Groups*s.R*s.S))
			}
		}
	}
}
