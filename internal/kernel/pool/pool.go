// Package pool holds the kernels of max, average and global average pooling, forward and backward, on
// channels-last pictures.
package pool

import (
	"math"
	"unsafe"

	"github.com/stheno-ml/stheno/internal/kernel/par"
	"github.com/stheno-ml/stheno/internal/kernel/window"
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
	Pitch                int // elements from one pixel to the next of the output, or of its gradient; 0 for C
}

// pitch is the distance of output pixels.
func (s *Shape) pitch() int {
	if s.Pitch > 0 {
		return s.Pitch
	}
	return s.C
}

// span is the elements of the output, with what lies between its pixels.
func (s *Shape) span() int { return (s.N*s.P*s.Q-1)*s.pitch() + s.C }

// down and across are the axes of a forward pass, or of a gradient.
func (s *Shape) down(backward bool) window.Axis {
	if backward {
		return window.Axis{Size: s.H, Sources: s.P, Taps: s.R, Stride: s.StrideH, Pad: s.PadTop, Dilation: s.DilationH, Backward: true}
	}
	return window.Axis{Size: s.P, Sources: s.H, Taps: s.R, Stride: s.StrideH, Pad: s.PadTop, Dilation: s.DilationH}
}

func (s *Shape) across(backward bool) window.Axis {
	if backward {
		return window.Axis{Size: s.W, Sources: s.Q, Taps: s.S, Stride: s.StrideW, Pad: s.PadLeft, Dilation: s.DilationW, Backward: true}
	}
	return window.Axis{Size: s.Q, Sources: s.W, Taps: s.S, Stride: s.StrideW, Pad: s.PadLeft, Dilation: s.DilationW}
}

func (s *Shape) inputSize() int  { return s.N * s.H * s.W * s.C }
func (s *Shape) outputSize() int { return s.N * s.P * s.Q * s.C }

// rowGrain is how many rows of width pixels make a chunk that is worth handing to a worker, when each pixel
// takes steps pixels in.
func (s *Shape) rowGrain(width, steps int) int { return max(1, 64<<10/max(1, width*s.C*steps)) }

// MaxForward sets y [N, P, Q, C] to the largest value of each window, and arg, where not nil, to its place
// r·S + s in the window. A NaN counts as larger than any number; of equal values the first counts. A window
// with no pixel inside the picture gives −Inf. What lies between the pixels of a pitched y is left alone.
func MaxForward[T Float, I Index](y []T, arg []I, x []T, s Shape) {
	if s.outputSize() == 0 {
		return
	}
	k := maxForward[T, I]{y[:s.span()], arg, x[:s.inputSize()], s}
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
	first := 0 // channel that is left to plain Go
	if isFloat32[T]() {
		first = k.fast(lo, hi)
	}
	if first < k.s.C {
		k.loop(lo, hi, first)
	}
}

func (k *maxForward[T, I]) loop(lo, hi, first int) {
	s := &k.s
	pitch := s.pitch()
	down, across := s.down(false), s.across(false)
	for i := lo; i < hi; i++ {
		rows := down.At(i % s.P)
		for q := range s.Q {
			taps := across.At(q)
			pixel := i*s.Q + q
			at := pixel * pitch
			y := k.y[at+first : at+s.C]
			var arg []I
			if k.arg != nil {
				arg = k.arg[pixel*s.C+first : (pixel+1)*s.C]
			}
			if rows.N == 0 || taps.N == 0 {
				for j := range y {
					y[j] = T(math.Inf(-1))
				}
				clear(arg)
				continue
			}
			for r := range rows.N {
				for t := range taps.N {
					h, w := rows.Src+r*s.DilationH, taps.Src+t*s.DilationW
					from := ((i/s.P*s.H+h)*s.W + w) * s.C
					maxTap(y, arg, k.x[from+first:from+s.C], I((rows.Tap+r)*s.S+taps.Tap+t), r == 0 && t == 0)
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
	k := maxBackward[T, I]{dx[:s.inputSize()], dy[:s.span()], arg[:s.outputSize()], s}
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
	first := 0 // channel that is left to plain Go
	if isFloat32[T]() {
		first = k.fast(lo, hi)
	}
	if first < k.s.C {
		k.loop(lo, hi, first)
	}
}

func (k *maxBackward[T, I]) loop(lo, hi, first int) {
	s := &k.s
	k.s.gather(lo, hi, func(pixel, source, tap int) {
		dx := k.dx[pixel*s.C+first : (pixel+1)*s.C]
		if tap < 0 {
			clear(dx)
			return
		}
		arg := k.arg[source*s.C+first : (source+1)*s.C]
		for j, g := range k.dy[source*s.pitch()+first : source*s.pitch()+s.C] {
			if arg[j] == I(tap) {
				dx[j] += g
			}
		}
	})
}

// gather calls f for each pixel of input rows lo to hi−1, first with tap −1, then with each output pixel whose
// window holds it and by which tap.
func (s *Shape) gather(lo, hi int, f func(pixel, source, tap int)) {
	down, across := s.down(true), s.across(true)
	for i := lo; i < hi; i++ {
		rows := down.At(i % s.H)
		for w := range s.W {
			taps := across.At(w)
			f(i*s.W+w, 0, -1)
			for r := range rows.N {
				for t := range taps.N {
					p, q := rows.Src+r*down.SrcStep(), taps.Src+t*across.SrcStep()
					tap := (rows.Tap+r*down.TapStep())*s.S + taps.Tap + t*across.TapStep()
					f(i*s.W+w, (i/s.H*s.P+p)*s.Q+q, tap)
				}
			}
		}
	}
}

func isFloat32[T Float]() bool {
	var zero T
	return unsafe.Sizeof(zero) == 4
}
