package winograd

import "github.com/stheno-ml/stheno/internal/kernel/par"

// Forward computes y [N, P, Q, K] = epilogue(conv(x, w)); ep may be nil. ws has Workspace(s, PassForward)
// floats.
func Forward(s *Shape, y, x, w []float32, ep *Epilogue, ws []float32) {
	g := s.geometry(PassForward)
	run(&g, y, x, w, nil, false, ep, ws)
}

// PackedSize is the number of floats that PackForward writes.
func PackedSize(s *Shape) int {
	g := s.geometry(PassForward)
	return g.kp * g.panelLen()
}

// PackForward transforms filters w [K, C, 3, 3] for ForwardPacked. A frozen network does it once.
func PackForward(s *Shape, dst, w []float32) {
	g := s.geometry(PassForward)
	transformFilters(&g, false, dst, w)
}

// ForwardPacked is Forward with filters that PackForward has transformed; ws has WorkspacePacked(s) floats.
func ForwardPacked(s *Shape, y, x, packed []float32, ep *Epilogue, ws []float32) {
	g := s.geometry(PassForward)
	run(&g, y, x, nil, packed, false, ep, ws)
}

// InputGrad computes dx [N, H, W, C], the adjoint of Forward applied to dy [N, P, Q, K]: the convolution
// of dy with the filters turned by 180° and their channels exchanged.
func InputGrad(s *Shape, dx, dy, w []float32, ws []float32) {
	g := s.geometry(PassInputGrad)
	run(&g, dx, dy, w, nil, true, nil, ws)
}

// AddInputGrad adds what InputGrad computes to dx.
func AddInputGrad(s *Shape, dx, dy, w []float32, ws []float32) {
	g := s.geometry(PassInputGrad)
	run(&g, dx, dy, w, nil, true, &Epilogue{Add: dx}, ws)
}

// Workspace is the number of floats that a pass wants as ws.
func Workspace(s *Shape, pass Pass) int {
	if pass == PassWeightGrad {
		d := s.weightGrad()
		v, z, sums := d.workspace()
		return v + z + sums
	}
	g := s.geometry(pass)
	if g.few() {
		return g.pixelsLen()
	}
	return g.kp * g.panelLen()
}

// WorkspacePacked is the number of floats that ForwardPacked wants as ws.
func WorkspacePacked(s *Shape) int {
	g := s.geometry(PassForward)
	if g.few() {
		return g.pixelsLen()
	}
	return 0
}

// pixelsLen is the number of floats of all transformed pixels.
func (g *geometry) pixelsLen() int {
	n := g.blockTiles()
	return ceil(g.tiles, n) * 36 * plane(n, g.c)
}

// blockTiles is how many tiles are transformed together. With many tiles, the transformed pixels of a
// block shall stay in the L2 cache of a core beside the products and what streams by.
func (g *geometry) blockTiles() int {
	most := 84
	if !g.few() {
		rows := current().rows
		most = min(vFloats/(36*g.c)/rows*rows, ceil(g.tiles, 16), 56)
		most = max(most, 12/rows*rows, rows)
	}
	return max(ceil(g.tiles, max(ceil(g.tiles, most), 1)), 1)
}

// vFloats bounds the transformed pixels of a block: 256 KiB of an L2 cache of 1 MiB.
const vFloats = 64 << 10

// few tells which of two orders of work is taken. With many tiles, filters are transformed first and
// workers share the blocks of tiles. With few tiles, the pixels are transformed first and workers share the
// panels of filters, which they transform where they use them, so that these (four times as large as the
// filters) never travel to memory. Both give the same bits.
func (g *geometry) few() bool { return g.tiles <= fewTiles }

const fewTiles = 160

type product struct {
	g       geometry
	n       int // tiles of a block
	kr      *kernels
	filters filters // w is nil where u has come transformed
	y, x    []float32
	u, v    []float32
	ep      Epilogue // a copy: a pointer kept here would move the caller's to the heap
	ends    bool     // whether there is one
}

