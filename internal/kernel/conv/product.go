package conv

import (
	"github.com/stheno-ml/stheno/internal/kernel/gemm"
	"github.com/stheno-ml/stheno/internal/kernel/par"
)

const (
	rowChunk = 56       // output pixels of a task: four full micro-kernel tiles
	gathered = 48 << 10 // elements of the input that a task copies at a time: they stay in the second-level cache
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
	yh, yw  int
	kg      int
	b       []T // packed weights of the view
	ep      *Epilogue[T]
	epilog  Epilogue[T]

	rows, cols int // pixels and panels of a task
}

func (p *product[T]) run() {
	pixels := p.n * p.view.p * p.view.q
	if pixels == 0 {
		return
	}
	n := panels(p.kg)
	depth := len(p.view.taps) * p.cg
	p.rows, p.cols = min(pixels, rowChunk), n
	// Few pixels: share the columns out, down to tasks of some tens of microseconds.
	for p.cols > 1 && par.Chunks(pixels, p.rows)*p.groups*par.Chunks(n, p.cols) < 8 && p.rows*p.cols*panel/2*depth >= 1<<20 {
		p.cols = (p.cols + 1) / 2
	}
	// Small products: several chunks of pixels a task.
	tasks := p.groups * par.Chunks(n, p.cols) * par.Chunks(pixels, p.rows)
	grain := max(1, 1<<19/max(1, p.rows*p.cols*panel*depth))
	if p.ep != nil {
		p.epilog = *p.ep
	}
	par.For(tasks, grain, *p)
}

// Run does tasks; the groups and columns of one stretch of pixels follow each other.
func (p *product[T]) Run(lo, hi int) {
	across := p.groups * par.Chunks(panels(p.kg), p.cols)
	depth := len(p.view.taps) * p.cg
	buf := gemm.Borrow[T](p.rows * (p.gatherTaps()*p.cg + 16))
	var out *gemm.Buffer[T]
	if p.view.colMul > 1 || p.view.rowMul > 1 {
		out = gemm.Borrow[T](p.rows * p.cols * panel)
	}
	for i := lo; i < hi; i++ {
		g := i % across * p.groups / across
		j := i % (across / p.groups) * p.cols
		p.task(i/across*p.rows, g, j, depth, buf.Data, out)
	}
	buf.Return()
	if out != nil {
		out.Return()
	}
}

// gatherTaps is the number of taps that are gathered at a time.
func (p *product[T]) gatherTaps() int {
	return min(len(p.view.taps), max(1, gathered/(p.rows*p.cg)))
}

// direct says that the rows of the matrix are the picture's pixels as they lie.
func (p *product[T]) direct() bool {
	v := p.view
	return len(v.taps) == 1 && v.taps[0].dx == 0 && v.taps[0].dy == 0 && v.stepH == 1 && v.stepW == 1 &&
		v.p == p.h && v.q == p.w && !gemm.Clash[T](p.groups*p.cg)
}

// task computes pixels m0… of group g, panels j0….
func (p *product[T]) task(m0, g, j0, depth int, buf []T, out *gemm.Buffer[T]) {
	v := p.view
	pixels := p.n * v.p * v.q
	rows := min(p.rows, pixels-m0)
	n := panels(p.kg)
	j1 := min(j0+p.cols, n)
	k0, k1 := j0*panel, min(j1*panel, p.kg)
	channels := p.groups * p.kg
	t := gemm.Tile[T]{Offs: p.offs, Rows: rows, StepA: 1, StepB: panel, RowC: channels}
	c := p.y
	at := 0
	if out != nil {
		c, t.RowC = out.Data, k1-k0
	} else {
		at = m0*channels + g*p.kg + k0
	}
	step := max(1, p.gatherTaps())
	direct := p.direct()
	for e := 0; e == 0 || e < len(v.taps); e += step {
		count := min(step, len(v.taps)-e)
		t.Len = count * p.cg
		if direct {
			t.A, t.RowA = p.x[m0*p.groups*p.cg+g*p.cg:], p.groups*p.cg
		} else {
			t.RowA = t.Len
			if gemm.Clash[T](t.RowA) {
				t.RowA += 16
			}
			t.A = buf
			p.gather(buf, t.RowA, m0, rows, g, e, count)
		}
		for j := j0; j < j1; j++ {
			t.Cols = min(panel, p.kg-j*panel)
			t.B = p.b[(g*n+j)*depth*panel+e*p.cg*panel:]
			t.C = c[at+(j-j0)*panel:]
			t.Add = e > 0
			t.Run()
		}
	}
	if out == nil {
		if p.ep != nil {
			for i := range rows {
				p.finish(p.y[at+i*channels:][:k1-k0], at+i*channels, g*p.kg+k0)
			}
		}
		return
	}
	for i := range rows {
		m := m0 + i
		row, col := m/v.q%v.p*v.rowMul+v.rowOff, m%v.q*v.colMul+v.colOff
		at := ((m/(v.q*v.p)*p.yh+row)*p.yw+col)*channels + g*p.kg + k0
		dst := p.y[at:][:k1-k0]
		copy(dst, out.Data[i*(k1-k0):])
		if p.ep != nil {
			p.finish(dst, at, g*p.kg+k0)
		}
	}
}

func (p *product[T]) finish(row []T, at, k int) {
	var add []T
	if p.epilog.Add != nil {
		add = p.epilog.Add[at:]
	}
	p.epilog.apply(row, add, k)
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
