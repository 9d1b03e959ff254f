package conv

import (
	"github.com/stheno-ml/stheno/internal/kernel/gemm"
	"github.com/stheno-ml/stheno/internal/kernel/par"
)

// Groups of 4 or 8 channels do not fill a vector of output channels. Their road puts 16 channels, of several
// groups, side by side, and spreads each input channel over the lanes of its own group. Weights are packed
// as [block of 16 channels][tap][channel of the group][16].
const (
	laneBlock  = 16
	laneBlocks = 8 // blocks of a task: their part of a band is copied together
)

// laned says whether a shape takes that road.
func laned(s *Shape) bool {
	g := s.C / s.Groups
	return s.Groups > 1 && s.C == s.K && (g == 4 || g == 8) && s.C%laneBlock == 0 && s.R*s.S <= maxSpans
}

// spreads[g][c] lists, for each lane, where channel c of the lane's group of g stands.
var spreads = func() (t [2][8][laneBlock]int32) {
	for i, g := range []int{4, 8} {
		for c := range g {
			for l := range laneBlock {
				t[i][c][l] = int32(l/g*g + c)
			}
		}
	}
	return t
}()

// laneTile is a piece of a picture row for one block of channels, or, for the gradient, of several rows.
type laneTile[T Float] struct {
	x            []T
	w            []T // [run][group][16]
	y            []T
	offs         []int // where each run begins in x: a tap, or for the gradient an output row
	pixels       int   // output pixels; for the gradient those of a row
	stepX, stepY int   // elements from one output pixel to the next
	group        int
	add          bool // the gradient adds to w
}

// forwardGeneric computes y[pixel][lane] = Σ_run Σ_c x[run, pixel][spread of c] · w[run][c][lane].
func (t *laneTile[T]) forwardGeneric() {
	for q := range t.pixels {
		var sum [laneBlock]T
		for i, off := range t.offs {
			x := t.x[off+q*t.stepX:][:laneBlock]
			for c := range t.group {
				w := t.w[(i*t.group+c)*laneBlock:][:laneBlock]
				for l, v := range w {
					sum[l] += x[l/t.group*t.group+c] * v
				}
			}
		}
		copy(t.y[q*t.stepY:][:laneBlock], sum[:])
	}
}

// gradGeneric computes w[c][lane] (+)= Σ_run Σ_pixel y[run, pixel][lane] · x[run, pixel][spread of c].
func (t *laneTile[T]) gradGeneric() {
	w := t.w[:t.group*laneBlock]
	if !t.add {
		clear(w)
	}
	for i, off := range t.offs {
		for q := range t.pixels {
			x := t.x[off+q*t.stepX:][:laneBlock]
			y := t.y[(i*t.pixels+q)*t.stepY:][:laneBlock]
			for c := range t.group {
				for l, v := range y {
					w[c*laneBlock+l] += x[l/t.group*t.group+c] * v
				}
			}
		}
	}
}

// packLanes packs the forward filters (v nil) or those of a view of the input gradient; items are blocks.
type packLanes[T Float] struct {
	s      Shape
	dst, w []T
	view   *view
	back   bool
}

func (t *packLanes[T]) Run(lo, hi int) {
	g, area, taps := t.s.C/t.s.Groups, t.s.R*t.s.S, t.view.taps
	for b := lo; b < hi; b++ {
		for e, tap := range taps {
			for c := range g {
				d := t.dst[((b*len(taps)+e)*g+c)*laneBlock:][:laneBlock]
				for l := range d {
					k, from := b*laneBlock+l, c
					if t.back {
						k, from = k/g*g+c, k%g
					}
					d[l] = t.w[(k*g+from)*area+tap.r*t.s.S+tap.s]
				}
			}
		}
	}
}

// lanes is a view of such a shape.
type lanes[T Float] struct {
	product[T]
	blocks int // blocks of channels a task
}

func (p *product[T]) runLanes() {
	t := lanes[T]{product: *p}
	v := p.view
	blocks := p.groups * p.kg / laneBlock
	t.blocks = min(blocks, laneBlocks)
	if len(v.taps) == 0 {
		t.rows = 1
	} else {
		t.band = v.band()
		lines := p.n * v.p
		t.rows = min(lines, maxBandRows, max(1, bandPixels/v.q))
		for t.rows > 1 && (t.band.rows(v, t.rows)*t.band.width*t.blocks*laneBlock > bandSize || par.Chunks(lines, t.rows) < 16) {
			t.rows = (t.rows + 1) / 2
		}
	}
	par.For(par.Chunks(p.n*v.p, t.rows)*par.Chunks(blocks, t.blocks), 1, t)
}

func (t *lanes[T]) Run(lo, hi int) {
	v := t.view
	across := par.Chunks(t.groups*t.kg/laneBlock, t.blocks)
	buf := gemm.Borrow[T]((t.band.rows(v, t.rows)*t.band.width + 1) * t.blocks * laneBlock) // never empty, even if no tap reads it
	for i := lo; i < hi; i++ {
		t.piece(i/across*t.rows, i%across*t.blocks, buf.Data)
	}
	buf.Return()
}

