package ops

import (
	"unsafe"

	"github.com/stheno-ml/stheno/internal/exec"
	"github.com/stheno-ml/stheno/internal/kernel/layout"
	"github.com/stheno-ml/stheno/internal/kernel/par"
)

// word is what elements are moved as when only their size matters.
type word interface{ uint8 | uint32 | uint64 }

func words[T word](a *exec.Array) []T { return unsafe.Slice((*T)(a.Pointer()), a.Len()) }

// byteSlice is the memory of an array.
func byteSlice(a *exec.Array) []byte { return unsafe.Slice((*byte)(a.Pointer()), a.Bytes()) }

// moveArray copies src to dst along a walk whose operand 0 is dst, operand 1 src; it starts at element at of dst
// and element from of src.
func moveArray(w *walk, dst, src *exec.Array, at, from int) {
	switch dst.Dtype.Size() {
	case 1:
		move(w, words[uint8](dst), words[uint8](src), at, from)
	case 4:
		move(w, words[uint32](dst), words[uint32](src), at, from)
	default:
		move(w, words[uint64](dst), words[uint64](src), at, from)
	}
}

func move[T word](w *walk, dst, src []T, at, from int) {
	t := moveTask[T]{w: *w, dst: dst, src: src, at: at, from: from}
	last := w.axes - 1
	if w.step[1][last] != 1 {
		for k := range last {
			if w.step[1][k] == 1 {
				t.transpose(k)
				return
			}
		}
	}
	perRow, items, grain := w.blocks()
	t.perRow = perRow
	par.For(items, grain, t)
}

type moveTask[T word] struct {
	w        walk
	perRow   int
	dst, src []T
	at, from int
}

func (t *moveTask[T]) Run(lo, hi int) {
	c := t.w.seek(lo / t.perRow)
	cols, sd, ss := t.w.cols(), t.w.inner(0), t.w.inner(1)
	for i := lo; i < hi; i++ {
		a := i % t.perRow * blockSize
		b := min(a+blockSize, cols)
		d, s := t.at+c.off[0], t.from+c.off[1]
		if sd == 1 && ss == 1 {
			copy(t.dst[d+a:d+b], t.src[s+a:s+b])
		} else {
			for k := a; k < b; k++ {
				t.dst[d+k*sd] = t.src[s+k*ss]
			}
		}
		if b == cols {
			t.w.next(&c)
		}
	}
}

// transpose goes over two axes at once: the innermost one, and axis k along which neighbours of src lie.
func (t moveTask[T]) transpose(k int) {
	w := &t.w
	last := w.axes - 1
	m := transposeTask[T]{dst: t.dst, src: t.src, at: t.at, from: t.from,
		rows: w.size[last], rowDst: w.step[0][last], rowSrc: w.step[1][last], cols: w.size[k], colDst: w.step[0][k]}
	for a := range last {
		if a != k {
			m.w.size[m.w.axes] = w.size[a]
			m.w.step[0][m.w.axes], m.w.step[1][m.w.axes] = w.step[0][a], w.step[1][a]
			m.w.axes++
		}
	}
	m.w.size[m.w.axes] = 1
	m.w.axes++
	if m.whole() {
		return
	}
	m.strips = par.Chunks(m.rows, moveTile)
	par.For(m.w.rows()*m.strips, max(1, blockSize/(moveTile*m.cols)), m)
}

// moveTile is the side of the squares that a transpose goes by, so that each cache line is fetched once.
const moveTile = 32

type transposeTask[T word] struct {
	w                    walk // over the other axes
	dst, src             []T
	at, from             int
	rows, rowDst, rowSrc int
	cols, colDst         int // neighbours in src
	strips               int
}

func (t *transposeTask[T]) Run(lo, hi int) {
	for i := lo; i < hi; i++ {
		c := t.w.seek(i / t.strips)
		dst, src := t.dst[t.at+c.off[0]:], t.src[t.from+c.off[1]:]
		r0 := i % t.strips * moveTile
		r1 := min(r0+moveTile, t.rows)
		for c0 := 0; c0 < t.cols; c0 += moveTile {
			for q := c0; q < min(c0+moveTile, t.cols); q++ {
				d, s := dst[q*t.colDst+r0*t.rowDst:], src[r0*t.rowSrc+q:]
				if t.rowDst == 1 {
					d = d[:r1-r0]
					for r := range d {
						d[r] = s[r*t.rowSrc]
					}
					continue
				}
				for r := range r1 - r0 {
					d[r*t.rowDst] = s[r*t.rowSrc]
				}
			}
		}
	}
}

// whole does it where there are matrices one after the other, with nothing between.
func (t *transposeTask[T]) whole() bool {
	n := t.w.size[0]
	one := t.w.axes == 1 // a single matrix
	if t.rowDst != 1 || t.rowSrc != t.cols || t.colDst != t.rows || t.at != 0 || t.from != 0 || t.w.axes > 2 ||
		!one && (t.w.step[0][0] != t.rows*t.cols || t.w.step[1][0] != t.rows*t.cols) {
		return false
	}
	switch dst := any(t.dst).(type) {
	case []uint32:
		layout.ToChannelsLast(floats[float32](dst), floats[float32](any(t.src).([]uint32)), n, t.rows, t.cols)
	case []uint64:
		layout.ToChannelsLast(floats[float64](dst), floats[float64](any(t.src).([]uint64)), n, t.rows, t.cols)
	default:
		return false
	}
	return true
}

// floats is the same memory as numbers; moving them changes no bit.
func floats[F exec.Float, T word](x []T) []F {
	return unsafe.Slice((*F)(unsafe.Pointer(unsafe.SliceData(x))), len(x))
}
