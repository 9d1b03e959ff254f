package winograd

import (
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"

	"github.com/stheno-ml/stheno/internal/kernel/cpu"
)

// shapes are odd on purpose: pictures smaller than a tile, one pixel more than tiles, channels beside 16
// and 32, uneven padding, more tiles than one block, and both orders of work.
func shapes() []Shape {
	return []Shape{
		square(1, 1, 1, 1, 1),
		square(1, 3, 1, 1, 0),
		square(2, 5, 3, 5, 1),
		square(1, 4, 16, 16, 1),
		square(1, 7, 17, 33, 1),
		square(3, 13, 20, 48, 0),
		square(2, 6, 31, 18, 2),
		square(1, 17, 64, 40, 1),
		square(1, 9, 80, 16, 1),
		square(9, 18, 16, 32, 1),
		square(6, 23, 24, 19, 1),
		square(2, 7, 130, 96, 1),
		{N: 2, H: 5, W: 11, C: 6, K: 7, P: 4, Q: 12, PadTop: 1, PadLeft: 2},
		{N: 1, H: 12, W: 3, C: 18, K: 35, P: 13, Q: 1, PadTop: 2, PadLeft: 0},
		{N: 3, H: 2, W: 30, C: 33, K: 16, P: 2, Q: 29, PadTop: 0, PadLeft: 1},
	}
}

// everyRoad runs f on each road that the processor has.
func everyRoad(t *testing.T, f func(t *testing.T)) {
	for _, r := range cpu.Roads() {
		t.Run(r.String(), func(t *testing.T) {
			defer cpu.Force(cpu.Force(r))
			f(t)
		})
	}
}

// bound is the largest error allowed, relative to the rms of the result, where each result in the transform
// domain sums up n products. The package documentation states it and says where it comes from.
func bound(n int) float64 { return (5 + math.Sqrt(float64(n))) * 1e-6 }

// terms is the n of bound: the weight gradient adds up sums of at most sumTiles tiles.
func (s *Shape) terms(pass Pass) int {
	switch pass {
	case PassForward:
		return s.C
	case PassInputGrad:
		return s.K
	}
	g := s.geometry(pass)
	return min(g.tiles, sumTiles) + g.tiles/sumTiles
}

func check(t *testing.T, s Shape, pass Pass, got []float32, want []float64) {
	t.Helper()
	largest, rms := errors(got, want)
	if most := bound(s.terms(pass)); !(largest <= most) {
		t.Errorf("pass %d %v: largest error %.2e, rms %.2e of the result's rms; want at most %.1e", pass, s, largest, rms, most)
	}
}

type tensors struct{ x, w, dy []float32 }

func inputs(s *Shape, seed uint64) tensors {
	r := rand.New(rand.NewPCG(seed, 1))
	return tensors{normal(r, s.xLen(), 1), normal(r, s.wLen(), math.Sqrt(2/float64(9*s.C))), normal(r, s.yLen(), 1)}
}

// pass runs one of the three passes between zones of NaN and returns its result.
func (in *tensors) pass(t *testing.T, s *Shape, pass Pass) []float32 {
	t.Helper()
	ws := newGuarded(Workspace(s, pass))
	var out guarded
	switch pass {
	case PassForward:
		out = newGuarded(s.yLen())
		Forward(s, out.buf, in.x, in.w, nil, ws.buf)
	case PassInputGrad:
		out = newGuarded(s.xLen())
		InputGrad(s, out.buf, in.dy, in.w, ws.buf)
	case PassWeightGrad:
		out = newGuarded(s.wLen())
		WeightGrad(s, out.buf, in.dy, in.x, ws.buf)
	}
	if !out.intact() || !ws.intact() {
		t.Fatalf("%v: pass %d writes outside of its buffers", s, pass)
	}
	return out.buf
}

