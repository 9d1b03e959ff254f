package conv

import (
	"github.com/stheno-ml/stheno/internal/kernel/cpu"
	"github.com/stheno-ml/stheno/internal/kernel/gemm"
	"github.com/stheno-ml/stheno/internal/kernel/norm"
	"github.com/stheno-ml/stheno/internal/kernel/par"
	"github.com/stheno-ml/stheno/internal/kernel/vec"
)

const (
	bandPixels   = 448      // output pixels that are summed in registers before a sum goes back to memory
	leastPixels  = 192      // the same at least, however many channels a pixel has
	cachedPixels = 224      // rows of half a panel that stay in the first-level cache
	copiedPixels = 128      // the most of a picture that could be read as it lies but is copied
	bandSize     = 64 << 10 // elements of a band: it stays in the second-level cache
	partPixels   = 384      // output pixels that are worth a partial result
	maxParts     = 16       // partial results
	partsLimit   = 1 << 20  // elements of all partial results together
	maxBias      = 256      // output channels that are summed at a time
)

// weightGrad is a matrix product that sums over output pixels: rows are taps and input channels, columns
// output channels. Stretches of output rows (parts) have partial results of their own, as many as the shape
// says; they are added in order at the end.
type weightGrad[T Float] struct {
	product[T]
	s       Shape
	dy, dw  []T
	partial []T       // [part][group][panel][tap][cg][32]
	bias    []float64 // [part][K]: Σ dy; nil where it is not wanted
	parts   int
	lines   int  // output rows a part
	step    int  // output rows a band
	block   int  // input channels a band
	lane    int  // input channels that lie together in a band: [block/lane][row][column][lane]
	share   int  // input channels a task
	across  int  // panels a task
	joined  int  // output rows whose pixels follow each other in the band: one run; 1 where rows stand apart
	turned  bool // x and dy have changed places: the result is [C, K]
}

// newWeightGrad plans the gradient. AVX2 packs the columns, which is worth it for the narrower of two pictures: where
// pixel meets pixel alone, x and dy may change places.
func newWeightGrad[T Float](s *Shape) weightGrad[T] {
	pl := planOf(s)
	if cpu.Current() != cpu.AVX2 || s.Groups > 1 || s.K < 2*s.C || !pl.forward.plain(s.H, s.W) {
		return planWeightGrad[T](s)
	}
	r := *s
	r.C, r.K = s.K, s.C
	t := planWeightGrad[T](&r)
	t.turned = true
	return t
}

func planWeightGrad[T Float](s *Shape) weightGrad[T] {
	pl := planOf(s)
	t := weightGrad[T]{s: *s}
	t.product = product[T]{
		view: &pl.forward, offs: pl.offs, groups: s.Groups,
		n: s.N, h: s.H, w: s.W, cg: s.C / s.Groups, kg: s.K / s.Groups,
	}
	if s.N*s.P*s.Q == 0 {
		return t // no parts: the gradient is zero
	}
	t.band = t.view.band()
	t.source = banded
	pixelsAtOnce := bandPixels
	if t.view.plain(s.H, s.W) {
		t.source = pixels
		pixelsAtOnce = min(bandPixels, max(leastPixels, bandSize/t.cg))
	}
	lines := s.N * s.P
	t.step = max(1, min(maxBandRows, lines, pixelsAtOnce/s.Q))
	chunks := par.Chunks(lines, t.step)
	parts := max(1, min(maxParts, chunks, lines*s.Q/partPixels, partsLimit/PackedSize(s)))
	t.lines = par.Chunks(lines, parts)
	t.parts = par.Chunks(lines, t.lines)
	t.step = par.Chunks(t.lines, par.Chunks(t.lines, t.step))
	size := t.band.rows(t.view, t.step) * t.band.width
	blocks := par.Chunks(size*t.cg, bandSize)
	t.block = min(t.cg, (par.Chunks(t.cg, blocks)+15)&^15)
	// AVX2 reads a line of the picture for six rows of the product at a time, and comes back for it. Where pixels
	// clash in the caches it is gone by then: sixteen channels, a line, are copied together, even of a picture
	// that could be read as it lies.
	t.lane = t.block
	apart := t.band.stepW * t.block
	if t.source == pixels {
		apart = s.C
	}
	if cpu.Current() == cpu.AVX2 && (gemm.Clash[T](apart) || t.source == banded && gemm.Clash[T](2*apart)) {
		t.lane, t.source = laneBlock, banded
		if t.view.plain(s.H, s.W) { // the copy, what it is copied from and what comes next share the second-level cache
			t.step = max(1, min(t.step, copiedPixels/s.Q))
		}
	}
	t.joined = 1
	if t.band.span == 1 && t.band.stepH == 1 {
		t.joined = s.P
		if t.band.height == 1 { // so do pictures
			t.joined = lines
		}
	}
	// Tasks share out the parts; if these are few, the panels. Where a band would be copied in many blocks of
	// channels, and again for each share of the panels, the blocks are shared out first.
	t.share, t.across = t.cg, panels(t.kg)
	if t.parts*s.Groups < 8 && t.source == banded && blocks >= 5 {
		t.share = t.block
	}
	for t.across > 1 && t.tasks() < 8 {
		t.across = (t.across + 1) / 2
	}
	return t
}

