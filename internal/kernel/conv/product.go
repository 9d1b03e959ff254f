package conv

import (
	"github.com/stheno-ml/stheno/internal/kernel/cpu"
	"github.com/stheno-ml/stheno/internal/kernel/gemm"
	"github.com/stheno-ml/stheno/internal/kernel/par"
	"github.com/stheno-ml/stheno/internal/kernel/vec"
)

const (
	rowChunk = 56       // output pixels that are computed at a time: four full micro-kernel tiles
	gathered = 48 << 10 // elements of the input that are gathered at a time: they stay in the second-level cache
)

// source says where the rows of the left matrix come from.
type source int

const (
	pixels source = iota // the picture as it lies: 1×1, stride 1
	banded               // a band (see there)
	rowed                // rows of [tap][channel], gathered: few columns, or pixels that clash in the cache
)

// product is one view computed as a matrix product: rows are output pixels, columns output channels, and
// the sum runs over taps and input channels.
type product[T Float] struct {
	view    *view
	offs    []int
	groups  int
	n, h, w int
	x       []T // [n, h, w, groups·cg]
	cg      int
	y       []T // [n, yh, yw, groups·kg]
	pitch   int // from one pixel of y to the next
	yh, yw  int
	kg      int
	b       []T // packed weights of the view
	ep      Epilogue[T]
	finish  bool // there is an epilogue; the view is a forward one
	add     bool // add to y instead of overwriting it; the road is Product
	careful bool // long sums in parts

	source     source
	band       band
	rows, cols int // output pixels (banded: output rows) and panels of a piece of work
}

// choose decides how the left matrix is read, and the size of the pieces.
func (p *product[T]) choose() (pieces int) {
	v := p.view
	total := p.n * v.p * v.q
	depth := len(v.taps) * p.cg
	n := panels(p.kg)
	p.rows, p.cols, p.source = min(total, rowChunk), n, rowed
	if len(v.taps) > 0 {
		p.band = v.band()
	}
	switch {
	case v.plain(p.h, p.w) && !gemm.Clash[T](p.groups*p.cg):
		p.source = pixels
	case depth > 0 && len(v.spans) <= maxSpans && v.q >= 5 && (v.q >= 12 || p.kg <= 64) &&
		p.band.stepW == v.stepW && !gemm.Clash[T](v.stepW*p.cg) &&
		(cpu.Current() != cpu.Generic || v.spans[0].count*p.cg >= leastRun):
		lines := p.n * v.p
		step := min(lines, maxBandRows, max(1, bandPixels/v.q))
		for step > 1 && (p.band.rows(v, step)*p.band.width*p.cg > bandSize || par.Chunks(lines, step) < 32 && step*v.q*depth*p.kg > 1<<22) {
			step = (step + 1) / 2
		}
		if p.band.rows(v, step)*p.band.width*p.cg <= 2*bandSize {
			p.source, p.rows, total = banded, step, lines
		}
	}
	pixel := 1
	if p.source == banded {
		pixel = v.q
	}
	// Few pixels: share the columns out, down to tasks of some tens of microseconds.
	for p.cols > 1 && par.Chunks(total, p.rows)*p.groups*par.Chunks(n, p.cols) < 8 && p.rows*pixel*p.cols*panel/2*depth >= 1<<20 {
		p.cols = (p.cols + 1) / 2
	}
	return p.groups * par.Chunks(n, p.cols) * par.Chunks(total, p.rows)
}

// leastRun is the shortest run of the left matrix for which the Go twin does not rather copy.
const leastRun = 64

// maxSpans is the largest number of runs in a banded tile.
const maxSpans = 64

func (p *product[T]) run() {
	pieces := p.choose()
	// A task is worth some tens of microseconds at least. Where there are many, neighbours go together, so
	// that a worker knows what it will read next.
	work := max(1, p.rows*min(p.cols*panel, p.kg)*len(p.view.taps)*p.cg)
	if p.source == banded {
		work *= p.view.q
	}
	grain := max(1, 1<<19/work, min(8, pieces/32))
	par.For(pieces, grain, *p)
}

// Run does pieces; the groups and columns of one stretch of pixels follow each other.
func (p *product[T]) Run(lo, hi int) {
	v := p.view
	var size, outSize int
	switch p.source {
	case banded:
		size = p.band.rows(v, p.rows) * p.band.width * p.cg
	case rowed:
		size = p.rows * (p.gatherTaps()*p.cg + 16)
	}
	if p.source != banded && (v.colMul > 1 || v.rowMul > 1) {
		outSize = p.rows * p.cols * panel
	}
	buf, out := gemm.Borrow[T](size), gemm.Borrow[T](outSize)
	steps := par.Chunks(panels(p.kg), p.cols)
	for i := lo; i < hi; i++ {
		at, g, j := i/steps/p.groups*p.rows, i/steps%p.groups, i%steps*p.cols
		if p.source == banded {
			p.bandPiece(at, g, j, buf.Data)
		} else {
			p.pixelPiece(at, g, j, buf.Data, out.Data)
		}
	}
	buf.Return()
	out.Return()
}

// gatherTaps is the number of taps that are gathered at a time.
func (p *product[T]) gatherTaps() int {
	return max(1, min(len(p.view.taps), gathered/(p.rows*p.cg)))
}

