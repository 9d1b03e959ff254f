// Package conv2d is channels-last convolution by the algorithm that suits the shape: Winograd's for 3×3 filters
// of stride 1 with enough channels, the depthwise kernels where every channel is a group of its own, and the
// implicit matrix product for all else. The choice looks at shape, pass and type only, never at values or at
// GOMAXPROCS, so a convolution is always computed the same way.
package conv2d

import (
	"unsafe"

	"github.com/stheno-ml/stheno/internal/kernel/conv"
	"github.com/stheno-ml/stheno/internal/kernel/cpu"
	"github.com/stheno-ml/stheno/internal/kernel/depthwise"
	"github.com/stheno-ml/stheno/internal/kernel/norm"
	"github.com/stheno-ml/stheno/internal/kernel/winograd"
)

// Float is what the kernels compute with.
type Float = conv.Float

// Shape describes a convolution: input [N, H, W, C], filters [K, C/Groups, R, S], output [N, P, Q, K].
type Shape = conv.Shape

// Epilogue is what follows a convolution while its result is still in the cache.
type Epilogue[T Float] = conv.Epilogue[T]

// Pass is one of the three computations with a Shape.
type Pass = conv.Pass

// The three passes.
const (
	PassForward    = conv.PassForward
	PassInputGrad  = conv.PassInputGrad
	PassWeightGrad = conv.PassWeightGrad
)

// road is an algorithm.
type road uint8

const (
	product road = iota
	alone        // depthwise
	wino
)

func (r road) String() string { return [...]string{"product", "depthwise", "winograd"}[r] }

// choose is where the algorithm is decided. packed asks for the forward pass with filters laid out before.
func choose[T Float](s *Shape, pass Pass, packed bool) road {
	switch {
	case s.Groups == s.C && s.C > 1:
		return alone
	case s.Careful && pass == PassForward || !single[T]() || s.R != 3 || s.S != 3 || s.StrideH != 1 || s.StrideW != 1 || s.DilationH != 1 || s.DilationW != 1 || s.Groups != 1:
		return product
	case s.PadTop > 2 || s.PadLeft > 2 || s.P > s.H+4-2 || s.Q > s.W+4-2:
		return product // Winograd's tiles take two rows and columns of padding on a side
	}
	w := tiles(s)
	if packed && winograd.WorthPacked(&w) || !packed && winograd.Worth(&w, winograd.Pass(pass)) {
		return wino
	}
	return product
}

// RoadName says how a pass over a shape is computed: the algorithm and the instructions.
func RoadName[T Float](s *Shape, pass Pass) string {
	name := choose[T](s, pass, false).String()
	if name == product.String() {
		name = conv.RoadOf(s, pass).String()
	}
	return name + " " + cpu.Current().String()
}

// CanPitch says whether Forward and ForwardPacked heed Shape.Pitch.
func CanPitch(s *Shape) bool { return s.Groups == 1 || s.Groups != s.C }

// Workspace is the number of elements that a pass wants as ws.
func Workspace[T Float](s *Shape, pass Pass) int {
	switch choose[T](s, pass, false) {
	case alone:
		d := channels(s)
		return [...]int{d.ForwardWorkspace(), d.InputGradWorkspace(), d.WeightGradWorkspace()}[pass]
	case wino:
		w := tiles(s)
		return winograd.Workspace(&w, winograd.Pass(pass))
	}
	return conv.Workspace[T](s, pass)
}

// Forward computes y [N, P, Q, K] = epilogue(conv(x, w)); ep may be nil. Where y is pitched (see CanPitch), what
// lies between its pixels is left alone, and the epilogue adds nothing.
func Forward[T Float](s *Shape, y, x, w []T, ep *Epilogue[T], ws []T) {
	switch choose[T](s, PassForward, false) {
	case alone:
		forwardAlone(s, y, x, w, ep, ws)
	case wino:
		t, e := tiles(s), epilogue(ep)
		winograd.Forward(&t, narrow(y), narrow(x), narrow(w), e.orNil(ep != nil), narrow(ws))
	default:
		conv.Forward(s, y, x, w, ep, ws)
	}
}

// PackedSize is the number of elements that PackForward writes.
func PackedSize[T Float](s *Shape) int {
	switch choose[T](s, PassForward, true) {
	case alone:
		return s.K * s.R * s.S
	case wino:
		w := tiles(s)
		return winograd.PackedSize(&w)
	}
	return conv.PackedSize(s)
}

// PackForward lays filters w [K, C/Groups, R, S] out for ForwardPacked. A frozen network does it once.
func PackForward[T Float](s *Shape, dst, w []T) {
	switch choose[T](s, PassForward, true) {
	case alone:
		copy(dst, w)
	case wino:
		t := tiles(s)
		winograd.PackForward(&t, narrow(dst), narrow(w))
	default:
		conv.PackForward(s, dst, w)
	}
}

