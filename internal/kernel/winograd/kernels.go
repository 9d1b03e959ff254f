package winograd

import "github.com/stheno-ml/stheno/internal/kernel/cpu"

// lane is the number of channels that lie together in the transform domain: a panel is [tiles][lane] floats.
const lane = 16

// kernels is the set of innermost loops of one road. Strides count floats. A plane is what one of the 36
// points of the transform domain holds; point (i, j) is plane 6i + j.
type kernels struct {
	rows   int // the most rows mul takes
	panels int // the most panels of 16 columns that mul and outer take

	// mul computes out = a·b for rows ≤ k.rows and np ≤ k.panels:
	//	for p, i, v: out[p·os + 16i + v] = Σ_c a[c/16·as + 16i + c%16] · b[p·bs + 16c + v], c < 4·c4
	mul func(rows, np int, out []float32, os int, a []float32, as int, b []float32, bs, c4 int)

	// outer computes out = aᵀ·b, or adds that sum to out, for 16 rows and np ≤ k.panels:
	//	for p, i, v: out[p·os + 16i + v] = Σ_t a[16t + i] · b[p·bs + 16t + v], t < tiles
	outer func(np int, out []float32, os int, a, b []float32, bs, tiles int, add bool)

	// input transforms n groups of 16 channels of a 6x6 tile of pixels to 36 planes: Bᵀ d B.
	//	for g, i, j, v: dst[g·dp + (6i+j)·ds + v] = Σ_y Σ_x Bᵀ[i][y] Bᵀ[j][x] d(y, x), d = src[y][x·cs − lead + 16g + v]
	// Where bit v of mask[x] is 0, d is 0 and is not read.
	input func(dst []float32, ds, dp int, src *[6][]float32, cs, lead int, mask *[6]uint32, n int, tmp []float32)

	// grad does the same with a 4x4 tile of output gradients and G', the filter matrix of F(3x3, 4x4).
	grad func(dst []float32, ds, dp int, src *[4][]float32, cs, lead int, mask *[4]uint32, n int, tmp []float32)

	// filter transforms n filters of 16 lanes: G g Gᵀ.
	//	for c, i, j, v: dst[16c + (6i+j)·ds + v] = Σ_r Σ_s G[i][r] G[j][s] src[144c + first + (3r+s)·step + v]
	filter func(dst []float32, ds int, src []float32, first, step, n int, tmp []float32)

	// output transforms the 36 planes of one tile and 16 channels to rows·cols ≤ 4x4 pixels: Aᵀ m A.
	//	for y, x, v: dst[y·rs + x·cs + v] = Σ_i Σ_j Aᵀ[y][i] Aᵀ[x][j] src[(6i+j)·ss + v]
	output func(dst []float32, rs, cs, rows, cols int, src []float32, ss int, tmp []float32)

	// outputEp is output with an epilogue: with o the value that output writes,
	//	u = o·scale[v] + shift[v] + res[y·rs + x·cs + v]    (res may be empty)
	//	dst = min(max(u, lo), hi) + slope·min(u, 0)
	outputEp func(dst []float32, rs, cs, rows, cols int, src []float32, ss int, scale, shift, res []float32, lo, hi, slope float32, tmp []float32)

	// output3 transforms n times 36 planes to 3x3: the output matrix of F(3x3, 4x4).
	//	for c, r, s, v: dst[144c + 16(3r+s) + v] = Σ_i Σ_j A'ᵀ[r][i] A'ᵀ[s][j] src[16c + (6i+j)·ss + v]
	output3 func(dst []float32, src []float32, ss, n int, tmp []float32)

	// transpose moves n blocks of 16x16:
	//	for b, i, j: dst[b·dstep + j·ds + i] = src[b·sstep + i·ss + j]
	transpose func(dst []float32, ds, dstep int, src []float32, ss, sstep, n int)
}

// tmpLen is what a kernel may need of tmp: 36 vectors.
const tmpLen = 36 * lane

func current() *kernels { return roads[cpu.Current()] }