func run(g *geometry, y, x, w, packed []float32, back bool, ep *Epilogue, ws []float32) {
	if g.tiles == 0 {
		return
	}
	p := product{g: *g, n: g.blockTiles(), kr: current(), y: y, x: x, u: packed, ends: ep != nil}
	if ep != nil {
		p.ep = *ep
	}
	p.filters = filters{*g, back, p.kr, nil, w}
	if g.few() {
		p.v = ws
		groups := ceil(ceil(g.c, lane), groupsPerItem)
		par.For(ceil(g.tiles, p.n)*groups, 1, pixelTask(p))
		par.For(ceil(g.kp, 2), 1, panelTask(p))
		return
	}
	if packed == nil {
		transformFilters(g, back, ws, w)
		p.u = ws
	}
	par.For(ceil(g.tiles, p.n), 1, blockTask(p))
}

// blockTask computes blocks of tiles from pixels to pixels.
type blockTask product

func (b *blockTask) Run(lo, hi int) {
	p := (*product)(b)
	g := &p.g
	n := p.n
	wk := getWorker()
	v := grow(&wk.v, 36*plane(n, g.c))
	for i := lo; i < hi; i++ {
		t0, t1 := i*n, min((i+1)*n, g.tiles)
		for t := t0; t < t1; t++ {
			g.input(p.kr, wk, v, n, t-t0, t, p.x, 0, ceil(g.c, lane))
		}
		for k := 0; k < g.kp; k += 2 {
			p.panels(wk, v, p.u[k*g.panelLen():], k, t0, t1)
		}
	}
	wk.release()
}

// groupsPerItem is how many groups of 16 channels of a block make an item of pixelTask.
const groupsPerItem = 4

// pixelTask transforms pixels: blocks of tiles times runs of channels.
type pixelTask product

func (b *pixelTask) Run(lo, hi int) {
	g := &b.g
	n := b.n
	groups := ceil(g.c, lane)
	runs := ceil(groups, groupsPerItem)
	wk := getWorker()
	for i := lo; i < hi; i++ {
		block, g0 := i/runs, i%runs*groupsPerItem
		v := b.v[block*36*plane(n, g.c):]
		for t := block * n; t < min((block+1)*n, g.tiles); t++ {
			g.input(b.kr, wk, v, n, t-block*n, t, b.x, g0, min(g0+groupsPerItem, groups))
		}
	}
	wk.release()
}

// panelTask computes pairs of panels of output channels for all tiles.
type panelTask product

func (b *panelTask) Run(lo, hi int) {
	p := (*product)(b)
	g := &p.g
	n := p.n
	wk := getWorker()
	for i := lo; i < hi; i++ {
		k := 2 * i
		var u []float32
		if p.u != nil {
			u = p.u[k*g.panelLen():]
		} else {
			u = grow(&wk.u, 2*g.panelLen())
			for j := k; j < min(k+2, g.kp); j++ {
				p.filters.panel(wk, u[(j-k)*g.panelLen():], j)
			}
		}
		for t := 0; t < g.tiles; t += n {
			p.panels(wk, p.v[t/n*36*plane(n, g.c):], u, k, t, min(t+n, g.tiles))
		}
	}
	wk.release()
}

// panels multiplies a block's transformed pixels v by the panels k and k+1 of transformed filters u and
// transforms the products to pixels.
func (p *product) panels(wk *worker, v, u []float32, k, t0, t1 int) {
	g, kr := &p.g, p.kr
	n, nt := p.n, t1-t0
	vs, us, ms := plane(n, g.c), g.filterPlane(), plane(n, lane)
	m := grow(&wk.m, 2*36*ms)
	np := min(2, g.kp-k)
	for xi := range 36 {
		for j := 0; j < np; j += kr.panels {
			b := u[j*g.panelLen()+xi*us:]
			for i, left := 0, ceil(nt, kr.rows); left > 0; left-- { // calls of nearly as many rows each
				rows := ceil(nt-i, left)
				kr.mul(rows, min(kr.panels, np-j), m[(j*36+xi)*ms+i*lane:], 36*ms, v[xi*vs+i*lane:], n*lane, b, g.panelLen(), g.c4)
				i += rows
			}
		}
	}
	var ep *Epilogue
	if p.ends {
		ep = &p.ep
	}
	for t := t0; t < t1; t++ {
		for j := range np {
			g.output(kr, wk, p.y, ep, t, k+j, m[j*36*ms:], ms, t-t0)
		}
	}
}
