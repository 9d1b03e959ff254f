package conv

import (
	"github.com/stheno-ml/stheno/internal/kernel/gemm"
	"github.com/stheno-ml/stheno/internal/kernel/par"
)

const panel = gemm.Panel

func panels(columns int) int { return (columns + panel - 1) / panel }

// PackedSize is the number of elements that PackForward writes.
func PackedSize(s *Shape) int {
	if laned(s) {
		return s.K * s.C / s.Groups * s.R * s.S
	}
	return s.Groups * panels(s.K/s.Groups) * panel * s.C / s.Groups * s.R * s.S
}

// PackForward lays filters w [K, C/Groups, R, S] out for ForwardPacked. A frozen network does it once.
func PackForward[T Float](s *Shape, dst, w []T) {
	if RoadOf(s, PassForward) == Lanes {
		par.For(s.K/laneBlock, 8, packLanes[T]{*s, dst, w, &planOf(s).forward, false})
		return
	}
	n := panels(s.K / s.Groups)
	par.For(s.Groups*n, 1, packForward[T]{*s, dst, w, planOf(s)})
}

// packedColumn is where column k of a packed panel of so many rows begins.
func packedColumn(k, rows int) int { return k/gemm.Half*rows*gemm.Half + k%gemm.Half }

// packForward writes panel after panel as [group][panel][half][tap][C/Groups][16].
type packForward[T Float] struct {
	s      Shape
	dst, w []T
	plan   *plan
}

func (t *packForward[T]) Run(lo, hi int) {
	s := &t.s
	cg, kg := s.C/s.Groups, s.K/s.Groups
	area := s.R * s.S
	n := panels(kg)
	for i := lo; i < hi; i++ {
		k0 := i % n * panel
		width := min(panel, kg-k0)
		d := t.dst[i*area*cg*panel:][:area*cg*panel]
		if width < panel {
			clear(d)
		}
		w := t.w[(i/n*kg+k0)*cg*area:][:width*cg*area]
		k := 0
		for ; k+8 <= width; k += 8 {
			gemm.Scatter(d[packedColumn(k, cg*area):], w[k*cg*area:], cg*area, t.plan.rows)
		}
		for ; k < width; k++ {
			at := packedColumn(k, cg*area)
			for e, v := range w[k*cg*area : (k+1)*cg*area] {
				d[t.plan.rows[e]+at] = v
			}
		}
	}
}

func packedBackSize(s *Shape) int {
	if laned(s) {
		return PackedSize(s)
	}
	return s.Groups * panels(s.C/s.Groups) * panel * s.K / s.Groups * s.R * s.S
}

func packBackward[T Float](s *Shape, dst, w []T, pl *plan) {
	par.For(s.Groups*panels(s.C/s.Groups), 1, packBack[T]{*s, dst, w, pl})
}

// packBack lays filters out for the input gradient: one view after the other, each
// [group][panel of C/Groups][half][tap][K/Groups][16]. An item is one group and panel, in all views.
type packBack[T Float] struct {
	s      Shape
	dst, w []T
	plan   *plan
}

func (t *packBack[T]) Run(lo, hi int) {
	cg := t.s.C / t.s.Groups
	n := panels(cg)
	for i := lo; i < hi; i++ {
		for h := range 2 {
			if c0 := i%n*panel + h*gemm.Half; c0 < cg {
				t.half(i/n, i, h, c0, min(gemm.Half, cg-c0))
			}
		}
	}
}

// half packs half h of panel i (counted through the groups): width channels of group g from c0 on.
func (t *packBack[T]) half(g, i, h, c0, width int) {
	const wide = gemm.Half
	s := &t.s
	cg, kg := s.C/s.Groups, s.K/s.Groups
	area := s.R * s.S
	// Where tap (r, s) of the first channels goes; the kernel takes taps by eights, and what it takes too much it
	// writes where it writes something else afterwards.
	var room [maxPackedTaps]int
	offs := room[:0]
	taps := 0
	for v := range t.plan.back {
		taps += len(t.plan.back[v].taps)
	}
	// Of a picture smaller than the filter's reach some taps see padding only and are in no view.
	if area <= len(room) && taps == area {
		offs = room[:(area+7)&^7]
	}
	for v := range t.plan.back {
		view := &t.plan.back[v]
		size := len(view.taps) * kg * wide
		at := view.packed*kg*panel*s.Groups*panels(cg) + (2*i+h)*size
		if width < wide {
			clear(t.dst[at:][:size])
		}
		for e, tap := range view.taps {
			start := at + e*kg*wide
			if len(offs) > 0 {
				offs[tap.r*s.S+tap.s] = start
				continue
			}
			for k := range kg {
				t.column(start+k*wide, ((g*kg+k)*cg+c0)*area+tap.r*s.S+tap.s, area, width)
			}
		}
	}
	if len(offs) == 0 {
		return
	}
	for e := area; e < len(offs); e++ {
		offs[e] = offs[len(offs)-8]
	}
	for k := range kg {
		src := ((g*kg+k)*cg + c0) * area
		c := 0
		if area > 1 {
			for ; c+8 <= width && src+(c+7)*area+len(offs) <= len(t.w); c += 8 {
				gemm.Scatter(t.dst[k*wide+c:], t.w[src+c*area:], area, offs)
			}
		}
		for e := range area {
			t.column(offs[e]+k*wide+c, src+c*area+e, area, width-c)
		}
	}
}

// maxPackedTaps is the largest filter that is packed by eights.
const maxPackedTaps = 128

// column copies count elements of w, step apart.
func (t *packBack[T]) column(to, from, step, count int) {
	if count <= 0 {
		return
	}
	d := t.dst[to:][:count]
	if step == 1 {
		copy(d, t.w[from:])
		return
	}
	w := t.w[from:]
	for i := range d {
		d[i] = w[i*step]
	}
}
