package winograd

import (
	"github.com/stheno-ml/stheno/internal/kernel/gemm"
	"github.com/stheno-ml/stheno/internal/kernel/norm"
	"github.com/stheno-ml/stheno/internal/kernel/par"
)

// The weight gradient is F(3x3, 4x4): a tile of 4x4 gradients is the filter that runs over 6x6 pixels and
// leaves 3x3 sums. In the transform domain the sum over tiles is a product of two matrices a point:
// m[xi] [C, K] = v[xi] [tiles, C]ᵀ · z[xi] [tiles, K].
//
// Tiles are taken in stretches whose transforms fit the L3 cache. An item of the product is a block of
// 32 input by 32 output channels, at all points or (where there are few blocks) at six of them.
const (
	blockGroups = 2   // groups of 16 input channels of a block
	blockPanels = 2   // panels of 16 output channels of a block
	sumTiles    = 128 // tiles summed up before the sums go back to memory: their panels stay in L1
	pixelTiles  = 16  // tiles of an item of the transform
	blockPlane  = (blockGroups*lane + 1) * lane
	blockLen    = blockPanels * 36 * blockPlane // floats of a block's sums: [panel][36][c][16]
)

// stretchFloats is how much room the transformed pixels and gradients of a stretch take. Every stretch reads
// and writes the sums, so it should be four times as large as they are, but neither small (4 MiB) nor, unless
// the sums are, larger than a share of the L3 cache (12 MiB).
func stretchFloats(g *geometry) int {
	sums := 36 * g.c * g.k
	return min(max(4*sums, 1<<20), max(3<<20, sums))
}

type weightGrad struct {
	g          geometry
	kr         *kernels
	dw, dy, x  []float32
	v, z, sums []float32
	bias       []float64 // [items of a stretch][K]: Σ dy; nil where it is not wanted
	n          int       // tiles of a stretch
	t0, t1     int       // the present stretch
	parts      int       // items a block is cut into
}

func (s *Shape) weightGrad() weightGrad {
	g := s.geometry(PassForward)
	d := weightGrad{g: g, parts: 1}
	if g.tiles == 0 {
		return d
	}
	most := max(stretchFloats(&g)/(36*(ceil(g.c, lane)+g.kp)*lane), 2*pixelTiles)
	d.n = ceil(g.tiles, ceil(g.tiles, most))
	if d.blocks() < 8 {
		d.parts = 6
	}
	return d
}

func (d *weightGrad) blocks() int {
	return ceil(ceil(d.g.c, lane), blockGroups) * ceil(d.g.kp, blockPanels)
}

// fused tells whether a block's sums are done, and can be transformed, when its item is.
func (d *weightGrad) fused() bool { return d.parts == 1 && d.n == d.g.tiles }

func (d *weightGrad) workspace() (v, z, sums int) {
	if !d.fused() {
		sums = d.blocks() * blockLen
	}
	return 36 * plane(d.n, d.g.c), 36 * plane(d.n, d.g.k), sums
}

// WeightGrad computes dw [K, C, 3, 3], the gradient of ⟨Forward(x, w), dy⟩ with respect to w, from
// dy [N, P, Q, K] and x [N, H, W, C].
func WeightGrad(s *Shape, dw, dy, x []float32, ws []float32) { weightGradients(s, dw, nil, dy, x, ws) }

// WeightBiasGrad is WeightGrad and the gradient db [K] of a bias, Σ dy over all pixels, of one reading of dy.
func WeightBiasGrad(s *Shape, dw, db, dy, x []float32, ws []float32) {
	weightGradients(s, dw, db, dy, x, ws)
}

// weightGradients computes dw and, where it is not nil, db.
func weightGradients(s *Shape, dw, db, dy, x []float32, ws []float32) {
	d := s.weightGrad()
	if d.g.tiles == 0 {
		clear(dw[:9*s.K*s.C])
		clear(db)
		return
	}
	if db != nil {
		sums := gemm.Borrow[float64]((ceil(d.n, pixelTiles) + 1) * s.K)
		d.bias = sums.Data
		defer sums.Return()
		clear(d.total())
	}
	d.kr, d.dw, d.dy, d.x = current(), dw, dy, x
	v, z, sums := d.workspace()
	d.v, d.z, d.sums = ws[:v], ws[v:v+z], ws[v+z:v+z+sums]
	for d.t0 = 0; d.t0 < d.g.tiles; d.t0 = d.t1 {
		d.t1 = min(d.t0+d.n, d.g.tiles)
		xRuns, yRuns := d.runs()
		par.For(ceil(d.t1-d.t0, pixelTiles)*(xRuns+yRuns), 1, transformTask(d))
		d.addBias()
		par.For(d.blocks()*d.parts, 1, sumTask(d))
	}
	if !d.fused() {
		par.For(d.blocks(), 1, inverseTask(d))
	}
	for k := range db {
		db[k] = float32(d.total()[k])
	}
}

// total is the sums of all stretches so far, [K].
func (d *weightGrad) total() []float64 { return d.bias[ceil(d.n, pixelTiles)*d.g.k:][:d.g.k] }

// addBias adds the sums of the present stretch.
func (d *weightGrad) addBias() {
	if d.bias == nil {
		return
	}
	total := d.total()
	for i := range ceil(d.t1-d.t0, pixelTiles) {
		for k, v := range d.bias[i*d.g.k:][:d.g.k] {
			total[k] += v
		}
	}
}

