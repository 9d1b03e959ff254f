package norm

import (
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"testing"
	"unsafe"

	"github.com/stheno-ml/stheno/internal/kernel/cpu"
)

var shapes = []Shape{
	{1, 1, 1}, {2, 1, 1}, {7, 3, 1}, {50, 16, 1}, {33, 17, 1}, {100, 64, 1}, {9, 40, 1}, {700, 70, 1}, {130, 300, 1}, {66, 1030, 1}, {3000, 5, 1}, {7000, 12, 1},
	{2, 3, 5}, {2, 1, 40}, {3, 17, 49}, {2, 64, 33}, {1, 8, 1000}, {5, 2, 16}, {1, 2, 35000},
}

// guard is the number of NaNs before and after each buffer: a read past an end poisons a result, a write shows.
const guard = 40

func guarded[T Float](n int) []T {
	buf := make([]T, n+2*guard)
	for i := range buf {
		buf[i] = T(math.NaN())
	}
	return buf[guard : guard+n : guard+n]
}

func checkGuards[T Float](t *testing.T, name string, x []T) {
	t.Helper()
	buf := unsafe.Slice((*T)(unsafe.Add(unsafe.Pointer(&x[0]), -guard*int(unsafe.Sizeof(x[0])))), len(x)+2*guard)
	for i := range guard {
		if buf[i] == buf[i] || buf[len(buf)-1-i] == buf[len(buf)-1-i] {
			t.Fatalf("%s: wrote outside its %d elements", name, len(x))
		}
	}
}

func random[T Float](r *rand.Rand, n int, mean, std float64) []T {
	x := guarded[T](n)
	for i := range x {
		x[i] = T(mean + std*r.NormFloat64())
	}
	return x
}

// channel is the channel of element i.
func (s Shape) channel(i int) int { return i / s.Inner % s.C }

// elements lists the elements of channel c.
func (s Shape) elements(c int) []int {
	var at []int
	for o := range s.Outer {
		for i := range s.Inner {
			at = append(at, (o*s.C+c)*s.Inner+i)
		}
	}
	return at
}

type problem[T Float] struct {
	s                                    Shape
	x, dy, add, gamma, beta              []T
	mean, variance, y, dx, dadd, dg, dgx []T
	eps                                  float64
	act, fromX                           bool
	slope                                T
}

func newProblem[T Float](s Shape, mean float64) *problem[T] {
	r := rand.New(rand.NewPCG(uint64(s.Outer), uint64(s.C*1000+s.Inner)))
	n := s.size()
	return &problem[T]{
		s: s, x: random[T](r, n, mean, 1), dy: random[T](r, n, 0.1, 1), add: random[T](r, n, 0, 1),
		gamma: random[T](r, s.C, 1, 0.3), beta: random[T](r, s.C, 0, 0.3),
		mean: guarded[T](s.C), variance: guarded[T](s.C), y: guarded[T](n), dx: guarded[T](n), dadd: guarded[T](n),
		dg: guarded[T](s.C), dgx: guarded[T](s.C), eps: 1e-5,
	}
}

func (p *problem[T]) mask() Mask[T] {
	switch {
	case !p.act:
		return Mask[T]{}
	case p.add == nil && p.fromX:
		return Mask[T]{FromX: true, Gamma: p.gamma, Beta: p.beta, Slope: p.slope}
	}
	return Mask[T]{Y: p.y, Slope: p.slope}
}

func (p *problem[T]) run() {
	Stats(p.mean, p.variance, p.x, p.s)
	Normalize(p.y, p.x, p.mean, p.variance, p.gamma, p.beta, p.eps, Post[T]{Add: p.add, Act: p.act, Slope: p.slope}, p.s)
	GradStats(p.dg, p.dgx, p.dy, p.x, p.mean, p.variance, p.eps, p.mask(), p.s)
	InputGrad(p.dx, p.dadd, p.dy, p.x, p.mean, p.variance, p.gamma, p.dg, p.dgx, p.eps, p.mask(), p.s)
}

