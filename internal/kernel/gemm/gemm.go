package gemm

import (
	"unsafe"

	"github.com/stheno-ml/stheno/internal/kernel/par"
)

const (
	blockK     = 512  // depth of one pass over C: a panel of B (64 KB) stays in the second-level cache
	blockN     = 2048 // columns of B packed at a time
	rowChunk   = 70   // rows of a task: five full micro-kernel tiles
	panelChunk = 16   // panels of a task
	// thinRows is the number of rows up to which packing B would cost as much as the product itself.
	thinRows = 14
)

// Gemm computes C = alpha·op(A)·op(B) + beta·C, where op(A) is m×k, op(B) k×n and C m×n, all row-major:
// lda, ldb and ldc are the elements from one stored row to the next. transA says that A is stored k×m,
// transB that B is stored n×k. With beta 0, C is only written. The result does not depend on GOMAXPROCS.
func Gemm[T Float](transA, transB bool, m, n, k int, alpha T, a []T, lda int, b []T, ldb int, beta T, c []T, ldc int) {
	Batch(1, transA, transB, m, n, k, alpha, a, lda, 0, b, ldb, 0, beta, c, ldc, 0)
}

// Batch does count products of the same shape; matrix i of A begins at a[i·strideA], and so on.
func Batch[T Float](count int, transA, transB bool, m, n, k int, alpha T, a []T, lda, strideA int, b []T, ldb, strideB int, beta T, c []T, ldc, strideC int) {
	if count <= 0 || m <= 0 || n <= 0 {
		return
	}
	p := product[T]{
		transA: transA, transB: transB, m: m, n: n, k: k, alpha: alpha, beta: beta,
		a: a, b: b, c: c, lda: lda, ldb: ldb, ldc: ldc, strideA: strideA, strideB: strideB, strideC: strideC,
	}
	if k <= 0 || alpha == 0 {
		for i := range count {
			scale(beta, c[i*strideC:], m, n, ldc)
		}
		return
	}
	if count > 1 && m*n*k <= 1<<21 {
		// Small products: one after the other inside a task, many tasks.
		par.For(count, max(1, 1<<20/(m*n*k)), small[T]{p})
		return
	}
	for i := range count {
		q := p
		q.a, q.b, q.c = a[i*strideA:], b[i*strideB:], c[i*strideC:]
		q.run(false)
	}
}

type small[T Float] struct{ product[T] }

func (s *small[T]) Run(lo, hi int) {
	for i := lo; i < hi; i++ {
		q := s.product
		q.a, q.b, q.c = s.a[i*s.strideA:], s.b[i*s.strideB:], s.c[i*s.strideC:]
		q.run(true)
	}
}

// scale does C = beta·C; beta 0 clears, whatever C held.
func scale[T Float](beta T, c []T, m, n, ldc int) {
	for i := range m {
		row := c[i*ldc : i*ldc+n]
		switch beta {
		case 0:
			clear(row)
		case 1:
		default:
			for j := range row {
				row[j] *= beta
			}
		}
	}
}

// product is one matrix product and, while it runs, the block of it that is being computed.
type product[T Float] struct {
	transA, transB            bool
	m, n, k                   int
	alpha, beta               T
	a, b, c                   []T
	lda, ldb, ldc             int
	strideA, strideB, strideC int

	n0, n1, k0, k1 int // columns and depth of the block
	packed         []T // B of the block, panel after panel, each [2][k1−k0][Half]
}

