package conv

import (
	"github.com/stheno-ml/stheno/internal/kernel/gemm"
	"github.com/stheno-ml/stheno/internal/kernel/par"
)

const panel = gemm.Panel

func panels(columns int) int { return (columns + panel - 1) / panel }

// PackedSize is the number of elements that PackForward writes.
func PackedSize(s *Shape) int {
	return s.Groups * panels(s.K/s.Groups) * panel * s.C / s.Groups * s.R * s.S
}

// PackForward lays filters w [K, C/Groups, R, S] out for ForwardPacked. A frozen network does it once.
func PackForward[T Float](s *Shape, dst, w []T) {
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
		for k := range width {
			src := t.w[(i/n*kg+k0+k)*cg*area:][:cg*area]
			for c := range cg {
				for e, v := range src[c*area : (c+1)*area] {
					d[(e*cg+c)*panel+k] = v
				}
			}
		}
	}
}

func packedBackSize(s *Shape) int {
	return s.Groups * panels(s.C/s.Groups) * panel * s.K / s.Groups * s.R * s.S
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
		for v := range t.plan.back {
			view := &t.plan.back[v]
			size := len(view.taps) * kg * panel
			d := t.dst[view.packed*kg*panel*s.Groups*n+i*size:][:size]
			for e, tap := range view.taps {
				for k := range kg {
					src := t.w[((i/n*kg+k)*cg+c0)*area+tap.r*s.S+tap.s:]
					row := d[(e*kg+k)*panel:][:panel]
					for c := range width {
						row[c] = src[c*area]
					}
					clear(row[width:])
				}
			}
		}
	}
}