func TestAgainstDefinition(t *testing.T) {
	all := append(shapes(),
		square(3, 122, 2, 3, 1),  // more tiles than one stretch of WeightGrad
		square(1, 6, 1000, 5, 1), // long sums
		square(1, 6, 5, 1000, 1),
	)
	for i, s := range all {
		in := inputs(&s, uint64(i))
		y, dx, dw := s.refForward(in.x, in.w), s.refInputGrad(in.dy, in.w), s.refWeightGrad(in.dy, in.x)
		everyRoad(t, func(t *testing.T) {
			check(t, s, PassForward, in.pass(t, &s, PassForward), y)
			check(t, s, PassInputGrad, in.pass(t, &s, PassInputGrad), dx)
			want := in.pass(t, &s, PassWeightGrad)
			check(t, s, PassWeightGrad, want, dw)
			got, db, ws := newGuarded(s.wLen()), newGuarded(s.K), newGuarded(Workspace(&s, PassWeightGrad))
			WeightBiasGrad(&s, got.buf, db.buf, in.dy, in.x, ws.buf)
			if !got.intact() || !db.intact() || !ws.intact() || !slices.Equal(got.buf, want) {
				t.Errorf("%v: the weight gradient beside the bias's writes outside of its buffers or has other bits", s)
			}
			for k, v := range db.buf {
				sum := 0.0
				for i := k; i < len(in.dy); i += s.K {
					sum += float64(in.dy[i])
				}
				if math.Abs(float64(v)-sum) > 1e-7*math.Abs(sum)+1e-10 { // rounded once: it is carried in float64
					t.Errorf("%v: bias gradient %d is %v, want %v", s, k, v, sum)
				}
			}
		})
	}
}

func dot(a, b []float32) (sum, scale float64) {
	for i := range a {
		p := float64(a[i]) * float64(b[i])
		sum += p
		scale += p * p
	}
	return sum, math.Sqrt(scale)
}

// The three passes are adjoint: <Forward(x, w), dy> = <x, InputGrad(dy, w)> = <w, WeightGrad(dy, x)>.
func TestAdjoint(t *testing.T) {
	everyRoad(t, func(t *testing.T) {
		for i, s := range shapes() {
			in := inputs(&s, uint64(i))
			a, scale := dot(in.pass(t, &s, PassForward), in.dy)
			b, _ := dot(in.pass(t, &s, PassInputGrad), in.x)
			c, _ := dot(in.pass(t, &s, PassWeightGrad), in.w)
			// Errors of single terms are below the bound and add up like their products, at random.
			tolerance := bound(max(s.C, s.K, s.terms(PassWeightGrad))) * scale
			if math.Abs(a-b) > tolerance || math.Abs(a-c) > tolerance {
				t.Errorf("%v: %v, %v, %v differ by more than %.1e", s, a, b, c, tolerance)
			}
		}
	})
}

func equal(a, b []float32) bool {
	return slices.EqualFunc(a, b, func(x, y float32) bool { return math.Float32bits(x) == math.Float32bits(y) })
}

func TestSameBitsForAnyWorkers(t *testing.T) {
	everyRoad(t, func(t *testing.T) {
		for i, s := range shapes() {
			in := inputs(&s, uint64(i))
			for _, pass := range []Pass{PassForward, PassInputGrad, PassWeightGrad} {
				var results [][]float32
				for _, procs := range []int{1, 2, 5} {
					old := runtime.GOMAXPROCS(procs)
					results = append(results, in.pass(t, &s, pass))
					runtime.GOMAXPROCS(old)
				}
				if !equal(results[0], results[1]) || !equal(results[0], results[2]) {
					t.Errorf("%v: pass %d depends on GOMAXPROCS", s, pass)
				}
			}
		}
	})
}

// Pictures computed one by one, which takes the order of work for few tiles, and all at once, which takes the
// one for many, have the same bits.
func TestSameBitsInEitherOrder(t *testing.T) {
	everyRoad(t, func(t *testing.T) {
		s := square(7, 19, 20, 37, 1)
		in := inputs(&s, 1)
		all := in.pass(t, &s, PassForward)
		one := s
		one.N = 1
		for n := range s.N {
			alone := tensors{x: in.x[n*one.xLen():][:one.xLen()], w: in.w}
			if !equal(alone.pass(t, &one, PassForward), all[n*one.yLen():][:one.yLen()]) {
				t.Errorf("picture %d depends on its company", n)
			}
		}
	})
}