// panelOf points the tile at panel j of group g and at tap e, and sets its columns.
func (p *product[T]) panelOf(t *gemm.Tile[T], g, j, e int) {
	t.Cols = min(panel, p.kg-j*panel)
	size := len(p.view.taps) * p.cg * gemm.Half
	t.B, t.StepB, t.HalfB = p.b[2*(g*panels(p.kg)+j)*size+e*p.cg*gemm.Half:], gemm.Half, size
}

// ahead is a number of rows of the picture from one on, counted through all pictures.
func (p *product[T]) ahead(row, count int) []T {
	line := p.w * p.groups * p.cg
	lo := min(row*line, len(p.x))
	return p.x[lo:min(lo+count*line, len(p.x))]
}

// output is the output pixel, among all that y has, that pixel m of the view is.
func (p *product[T]) output(m int) int {
	v := p.view
	row := m / v.q
	return ((row/v.p*p.yh+row%v.p*v.rowMul+v.rowOff)*p.yw + m%v.q*v.colMul + v.colOff)
}

// pixelPiece computes output pixels m0… of group g, panels j0….
func (p *product[T]) pixelPiece(m0, g, j0 int, buf, out []T) {
	v := p.view
	rows := min(p.rows, p.n*v.p*v.q-m0)
	j1 := min(j0+p.cols, panels(p.kg))
	k0, k1 := j0*panel, min(j1*panel, p.kg)
	cx := p.groups * p.cg
	t := gemm.Tile[T]{Offs: p.offs, Rows: rows, StepA: 1, RowC: p.pitch, InParts: p.careful}
	if len(v.taps) == 0 { // nothing reaches these pixels
		if p.add {
			return
		}
		for m := m0; m < m0+rows; m++ {
			clear(p.y[p.output(m)*p.pitch+g*p.kg+k0:][:k1-k0])
		}
		return
	}
	c := out
	if len(out) > 0 {
		t.RowC = k1 - k0
	} else {
		c = p.y[m0*p.pitch+g*p.kg+k0:]
	}
	step := p.gatherTaps()
	for e := 0; e < len(v.taps); e += step {
		count := min(step, len(v.taps)-e)
		t.Len = count * p.cg
		if p.source == pixels {
			t.A, t.RowA = p.x[m0*cx+g*p.cg:], cx
			next := min((m0+rows)*cx, len(p.x))
			t.Next = p.x[next:min(next+rows*cx, len(p.x))]
		} else {
			t.RowA = t.Len
			if gemm.Clash[T](t.RowA) {
				t.RowA += 16
			}
			t.A = buf
			p.gather(buf, t.RowA, m0, rows, g, e, count)
		}
		t.Add = e > 0 || p.add && len(out) == 0
		for j := j0; j < j1; j++ {
			p.panelOf(&t, g, j, e)
			t.C = c[(j-j0)*panel:]
			t.Run()
		}
	}
	if len(out) > 0 {
		for i := range rows {
			y, done := p.y[p.output(m0+i)*p.pitch+g*p.kg+k0:][:k1-k0], out[i*(k1-k0):]
			if p.add {
				vec.Add(y, y, done[:len(y)])
			} else {
				copy(y, done)
			}
		}
	}
	if p.finish {
		p.ep.apply(p.y, p.pitch, m0, m0+rows, g*p.kg+k0, g*p.kg+k1)
	}
}

// gather copies what pixels m0… see of the input through taps e0…e0+count−1, as rows of [tap][cg].
func (p *product[T]) gather(dst []T, stride, m0, rows, g, e0, count int) {
	v := p.view
	for i := range rows {
		m := m0 + i
		d := dst[i*stride:]
		p.gatherPixel(d, m/(v.p*v.q), m/v.q%v.p*v.stepH, m%v.q*v.stepW, g, e0, count)
	}
}

// gatherPixel copies one row: taps e0… around input pixel (row, col) of picture n.
func (p *product[T]) gatherPixel(d []T, n, row, col, g, e0, count int) {
	v := p.view
	cg, cx := p.cg, p.groups*p.cg
	e := 0 // first tap of the span
	for _, sp := range v.spans {
		lo, hi := max(e, e0), min(e+sp.count, e0+count)
		first := lo - e
		e += sp.count
		if lo >= hi {
			continue
		}
		taps := hi - lo
		y, x := row+sp.dy, col+sp.dx+first
		seg := d[:taps*cg]
		d = d[taps*cg:]
		if y < 0 || y >= p.h {
			clear(seg)
			continue
		}
		line := p.x[(n*p.h+y)*p.w*cx:][:p.w*cx]
		// Taps left and right of the picture are zero.
		left := min(max(0, -x), taps)
		right := min(max(0, x+taps-p.w), taps-left)
		clear(seg[:left*cg])
		clear(seg[(taps-right)*cg:])
		if p.groups == 1 {
			if left+right < taps {
				copy(seg[left*cg:(taps-right)*cg], line[(x+left)*cg:])
			}
			continue
		}
		for q := left; q < taps-right; q++ {
			copy(seg[q*cg:(q+1)*cg], line[(x+q)*cx+g*cg:])
		}
	}
}
