// Package depthwise holds the kernels of depthwise convolution with a depth multiplier, forward and both
// gradients, on channels-last pictures.
//
// With input x [N, H, W, C] and filters f [C·M, 1, R, S], output channel o = c·M + m is
//
//	y[n, p, q, o] = Σ_r Σ_s f[o, 0, r, s] · x[n, p·StrideH − PadTop + r·DilationH, q·StrideW − PadLeft + s·DilationW, c]
//
// where pixels outside the picture are 0.
package depthwise

import (
	"unsafe"

	"github.com/stheno-ml/stheno/internal/kernel/layout"
	"github.com/stheno-ml/stheno/internal/kernel/par"
	"github.com/stheno-ml/stheno/internal/kernel/vec"
	"github.com/stheno-ml/stheno/internal/kernel/window"
)

// Float is a type of number that the kernels compute with.
type Float interface{ ~float32 | ~float64 }

// Shape is that of a depthwise convolution. P and Q are the caller's, so padding on the far sides may differ.
type Shape struct {
	N, H, W, C           int // input [N, H, W, C]
	M                    int // depth multiplier: output channels for each input channel
	R, S                 int // filters [C·M, 1, R, S]
	P, Q                 int // output [N, P, Q, C·M]
	StrideH, StrideW     int
	PadTop, PadLeft      int
	DilationH, DilationW int
}

func (s *Shape) inputSize() int  { return s.N * s.H * s.W * s.C }
func (s *Shape) outputSize() int { return s.N * s.P * s.Q * s.C * s.M }
func (s *Shape) filterSize() int { return s.C * s.M * s.R * s.S }

// Epilogue is what Forward does to an output before it is stored: v = v·Scale[o] + Shift[o], then, with Act,
// v ≤ 0 becomes Slope·v. A nil Scale is 1, a nil Shift (a bias) 0.
type Epilogue[T Float] struct {
	Scale, Shift []T // [C·M]
	Act          bool
	Slope        T
}

// single is the same convolution with the input's channels repeated M times, one for each output channel.
func (s Shape) single() Shape {
	s.C, s.M = s.C*s.M, 1
	return s
}

// repeated is how many elements of scratch the input takes with its channels repeated.
func (s *Shape) repeated() int {
	if s.M == 1 {
		return 0
	}
	return s.inputSize() * s.M
}

// ForwardWorkspace is how many elements of scratch Forward needs.
func (s Shape) ForwardWorkspace() int { return s.filterSize() + 2*s.C*s.M + s.repeated() }

// InputGradWorkspace is how many elements of scratch InputGrad needs.
func (s Shape) InputGradWorkspace() int { return s.filterSize() + s.repeated() }

// WeightGradWorkspace is how many elements of scratch WeightGrad needs.
func (s Shape) WeightGradWorkspace() int { return s.parts()*s.filterSize() + s.repeated() }

// Forward sets y [N, P, Q, C·M] from x [N, H, W, C] and f [C·M, 1, R, S].
func Forward[T Float](y, x, f []T, s Shape, e Epilogue[T], workspace []T) {
	if s.outputSize() == 0 {
		return
	}
	x, workspace = repeat(x, workspace, &s)
	packed := pack(workspace, f, &s)
	e.fill(workspace[len(packed):], s.C)
	k := forward[T]{y[:s.outputSize()], x[:s.inputSize()], packed, s, e}
	par.For(s.N*s.P, rowGrain(s.N*s.P), k)
}

// InputGrad sets dx [N, H, W, C] from dy [N, P, Q, C·M] and f [C·M, 1, R, S].
func InputGrad[T Float](dx, dy, f []T, s Shape, workspace []T) {
	if s.inputSize() == 0 {
		return
	}
	each, one := dx, s.single()
	if s.M > 1 {
		each, workspace = workspace[:s.repeated()], workspace[s.repeated():]
	}
	packed := pack(workspace, f, &one)
	dy = dy[:s.outputSize()]
	if s.StrideH == 1 && s.StrideW == 1 {
		// The adjoint is the convolution with the filter turned by 180°.
		turn(packed, one.C)
		k := forward[T]{each[:one.inputSize()], dy, packed, one.adjoint(), Epilogue[T]{}}
		par.For(s.N*s.H, rowGrain(s.N*s.H), k)
	} else {
		k := inputGrad[T]{each[:one.inputSize()], dy, packed, one}
		par.For(s.N*s.H, rowGrain(s.N*s.H), k)
	}
	if s.M > 1 {
		par.For(s.inputSize(), repeatGrain, sumTask[T]{dx[:s.inputSize()], each, s.M})
	}
}

