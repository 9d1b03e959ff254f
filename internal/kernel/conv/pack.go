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

// packForward writes panel after panel as [group][panel][tap][C/Groups][32].
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
			gemm.Scatter(d[k:], w[k*cg*area:], cg*area, t.plan.positions)
		}
		for ; k < width; k++ {
			for e, v := range w[k*cg*area : (k+1)*cg*area] {
				d[t.plan.positions[e]+k] = v
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
// [group][panel of C/Groups][tap][K/Groups][32]. An item is one group and panel, in all views.
type packBack[T Float] struct {
	s      Shape
	dst, w []T
	plan   *plan
}

func (t *packBack[T]) Run(lo, hi int) {
	s := &t.s
	cg, kg := s.C/s.Groups, s.K/s.Groups
	area := s.R * s.S
	n := panels(cg)
	for i := lo; i < hi; i++ {
		c0 := i % n * panel
		width := min(panel, cg-c0)
		// Where tap (r, s) of the panel's first channels goes; the kernel takes taps by eights, and what it
		// takes too much it writes where it writes something else afterwards.
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
			at := view.packed*kg*panel*s.Groups*n + i*len(view.taps)*kg*panel
			if width < panel {
				clear(t.dst[at:][:len(view.taps)*kg*panel])
			}
			for e, tap := range view.taps {
				start := at + e*kg*panel
				if len(offs) > 0 {
					offs[tap.r*s.S+tap.s] = start
					continue
				}
				for k := range kg {
					t.column(start+k*panel, ((i/n*kg+k)*cg+c0)*area+tap.r*s.S+tap.s, area, width)
				}
			}
		}
		if len(offs) == 0 {
			continue
		}
		for e := area; e < len(offs); e++ {
			offs[e] = offs[len(offs)-8]
		}
		for k := range kg {
			src := ((i/n*kg+k)*cg + c0) * area
			c := 0
			if area > 1 {
				for ; c+8 <= width && src+(c+7)*area+len(offs) <= len(t.w); c += 8 {
					gemm.Scatter(t.dst[k*panel+c:], t.w[src+c*area:], area, offs)
				}
			}
			for e := range area {
				t.column(offs[e]+k*panel+c, src+c*area+e, area, width-c)
			}
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
