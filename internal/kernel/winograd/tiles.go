package winograd

// at splits a tile's number into the picture and the first output pixel.
func (g *geometry) at(t int) (n, y, x int) {
	return t / (g.th * g.tw), t / g.tw % g.th * 4, t % g.tw * 4
}

// window points rows at a window of an image [n, h, w, c] whose first pixel is (y, x), which may lie
// outside, and says which columns exist: a missing row becomes a row of zeros, the columns before the
// picture are left out of the slices (lead floats of them).
func window(rows [][]float32, cols []uint32, image, zeros []float32, n, h, w, c, y, x int) (lead int) {
	first := max(x, 0)
	for i := range rows {
		if yy := y + i; yy >= 0 && yy < h && first < w {
			rows[i] = image[((n*h+yy)*w+first)*c:]
		} else {
			rows[i] = zeros
		}
	}
	for j := range cols {
		cols[j] = 0
		if xx := x + j; xx >= 0 && xx < w {
			cols[j] = 1<<lane - 1
		}
	}
	return (first - x) * c
}

// skip moves the rows of a window on by some channels.
func skip(rows [][]float32, channels int) {
	for i := range rows {
		rows[i] = rows[i][channels:]
	}
}

// input transforms tile t of image x to place i of a block of planes for n tiles: groups g0 to g1−1 of
// 16 channels.
func (g *geometry) input(kr *kernels, wk *worker, dst []float32, n, i, t int, x []float32, g0, g1 int) {
	img, y0, x0 := g.at(t)
	zeros := grow(&wk.zeros, 6*(g.c+lane))
	lead := window(wk.src[:], wk.mask[:], x, zeros, img, g.h, g.w, g.c, y0-g.top, x0-g.left)
	ds := plane(n, g.c)
	full := min(g1, g.c/lane) - g0
	skip(wk.src[:], g0*lane)
	if full > 0 {
		kr.input(dst[(g0*n+i)*lane:], ds, n*lane, &wk.src, g.c, lead, &wk.mask, full, wk.tmp[:])
	}
	if g1*lane > g.c { // the last group is not whole
		skip(wk.src[:], full*lane)
		for j := range wk.mask {
			wk.mask[j] &= 1<<(g.c%lane) - 1
		}
		kr.input(dst[(g.c/lane*n+i)*lane:], ds, n*lane, &wk.src, g.c, lead, &wk.mask, 1, wk.tmp[:])
	}
}

// grad transforms tile t of the gradient dy likewise, for the weight gradient.
func (g *geometry) grad(kr *kernels, wk *worker, dst []float32, n, i, t int, dy []float32, g0, g1 int) {
	img, y0, x0 := g.at(t)
	zeros := grow(&wk.zeros, 6*(g.k+lane))
	lead := window(wk.src4[:], wk.mask4[:], dy, zeros, img, g.p, g.q, g.k, y0, x0)
	ds := plane(n, g.k)
	full := min(g1, g.k/lane) - g0
	skip(wk.src4[:], g0*lane)
	if full > 0 {
		kr.grad(dst[(g0*n+i)*lane:], ds, n*lane, &wk.src4, g.k, lead, &wk.mask4, full, wk.tmp[:])
	}
	if g1*lane > g.k {
		skip(wk.src4[:], full*lane)
		for j := range wk.mask4 {
			wk.mask4[j] &= 1<<(g.k%lane) - 1
		}
		kr.grad(dst[(g.k/lane*n+i)*lane:], ds, n*lane, &wk.src4, g.k, lead, &wk.mask4, 1, wk.tmp[:])
	}
}

// output transforms place i of m, a panel of planes ms floats apart, to tile t of image y, channels
// 16·panel and on.
func (g *geometry) output(kr *kernels, wk *worker, y []float32, ep *Epilogue, t, panel int, m []float32, ms, i int) {
	img, y0, x0 := g.at(t)
	rows, cols := min(4, g.p-y0), min(4, g.q-x0)
	k := panel * lane
	to := ((img*g.p+y0)*g.q+x0)*g.pitch + k
	src := m[i*lane:]
	if k+lane > g.k {
		kr.output(wk.edge[:], 4*lane, lane, 4, 4, src, ms, wk.tmp[:])
		for r := range rows {
			for c := range cols {
				at := to + (r*g.q+c)*g.pitch
				pixel := wk.edge[(4*r+c)*lane:][:g.k-k]
				if ep != nil {
					ep.apply(pixel, k, at)
				}
				copy(y[at:], pixel)
			}
		}
		return
	}
	if ep == nil {
		kr.output(y[to:], g.q*g.pitch, g.pitch, rows, cols, src, ms, wk.tmp[:])
		return
	}
	scale, shift, add := wk.ones[:], wk.none[:], []float32(nil)
	if ep.Scale != nil {
		scale = ep.Scale[k:]
	}
	if ep.Shift != nil {
		shift = ep.Shift[k:]
	}
	if ep.Add != nil {
		add = ep.Add[to:]
	}
	lo, hi, slope := ep.bounds()
	kr.outputEp(y[to:], g.q*g.pitch, g.pitch, rows, cols, src, ms, scale, shift, add, lo, hi, slope, wk.tmp[:])
}

// apply finishes some channels, from k on, of the pixel that starts at y[at].
func (e *Epilogue) apply(pixel []float32, k, at int) {
	lo, hi, slope := e.bounds()
	for i, u := range pixel {
		if e.Scale != nil {
			u *= e.Scale[k+i]
		}
		if e.Shift != nil {
			u += e.Shift[k+i]
		}
		if e.Add != nil {
			u += e.Add[at+i]
		}
		pixel[i] = activate(u, lo, hi, slope)
	}
}