// WeightGrad sets df [C·M, 1, R, S] from dy [N, P, Q, C·M] and x [N, H, W, C].
func WeightGrad[T Float](df, dy, x []T, s Shape, workspace []T) {
	if s.filterSize() == 0 {
		return
	}
	if s.outputSize() == 0 {
		clear(df[:s.filterSize()])
		return
	}
	x, workspace = repeat(x, workspace, &s)
	parts, size := s.parts(), s.filterSize()
	sums := workspace[:parts*size]
	par.For(parts, 1, weightGrad[T]{sums, dy[:s.outputSize()], x[:s.inputSize()], s})
	for p := 1; p < parts; p++ {
		vec.Add(sums[:size], sums[:size], sums[p*size:(p+1)*size])
	}
	layout.Transpose(df, sums[:size], s.R*s.S, s.C)
}

// repeat gives the input with its channels repeated, kept in the workspace, and what is left of that; s becomes
// the convolution that reads it.
func repeat[T Float](x, workspace []T, s *Shape) (repeated, rest []T) {
	if s.M == 1 {
		return x, workspace
	}
	n := s.repeated()
	par.For(s.inputSize(), repeatGrain, repeatTask[T]{workspace[:n], x[:s.inputSize()], s.M})
	*s = s.single()
	return workspace[:n], workspace[n:]
}

const repeatGrain = 8 << 10 // elements of the input a chunk

type repeatTask[T Float] struct {
	y, x []T
	m    int
}

func (k *repeatTask[T]) Run(lo, hi int) {
	for i := lo; i < hi; i++ {
		for j := range k.m {
			k.y[i*k.m+j] = k.x[i]
		}
	}
}

// sumTask is the adjoint of repeatTask.
type sumTask[T Float] struct {
	x, y []T
	m    int
}

func (k *sumTask[T]) Run(lo, hi int) {
	for i := lo; i < hi; i++ {
		var sum T
		for _, v := range k.y[i*k.m : (i+1)*k.m] {
			sum += v
		}
		k.x[i] = sum
	}
}

// adjoint is the convolution from outputs to inputs, for strides of 1.
func (s Shape) adjoint() Shape {
	s.H, s.W, s.P, s.Q = s.P, s.Q, s.H, s.W
	s.PadTop, s.PadLeft = (s.R-1)*s.DilationH-s.PadTop, (s.S-1)*s.DilationW-s.PadLeft
	return s
}

// turn reverses the order of the taps of packed filters.
func turn[T Float](packed []T, c int) {
	for i, j := 0, len(packed)-c; i < j; i, j = i+c, j-c {
		a, b := packed[i:i+c], packed[j:j+c]
		for k := range a {
			a[k], b[k] = b[k], a[k]
		}
	}
}

// pack turns the filters tap-major, [R·S, C], so that the channels of one tap lie side by side.
func pack[T Float](workspace, f []T, s *Shape) []T {
	packed := workspace[:s.filterSize()]
	layout.Transpose(packed, f[:s.filterSize()], s.C, s.R*s.S)
	return packed
}

// rowGrain is how many rows make a chunk. Neighbouring rows read the same input, so more than one are done
// together, but few enough that there are chunks for every worker.
func rowGrain(rows int) int { return min(max(1, rows/16), 8) }

// maxParts bounds how many partial sums of the weight gradient there are.
const maxParts = 16

func (s *Shape) parts() int { return max(1, min(maxParts, s.N*s.P)) }

// The tasks below compute with M = 1.

type forward[T Float] struct {
	y, x, f []T // f is packed
	s       Shape
	e       Epilogue[T]
}

