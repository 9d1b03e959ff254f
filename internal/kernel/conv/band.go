package conv

import "github.com/stheno-ml/stheno/internal/kernel/gemm"

// maxBandRows is the largest number of output rows that share a band.
const maxBandRows = 64

// band is a piece of the input, with its zero padding, copied so that every pixel that a number of output
// rows see lies where a plain walk finds it: [input row][column][channel]. Output rows are counted through
// all pictures (n·P + p); those of different pictures have input rows of their own.
type band struct {
	minY, minX   int // the taps' first row and column, relative to an output pixel
	height       int // input rows that one output row sees
	span         int // columns that one output pixel sees
	stepH, stepW int // from one output pixel to the next; less than the view's where the view skips input
	width        int // columns of the band
	lanes, gap   int // so many bands of neighbouring channels lie so far apart; 0 for one band
}

func (v *view) band() band {
	first := v.taps[0]
	b := band{minY: first.dy, minX: first.dx}
	maxY, maxX := first.dy, first.dx
	for _, t := range v.taps {
		b.minY, maxY = min(b.minY, t.dy), max(maxY, t.dy)
		b.minX, maxX = min(b.minX, t.dx), max(maxX, t.dx)
	}
	b.height, b.span = maxY-b.minY+1, maxX-b.minX+1
	b.stepH, b.stepW = min(v.stepH, b.height), min(v.stepW, b.span)
	b.width = (v.q-1)*b.stepW + b.span
	return b
}

// rows is the number of input rows in a band of count output rows, at most.
func (b *band) rows(v *view, count int) int {
	pictures := min(count, (count+v.p-2)/v.p+1)
	return (count-pictures)*b.stepH + pictures*b.height
}

// fill copies the band of output rows r0…r1−1, cw channels (of each of the lanes) from c0 on, and notes where
// each output row begins.
func (p *product[T]) fill(b *band, dst []T, starts []int, r0, r1, c0, cw int) {
	v := p.view
	line := b.width * cw
	at := 0
	for r := r0; r < r1; {
		n, top := r/v.p, r%v.p
		count := min(r1-r, v.p-top)
		for i := range count {
			starts[r-r0+i] = at + i*b.stepH*line
			y := (top+i)*v.stepH + b.minY
			from := 0
			if i > 0 {
				from = b.height - b.stepH // the rows above have been copied for the output row above
			}
			for h := from; h < b.height; h++ {
				d := dst[starts[r-r0+i]+h*line:]
				if b.stepW == v.stepW {
					p.fillRow(b, d, b.width, n, y+h, b.minX, c0, cw)
					continue
				}
				for q := range v.q {
					p.fillRow(b, d[q*b.span*cw:], b.span, n, y+h, q*v.stepW+b.minX, c0, cw)
				}
			}
		}
		at += ((count-1)*b.stepH + b.height) * line
		r += count
	}
}

// fillRow copies width pixels of a picture row from column x0 on; what lies outside is zero.
func (p *product[T]) fillRow(b *band, d []T, width, n, y, x0, c0, cw int) {
	if y < 0 || y >= p.h {
		clearLanes(b, d, width*cw)
		return
	}
	cx := p.groups * p.cg
	left := min(max(0, -x0), width)
	right := min(max(0, x0+width-p.w), width-left)
	clearLanes(b, d, left*cw)
	clearLanes(b, d[(width-right)*cw:], right*cw)
	count := width - left - right
	if count == 0 {
		return
	}
	d = d[left*cw:]
	src := p.x[((n*p.h+y)*p.w+x0+left)*cx+c0:]
	switch {
	case cw == laneBlock:
		gemm.Split(d, b.gap, src, cx, count, max(b.lanes, 1))
	case cw == cx:
		copy(d[:count*cw], src)
	default:
		for i := range count {
			copy(d[i*cw:(i+1)*cw], src[i*cx:])
		}
	}
}

// clearLanes sets count elements of each lane to zero.
func clearLanes[T Float](b *band, d []T, count int) {
	for i := range max(b.lanes, 1) {
		clear(d[i*b.gap:][:count])
	}
}
