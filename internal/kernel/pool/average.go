package pool

import (
	"sync"

	"github.com/stheno-ml/stheno/internal/kernel/par"
	"github.com/stheno-ml/stheno/internal/kernel/window"
)

// Divisor says what a window's sum is divided by: the number of its pixels inside the picture, or inside the
// padded picture.
type Divisor struct {
	CountPad            bool // count padding too (PyTorch's count_include_pad)
	PadBottom, PadRight int  // the far sides' padding, used with CountPad
}

// of is 1 over the number of pixels that the window of output (p, q) counts.
func (d Divisor) of(s *Shape, p, q int) float64 {
	h0, w0, h, w := p*s.StrideH-s.PadTop, q*s.StrideW-s.PadLeft, s.H, s.W
	if d.CountPad {
		h0, w0 = h0+s.PadTop, w0+s.PadLeft
		h, w = h+s.PadTop+d.PadBottom, w+s.PadLeft+d.PadRight
	}
	r0, r1 := window.Span(h0, s.DilationH, s.R, h)
	t0, t1 := window.Span(w0, s.DilationW, s.S, w)
	return 1 / float64((r1-r0)*(t1-t0))
}

// factors is a list of Divisor.of for each output; free ones wait to be used again, so that nothing is allocated in
// steady state.
type factors struct {
	f64 []float64
	f32 []float32
}

var (
	factorsMu   sync.Mutex
	factorsFree []*factors
)

func (d Divisor) factors(s *Shape) *factors {
	var f *factors
	factorsMu.Lock()
	if k := len(factorsFree); k > 0 {
		f, factorsFree = factorsFree[k-1], factorsFree[:k-1]
	} else {
		f = new(factors)
	}
	factorsMu.Unlock()
	f.f64, f.f32 = f.f64[:0], f.f32[:0]
	for p := range s.P {
		for q := range s.Q {
			v := d.of(s, p, q)
			f.f64, f.f32 = append(f.f64, v), append(f.f32, float32(v))
		}
	}
	return f
}

func (f *factors) release() {
	factorsMu.Lock()
	factorsFree = append(factorsFree, f)
	factorsMu.Unlock()
}

// AverageForward sets y [N, P, Q, C] to the sum of each window over the number of pixels that divisor counts.
// Where that is none the result is NaN (0/0). What lies between the pixels of a pitched y is left alone.
func AverageForward[T Float](y, x []T, s Shape, divisor Divisor) {
	if s.outputSize() == 0 {
		return
	}
	f := divisor.factors(&s)
	k := averageForward[T]{y[:s.span()], x[:s.inputSize()], f, s}
	par.For(s.N*s.P, s.rowGrain(s.Q, s.R*s.S), k)
	f.release()
}

type averageForward[T Float] struct {
	y, x []T
	f    *factors
	s    Shape
}

// Run does output rows lo to hi−1 of all N·P.
func (k *averageForward[T]) Run(lo, hi int) {
	first := 0 // channel that is left to plain Go
	if isFloat32[T]() {
		first = k.fast(lo, hi)
	}
	if first < k.s.C {
		k.loop(lo, hi, first)
	}
}

func (k *averageForward[T]) loop(lo, hi, first int) {
	s := &k.s
	pitch := s.pitch()
	down, across := s.down(false), s.across(false)
	for i := lo; i < hi; i++ {
		rows := down.At(i % s.P)
		for q := range s.Q {
			taps := across.At(q)
			at := (i*s.Q + q) * pitch
			y := k.y[at+first : at+s.C]
			clear(y)
			for r := range rows.N {
				for t := range taps.N {
					h, w := rows.Src+r*s.DilationH, taps.Src+t*s.DilationW
					from := ((i/s.P*s.H+h)*s.W + w) * s.C
					for j, v := range k.x[from+first : from+s.C] {
						y[j] += v
					}
				}
			}
			scale := T(k.f.f64[i%s.P*s.Q+q])
			for j := range y {
				y[j] *= scale
			}
		}
	}
}

// AverageBackward sets dx [N, H, W, C] from dy [N, P, Q, C]: each window shares its gradient out evenly.
func AverageBackward[T Float](dx, dy []T, s Shape, divisor Divisor) {
	if s.inputSize() == 0 {
		return
	}
	f := divisor.factors(&s)
	k := averageBackward[T]{dx[:s.inputSize()], dy[:s.outputSize()], f, s}
	par.For(s.N*s.H, s.rowGrain(s.W, max(1, s.R*s.S/(s.StrideH*s.StrideW))), k)
	f.release()
}

type averageBackward[T Float] struct {
	dx, dy []T
	f      *factors
	s      Shape
}

// Run does input rows lo to hi−1 of all N·H.
func (k *averageBackward[T]) Run(lo, hi int) {
	first := 0 // channel that is left to plain Go
	if isFloat32[T]() {
		first = k.fast(lo, hi)
	}
	if first < k.s.C {
		k.loop(lo, hi, first)
	}
}

func (k *averageBackward[T]) loop(lo, hi, first int) {
	s := &k.s
	s.gather(lo, hi, func(pixel, source, tap int) {
		dx := k.dx[pixel*s.C+first : (pixel+1)*s.C]
		if tap < 0 {
			clear(dx)
			return
		}
		scale := T(k.f.f64[source%(s.P*s.Q)])
		for j, g := range k.dy[source*s.C+first : (source+1)*s.C] {
			dx[j] += g * scale
		}
	})
}
