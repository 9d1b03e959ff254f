package conv

import "github.com/stheno-ml/stheno/internal/kernel/gemm"

// edgeRows is the least number of output rows whose pixels at the left and right edges are computed together, without
// the taps that lie beside the picture. Fewer would cost more than the zeros that are left out.
const edgeRows = 3

// bandTile computes output rows from a band, for one panel of output channels. Taps above, below and, in filters of
// one row, beside the picture are left out: a tenth of the work of 7×1 and 1×7 on pictures of 17×17.
type bandTile[T Float] struct {
	gemm.Tile[T] // at the first pixel of the first row
	p            *product[T]
	offs         []int // where spans begin in the band, from there
}

// bandPiece computes output rows r0… of group g, panels j0….
func (p *product[T]) bandPiece(r0, g, j0 int, buf []T) {
	v := p.view
	r1 := min(r0+p.rows, p.n*v.p)
	j1 := min(j0+p.cols, panels(p.kg))
	var starts [maxBandRows]int
	p.fill(&p.band, buf, starts[:], r0, r1, g*p.cg, p.cg)
	t := bandTile[T]{p: p, Tile: gemm.Tile[T]{
		RowA: v.stepW * p.cg, StepA: 1, RowC: v.colMul * p.pitch, InParts: p.careful,
		Next: p.ahead(r1*v.stepH, (r1-r0)*v.stepH),
	}}
	var offs [maxSpans]int
	t.offs = offs[:]
	for i, sp := range v.spans {
		offs[i] = ((sp.dy-p.band.minY)*p.band.width + sp.dx - p.band.minX) * p.cg
	}
	for j := j0; j < j1; j++ {
		p.panelOf(&t.Tile, g, j, 0)
		for r, next := r0, 0; r < r1; r = next {
			lo, hi := v.inside(r%v.p, p.h)
			for next = r + 1; next < r1 && next%v.p > 0; next++ {
				if l, h := v.inside(next%v.p, p.h); l != lo || h != hi {
					break
				}
			}
			t.A, t.C = buf[starts[r-r0]:], p.y[p.output(r*v.q)*p.pitch+g*p.kg+j*panel:]
			t.Next = t.lines(next-r, lo, hi)
		}
	}
	if p.finish {
		p.ep.apply(p.y, p.pitch, r0*v.q, r1*v.q, g*p.kg+j0*panel, g*p.kg+min(j1*panel, p.kg))
	}
}

// lines computes count rows of one picture through spans lo to hi−1. Like sum, it returns what of the tile's Next has
// not been prefetched.
func (t bandTile[T]) lines(count, lo, hi int) []T {
	v := t.p.view
	first, last := 0, v.q
	if len(v.spans) == 1 && lo < hi && count >= edgeRows {
		first, last = v.middle(t.p.w)
		for q := range first {
			t.column(q, count)
		}
		for q := last; q < v.q; q++ {
			t.column(q, count)
		}
	}
	if first == last {
		return t.Next
	}
	a, c := t.A, t.C
	rows, pixels := count, last-first
	// Under a filter one column wide the rows of a picture follow each other, in the band as in the result.
	if pixels == v.q && t.p.band.span == 1 && t.p.band.stepH == 1 && v.colMul == 1 && v.rowMul == 1 && t.p.yw == v.q {
		rows, pixels = 1, count*v.q
	}
	t.Rows = pixels
	for i := range rows {
		t.A, t.C = a[i*t.lineA()+first*t.RowA:], c[i*t.lineC()+first*t.RowC:]
		t.Next = t.sum(lo, hi)
	}
	return t.Next
}

// lineA and lineC are the elements from one output row to the next in the band and in the result.
func (t bandTile[T]) lineA() int { return t.p.band.stepH * t.p.band.width * t.p.cg }
func (t bandTile[T]) lineC() int { return t.p.view.rowMul * t.p.yw * t.p.pitch }

// sum computes the tile's pixels through spans lo to hi−1. Spans of different lengths (a view whose taps have gaps)
// are added one length after another.
func (t bandTile[T]) sum(lo, hi int) []T {
	spans := t.p.view.spans
	for _, sp := range spans[:lo] {
		t.B = t.B[sp.count*t.p.cg*gemm.Half:]
	}
	t.Add = t.p.add
	if lo == hi {
		t.Offs, t.Len = t.offs[:1], 0
		t.Run()
	}
	for i := lo; i < hi; {
		e := i + 1
		for e < hi && spans[e].count == spans[i].count {
			e++
		}
		t.Offs, t.Len = t.offs[i:e], spans[i].count*t.p.cg
		t.Run()
		if e < hi {
			t.B = t.B[(e-i)*t.Len*gemm.Half:]
		}
		t.Add = true
		i = e
	}
	return t.Next
}

// column computes pixel q of count rows, through those taps of the only span that lie in the picture.
func (t bandTile[T]) column(q, count int) {
	sp := t.p.view.spans[0]
	x := q*t.p.view.stepW + sp.dx
	from := min(max(0, -x), sp.count)
	to := max(from, min(sp.count, t.p.w-x))
	u := t.Tile
	u.Rows, u.RowA, u.RowC = count, t.lineA(), t.lineC()
	u.Offs, u.Len, u.Next, u.Add = t.offs[:1], (to-from)*t.p.cg, nil, t.p.add
	if to > from {
		u.A, u.B = t.A[q*t.RowA+from*t.p.cg:], t.B[from*t.p.cg*gemm.Half:]
	}
	u.C = t.C[q*t.RowC:]
	u.Run()
}

// inside are the spans, from the first to before the last, that meet a picture of height h from an output row. Between
// them, others may not.
func (v *view) inside(row, h int) (lo, hi int) {
	beyond := func(sp span) bool {
		y := row*v.stepH + sp.dy
		return y < 0 || y >= h
	}
	hi = len(v.spans)
	for lo < hi && beyond(v.spans[lo]) {
		lo++
	}
	for lo < hi && beyond(v.spans[hi-1]) {
		hi--
	}
	return lo, hi
}

// middle are the output columns, from the first to before the last, from which the only span lies in a picture of
// width w as a whole.
func (v *view) middle(w int) (first, last int) {
	sp := v.spans[0]
	return inside(sp.dx, v.stepW, v.q, w-sp.count+1)
}