// piece computes output rows r0…, blocks b0….
func (t *lanes[T]) piece(r0, b0 int, buf []T) {
	v := t.view
	r1 := min(r0+t.rows, t.n*v.p)
	channels := t.groups * t.kg
	b1 := min(b0+t.blocks, channels/laneBlock)
	cw := (b1 - b0) * laneBlock
	var starts [maxBandRows]int
	var offs [maxSpans]int
	if len(v.taps) > 0 {
		t.fill(&t.band, buf, starts[:], r0, r1, b0*laneBlock, cw)
	}
	for i, tap := range v.taps {
		offs[i] = ((tap.dy-t.band.minY)*t.band.width + tap.dx - t.band.minX) * cw
	}
	size := len(v.taps) * t.cg * laneBlock
	tile := laneTile[T]{
		offs: offs[:len(v.taps)], pixels: v.q, stepX: t.band.stepW * cw, stepY: v.colMul * t.pitch, group: t.cg,
	}
	for b := b0; b < b1; b++ {
		tile.w = t.b[b*size:]
		for r := r0; r < r1; r++ {
			tile.x = buf[starts[r-r0]+(b-b0)*laneBlock:]
			tile.y = t.y[t.output(r*v.q)*t.pitch+b*laneBlock:]
			tile.forward()
		}
	}
	if t.finish {
		t.ep.apply(t.y, t.pitch, r0*v.q, r1*v.q, b0*laneBlock, b1*laneBlock)
	}
}

// lanesGrad is the weight gradient of such a shape, with partial results as in weightGrad.
type lanesGrad[T Float] struct {
	weightGrad[T]
	blocks int
}

func (t *weightGrad[T]) runLanes() {
	l := lanesGrad[T]{*t, laneBlocks}
	l.step = max(1, min(t.step, cachedPixels/t.view.q))
	blocks := t.s.C / laneBlock
	for l.blocks > 1 && t.parts*par.Chunks(blocks, l.blocks) < 8 {
		l.blocks /= 2
	}
	par.For(t.parts*par.Chunks(blocks, l.blocks), 1, l)
	par.For(t.s.K, max(1, 1<<12/(t.cg*t.s.R*t.s.S)), addLanes[T]{*t})
}

func (t *lanesGrad[T]) Run(lo, hi int) {
	across := par.Chunks(t.s.C/laneBlock, t.blocks)
	buf := gemm.Borrow[T](t.length() * t.blocks * laneBlock)
	grads := gemm.Borrow[T](t.step * t.view.q * t.blocks * laneBlock)
	for i := lo; i < hi; i++ {
		part := i / across
		last := min((part+1)*t.lines, t.n*t.view.p)
		for r0 := part * t.lines; r0 < last; r0 += t.step {
			t.sum(part, i%across*t.blocks, r0, min(r0+t.step, last), buf.Data, grads.Data)
		}
	}
	grads.Return()
	buf.Return()
}

// sum adds what output rows r0… contribute to blocks b0…. Pixels and gradients are copied block by block, so that
// those of a block, which every tap reads, lie side by side.
func (t *lanesGrad[T]) sum(part, b0, r0, r1 int, buf, grads []T) {
	v, channels := t.view, t.s.C
	b1 := min(b0+t.blocks, channels/laneBlock)
	length, pixels := t.length()*laneBlock, (r1-r0)*v.q
	var starts [maxBandRows]int
	band := t.band
	band.lanes, band.gap = b1-b0, length
	t.fill(&band, buf, starts[:], r0, r1, b0*laneBlock, laneBlock)
	gemm.Split(grads, pixels*laneBlock, t.dy[r0*v.q*channels+b0*laneBlock:], channels, pixels, b1-b0)
	tile := laneTile[T]{
		offs: starts[:r1-r0], pixels: v.q, stepX: t.band.stepW * laneBlock, stepY: laneBlock, group: t.cg,
		add: r0 > part*t.lines,
	}
	size := t.cg * laneBlock
	for b := range b1 - b0 {
		sums := t.partial[(part*channels/laneBlock+b0+b)*len(v.taps)*size:]
		tile.y = grads[b*pixels*laneBlock:]
		for e, tap := range v.taps {
			tile.x = buf[b*length+((tap.dy-t.band.minY)*t.band.width+tap.dx-t.band.minX)*laneBlock:]
			tile.w = sums[e*size:][:size]
			tile.grad()
		}
	}
}

// addLanes adds partial results in order; items are output channels.
type addLanes[T Float] struct{ weightGrad[T] }

func (t *addLanes[T]) Run(lo, hi int) {
	area := len(t.view.taps)
	next := t.s.C * t.cg * area
	for k := lo; k < hi; k++ {
		for c := range t.cg {
			for e := range area {
				at := ((k/laneBlock*area+e)*t.cg+c)*laneBlock + k%laneBlock
				sum := t.partial[at]
				for p := 1; p < t.parts; p++ {
					sum += t.partial[at+p*next]
				}
				t.dw[(k*t.cg+c)*area+e] = sum
			}
		}
	}
}
