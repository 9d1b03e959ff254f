// Package pool holds the kernels of max, average and global average pooling, forward and backward, on
// channels-last pictures.
package pool

import (
	"math"
	"unsafe"

	"github.com/stheno-ml/stheno/internal/kernel/par"
)

// Float is a type of number that the kernels compute with.
type Float interface{ ~float32 | ~float64 }

// Index is the type of a position in the window: uint8 where R·S ≤ 256, int32 otherwise.
type Index interface{ ~uint8 | ~int32 }

// Shape says how windows lie on the picture. The input is [N, H, W, C], the output [N, P, Q, C]; the window of
// output (p, q) holds the R×S input pixels
//
//	(p·StrideH − PadTop + r·DilationH, q·StrideW − PadLeft + s·DilationW)
//
// as far as they lie inside the picture. P and Q are the caller's, so any padding on the far sides and any
// rounding is possible.
type Shape struct {
	N, H, W, C           int
	R, S                 int
	P, Q                 int
	StrideH, StrideW     int
	PadTop, PadLeft      int
	DilationH, DilationW int
}

func (s *Shape) inputSize() int  { return s.N * s.H * s.W * s.C }
func (s *Shape) outputSize() int { return s.N * s.P * s.Q * s.C }

// span gives the taps lo to hi−1 of a window along one axis that lie inside [0, size): those with
// 0 ≤ start + tap·dilation < size.
func span(start, dilation, taps, size int) (lo, hi int) {
	if start < 0 {
		lo = (-start + dilation - 1) / dilation
	}
	hi = taps
	if start+(taps-1)*dilation >= size {
		hi = (size - start + dilation - 1) / dilation
	}
	return lo, max(lo, hi)
}

// covering gives the outputs lo to hi−1 along one axis whose windows can hold input position at: those o with
// 0 ≤ at + pad − o·stride ≤ (taps−1)·dilation.
func covering(at, pad, stride, dilation, taps, outputs int) (lo, hi int) {
	if reach := at + pad - (taps-1)*dilation; reach > 0 {
		lo = (reach + stride - 1) / stride
	}
	return lo, max(lo, min(outputs, (at+pad)/stride+1))
}

// rowGrain is how many rows of width pixels make a chunk that is worth handing to a worker, when each pixel
// takes steps pixels in.
func (s *Shape) rowGrain(width, steps int) int { return max(1, 64<<10/max(1, width*s.C*steps)) }

// MaxForward sets y [N, P, Q, C] to the largest value of each window, and arg, where not nil, to its place
// r·S + s in the window. A NaN counts as larger than any number; of equal values the first counts. A window
// with no pixel inside the picture gives −Inf.
func MaxForward[T Float, I Index](y []T, arg []I, x []T, s Shape) {
	if s.outputSize() == 0 {
		return
	}
	k := maxForward[T, I]{y[:s.outputSize()], arg, x[:s.inputSize()], s}
	par.For(s.N*s.P, s.rowGrain(s.Q, s.R*s.S), k)
}

type maxForward[T Float, I Index] struct {
	y   []T
	arg []I
	x   []T
	s   Shape
}

// Run does output rows lo to hi−1 of all N·P.
func (k *maxForward[T, I]) Run(lo, hi int) {
	if isFloat32[T]() && k.fast(lo, hi) {
		return
	}
	s := &k.s
	for i := lo; i < hi; i++ {
		n, p := i/s.P, i%s.P
		h0 := p*s.StrideH - s.PadTop
		r0, r1 := span(h0, s.DilationH, s.R, s.H)
		for q := range s.Q {
			w0 := q*s.StrideW - s.PadLeft
			s0, s1 := span(w0, s.DilationW, s.S, s.W)
			at := (i*s.Q + q) * s.C
			y := k.y[at : at+s.C]
			var arg []I
			if k.arg != nil {
				arg = k.arg[at : at+s.C]
			}
			if r0 == r1 || s0 == s1 {
				for j := range y {
					y[j] = T(math.Inf(-1))
				}
				clear(arg)
				continue
			}
			for r := r0; r < r1; r++ {
				for t := s0; t < s1; t++ {
					from := ((n*s.H+h0+r*s.DilationH)*s.W + w0 + t*s.DilationW) * s.C
					maxTap(y, arg, k.x[from:from+s.C], I(r*s.S+t), r == r0 && t == s0)
				}
			}
		}
	}
}

// maxTap takes one pixel x of the window into the largest values so far.
func maxTap[T Float, I Index](y []T, arg []I, x []T, tap I, first bool) {
	for j, v := range x {
		if first || v > y[j] || v != v {
			y[j] = v
			if arg != nil {
				arg[j] = tap
			}
		}
	}
}

// MaxBackward sets dx [N, H, W, C] from dy [N, P, Q, C] and the places that MaxForward noted: each gradient goes
// to the pixel that was the largest.
func MaxBackward[T Float, I Index](dx, dy []T, arg []I, s Shape) {
	if s.inputSize() == 0 {
		return
	}
	k := maxBackward[T, I]{dx[:s.inputSize()], dy[:s.outputSize()], arg[:s.outputSize()], s}
	par.For(s.N*s.H, s.rowGrain(s.W, max(1, s.R*s.S/(s.StrideH*s.StrideW))), k)
}

type maxBackward[T Float, I Index] struct {
	dx, dy []T
	arg    []I
	s      Shape
}