func (t *weightGrad[T]) tasks() int {
	return t.parts * t.groups * par.Chunks(t.cg, t.share) * par.Chunks(panels(t.kg), t.across)
}

// length is the number of pixels of a band.
func (t *weightGrad[T]) length() int { return t.band.rows(t.view, t.step) * t.band.width }

// bandStarts is where each output row begins in a band: in whole lanes, and in the last one if it is narrower; then
// what inside has picked.
type bandStarts [4][maxBandRows]int

func (s *bandStarts) of(width, lane int) []int {
	if width < lane {
		return s[1][:]
	}
	return s[0][:]
}

func (t *weightGrad[T]) workspace() int { return t.parts * PackedSize(&t.s) }

func (t *weightGrad[T]) run() {
	par.For(t.tasks(), 1, *t)
	if t.turned {
		par.For(t.cg, max(1, 1<<12/t.kg), addTurned[T]{*t})
		return
	}
	par.For(t.groups*par.Chunks(t.kg, 8), max(1, 1<<12/(t.cg*t.s.R*t.s.S)), addParts[T]{*t})
}

func (t *weightGrad[T]) Run(lo, hi int) {
	buf := gemm.Borrow[T](t.length() * t.block)
	columns := gemm.Borrow[T](t.step * t.view.q * panel)
	steps, shares := par.Chunks(panels(t.kg), t.across), par.Chunks(t.cg, t.share)
	for i := lo; i < hi; i++ {
		j0, first := i%steps*t.across, i/steps%shares*t.share
		part, g := i/steps/shares/t.groups, i/steps/shares%t.groups
		last := min((part+1)*t.lines, t.n*t.view.p)
		for r0 := part * t.lines; r0 < last; r0 += t.step {
			r1 := min(r0+t.step, last)
			for c0 := first; c0 < min(first+t.share, t.cg); c0 += t.block {
				t.sum(part, g, j0, r0, r1, c0, buf.Data, columns.Data)
			}
			switch {
			case t.bias == nil:
			case t.turned && j0 == 0:
				t.sumBias(t.x, t.cg, part, 0, first, min(first+t.share, t.cg), r0, r1)
			case !t.turned && first == 0:
				t.sumBias(t.dy, t.groups*t.kg, part, g*t.kg, j0*panel, min((j0+t.across)*panel, t.kg), r0, r1)
			}
		}
	}
	columns.Return()
	buf.Return()
}