// check compares with float64 formulas evaluated one channel at a time. tol is the error allowed relative to
// the size of the terms that a value is made of.
func (p *problem[T]) check(t *testing.T, tol float64) {
	t.Helper()
	s := p.s
	m := float64(s.count())
	near := func(what string, i int, got T, want, size float64) {
		if !(math.Abs(float64(got)-want) <= tol*(size+math.Abs(want))) {
			t.Helper()
			t.Fatalf("%v: %s[%d] is %v, want %v", s, what, i, got, want)
		}
	}
	for c := range s.C {
		at := s.elements(c)
		mean, variance := 0.0, 0.0
		for _, i := range at {
			mean += float64(p.x[i]) / m
		}
		for _, i := range at {
			d := float64(p.x[i]) - mean
			variance += d * d / m
		}
		near("mean", c, p.mean[c], mean, 0)
		near("variance", c, p.variance[c], variance, 0)
		// The rest from the mean and variance as rounded to T, as the kernels get them.
		mean = float64(p.mean[c])
		inv := 1 / math.Sqrt(float64(p.variance[c])+p.eps)
		gamma, beta := 1.0, 0.0
		if p.gamma != nil {
			gamma = float64(p.gamma[c])
		}
		if p.beta != nil {
			beta = float64(p.beta[c])
		}
		var sg, sgx, sga float64
		g := make([]float64, len(at))
		for k, i := range at {
			v := gamma*(float64(p.x[i])-mean)*inv + beta
			if p.add != nil {
				v += float64(p.add[i])
			}
			if p.act && v <= 0 {
				v *= float64(p.slope)
			}
			// 4: terms of the sum that may cancel are of that size.
			near("y", i, p.y[i], v, 4)
			g[k] = float64(p.dy[i])
			if p.act && p.y[i] <= 0 {
				g[k] *= float64(p.slope)
			}
			near("dadd", i, p.dadd[i], g[k], 0)
			sg += g[k]
			sgx += g[k] * (float64(p.x[i]) - mean) * inv
			sga += math.Abs(g[k]) * (1 + math.Abs(float64(p.x[i])-mean)*inv)
		}
		near("sumG", c, p.dg[c], sg, sga)
		near("sumGX", c, p.dgx[c], sgx, sga)
		for k, i := range at {
			xhat := (float64(p.x[i]) - mean) * inv
			want := gamma * inv * (g[k] - float64(p.dg[c])/m - xhat*float64(p.dgx[c])/m)
			near("dx", i, p.dx[i], want, math.Abs(gamma)*inv*4)
		}
	}
	for name, x := range map[string][]T{"mean": p.mean, "variance": p.variance, "y": p.y, "dx": p.dx, "dadd": p.dadd, "dg": p.dg, "dgx": p.dgx} {
		checkGuards(t, name, x)
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

func testAll[T Float](t *testing.T, tol float64) {
	for _, s := range shapes {
		for variant := range 16 {
			if s.size() > 1<<13 && variant != 2 && variant != 5 && variant != 11 {
				continue // the large ones are there for the cutting into parts
			}
			p := newProblem[T](s, 0.5)
			if variant&1 != 0 {
				p.add = nil
			}
			if variant&2 != 0 {
				p.act, p.slope = true, T(variant&1)*0.2
			}
			p.fromX = variant&8 != 0
			if variant&4 != 0 {
				p.gamma, p.beta = nil, nil
			}
			p.run()
			p.check(t, tol)
		}
	}
}

func TestAgainstFormula(t *testing.T) {
	eachRoad(t, func(t *testing.T) {
		t.Run("float32", func(t *testing.T) { testAll[float32](t, 1e-6) }) // some roundings of 6e-8 each
		t.Run("float64", func(t *testing.T) { testAll[float64](t, 1e-13) })
	})
}

// A mean of 10⁴ with a deviation of 1: squares lose eight digits when they are subtracted in float32.
func TestLargeMean(t *testing.T) {
	eachRoad(t, func(t *testing.T) {
		for _, s := range []Shape{{5000, 33, 1}, {4, 33, 1250}} {
			p := newProblem[float32](s, 1e4)
			p.run()
			p.check(t, 1e-6)
			q := newProblem[float64](s, 1e4)
			q.run()
			q.check(t, 1e-11) // squares about the first value, whose distance to the mean may be four deviations
		}
	})
}

func TestFrozenStatistics(t *testing.T) {
	eachRoad(t, func(t *testing.T) {
		for _, s := range shapes {
			p := newProblem[float32](s, 0)
			for c := range s.C {
				p.mean[c], p.variance[c] = 0.1, 1.5
			}
			p.act = true
			Normalize(p.y, p.x, p.mean, p.variance, p.gamma, p.beta, p.eps, Post[float32]{Act: true}, s)
			InputGrad(p.dx, nil, p.dy, nil, nil, p.variance, p.gamma, nil, nil, p.eps, p.mask(), s)
			for i := range p.dx {
				want := float64(p.gamma[s.channel(i)]) / math.Sqrt(1.5+p.eps) * float64(p.dy[i])
				if p.y[i] <= 0 {
					want = 0
				}
				if math.Abs(float64(p.dx[i])-want) > 3e-7*math.Abs(want) { // two roundings
					t.Fatalf("%v: dx[%d] is %v, want %v", s, i, p.dx[i], want)
				}
			}
			again := guarded[float32](s.size())
			p.add, p.fromX = nil, true
			InputGrad(again, nil, p.dy, p.x, p.mean, p.variance, p.gamma, nil, nil, p.eps, p.mask(), s)
			same(t, s, p.dx, again)
		}
	})
}

func TestSumAndAffine(t *testing.T) {
	eachRoad(t, func(t *testing.T) {
		for _, s := range shapes {
			p := newProblem[float32](s, 0)
			sum := guarded[float32](s.C)
			Sum(sum, p.x, s)
			Affine(p.y, p.x, p.gamma, p.beta, Post[float32]{Act: true, Slope: 0.5}, s)
			Affine(p.dx, p.x, nil, p.beta, Post[float32]{Add: p.add}, s)
			Affine(p.dadd, p.x, p.gamma, nil, Post[float32]{}, s)
			for c := range s.C {
				want, size := 0.0, 0.0
				for _, i := range s.elements(c) {
					x, g, b := float64(p.x[i]), float64(p.gamma[c]), float64(p.beta[c])
					want += x
					size += math.Abs(x)
					y := g*x + b
					if y <= 0 {
						y /= 2
					}
					// 3e-7: a few roundings of terms of size 4 at most.
					for _, e := range []float64{float64(p.y[i]) - y, float64(p.dx[i]) - (x + b + float64(p.add[i])), float64(p.dadd[i]) - g*x} {
						if math.Abs(e) > 4*3e-7 {
							t.Fatalf("%v: element %d is %v off", s, i, e)
						}
					}
				}
				if math.Abs(float64(sum[c])-want) > 1e-7*size { // one rounding
					t.Fatalf("%v: sum[%d] is %v, want %v", s, c, sum[c], want)
				}
			}
			checkGuards(t, "sum", sum)
			checkGuards(t, "y", p.y)
		}
	})
}

func TestInPlace(t *testing.T) {
	eachRoad(t, func(t *testing.T) {
		for _, s := range shapes {
			p, q := newProblem[float32](s, 0), newProblem[float32](s, 0)
			p.act, q.act = true, true
			p.run()
			Stats(q.mean, q.variance, q.x, s)
			y := q.add
			Normalize(y, q.x, q.mean, q.variance, q.gamma, q.beta, q.eps, Post[float32]{Add: y, Act: true, Slope: 0}, s)
			mask := Mask[float32]{Y: y}
			GradStats(q.dg, q.dgx, q.dy, q.x, q.mean, q.variance, q.eps, mask, s)
			InputGrad(q.x, q.dy, q.dy, q.x, q.mean, q.variance, q.gamma, q.dg, q.dgx, q.eps, mask, s)
			same(t, s, p.y, y)
			same(t, s, p.dx, q.x)
			same(t, s, p.dadd, q.dy)
		}
	})
}

func same[T Float](t *testing.T, s Shape, a, b []T) {
	t.Helper()
	for i := range a {
		if a[i] != b[i] {
			t.Fatalf("%v: element %d is %v and %v", s, i, a[i], b[i])
		}
	}
}

func TestWorkersDoNotChangeBits(t *testing.T) {
	eachRoad(t, func(t *testing.T) {
		for _, s := range []Shape{{30000, 24, 1}, {500, 1000, 1}, {8, 64, 900}} {
			var first *problem[float32]
			for _, procs := range []int{1, 2, 4} {
				old := runtime.GOMAXPROCS(procs)
				p := newProblem[float32](s, 0)
				p.run()
				runtime.GOMAXPROCS(old)
				if first == nil {
					first = p
				}
				same(t, s, first.y, p.y)
				same(t, s, first.dx, p.dx)
				same(t, s, first.dgx, p.dgx)
			}
		}
	})
}

func TestAllocatesNothing(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(2))
	for _, s := range []Shape{{3000, 64, 1}, {4, 64, 700}} {
		p := newProblem[float32](s, 0)
		p.act = true
		p.run()
		p.add, p.fromX = nil, true
		p.run()
		if a := testing.AllocsPerRun(20, p.run); a >= 1 {
			t.Fatalf("%v: %v allocations a call", s, a)
		}
	}
}

func benchmark(b *testing.B, f func(p *problem[float32]), arrays int) {
	for _, s := range []Shape{{8 * 56 * 56, 64, 1}, {8 * 14 * 14, 1024, 1}, {8, 64, 56 * 56}} {
		for _, r := range cpu.Roads() {
			b.Run(fmt.Sprintf("%dx%dx%d/%v", s.Outer, s.C, s.Inner, r), func(b *testing.B) {
				defer cpu.Force(cpu.Force(r))
				p := newProblem[float32](s, 0)
				p.act, p.fromX, p.add = true, true, nil
				p.run()
				b.SetBytes(int64(4 * arrays * s.size()))
				for b.Loop() {
					f(p)
				}
			})
		}
	}
}

func BenchmarkForwardReLU(b *testing.B) {
	benchmark(b, func(p *problem[float32]) {
		Stats(p.mean, p.variance, p.x, p.s)
		Normalize(p.y, p.x, p.mean, p.variance, p.gamma, p.beta, p.eps, Post[float32]{Act: true}, p.s)
	}, 3)
}

func BenchmarkBackwardReLU(b *testing.B) {
	benchmark(b, func(p *problem[float32]) {
		GradStats(p.dg, p.dgx, p.dy, p.x, p.mean, p.variance, p.eps, p.mask(), p.s)
		InputGrad(p.dx, nil, p.dy, p.x, p.mean, p.variance, p.gamma, p.dg, p.dgx, p.eps, p.mask(), p.s)
	}, 5)
}