// PackedWorkspace is the number of elements that ForwardPacked wants as ws.
func PackedWorkspace[T Float](s *Shape) int {
	switch choose[T](s, PassForward, true) {
	case alone:
		d := channels(s)
		return d.ForwardWorkspace()
	case wino:
		w := tiles(s)
		return winograd.WorkspacePacked(&w)
	}
	return 0
}

// ForwardPacked is Forward with filters that PackForward has laid out.
func ForwardPacked[T Float](s *Shape, y, x, packed []T, ep *Epilogue[T], ws []T) {
	switch choose[T](s, PassForward, true) {
	case alone:
		forwardAlone(s, y, x, packed, ep, ws)
	case wino:
		t, e := tiles(s), epilogue(ep)
		winograd.ForwardPacked(&t, narrow(y), narrow(x), narrow(packed), e.orNil(ep != nil), narrow(ws))
	default:
		conv.ForwardPacked(s, y, x, packed, ep)
	}
}

// InputGrad computes dx [N, H, W, C], the adjoint of Forward applied to dy [N, P, Q, K].
func InputGrad[T Float](s *Shape, dx, dy, w []T, ws []T) {
	switch choose[T](s, PassInputGrad, false) {
	case alone:
		depthwise.InputGrad(dx, dy, w, channels(s), ws)
	case wino:
		t := tiles(s)
		winograd.InputGrad(&t, narrow(dx), narrow(dy), narrow(w), narrow(ws))
	default:
		conv.InputGrad(s, dx, dy, w, ws)
	}
}

// CanAddInputGrad says whether there is AddInputGrad for a shape.
func CanAddInputGrad[T Float](s *Shape) bool {
	switch choose[T](s, PassInputGrad, false) {
	case alone:
		return false
	case wino:
		return true
	}
	return conv.RoadOf(s, PassInputGrad) == conv.Product
}

// AddInputGrad adds what InputGrad computes to dx.
func AddInputGrad[T Float](s *Shape, dx, dy, w []T, ws []T) {
	if choose[T](s, PassInputGrad, false) == wino {
		t := tiles(s)
		winograd.AddInputGrad(&t, narrow(dx), narrow(dy), narrow(w), narrow(ws))
		return
	}
	conv.AddInputGrad(s, dx, dy, w, ws)
}

// WeightGrad computes dw [K, C/Groups, R, S] from dy [N, P, Q, K] and x [N, H, W, C].
func WeightGrad[T Float](s *Shape, dw, dy, x []T, ws []T) {
	switch choose[T](s, PassWeightGrad, false) {
	case alone:
		depthwise.WeightGrad(dw, dy, x, channels(s), ws)
	case wino:
		t := tiles(s)
		winograd.WeightGrad(&t, narrow(dw), narrow(dy), narrow(x), narrow(ws))
	default:
		conv.WeightGrad(s, dw, dy, x, ws)
	}
}

// WeightBiasGrad is WeightGrad and the gradient db [K] of a bias, Σ dy over all pixels, where possible of one reading
// of dy.
func WeightBiasGrad[T Float](s *Shape, dw, db, dy, x []T, ws []T) {
	switch road := choose[T](s, PassWeightGrad, false); {
	case road == wino:
		t := tiles(s)
		winograd.WeightBiasGrad(&t, narrow(dw), narrow(db), narrow(dy), narrow(x), narrow(ws))
	case road == product && conv.CanSumBias(s):
		conv.WeightBiasGrad(s, dw, db, dy, x, ws)
	default:
		WeightGrad(s, dw, dy, x, ws)
		norm.Sum(db, dy, norm.Shape{Outer: s.N * s.P * s.Q, C: s.K, Inner: 1})
	}
}

// tiles is the shape as Winograd's kernels describe it.
func tiles(s *Shape) winograd.Shape {
	return winograd.Shape{N: s.N, H: s.H, W: s.W, C: s.C, K: s.K, P: s.P, Q: s.Q, PadTop: s.PadTop, PadLeft: s.PadLeft, Pitch: s.Pitch}
}

// channels is the shape as the depthwise kernels describe it.
func channels(s *Shape) depthwise.Shape {
	return depthwise.Shape{N: s.N, H: s.H, W: s.W, C: s.C, M: s.K / s.C, R: s.R, S: s.S, P: s.P, Q: s.Q,
		StrideH: s.StrideH, StrideW: s.StrideW, PadTop: s.PadTop, PadLeft: s.PadLeft, DilationH: s.DilationH, DilationW: s.DilationW}
}

func single[T Float]() bool { return unsafe.Sizeof(T(0)) == 4 }

// narrow is a slice of float32 by its own name; only roads of float32 call it.
func narrow[T Float](x []T) []float32 {
	return unsafe.Slice((*float32)(unsafe.Pointer(unsafe.SliceData(x))), len(x))
}