// run computes the product; serial says that the caller is itself one task of many.
func (p *product[T]) run(serial bool) {
	blocks := (p.k + blockK + blockK/4 - 1) / (blockK + blockK/4)
	depth := (p.k + blocks - 1) / blocks
	direct := !p.transB && p.alpha == 1 && p.m <= thinRows
	width := min(p.n, blockN)
	var buf *Buffer[T]
	if direct {
		width = p.n
		buf = Borrow[T](depth * Panel)
	} else {
		buf = Borrow[T](depth * par.Chunks(width, Panel) * Panel)
	}
	p.packed = buf.Data
	for p.n0 = 0; p.n0 < p.n; p.n0 += width {
		p.n1 = min(p.n0+width, p.n)
		panels := par.Chunks(p.n1-p.n0, Panel)
		for p.k0 = 0; p.k0 < p.k; p.k0 += depth {
			p.k1 = min(p.k0+depth, p.k)
			grain := max(1, 1<<14/(p.k1-p.k0)/Panel)
			if serial {
				grain = panels
			}
			if direct {
				p.packTail(panels)
			} else {
				par.For(panels, grain, packing[T]{*p})
			}
			rows, cols := p.chunks(panels, serial)
			par.For(par.Chunks(p.m, rows)*par.Chunks(panels, cols), 1, blocking[T]{*p, rows, cols, direct})
		}
	}
	buf.Return()
}

// chunks cuts the block into tasks of rows × panels. Wide, flat products are cut by columns.
func (p *product[T]) chunks(panels int, serial bool) (rows, cols int) {
	if serial {
		return p.m, panels
	}
	rows, cols = min(p.m, rowChunk), min(panels, panelChunk)
	// A task should be worth some tens of microseconds, and there should be at least eight of them.
	const least = 1 << 20
	work := rows * Panel * (p.k1 - p.k0)
	for cols > 1 && par.Chunks(p.m, rows)*par.Chunks(panels, cols) < 8 && work*cols/2 >= least {
		cols = (cols + 1) / 2
	}
	for work*cols < least && cols < panels {
		cols = min(2*cols, panels)
	}
	for rows*cols*Panel*(p.k1-p.k0) < least && rows < p.m {
		rows = min(2*rows, p.m)
	}
	return rows, cols
}

type packing[T Float] struct{ p product[T] }

func (t *packing[T]) Run(lo, hi int) {
	for j := lo; j < hi; j++ {
		t.p.packPanel(t.p.packed[j*(t.p.k1-t.p.k0)*Panel:], j)
	}
}

// panelRows[x] is where row x of half a packed panel begins.
var panelRows = func() (rows [blockK + blockK/4]int) {
	for x := range rows {
		rows[x] = x * Half
	}
	return rows
}()

// packTail packs the last panel if it is not full: the kernel may not read beyond the rows of B.
func (p *product[T]) packTail(panels int) {
	if p.n%Panel != 0 {
		p.packPanel(p.packed, panels-1)
	}
}

// packPanel writes alpha·op(B) of panel j of the block as [2][k1−k0][Half], filled with zeros to the right.
func (p *product[T]) packPanel(dst []T, j int) {
	depth := p.k1 - p.k0
	for h := range 2 {
		j0 := p.n0 + j*Panel + h*Half
		if w := min(Half, p.n-j0); w > 0 {
			p.packHalf(dst[h*depth*Half:][:depth*Half], j0, w)
		}
	}
}

// packHalf packs w columns from j0 on.
func (p *product[T]) packHalf(dst []T, j0, w int) {
	depth := p.k1 - p.k0
	if p.transB {
		q := 0
		if p.alpha == 1 {
			for ; q+8 <= w; q += 8 {
				Scatter(dst[q:], p.b[(j0+q)*p.ldb+p.k0:], p.ldb, panelRows[:depth])
			}
		}
		for ; q < w; q++ {
			src := p.b[(j0+q)*p.ldb+p.k0:][:depth]
			for x, v := range src {
				dst[x*Half+q] = p.alpha * v
			}
		}
		for x := 0; x < depth && w < Half; x++ {
			clear(dst[x*Half+w : (x+1)*Half])
		}
		return
	}
	if w == Half && p.alpha == 1 {
		Split(dst, 0, p.b[p.k0*p.ldb+j0:], p.ldb, depth, 1)
		return
	}
	for x := range depth {
		row := dst[x*Half : (x+1)*Half]
		src := p.b[(p.k0+x)*p.ldb+j0:][:w]
		for q, v := range src {
			row[q] = p.alpha * v
		}
		clear(row[w:])
	}
}

type blocking[T Float] struct {
	p          product[T]
	rows, cols int
	direct     bool
}

