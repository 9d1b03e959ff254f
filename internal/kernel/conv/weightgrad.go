package conv

import (
	"github.com/stheno-ml/stheno/internal/kernel/gemm"
	"github.com/stheno-ml/stheno/internal/kernel/par"
)

const (
	pixelChunk = 256     // output pixels that are summed in registers before a sum goes back to memory
	maxParts   = 16      // partial results
	partsLimit = 4 << 20 // elements of all partial results together
)

// weightGrad is a matrix product that sums over output pixels: rows are taps and input channels, columns
// output channels. Stretches of pixels (parts) have partial results of their own, as many as the shape says;
// they are added in order at the end.
type weightGrad[T Float] struct {
	product[T]
	s         Shape
	dy, dw    []T
	partial   []T // [part][group][panel][tap][cg][32]
	parts     int
	chunks    int // chunks of pixels a part
	panelStep int // panels a task
}

func newWeightGrad[T Float](s *Shape) weightGrad[T] {
	pl := planOf(s)
	t := weightGrad[T]{s: *s}
	t.product = product[T]{
		view: &pl.forward, offs: pl.offs, groups: s.Groups,
		n: s.N, h: s.H, w: s.W, cg: s.C / s.Groups, kg: s.K / s.Groups,
	}
	t.rows = pixelChunk
	chunks := par.Chunks(s.N*s.P*s.Q, pixelChunk)
	t.parts = max(1, min(maxParts, chunks, partsLimit/max(1, PackedSize(s))))
	t.chunks = par.Chunks(max(1, chunks), t.parts)
	t.parts = par.Chunks(max(1, chunks), t.chunks)
	t.panelStep = panels(t.kg)
	for t.panelStep > 1 && t.parts*s.Groups*par.Chunks(panels(t.kg), t.panelStep) < 8 {
		t.panelStep = (t.panelStep + 1) / 2
	}
	return t
}

func (t *weightGrad[T]) workspace() int { return t.parts * PackedSize(&t.s) }

// WeightGrad computes dw [K, C/Groups, R, S], the gradient of the filters, from dy [N, P, Q, K] and x.
func WeightGrad[T Float](s *Shape, dw, dy, x []T, ws []T) {
	t := newWeightGrad[T](s)
	t.x, t.dy, t.dw, t.partial = x, dy, dw, ws[:t.workspace()]
	par.For(t.parts*s.Groups*par.Chunks(panels(t.kg), t.panelStep), 1, t)
	par.For(s.K, max(1, 1<<14/(t.cg*s.R*s.S)), addParts[T]{t})
}

func (t *weightGrad[T]) Run(lo, hi int) {
	for i := lo; i < hi; i++ {
		t.part(i)
	}
}

func (t *weightGrad[T]) part(i int) {
	n := panels(t.kg)
	steps := par.Chunks(n, t.panelStep)
	j0 := i % steps * t.panelStep
	j1 := min(j0+t.panelStep, n)
	g, part := i/steps%t.groups, i/steps/t.groups
	depth := len(t.view.taps) * t.cg
	size := depth * panel
	sums := t.partial[(part*t.groups+g)*n*size:][:n*size]
	clear(sums[j0*size : j1*size])
	pixels := t.s.N * t.s.P * t.s.Q
	step := t.gatherTaps()
	buf := gemm.Borrow[T](pixelChunk * step * t.cg)
	tail := gemm.Borrow[T](pixelChunk * panel)
	channels := t.groups * t.kg
	tile := gemm.Tile[T]{Offs: t.offs, A: buf.Data, RowA: 1, RowC: panel, Add: true}
	for chunk := part * t.chunks; chunk < (part+1)*t.chunks && chunk*pixelChunk < pixels; chunk++ {
		m0 := chunk * pixelChunk
		rows := min(pixelChunk, pixels-m0)
		tile.Len = rows
		for e := 0; e < len(t.view.taps); e += step {
			count := min(step, len(t.view.taps)-e)
			tile.Rows, tile.StepA = count*t.cg, count*t.cg
			t.gather(buf.Data, tile.StepA, m0, rows, g, e, count)
			for j := j0; j < j1; j++ {
				tile.B, tile.StepB = t.dy[m0*channels+g*t.kg+j*panel:], channels
				tile.Cols = min(panel, t.kg-j*panel)
				if tile.Cols < panel {
					for r := range rows {
						d := tail.Data[r*panel : (r+1)*panel]
						copy(d[:tile.Cols], tile.B[r*channels:])
						clear(d[tile.Cols:])
					}
					tile.B, tile.StepB = tail.Data, panel
				}
				tile.C = sums[j*size+e*t.cg*panel:]
				tile.Run()
			}
		}
	}
	buf.Return()
	tail.Return()
}

// addParts adds partial results in order and writes them as [K, C/Groups, R, S]; items are output channels.
type addParts[T Float] struct{ weightGrad[T] }

func (t *addParts[T]) Run(lo, hi int) {
	area := len(t.view.taps)
	size := area * t.cg * panel
	n := panels(t.kg)
	all := t.groups * n * size
	for k := lo; k < hi; k++ {
		g, kk := k/t.kg, k%t.kg
		src := t.partial[(g*n+kk/panel)*size+kk%panel:]
		dst := t.dw[k*t.cg*area:][:t.cg*area]
		for c := range t.cg {
			for e := range area {
				at := (e*t.cg + c) * panel
				sum := src[at]
				for part := 1; part < t.parts; part++ {
					sum += src[part*all+at]
				}
				dst[c*area+e] = sum
			}
		}
	}
}
