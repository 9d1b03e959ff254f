package conv

import (
	"github.com/stheno-ml/stheno/internal/kernel/gemm"
	"github.com/stheno-ml/stheno/internal/kernel/par"
)

const (
	// narrowColumns is the number of output channels up to which vectors over channels would stay mostly
	// empty, so that vectors over the pixels of a row pay for a transposed copy of the input.
	narrowColumns = 8
	narrowWidth   = 16 // pixels that a row must have
)

// narrow computes views with few output channels, all at once: rows of the matrix product are output
// channels, columns neighbouring output pixels. Its input is a band, transposed to [channel][row][column].
// The last layer of an image generator is of this kind, and the gradient of the picture.
type narrow[T Float] struct {
	product[T] // its view has the taps of all views
	views      []view
}

// narrowed says whether views are computed so.
func narrowed(views []view, groups, kg int) bool {
	if groups > 1 || kg > narrowColumns || len(views[0].spans) > maxSpans {
		return false
	}
	for i := range views {
		v := &views[i]
		if v.stepH != 1 || v.stepW != 1 || v.q < narrowWidth || len(v.taps) == 0 || len(v.taps) > maxSpans {
			return false
		}
	}
	return true
}

// union is a view that sees whatever one of the views sees; the views have step 1.
func union(views []view) view {
	u := view{stepH: 1, stepW: 1}
	for _, v := range views {
		u.p, u.q = max(u.p, v.p), max(u.q, v.q)
		u.taps = append(u.taps, v.taps...)
	}
	return u
}

func (p *product[T]) runNarrow(views []view, all *view) {
	t := narrow[T]{*p, views}
	t.view = all
	t.band = all.band()
	lines := p.n * all.p
	t.rows = min(lines, maxBandRows, all.p)
	for t.rows > 1 && (t.band.rows(all, t.rows)*t.band.width*p.cg > bandSize/2 || par.Chunks(lines, t.rows) < 16) {
		t.rows = (t.rows + 1) / 2
	}
	par.For(par.Chunks(lines, t.rows), 1, t)
}

func (t *narrow[T]) Run(lo, hi int) {
	// Whole vectors are read and transposed: the last ones reach beyond the band.
	size := t.band.rows(t.view, t.rows)*t.band.width + panel
	plane := (size + 7) &^ 7
	buf, planes := gemm.Borrow[T](plane*t.cg), gemm.Borrow[T](plane*t.cg)
	for i := lo; i < hi; i++ {
		t.piece(i*t.rows, plane, buf.Data, planes.Data)
	}
	planes.Return()
	buf.Return()
}

// piece computes what output rows r0… of all views see.
func (t *narrow[T]) piece(r0, plane int, buf, planes []T) {
	u := t.view
	r1 := min(r0+t.rows, t.n*u.p)
	var starts [maxBandRows]int
	t.fill(&t.band, buf, starts[:], r0, r1, 0, t.cg)
	used := t.band.rows(u, r1-r0) * t.band.width
	for c0 := 0; c0 < t.cg; c0 += panel {
		var offs [panel]int
		count := min(panel, t.cg-c0)
		for i := range count {
			offs[i] = (c0 + i) * plane
		}
		for m := 0; m < used; m += 8 {
			gemm.Scatter(planes[m:], buf[m*t.cg+c0:], t.cg, offs[:count])
		}
	}
	var sums [narrowColumns * panel]T
	var offs, offsB [maxSpans]int
	tile := gemm.Tile[T]{RowA: 1, StepA: gemm.Half, Len: t.cg, StepB: plane, HalfB: gemm.Half, C: sums[:], RowC: panel, Rows: t.kg}
	for i := range t.views {
		v := &t.views[i]
		tile.A = t.b[v.packed*t.cg*panel:]
		for e, tap := range v.taps {
			offs[e] = e * t.cg * gemm.Half
			offsB[e] = (tap.dy-t.band.minY)*t.band.width + tap.dx - t.band.minX
		}
		tile.Offs, tile.OffsB = offs[:len(v.taps)], offsB[:len(v.taps)]
		for r := r0; r < r1; r++ {
			n, row := r/u.p, r%u.p
			if row >= v.p {
				continue
			}
			line := t.y[((n*t.yh+row*v.rowMul+v.rowOff)*t.yw+v.colOff)*t.pitch:]
			for q := 0; q < v.q; q += panel {
				tile.B = planes[starts[r-r0]/t.cg+q:]
				tile.Cols = min(panel, v.q-q)
				tile.Run()
				for x := range tile.Cols {
					d := line[(q+x)*v.colMul*t.pitch:][:t.kg]
					for k := range d {
						d[k] = sums[k*panel+x]
					}
				}
			}
		}
	}
	if t.finish {
		t.ep.apply(t.y, t.pitch, r0*u.q, r1*u.q, 0, t.kg)
	}
}