func (t *blocking[T]) Run(lo, hi int) {
	across := par.Chunks(par.Chunks(t.p.n1-t.p.n0, Panel), t.cols)
	for i := lo; i < hi; i++ {
		t.p.block(i/across*t.rows, i%across*t.cols, t.rows, t.cols, t.direct)
	}
}

// The one run of a matrix begins at its first element.
var noOffset = []int{0}

// Clash says that rows so many elements apart fall on few of the first-level cache's 64 sets of 8 lines, so
// that the 14 rows of a tile would drive each other out.
func Clash[T Float](stride int) bool {
	var z T
	return stride*int(unsafe.Sizeof(z))%2048 == 0
}

// apart is the least distance of rows of so many elements that do not clash.
func apart[T Float](n int) int {
	for Clash[T](n) {
		n += 16
	}
	return n
}

// turned copies rows i0… of op(A) = Aᵀ of the block as they are read.
func (p *product[T]) turned(i0, rows int) *Buffer[T] {
	depth := p.k1 - p.k0
	wide := apart[T](depth)
	buf := Borrow[T](wide * rows)
	const most = 128 // columns at a time: many cache lines on their way at once
	for i := 0; i < rows; i += most {
		var offs [most]int
		count := min(most, rows-i)
		for q := range count {
			offs[q] = (i + q) * wide
		}
		x := 0
		for ; x+8 <= depth; x += 8 {
			Scatter(buf.Data[x:], p.a[(p.k0+x)*p.lda+i0+i:], p.lda, offs[:count])
		}
		for ; x < depth; x++ {
			for q, v := range p.a[(p.k0+x)*p.lda+i0+i:][:count] {
				buf.Data[offs[q]+x] = v
			}
		}
	}
	return buf
}

// block computes rows i0… and panels j0… of the block at hand.
func (p *product[T]) block(i0, j0, rows, cols int, direct bool) {
	rows = min(rows, p.m-i0)
	panels := min(cols, par.Chunks(p.n1-p.n0, Panel)-j0)
	depth := p.k1 - p.k0
	t := Tile[T]{Offs: noOffset, Len: depth, RowC: p.ldc, Add: p.k0 > 0 || p.beta != 0}
	if p.k0 == 0 && p.beta != 0 && p.beta != 1 {
		w := min(p.n1-p.n0, (j0+panels)*Panel) - j0*Panel
		scale(p.beta, p.c[i0*p.ldc+p.n0+j0*Panel:], rows, w, p.ldc)
	}
	var buf *Buffer[T]
	if p.transA {
		t.A, t.RowA, t.StepA = p.a[p.k0*p.lda+i0:], 1, p.lda
		if panels > 1 && rows > 1 {
			buf, t.RowA, t.StepA = p.turned(i0, rows), apart[T](depth), 1
			t.A = buf.Data
		}
	} else {
		t.A, t.RowA, t.StepA = p.a[i0*p.lda+p.k0:], p.lda, 1
		if panels > 1 && rows > 4 && Clash[T](p.lda) {
			wide := apart[T](depth)
			buf = Borrow[T](wide * rows)
			for i := range rows {
				copy(buf.Data[i*wide:i*wide+depth], t.A[i*p.lda:])
			}
			t.A, t.RowA = buf.Data, wide
		}
	}
	if !p.transA && depth == p.k && panels == par.Chunks(p.n1-p.n0, Panel) {
		next := min((i0+rows)*p.lda, len(p.a)) // A is read once: the rows of the next task are fetched meanwhile
		t.Next = p.a[next:min(next+rows*p.lda, len(p.a))]
	}
	t.Rows = rows
	for j := j0; j < j0+panels; j++ {
		col := p.n0 + j*Panel
		t.Cols = min(Panel, p.n-col)
		t.C = p.c[i0*p.ldc+col:]
		switch {
		case !direct:
			t.B, t.StepB, t.HalfB = p.packed[j*depth*Panel:], Half, depth*Half
		case t.Cols < Panel:
			t.B, t.StepB, t.HalfB = p.packed, Half, depth*Half
		default:
			t.B, t.StepB, t.HalfB = p.b[p.k0*p.ldb+col:], p.ldb, Half
		}
		t.Run()
	}
	if buf != nil {
		buf.Return()
	}
}