func TestPackedIsForward(t *testing.T) {
	everyRoad(t, func(t *testing.T) {
		for i, s := range shapes() {
			in := inputs(&s, uint64(i))
			packed := newGuarded(PackedSize(&s))
			PackForward(&s, packed.buf, in.w)
			if !packed.intact() || slices.ContainsFunc(packed.buf, func(v float32) bool { return v != v }) {
				t.Fatalf("%v: PackForward does not fill just its buffer", s)
			}
			y := make([]float32, s.yLen())
			ForwardPacked(&s, y, in.x, packed.buf, nil, make([]float32, WorkspacePacked(&s)))
			if !equal(y, in.pass(t, &s, PassForward)) {
				t.Errorf("%v: packed filters give other bits", s)
			}
		}
	})
}

func TestEpilogue(t *testing.T) {
	everyRoad(t, func(t *testing.T) {
		for i, s := range shapes() {
			in := inputs(&s, uint64(i))
			r := rand.New(rand.NewPCG(uint64(i), 2))
			scale, shift, add := normal(r, s.K, 1), normal(r, s.K, 1), normal(r, s.yLen(), 1)
			conv := in.pass(t, &s, PassForward)
			ws := make([]float32, Workspace(&s, PassForward))
			for _, ep := range []Epilogue{
				{},
				{Shift: shift, Activation: ReLU},
				{Scale: scale, Shift: shift, Add: add, Activation: ReLU},
				{Add: add, Activation: LeakyReLU, Slope: .2},
				{Scale: scale, Activation: Clamp, Lo: -.5, Hi: .75},
			} {
				y := newGuarded(s.yLen())
				Forward(&s, y.buf, in.x, in.w, &ep, ws)
				if !y.intact() {
					t.Fatalf("%v: epilogue %+v writes outside of y", s, ep)
				}
				for j, v := range conv {
					u := float64(v)
					if ep.Scale != nil {
						u *= float64(scale[j%s.K])
					}
					if ep.Shift != nil {
						u += float64(shift[j%s.K])
					}
					if ep.Add != nil {
						u += float64(add[j])
					}
					switch ep.Activation {
					case ReLU:
						u = max(u, 0)
					case LeakyReLU:
						u = max(u, 0) + .2*min(u, 0)
					case Clamp:
						u = min(max(u, -.5), .75)
					}
					// Four roundings of 6e-8 of terms that are seldom above 4.
					if !(math.Abs(float64(y.buf[j])-u) <= 1e-6*(1+math.Abs(u))) {
						t.Fatalf("%v: epilogue %d gives %v, want %v", s, ep.Activation, y.buf[j], u)
					}
				}
			}
		}
	})
}

// Whatever a pixel, filter or gradient that is not finite reaches, is not finite either: it may spread over
// the tiles that read it, but nothing wrong looks right. A ReLU must not hide it.
func TestNotFiniteSpreads(t *testing.T) {
	inf := float32(math.Inf(1))
	finite := func(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }
	everyRoad(t, func(t *testing.T) {
		for i, s := range []Shape{square(1, 7, 17, 33, 1), square(2, 6, 8, 18, 2), square(1, 13, 5, 16, 0)} {
			r := rand.New(rand.NewPCG(uint64(i), 3))
			for _, bad := range []float32{nan, inf, -inf} {
				for _, pick := range []func(in *tensors) []float32{
					func(in *tensors) []float32 { return in.x },
					func(in *tensors) []float32 { return in.w },
					func(in *tensors) []float32 { return in.dy },
				} {
					in := inputs(&s, uint64(i))
					v := pick(&in)
					for range 3 {
						v[r.IntN(len(v))] = bad
					}
					compare := func(what string, got []float32, want []float64) {
						for j, w := range want {
							if g := float64(got[j]); !finite(w) && (finite(g) || math.IsInf(g, 0) && g != w) {
								t.Fatalf("%v %s: %v where %v is right", s, what, g, w)
							}
						}
					}
					y := s.refForward(in.x, in.w)
					compare("forward", in.pass(t, &s, PassForward), y)
					compare("input gradient", in.pass(t, &s, PassInputGrad), s.refInputGrad(in.dy, in.w))
					compare("weight gradient", in.pass(t, &s, PassWeightGrad), s.refWeightGrad(in.dy, in.x))
					relu := make([]float32, s.yLen())
					Forward(&s, relu, in.x, in.w, &Epilogue{Activation: ReLU}, make([]float32, Workspace(&s, PassForward)))
					for j, w := range y {
						if g := relu[j]; !finite(w) && g == g && g != float32(max(w, 0)) {
							t.Fatalf("%v forward with ReLU: %v where %v is right", s, g, max(w, 0))
						}
					}
				}
			}
		}
	})
}

