package winograd

import "github.com/stheno-ml/stheno/internal/kernel/gemm"

// The interpolation points are 0, ±pointA, ±pointB and infinity.
const (
	pointA = 5.0 / 8
	pointB = 3.0 / 2
	a2, b2 = pointA * pointA, pointB * pointB
	// normA is the product of the differences from pointA to the other finite points, normB likewise.
	normA, normB = 2 * a2 * (a2 - b2), 2 * b2 * (b2 - a2)
)

var generic = kernels{12, 1, mulGeneric, outerGeneric, inputGeneric, gradGeneric, filterGeneric, outputGeneric, outputEpGeneric, output3Generic, transposeGeneric}

func mulGeneric(rows, np int, out []float32, os int, a []float32, as int, b []float32, bs, c4 int) {
	const most = 64 // groups of channels at a time
	var offs [most]int
	for i := range offs {
		offs[i] = i * as
	}
	t := gemm.Tile[float32]{RowA: lane, StepA: 1, StepB: lane, RowC: lane, Rows: rows, Cols: lane}
	for p := range np {
		t.C = out[p*os:]
		for c, n := 0, 0; c < 4*c4; c += n {
			if n = min((4*c4-c)/lane, most); n > 0 {
				t.Offs, t.Len = offs[:n], lane
				n *= lane
			} else {
				n = 4*c4 - c
				t.Offs, t.Len = offs[:1], n
			}
			t.A, t.B, t.Add = a[c/lane*as:], b[p*bs+c*lane:], c > 0
			t.RunGeneric()
		}
	}
}

func outerGeneric(np int, out []float32, os int, a, b []float32, bs, tiles int, add bool) {
	var offs [1]int
	t := gemm.Tile[float32]{A: a, Offs: offs[:], Len: tiles, RowA: 1, StepA: lane, StepB: lane, RowC: lane, Rows: lane, Cols: lane, Add: add}
	for p := range np {
		t.B, t.C = b[p*bs:], out[p*os:]
		t.RunGeneric()
	}
}

// inputRow is Bᵀ d.
func inputRow(d [6]float32) [6]float32 {
	e1, o1 := d[4]-b2*d[2], pointA*(d[3]-b2*d[1])
	e2, o2 := d[4]-a2*d[2], pointB*(d[3]-a2*d[1])
	return [6]float32{
		d[4] - (a2+b2)*d[2] + a2*b2*d[0],
		e1 + o1, e1 - o1, e2 + o2, e2 - o2,
		d[5] - (a2+b2)*d[3] + a2*b2*d[1],
	}
}

// gradRow is G' d.
func gradRow(d [4]float32) [6]float32 {
	e1, o1 := d[0]/normA+a2/normA*d[2], pointA/normA*d[1]+pointA*a2/normA*d[3]
	e2, o2 := d[0]/normB+b2/normB*d[2], pointB/normB*d[1]+pointB*b2/normB*d[3]
	return [6]float32{d[0] / (a2 * b2), e1 + o1, e1 - o1, e2 + o2, e2 - o2, d[3]}
}

// filterRow is G g.
func filterRow(g [3]float32) [6]float32 {
	e1, o1 := g[0]/normA+a2/normA*g[2], pointA/normA*g[1]
	e2, o2 := g[0]/normB+b2/normB*g[2], pointB/normB*g[1]
	return [6]float32{g[0] / (a2 * b2), e1 + o1, e1 - o1, e2 + o2, e2 - o2, g[2]}
}

// outputRow is Aᵀ m.
func outputRow(m [6]float32) [4]float32 {
	e1, o1, e2, o2 := m[1]+m[2], pointA*(m[1]-m[2]), m[3]+m[4], pointB*(m[3]-m[4])
	return [4]float32{m[0] + (e1 + e2), o1 + o2, a2*e1 + b2*e2, a2*o1 + b2*o2 + m[5]}
}

// output3Row is A'ᵀ m.
func output3Row(m [6]float32) [3]float32 {
	e1, o1, e2, o2 := m[1]+m[2], pointA*(m[1]-m[2]), m[3]+m[4], pointB*(m[3]-m[4])
	return [3]float32{m[0] + (e1 + e2), o1 + o2, a2*e1 + b2*e2 + m[5]}
}