// Run does output rows lo to hi−1 of all N·P.
func (k *forward[T]) Run(lo, hi int) {
	if isFloat32[T]() && k.fast(lo, hi) {
		return
	}
	s := &k.s
	for i := lo; i < hi; i++ {
		n, p := i/s.P, i%s.P
		h0 := p*s.StrideH - s.PadTop
		r0, r1 := window.Span(h0, s.DilationH, s.R, s.H)
		for q := range s.Q {
			w0 := q*s.StrideW - s.PadLeft
			t0, t1 := window.Span(w0, s.DilationW, s.S, s.W)
			y := k.y[(i*s.Q+q)*s.C:][:s.C]
			clear(y)
			for r := r0; r < r1; r++ {
				for t := t0; t < t1; t++ {
					x := k.x[((n*s.H+h0+r*s.DilationH)*s.W+w0+t*s.DilationW)*s.C:][:s.C]
					f := k.f[(r*s.S+t)*s.C:][:s.C]
					for c, v := range x {
						y[c] += f[c] * v
					}
				}
			}
			k.e.apply(y)
		}
	}
}

// fill completes an epilogue that does something: neutral values for what it leaves out, kept in buf.
func (e *Epilogue[T]) fill(buf []T, outs int) {
	if e.Scale == nil && e.Shift == nil && !e.Act {
		return
	}
	if e.Scale == nil {
		e.Scale = buf[:outs]
		for o := range e.Scale {
			e.Scale[o] = 1
		}
	}
	if e.Shift == nil {
		e.Shift = buf[outs : 2*outs]
		clear(e.Shift)
	}
	if !e.Act {
		e.Slope = 1
	}
}

// apply finishes one pixel.
func (e *Epilogue[T]) apply(y []T) {
	if e.Scale == nil {
		return
	}
	for o, v := range y {
		v = v*e.Scale[o] + e.Shift[o]
		switch {
		case v <= 0 && e.Slope == 0: // −Inf·0 would be NaN
			v = 0
		case v <= 0:
			v *= e.Slope
		}
		y[o] = v
	}
}

type inputGrad[T Float] struct {
	dx, dy, f []T // f is packed
	s         Shape
}

// Run does input rows lo to hi−1 of all N·H. Each pixel gathers from the outputs that read it, so rows are
// independent.
func (k *inputGrad[T]) Run(lo, hi int) {
	if isFloat32[T]() && k.fast(lo, hi) {
		return
	}
	s := &k.s
	for i := lo; i < hi; i++ {
		n, h := i/s.H, i%s.H
		clear(k.dx[i*s.W*s.C : (i+1)*s.W*s.C])
		for r := range s.R {
			p, ok := window.Output(h, r, s.PadTop, s.StrideH, s.DilationH, s.P)
			if !ok {
				continue
			}
			for w := range s.W {
				dx := k.dx[(i*s.W+w)*s.C:][:s.C]
				for t := range s.S {
					q, ok := window.Output(w, t, s.PadLeft, s.StrideW, s.DilationW, s.Q)
					if !ok {
						continue
					}
					dy := k.dy[((n*s.P+p)*s.Q+q)*s.C:][:s.C]
					f := k.f[(r*s.S+t)*s.C:][:s.C]
					for c := range dx {
						dx[c] += f[c] * dy[c]
					}
				}
			}
		}
	}
}

type weightGrad[T Float] struct {
	sums  []T // [parts, R·S, C]
	dy, x []T
	s     Shape
}

// Run forms partial sums lo to hi−1, each over its share of the N·P output rows.
func (k *weightGrad[T]) Run(lo, hi int) {
	if isFloat32[T]() && k.fast(lo, hi) {
		return
	}
	s := &k.s
	parts, rows := s.parts(), s.N*s.P
	for part := lo; part < hi; part++ {
		sum := k.sums[part*s.filterSize() : (part+1)*s.filterSize()]
		clear(sum)
		for i := part * rows / parts; i < (part+1)*rows/parts; i++ {
			n, p := i/s.P, i%s.P
			h0 := p*s.StrideH - s.PadTop
			r0, r1 := window.Span(h0, s.DilationH, s.R, s.H)
			for q := range s.Q {
				w0 := q*s.StrideW - s.PadLeft
				t0, t1 := window.Span(w0, s.DilationW, s.S, s.W)
				dy := k.dy[(i*s.Q+q)*s.C:][:s.C]
				for r := r0; r < r1; r++ {
					for t := t0; t < t1; t++ {
						x := k.x[((n*s.H+h0+r*s.DilationH)*s.W+w0+t*s.DilationW)*s.C:][:s.C]
						d := sum[(r*s.S+t)*s.C:][:s.C]
						for c, v := range x {
							d[c] += v * dy[c]
						}
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