// Run does input rows lo to hi−1 of all N·H. Each pixel gathers from the windows that hold it, so rows are
// independent and each is written once.
func (k *maxBackward[T, I]) Run(lo, hi int) {
	if isFloat32[T]() && k.fast(lo, hi) {
		return
	}
	s := &k.s
	for i := lo; i < hi; i++ {
		n, h := i/s.H, i%s.H
		p0, p1 := covering(h, s.PadTop, s.StrideH, s.DilationH, s.R, s.P)
		for w := range s.W {
			dx := k.dx[(i*s.W+w)*s.C:][:s.C]
			clear(dx)
			q0, q1 := covering(w, s.PadLeft, s.StrideW, s.DilationW, s.S, s.Q)
			for p := p0; p < p1; p++ {
				r, ok := tapOf(h, p, s.PadTop, s.StrideH, s.DilationH)
				if !ok {
					continue
				}
				for q := q0; q < q1; q++ {
					t, ok := tapOf(w, q, s.PadLeft, s.StrideW, s.DilationW)
					if !ok {
						continue
					}
					from := ((n*s.P+p)*s.Q + q) * s.C
					tap := I(r*s.S + t)
					arg := k.arg[from : from+s.C]
					for j, g := range k.dy[from : from+s.C] {
						if arg[j] == tap {
							dx[j] += g
						}
					}
				}
			}
		}
	}
}

// tapOf is the tap by which the window of output o holds input position at, if one does.
func tapOf(at, o, pad, stride, dilation int) (tap int, ok bool) {
	d := at + pad - o*stride
	return d / dilation, d%dilation == 0
}

// AverageForward sets y [N, P, Q, C] to the sum of each window over the number of pixels that divisor counts.
// Where that is none the result is NaN (0/0).
func AverageForward[T Float](y, x []T, s Shape, divisor Divisor) {
	if s.outputSize() == 0 {
		return
	}
	k := averageForward[T]{y[:s.outputSize()], x[:s.inputSize()], s, divisor}
	par.For(s.N*s.P, s.rowGrain(s.Q, s.R*s.S), k)
}

// Divisor says what a window's sum is divided by.
type Divisor struct {
	CountPad            bool // count padding too: the window's pixels inside the padded picture (as PyTorch)
	PadBottom, PadRight int  // used with CountPad
}

// of is 1 over the number of pixels that the window at (h0, w0) counts.
func (d Divisor) of(s *Shape, h0, w0 int) float64 {
	h, w := s.H, s.W
	if d.CountPad {
		h0, w0 = h0+s.PadTop, w0+s.PadLeft
		h, w = h+s.PadTop+d.PadBottom, w+s.PadLeft+d.PadRight
	}
	r0, r1 := span(h0, s.DilationH, s.R, h)
	t0, t1 := span(w0, s.DilationW, s.S, w)
	return 1 / float64((r1-r0)*(t1-t0))
}

type averageForward[T Float] struct {
	y, x    []T
	s       Shape
	divisor Divisor
}

// Run does output rows lo to hi−1 of all N·P.
func (k *averageForward[T]) Run(lo, hi int) {
	if isFloat32[T]() && k.fast(lo, hi) {
		return
	}
	s := &k.s
	for i := lo; i < hi; i++ {
		n, p := i/s.P, i%s.P
		h0 := p*s.StrideH - s.PadTop
		r0, r1 := span(h0, s.DilationH, s.R, s.H)
		for q := range s.Q {
			w0 := q*s.StrideW - s.PadLeft
			s0, s1 := span(w0, s.DilationW, s.S, s.W)
			y := k.y[(i*s.Q+q)*s.C:][:s.C]
			clear(y)
			for r := r0; r < r1; r++ {
				for t := s0; t < s1; t++ {
					from := ((n*s.H+h0+r*s.DilationH)*s.W + w0 + t*s.DilationW) * s.C
					for j, v := range k.x[from : from+s.C] {
						y[j] += v
					}
				}
			}
			scale := T(k.divisor.of(s, h0, w0))
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
	k := averageBackward[T]{dx[:s.inputSize()], dy[:s.outputSize()], s, divisor}
	par.For(s.N*s.H, s.rowGrain(s.W, max(1, s.R*s.S/(s.StrideH*s.StrideW))), k)
}

type averageBackward[T Float] struct {
	dx, dy  []T
	s       Shape
	divisor Divisor
}

// Run does input rows lo to hi−1 of all N·H.
func (k *averageBackward[T]) Run(lo, hi int) {
	if isFloat32[T]() && k.fast(lo, hi) {
		return
	}
	s := &k.s
	for i := lo; i < hi; i++ {
		n, h := i/s.H, i%s.H
		p0, p1 := covering(h, s.PadTop, s.StrideH, s.DilationH, s.R, s.P)
		for w := range s.W {
			dx := k.dx[(i*s.W+w)*s.C:][:s.C]
			clear(dx)
			q0, q1 := covering(w, s.PadLeft, s.StrideW, s.DilationW, s.S, s.Q)
			for p := p0; p < p1; p++ {
				if _, ok := tapOf(h, p, s.PadTop, s.StrideH, s.DilationH); !ok {
					continue
				}
				for q := q0; q < q1; q++ {
					if _, ok := tapOf(w, q, s.PadLeft, s.StrideW, s.DilationW); !ok {
						continue
					}
					scale := T(k.divisor.of(s, p*s.StrideH-s.PadTop, q*s.StrideW-s.PadLeft))
					from := ((n*s.P+p)*s.Q + q) * s.C
					for j, g := range k.dy[from : from+s.C] {
						dx[j] += g * scale
					}
				}
			}
		}
	}
}

func isFloat32[T Float]() bool {
	var zero T
	return unsafe.Sizeof(zero) == 4
}