// sum adds what output rows r0… contribute to panels j0… and input channels c0….
func (t *weightGrad[T]) sum(part, g, j0, r0, r1, c0 int, buf, columns []T) {
	v := t.view
	n, channels := panels(t.kg), t.groups*t.kg
	size := len(v.taps) * t.cg * panel
	cw := min(t.block, t.cg-c0)
	var starts bandStarts
	tile := gemm.Tile[T]{RowA: 1, HalfB: gemm.Half, RowC: panel}
	if t.source == pixels {
		cx := t.groups * t.cg
		buf = t.x[r0*v.q*cx+g*t.cg+c0:]
		tile.StepA = cx
		for i := range r1 - r0 {
			starts[0][i] = i * v.q * cx
		}
	} else {
		tile.StepA = t.band.stepW
		if whole := cw / t.lane; whole > 0 {
			b := t.band
			b.lanes, b.gap = whole, t.length()*t.lane
			t.fill(&b, buf, starts[0][:], r0, r1, g*t.cg+c0, t.lane)
		}
		if w := cw % t.lane; w > 0 {
			t.fill(&t.band, buf[(cw-w)*t.length():], starts[1][:], r0, r1, g*t.cg+c0+cw-w, w)
		}
	}
	// What the next band will read is prefetched meanwhile, the larger part first.
	var later []T
	if c0 == 0 && t.share == t.cg {
		tile.Next = t.ahead(r1*v.stepH, (r1-r0)*v.stepH)
		if next := min(r1*v.q*channels, len(t.dy)); t.across == n {
			later = t.dy[next:min(next+(r1-r0)*v.q*channels, len(t.dy))]
		}
		if len(later) > len(tile.Next) {
			tile.Next, later = later, tile.Next
		}
	}
	// Columns that clash in the caches are packed, if they are used often enough. AVX2 has few registers: it
	// walks the columns so often that they should stay in the first-level cache.
	packed, lines, width := gemm.Clash[T](channels) && len(v.taps)*cw >= 256, r1-r0, panel
	if cpu.Current() == cpu.AVX2 && len(v.taps)*cw >= 64 {
		packed, lines, width = true, max(1, cachedPixels/v.q), laneBlock
	}
	for j := j0; j < min(j0+t.across, n); j++ {
		if len(tile.Next) == 0 {
			tile.Next, later = later, nil
		}
		sums := t.partial[((part*t.groups+g)*n+j)*size:][:size]
		for r, last := r0, 0; r < r1; r = last {
			last = min(r+lines, r1)
			if t.joined > 1 {
				last = min(last, r+t.joined-r%t.joined)
			}
			tile.Add = r0 > part*t.lines || r > r0
			for k := j * panel; k < min((j+1)*panel, t.kg); k += width {
				tile.Cols = min(width, t.kg-k)
				if packed || tile.Cols < width {
					t.packColumns(columns, width, r*v.q, last*v.q, g*t.kg+k, tile.Cols)
					tile.B, tile.StepB = columns, width
				} else {
					tile.B, tile.StepB = t.dy[r*v.q*channels+g*t.kg+k:], channels
				}
				tile.Next = t.spans(tile, sums[k-j*panel:], buf, &starts, r-r0, last-r0, r%v.p, c0, cw)
			}
		}
	}
}

// sumBias adds what output rows r0… of dy, of so many channels, contribute to the gradient of the bias of channels k0…
// of those from first on, while they are in the cache.
func (t *weightGrad[T]) sumBias(dy []T, channels, part, first, k0, k1, r0, r1 int) {
	var sums [maxBias]float64
	for k := k0; k < k1; k += maxBias {
		n := min(maxBias, k1-k)
		norm.Columns(sums[:n], dy[r0*t.view.q*channels+first+k:], (r1-r0)*t.view.q, channels)
		to := t.bias[part*channels+first+k:][:n]
		for i, v := range sums[:n] {
			if r0 > part*t.lines {
				v += to[i]
			}
			to[i] = v
		}
	}
}

// packColumns copies channels k0…k0+count−1 of output pixels m0…m1−1 as rows of width elements.
func (t *weightGrad[T]) packColumns(dst []T, width, m0, m1, k0, count int) {
	channels := t.groups * t.kg
	src := t.dy[k0:]
	if count == width && width == laneBlock {
		gemm.Split(dst, 0, src[m0*channels:], channels, m1-m0, 1)
		return
	}
	for m := m0; m < m1; m++ {
		d := dst[(m-m0)*width:][:width]
		copy(d[:count], src[m*channels:])
		clear(d[count:])
	}
}

// addParts adds partial results in order and writes them as [K, C/Groups, R, S]; items are groups of eight
// output channels, those of a group of the convolution together.
type addParts[T Float] struct{ weightGrad[T] }

func (t *addParts[T]) Run(lo, hi int) {
	positions := planOf(&t.s).positions
	size := len(positions) * panel
	n, eights := panels(t.kg), par.Chunks(t.kg, 8)
	next := t.groups * n * size
	for i := lo; i < hi; i++ {
		g, k := i/eights, i%eights*8
		dst := t.dw[(g*t.kg+k)*len(positions):]
		src := t.partial[(g*n+k/panel)*size+k%panel:]
		if k+8 <= t.kg {
			gemm.Gather(dst, len(positions), src, positions, t.parts, next)
			continue
		}
		for r := range t.kg - k {
			for e, at := range positions {
				sum := src[at+r]
				for p := 1; p < t.parts; p++ {
					sum += src[at+r+p*next]
				}
				dst[r*len(positions)+e] = sum
			}
		}
	}
}

// addTurned does the same where x and dy have changed places; items are output channels.
type addTurned[T Float] struct{ weightGrad[T] }

func (t *addTurned[T]) Run(lo, hi int) {
	next := PackedSize(&t.s)
	for k := lo; k < hi; k++ {
		for c := 0; c < t.kg; c += panel {
			dst := t.dw[k*t.kg+c : k*t.kg+min(c+panel, t.kg)]
			src := t.partial[(c/panel*t.cg+k)*panel:]
			copy(dst, src)
			for p := 1; p < t.parts; p++ {
				vec.Add(dst, dst, src[p*next:][:len(dst)])
			}
		}
	}
}