func inputGeneric(dst []float32, ds, dp int, src *[6][]float32, cs, lead int, mask *[6]uint32, n int, _ []float32) {
	for g := range n {
		for v := range lane {
			var half [6][6]float32 // [x][i]
			for x := range half {
				var d [6]float32
				if mask[x]>>v&1 != 0 {
					for y := range d {
						d[y] = src[y][x*cs-lead+g*lane+v]
					}
				}
				half[x] = inputRow(d)
			}
			for i := range 6 {
				row := inputRow([6]float32{half[0][i], half[1][i], half[2][i], half[3][i], half[4][i], half[5][i]})
				for j, u := range row {
					dst[g*dp+(6*i+j)*ds+v] = u
				}
			}
		}
	}
}

func gradGeneric(dst []float32, ds, dp int, src *[4][]float32, cs, lead int, mask *[4]uint32, n int, _ []float32) {
	for g := range n {
		for v := range lane {
			var half [4][6]float32 // [x][i]
			for x := range half {
				var d [4]float32
				if mask[x]>>v&1 != 0 {
					for y := range d {
						d[y] = src[y][x*cs-lead+g*lane+v]
					}
				}
				half[x] = gradRow(d)
			}
			for i := range 6 {
				for j, u := range gradRow([4]float32{half[0][i], half[1][i], half[2][i], half[3][i]}) {
					dst[g*dp+(6*i+j)*ds+v] = u
				}
			}
		}
	}
}

func filterGeneric(dst []float32, ds int, src []float32, first, step, n int, _ []float32) {
	for c := range n {
		for v := range lane {
			tap := func(t int) float32 { return src[9*lane*c+first+t*step+v] }
			var half [3][6]float32 // [s][i]
			for s := range half {
				half[s] = filterRow([3]float32{tap(s), tap(3 + s), tap(6 + s)})
			}
			for i := range 6 {
				for j, u := range filterRow([3]float32{half[0][i], half[1][i], half[2][i]}) {
					dst[c*lane+(6*i+j)*ds+v] = u
				}
			}
		}
	}
}

// outputTile is Aᵀ m A for channel v.
func outputTile(src []float32, ss, v int) (out [4][4]float32) {
	var half [6][4]float32 // [x][i]
	for x := range half {
		var m [6]float32
		for y := range m {
			m[y] = src[(6*y+x)*ss+v]
		}
		half[x] = outputRow(m)
	}
	for y := range out {
		out[y] = outputRow([6]float32{half[0][y], half[1][y], half[2][y], half[3][y], half[4][y], half[5][y]})
	}
	return out
}

func outputGeneric(dst []float32, rs, cs, rows, cols int, src []float32, ss int, _ []float32) {
	for v := range lane {
		out := outputTile(src, ss, v)
		for y := range rows {
			for x := range cols {
				dst[y*rs+x*cs+v] = out[y][x]
			}
		}
	}
}

func outputEpGeneric(dst []float32, rs, cs, rows, cols int, src []float32, ss int, scale, shift, res []float32, lo, hi, slope float32, _ []float32) {
	for v := range lane {
		out := outputTile(src, ss, v)
		for y := range rows {
			for x := range cols {
				u := out[y][x]*scale[v] + shift[v]
				if len(res) > 0 {
					u += res[y*rs+x*cs+v]
				}
				dst[y*rs+x*cs+v] = activate(u, lo, hi, slope)
			}
		}
	}
}

// activate is min(max(u, lo), hi) + slope·min(u, 0); NaN stays NaN.
func activate(u, lo, hi, slope float32) float32 {
	switch {
	case u < lo && slope != 0:
		return lo + slope*u
	case u < lo:
		return lo
	case u > hi:
		return hi
	}
	return u
}

func output3Generic(dst []float32, src []float32, ss, n int, _ []float32) {
	for c := range n {
		for v := range lane {
			var half [6][3]float32 // [x][r]
			for x := range half {
				var m [6]float32
				for y := range m {
					m[y] = src[c*lane+(6*y+x)*ss+v]
				}
				half[x] = output3Row(m)
			}
			for r := range 3 {
				row := output3Row([6]float32{half[0][r], half[1][r], half[2][r], half[3][r], half[4][r], half[5][r]})
				for s, u := range row {
					dst[9*lane*c+(3*r+s)*lane+v] = u
				}
			}
		}
	}
}

func transposeGeneric(dst []float32, ds, dstep int, src []float32, ss, sstep, n int) {
	for b := range n {
		for i := range lane {
			for j := range lane {
				dst[b*dstep+j*ds+i] = src[b*sstep+i*ss+j]
			}
		}
	}
}