// sumBias sums gradients of tiles t0 to t1−1, channels 16·g0 to 16·g1−1, while they are in the cache. Tiles of a
// row of tiles that follow one another are one run of pixels in each row of the picture.
func (d *weightGrad) sumBias(to []float64, t0, t1, g0, g1 int) {
	g := &d.g
	k0, k1 := g0*lane, min(g1*lane, g.k)
	sums := to[k0:k1]
	clear(sums)
	var row [groupsPerItem * lane]float64
	for t := t0; t < t1; {
		img, y0, x0 := g.at(t)
		run := min(t1-t, g.tw-t%g.tw)
		width := min(4*run, g.q-x0)
		for y := y0; y < min(y0+4, g.p); y++ {
			norm.Columns(row[:k1-k0], d.dy[((img*g.p+y)*g.q+x0)*g.k+k0:], width, g.k)
			for k, v := range row[:k1-k0] {
				sums[k] += v
			}
		}
		t += run
	}
}

// runs is into how many runs of channels the transforms of pixels and of gradients are cut.
func (d *weightGrad) runs() (x, y int) {
	return ceil(ceil(d.g.c, lane), groupsPerItem), ceil(d.g.kp, groupsPerItem)
}

// transformTask transforms the pixels and gradients of a stretch.
type transformTask weightGrad

func (d *transformTask) Run(lo, hi int) {
	g := &d.g
	xRuns, yRuns := (*weightGrad)(d).runs()
	wk := getWorker()
	for i := lo; i < hi; i++ {
		from, run := d.t0+i/(xRuns+yRuns)*pixelTiles, i%(xRuns+yRuns)
		for t := from; t < min(from+pixelTiles, d.t1); t++ {
			if run < xRuns {
				g0 := run * groupsPerItem
				g.input(d.kr, wk, d.v, d.n, t-d.t0, t, d.x, g0, min(g0+groupsPerItem, ceil(g.c, lane)))
			} else {
				g0 := (run - xRuns) * groupsPerItem
				g.grad(d.kr, wk, d.z, d.n, t-d.t0, t, d.dy, g0, min(g0+groupsPerItem, g.kp))
			}
		}
		if run >= xRuns && d.bias != nil {
			g0 := (run - xRuns) * groupsPerItem
			(*weightGrad)(d).sumBias(d.bias[(from-d.t0)/pixelTiles*g.k:][:g.k], from, min(from+pixelTiles, d.t1), g0, min(g0+groupsPerItem, g.kp))
		}
	}
	wk.release()
}

// sumTask multiplies: items are blocks, or parts of their points.
type sumTask weightGrad

func (b *sumTask) Run(lo, hi int) {
	d := (*weightGrad)(b)
	wk := getWorker()
	for i := lo; i < hi; i++ {
		block, part := i/d.parts, i%d.parts
		var m []float32
		if d.fused() {
			m = grow(&wk.m, blockLen)
		} else {
			m = d.sums[block*blockLen:]
		}
		d.multiply(m, block, part*36/d.parts, (part+1)*36/d.parts)
		if d.fused() {
			d.inverse(wk, m, block)
		}
	}
	wk.release()
}

// at gives the first group of input channels and the first panel of output channels of a block, and how
// many of each there are.
func (d *weightGrad) at(block int) (c, k, nc, nk int) {
	kb := ceil(d.g.kp, blockPanels)
	c, k = block/kb*blockGroups, block%kb*blockPanels
	return c, k, min(blockGroups, ceil(d.g.c, lane)-c), min(blockPanels, d.g.kp-k)
}

// multiply adds the present stretch to a block's sums, at points xi0 to xi1−1.
func (d *weightGrad) multiply(m []float32, block, xi0, xi1 int) {
	c, k, nc, nk := d.at(block)
	vs, zs := plane(d.n, d.g.c), plane(d.n, d.g.k)
	nt := d.t1 - d.t0
	for xi := xi0; xi < xi1; xi++ {
		for t := 0; t < nt; t += sumTiles {
			for i := range nc {
				a := d.v[xi*vs+((c+i)*d.n+t)*lane:]
				for j := 0; j < nk; j += d.kr.panels {
					out := m[(j*36+xi)*blockPlane+i*lane*lane:]
					d.kr.outer(min(d.kr.panels, nk-j), out, 36*blockPlane, a, d.z[xi*zs+((k+j)*d.n+t)*lane:], d.n*lane, min(sumTiles, nt-t), t+d.t0 > 0)
				}
			}
		}
	}
}

// inverseTask transforms the sums of blocks.
type inverseTask weightGrad

func (b *inverseTask) Run(lo, hi int) {
	d := (*weightGrad)(b)
	wk := getWorker()
	for i := lo; i < hi; i++ {
		d.inverse(wk, d.sums[i*blockLen:], i)
	}
	wk.release()
}

// inverse transforms a block's sums to gradients of filters.
func (d *weightGrad) inverse(wk *worker, m []float32, block int) {
	c, k, nc, nk := d.at(block)
	for j := range nk {
		for i := range nc {
			d.kr.output3(wk.pack[:], m[j*36*blockPlane+i*lane*lane:], blockPlane, lane, wk.tmp[:])
			d.scatter(wk, (k+j)*lane, (c+i)*lane)
		}
	}
}

// scatter writes dw[k][c][tap] from pack[c][tap][k], k and c counted from the given ones.
func (d *weightGrad) scatter(wk *worker, k, c int) {
	dst, stride := d.dw[(k*d.g.c+c)*9:], d.g.c*9
	nk, nc := min(lane, d.g.k-k), min(lane, d.g.c-c)
	if nk == lane && nc == lane {
		d.kr.transpose(dst, stride, lane, wk.pack[:], lane, lane*lane, 9)
		return
	}
	for i := range nk {
		for j := range nc * 9 {
			dst[i*stride+j] = wk.pack[j*lane+i]
		}
	}
}
