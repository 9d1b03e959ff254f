package conv

import (
	"github.com/stheno-ml/stheno/internal/kernel/gemm"
	"github.com/stheno-ml/stheno/internal/kernel/par"
)

// Workspace is the number of elements that a pass wants as ws. It depends on the shape only.
func Workspace[T Float](s *Shape, pass Pass) int {
	switch pass {
	case PassForward:
		return PackedSize(s)
	case PassInputGrad:
		return packedBackSize(s)
	}
	t := newWeightGrad[T](s)
	return t.workspace()
}

// Forward computes y [N, P, Q, K] = epilogue(conv(x, w)); ep may be nil. Where y is pitched, what lies between
// its pixels is left alone, and the epilogue adds nothing.
func Forward[T Float](s *Shape, y, x, w []T, ep *Epilogue[T], ws []T) {
	PackForward(s, ws, w)
	ForwardPacked(s, y, x, ws, ep)
}

// ForwardPacked is Forward with filters that PackForward has laid out.
func ForwardPacked[T Float](s *Shape, y, x, packed []T, ep *Epilogue[T]) {
	if s.N*s.P*s.Q == 0 {
		return
	}
	pl := planOf(s)
	p := product[T]{
		view: &pl.forward, offs: pl.offs, groups: s.Groups,
		n: s.N, h: s.H, w: s.W, x: x, cg: s.C / s.Groups,
		y: y, pitch: s.pitch(), yh: s.P, yw: s.Q, kg: s.K / s.Groups, b: packed, careful: s.Careful,
	}
	if ep != nil {
		p.ep, p.finish = *ep, true
	}
	switch RoadOf(s, PassForward) {
	case Lanes:
		p.runLanes()
	case Narrow:
		p.runNarrow(pl.narrow, &pl.forward)
	default:
		p.run()
	}
}

// InputGrad computes dx [N, H, W, C], the adjoint of Forward applied to dy [N, P, Q, K]. Used forward it is
// the transposed convolution. With strides it is computed phase by phase: input pixels of equal row and
// column modulo the strides are reached through the same taps, so nothing is multiplied by inserted zeros.
func InputGrad[T Float](s *Shape, dx, dy, w []T, ws []T) { inputGrad(s, dx, dy, w, ws, false) }

// AddInputGrad adds what InputGrad computes to dx, for shapes whose road is Product.
func AddInputGrad[T Float](s *Shape, dx, dy, w []T, ws []T) { inputGrad(s, dx, dy, w, ws, true) }

func inputGrad[T Float](s *Shape, dx, dy, w []T, ws []T, add bool) {
	if s.N*s.H*s.W == 0 {
		return
	}
	pl := planOf(s)
	p := product[T]{
		offs: pl.offs, groups: s.Groups,
		n: s.N, h: s.P, w: s.Q, x: dy, cg: s.K / s.Groups,
		y: dx, pitch: s.C, yh: s.H, yw: s.W, kg: s.C / s.Groups, b: ws, add: add,
	}
	switch RoadOf(s, PassInputGrad) {
	case Lanes:
		for i := range pl.back {
			p.view = &pl.back[i]
			p.b = ws[p.view.packed*s.C*p.cg:]
			par.For(s.C/laneBlock, 8, packLanes[T]{*s, p.b, w, p.view, true})
			p.runLanes()
		}
	case Narrow:
		packBackward(s, ws, w, pl)
		p.runNarrow(pl.back, &pl.wide)
	default:
		packBackward(s, ws, w, pl)
		for i := range pl.back {
			p.view = &pl.back[i]
			p.b = ws[p.view.packed*p.cg*panel*s.Groups*panels(p.kg):]
			p.run()
		}
	}
}

// WeightGrad computes dw [K, C/Groups, R, S], the gradient of the filters, from dy [N, P, Q, K] and x.
func WeightGrad[T Float](s *Shape, dw, dy, x []T, ws []T) { weightGradients(s, dw, nil, dy, x, ws) }

// CanSumBias says whether there is WeightBiasGrad for a shape.
func CanSumBias(s *Shape) bool { return RoadOf(s, PassWeightGrad) != Lanes }

// WeightBiasGrad is WeightGrad and the gradient db [K] of a bias, Σ dy over all pixels, of one reading of dy.
func WeightBiasGrad[T Float](s *Shape, dw, db, dy, x []T, ws []T) {
	weightGradients(s, dw, db, dy, x, ws)
}

// weightGradients computes dw and, where it is not nil, db.
func weightGradients[T Float](s *Shape, dw, db, dy, x []T, ws []T) {
	t := newWeightGrad[T](s)
	if t.parts == 0 {
		clear(dw)
		clear(db)
		return
	}
	t.x, t.dy, t.dw, t.partial = x, dy, dw, ws[:t.workspace()]
	if t.turned {
		t.x, t.dy = dy, x
	}
	if db != nil {
		sums := gemm.Borrow[float64](t.parts * s.K)
		t.bias = sums.Data
		defer sums.Return()
	}
	if RoadOf(s, PassWeightGrad) == Lanes {
		t.runLanes()
		return
	}
	t.run()
	for k := range db {
		sum := 0.0
		for part := range t.parts {
			sum += t.bias[part*s.K+k]
		}
		db[k] = T(sum)
	}
}
