package conv

import "github.com/stheno-ml/stheno/internal/kernel/gemm"

// Pixels beside the picture are left out tap by tap. That costs calls of the micro-kernel, so where taps would be
// computed together they should have this many channels, and one in so many of their pixels be left out.
const (
	leastBeside = 56
	oneBeside   = 16
)

// spans computes one panel for channels c0…c0+cw−1 and every tap, over rows r0…r1−1 of the band, of which the first is
// row top of its picture. Pixels whose tap lies above, below or beside the picture are left out. It returns what of
// the tile's Next has not been prefetched.
func (t *weightGrad[T]) spans(tile gemm.Tile[T], sums, buf []T, starts *bandStarts, r0, r1, top, c0, cw int) []T {
	v, b, step := t.view, tile.B, tile.StepA
	for c := 0; c < cw; c += t.lane {
		w := min(t.lane, cw-c)
		at := starts.of(w, t.lane)[r0:r1]
		if t.source == banded {
			tile.StepA = step * w
		}
		e := 0
		for _, sp := range v.spans {
			tile.A, tile.B, tile.Len = buf[c*t.length()+((sp.dy-t.band.minY)*t.band.width+sp.dx-t.band.minX)*w:], b, v.q
			if t.joined > 1 {
				lo, hi := 0, r1-r0
				if t.band.height > 1 {
					lo, hi = v.rowsInside(sp, top, hi, t.h)
				}
				if lo < hi {
					tile.A, tile.B = tile.A[lo*v.q*tile.StepA:], b[lo*v.q*tile.StepB:]
				}
				tile.Offs, tile.Len = at[:1], (hi-lo)*v.q
			} else {
				tile.Offs, tile.OffsB = starts.inside(v, sp, at, top, t.h, v.q*tile.StepB)
			}
			beside := sp.count > 1 && (w < t.cg || w >= leastBeside && oneBeside*v.beside(sp, t.w) >= sp.count*v.q)
			if w == t.cg && !beside {
				tile.C, tile.Rows = sums[e*w*panel:], sp.count*w
				tile.Run()
				e += sp.count
				continue
			}
			a := tile.A
			for k := range sp.count {
				tile.A = a[k*w:]
				if beside {
					lo, hi := v.columnsInside(sp.dx+k, t.w)
					if tile.Len = hi - lo; lo < hi {
						tile.A, tile.B = tile.A[lo*tile.StepA:], b[lo*tile.StepB:]
					}
				}
				tile.C, tile.Rows = sums[(e*t.cg+c0+c)*panel:], w
				tile.Run()
				e++
			}
		}
	}
	return tile.Next
}

// inside are the places of those output rows whose span lies in the picture, of height h, in the band and in the
// columns, where rows are so far apart. The first of the rows is row top of its picture.
func (s *bandStarts) inside(v *view, sp span, at []int, top, h, apart int) (band, columns []int) {
	n := 0
	for i, start := range at {
		if y := (top+i)%v.p*v.stepH + sp.dy; y >= 0 && y < h {
			s[2][n], s[3][n] = start, i*apart
			n++
		}
	}
	return s[2][:n], s[3][:n]
}

// beside counts the pixels of an output row, tap by tap, that a span sees beside a picture of width w.
func (v *view) beside(sp span, w int) (count int) {
	for k := range sp.count {
		lo, hi := v.columnsInside(sp.dx+k, w)
		count += v.q - (hi - lo)
	}
	return count
}

// rowsInside are those of count output rows, from row top of a picture on, whose span lies in the picture, of height h.
func (v *view) rowsInside(sp span, top, count, h int) (lo, hi int) {
	return inside(sp.dy+top*v.stepH, v.stepH, count, h)
}

// columnsInside are the output columns whose tap dx lies in the picture, of width w.
func (v *view) columnsInside(dx, w int) (lo, hi int) { return inside(dx, v.stepW, v.q, w) }

// inside are those i of count for which first + i·step is from 0 to size−1; where there are none, lo is hi.
func inside(first, step, count, size int) (lo, hi int) {
	lo = min((max(0, -first)+step-1)/step, count)
	if last := size - 1 - first; last >= 0 {
		hi = min(last/step+1, count)
	}
	return lo, max(lo, hi)
}