func TestAllocatesNothing(t *testing.T) {
	for _, s := range []Shape{square(2, 7, 32, 48, 1), square(9, 18, 16, 32, 1)} {
		in := inputs(&s, 1)
		y, dx, dw := make([]float32, s.yLen()), make([]float32, s.xLen()), make([]float32, s.wLen())
		ep := Epilogue{Shift: make([]float32, s.K), Activation: ReLU}
		packed := make([]float32, PackedSize(&s))
		ws := make([]float32, max(Workspace(&s, PassForward), Workspace(&s, PassInputGrad), Workspace(&s, PassWeightGrad)))
		all := func() {
			Forward(&s, y, in.x, in.w, nil, ws)
			PackForward(&s, packed, in.w)
			ForwardPacked(&s, y, in.x, packed, &ep, ws)
			InputGrad(&s, dx, in.dy, in.w, ws)
			WeightGrad(&s, dw, in.dy, in.x, ws)
		}
		for range 3 { // fills the pools of the workers that may take part
			all()
		}
		if n := testing.AllocsPerRun(50, all); n >= 1 {
			t.Errorf("%v: %v allocations a round", s, n)
		}
	}
}

// A picture too small for one output pixel has gradients all the same: zeros.
func TestNoOutput(t *testing.T) {
	s := square(1, 2, 3, 4, 0)
	in := inputs(&s, 1)
	for _, v := range append(in.pass(t, &s, PassInputGrad), in.pass(t, &s, PassWeightGrad)...) {
		if v != 0 {
			t.Fatalf("%v where there is no gradient", v)
		}
	}
	in.pass(t, &s, PassForward)
}

// Measured against internal/kernel/conv: from 1.3 to 3.5 times as fast where Worth says yes, slower or
// hardly faster where it says no.
func TestWorth(t *testing.T) {
	for _, c := range []struct {
		s    Shape
		want bool
	}{
		{square(8, 56, 64, 64, 1), true},
		{square(8, 7, 512, 512, 1), true},
		{square(1, 7, 512, 512, 1), true},
		{square(128, 32, 16, 16, 1), true},
		{square(8, 17, 192, 192, 1), true},
		{square(8, 224, 3, 64, 1), false},
		{square(8, 64, 64, 3, 1), false},
		{square(8, 2, 128, 128, 1), false},
		{square(8, 3, 128, 128, 0), false},
		{square(1, 4, 32, 32, 1), false},
	} {
		for _, pass := range []Pass{PassForward, PassInputGrad, PassWeightGrad} {
			if got := Worth(&c.s, pass); got != c.want {
				t.Errorf("Worth(%v, %d) = %v", c.s, pass, got)
			}
		}
	}
	// Without the transform of the filters, fewer pixels are enough.
	if s := square(1, 3, 256, 256, 1); Worth(&s, PassForward) || !WorthPacked(&s) {
		t.Errorf("WorthPacked(%v) = %v, Worth %v", s, WorthPacked(&s), Worth(&s, PassForward))
	}
}
