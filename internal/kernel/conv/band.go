package conv

// maxBandRows is the largest number of output rows that share a band.
const maxBandRows = 64

// band is a piece of the input, with its zero padding, copied so that every pixel that a number of output
// rows see lies where a plain walk finds it: [input row][column][channel]. Output rows are counted through
// all pictures (n·P + p); those of different pictures have input rows of their own.
type band struct {
	minY, minX int // the taps' first row and column, relative to an output pixel
	height     int // input rows that one output row sees
	width      int // columns
}

func (v *view) band() band {
	first := v.taps[0]
	b := band{minY: first.dy, minX: first.dx}
	maxY, maxX := first.dy, first.dx
	for _, t := range v.taps {
		b.minY, maxY = min(b.minY, t.dy), max(maxY, t.dy)
		b.minX, maxX = min(b.minX, t.dx), max(maxX, t.dx)
	}
	b.height = maxY - b.minY + 1
	b.width = (v.q-1)*v.stepW + maxX - b.minX + 1
	return b
}

// rows is the number of input rows in a band of count output rows, at most.
func (b *band) rows(v *view, count int) int {
	pictures := min(count, (count+v.p-2)/v.p+1)
	return (count-pictures)*v.stepH + pictures*max(b.height, v.stepH)
}

// fill copies the band of output rows r0…r1−1, channels c0…c0+cw−1, and notes where each output row begins.
func (p *product[T]) fill(b *band, dst []T, starts []int, r0, r1, c0, cw int) {
	v := p.view
	line := b.width * cw
	at := 0
	for r := r0; r < r1; {
		n, top := r/v.p, r%v.p
		count := min(r1-r, v.p-top)
		for i := range count {
			starts[r-r0+i] = at + i*v.stepH*line
		}
		height := (count-1)*v.stepH + b.height
		for i := range height {
			p.fillRow(dst[at+i*line:][:line], n, top*v.stepH+b.minY+i, b.minX, c0, cw)
		}
		at += height * line
		r += count
	}
}

// fillRow copies one row of a picture from column x0 on; what lies outside is zero.
func (p *product[T]) fillRow(d []T, n, y, x0, c0, cw int) {
	if y < 0 || y >= p.h {
		clear(d)
		return
	}
	cx := p.groups * p.cg
	width := len(d) / cw
	left := min(max(0, -x0), width)
	right := min(max(0, x0+width-p.w), width-left)
	clear(d[:left*cw])
	clear(d[(width-right)*cw:])
	if left+right == width {
		return
	}
	d = d[left*cw : (width-right)*cw]
	src := p.x[((n*p.h+y)*p.w+x0+left)*cx+c0:]
	if cw == cx {
		copy(d, src)
		return
	}
	for i := 0; i < len(d); i += cw {
		copy(d[i:i+cw], src)
		if i+cw < len(d) {
			src = src[cx:]
		}
	}
}
