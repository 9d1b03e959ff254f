// Package layout turns pictures between channels-first [N, C, H, W] and channels-last [N, H, W, C], and
// transposes matrices.
package layout

import "github.com/stheno-ml/stheno/internal/kernel/par"

// Float is a type of number that pictures are made of.
type Float interface{ ~float32 | ~float64 }

// tile is the side of the square blocks that a transpose goes by: what is read and written of a block fits the
// second-level cache, and rows are read in stretches long enough for the prefetcher.
const tile = 128

// ToChannelsLast sets dst [n, hw, c] from src [n, c, hw]. The two must not overlap.
func ToChannelsLast[T Float](dst, src []T, n, c, hw int) { batch(dst, src, n, c, hw) }

// ToChannelsFirst sets dst [n, c, hw] from src [n, hw, c]. The two must not overlap.
func ToChannelsFirst[T Float](dst, src []T, n, c, hw int) { batch(dst, src, n, hw, c) }

// Transpose sets dst [cols, rows] from src [rows, cols]. The two must not overlap.
func Transpose[T Float](dst, src []T, rows, cols int) { batch(dst, src, 1, rows, cols) }

// batch transposes n matrices [rows, cols] that lie one after the other.
func batch[T Float](dst, src []T, n, rows, cols int) {
	if n <= 0 || rows <= 0 || cols <= 0 {
		return
	}
	t := transposeTask[T]{dst: dst[:n*rows*cols], src: src[:n*rows*cols], rows: rows, cols: cols}
	if rows == 1 || cols == 1 {
		par.For(len(t.dst), copyGrain, copyTask[T]{t.dst, t.src})
		return
	}
	// An item is a strip of tile rows or columns, whichever side is longer.
	t.byCols = cols >= rows
	t.strips = par.Chunks(max(rows, cols), tile)
	par.For(n*t.strips, max(1, copyGrain/(tile*min(rows, cols))), t)
}

const copyGrain = 16 << 10 // elements a chunk

type copyTask[T Float] struct{ dst, src []T }

func (c *copyTask[T]) Run(lo, hi int) { copy(c.dst[lo:hi], c.src[lo:hi]) }

type transposeTask[T Float] struct {
	dst, src   []T
	rows, cols int
	strips     int // strips of one matrix
	byCols     bool
}

func (t *transposeTask[T]) Run(lo, hi int) {
	for i := lo; i < hi; i++ {
		at := i / t.strips * t.rows * t.cols
		dst, src := t.dst[at:at+t.rows*t.cols], t.src[at:at+t.rows*t.cols]
		from := i % t.strips * tile
		if t.byCols {
			to := min(from+tile, t.cols)
			for r := 0; r < t.rows; r += tile {
				block(dst, src, t.rows, t.cols, r, min(r+tile, t.rows), from, to)
			}
		} else {
			to := min(from+tile, t.rows)
			for c := 0; c < t.cols; c += tile {
				block(dst, src, t.rows, t.cols, from, to, c, min(c+tile, t.cols))
			}
		}
	}
}

// block transposes rows r0 to r1−1 and columns c0 to c1−1 of src [rows, cols].
func block[T Float](dst, src []T, rows, cols, r0, r1, c0, c1 int) {
	r, c := fast(dst, src, rows, cols, r0, r1, c0, c1)
	if r > r0 {
		plain(dst, src, rows, cols, r0, r, c, c1)
	}
	plain(dst, src, rows, cols, r, r1, c0, c1)
}

// plain is block in plain Go.
func plain[T Float](dst, src []T, rows, cols, r0, r1, c0, c1 int) {
	if r1-r0 < c1-c0 {
		for r := r0; r < r1; r++ {
			d := dst[c0*rows+r:]
			for i, v := range src[r*cols+c0 : r*cols+c1] {
				d[i*rows] = v
			}
		}
		return
	}
	for c := c0; c < c1; c++ {
		d := dst[c*rows+r0 : c*rows+r1]
		s := src[r0*cols+c:]
		for i := range d {
			d[i] = s[i*cols]
		}
	}
}
