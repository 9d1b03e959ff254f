package winograd

import "github.com/stheno-ml/stheno/internal/kernel/par"

// filters transforms the filters w [K, C, 3, 3] to u, panels of [36][4·c4][16] (and what
// filterPlane adds): 16 output channels side by
// side. An item of work is 16 input channels of one panel.
type filters struct {
	g    geometry
	back bool // the input gradient: K counts input channels, and the taps are turned by 180°
	kr   *kernels
	u, w []float32
}

func (g *geometry) filterItems() int { return g.kp * ceil(g.c, lane) }

func transformFilters(g *geometry, back bool, u, w []float32) {
	par.For(g.filterItems(), 4, filters{*g, back, current(), u, w})
}

func (f *filters) Run(lo, hi int) {
	wk := getWorker()
	groups := ceil(f.g.c, lane)
	for i := lo; i < hi; i++ {
		f.group(wk, f.u[i/groups*f.g.panelLen():], i/groups*lane, i%groups*lane)
	}
	wk.release()
}

// panel transforms a whole panel.
func (f *filters) panel(wk *worker, u []float32, panel int) {
	for c := 0; c < f.g.c; c += lane {
		f.group(wk, u, panel*lane, c)
	}
}

// group transforms input channels c to c+15 for output channels k to k+15.
func (f *filters) group(wk *worker, u []float32, k, c int) {
	g := &f.g
	nk, nc := min(lane, g.k-k), min(lane, g.c-c)
	plane := g.filterPlane()
	if f.back {
		f.gatherBack(wk, k, c, nk, nc)
		f.kr.filter(u[c*lane:], plane, wk.pack[:], 8*lane, -lane, nc, wk.tmp[:])
	} else {
		f.gather(wk, k, c, nk, nc)
		f.kr.filter(u[c*lane:], plane, wk.pack[:], 0, lane, nc, wk.tmp[:])
	}
	if c+lane >= g.c { // channels that fill up the last step of four
		for p := range 36 {
			clear(u[p*plane+g.c*lane : (p+1)*plane])
		}
	}
}

// gather writes pack[c][tap][k] from w[k][c][tap], k and c counted from the given ones.
func (f *filters) gather(wk *worker, k, c, nk, nc int) {
	src, stride := f.w[(k*f.g.c+c)*9:], f.g.c*9
	if nk == lane && nc == lane {
		f.kr.transpose(wk.pack[:], lane, lane*lane, src, stride, lane, 9)
		return
	}
	clear(wk.pack[:])
	for i := range nk {
		for j := range nc * 9 {
			wk.pack[j*lane+i] = src[i*stride+j]
		}
	}
}

// gatherBack writes pack[k][tap][c] from w[k][c][tap], where out counts c and in counts k.
func (f *filters) gatherBack(wk *worker, out, in, nout, nin int) {
	src, stride := f.w[(in*f.g.k+out)*9:], f.g.k*9
	done := 0
	if nout == lane {
		// A block of 16x16 reads past the nine taps of its last filter, so the last filter of all is left out.
		// What it writes past the nine is overwritten by the next.
		done = nin
		if (nin-1)*stride+lane*9+7 > len(src) {
			done--
		}
		if done > 0 {
			f.kr.transpose(wk.pack[:], lane, 9*lane, src, 9, stride, done)
		}
	} else {
		clear(wk.pack[:])
	}
	for i := done; i < nin; i++ {
		for v := range nout {
			for tap := range 9 {
				wk.pack[(i*9+tap)*lane+v] = src[i*stride+v*9+tap]
			}
		}
	}
}
