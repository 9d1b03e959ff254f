package winograd

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stheno-ml/stheno/internal/kernel/cpu"
)

// guard is the number of NaNs on either side of a guarded buffer: more than a kernel's widest access.
const guard = 64

var nan = float32(math.NaN())

// guarded is a buffer between zones of NaN: a read outside shows as NaN in a result, a write as a zone that
// is not all NaN any more.
type guarded struct{ all, buf []float32 }

func newGuarded(n int) guarded {
	all := make([]float32, n+2*guard)
	for i := range all {
		all[i] = nan
	}
	return guarded{all, all[guard : guard+n : guard+n]}
}

func (g guarded) fill(r *rand.Rand) guarded {
	for i := range g.buf {
		g.buf[i] = float32(r.NormFloat64())
	}
	return g
}

func (g guarded) intact() bool {
	number := func(v float32) bool { return v == v }
	return !slices.ContainsFunc(g.all[:guard], number) && !slices.ContainsFunc(g.all[len(g.all)-guard:], number)
}

// same compares what a kernel and its twin have written into buffers that were NaN before. They differ by
// rounding only: fused multiply-adds round once where the twin rounds twice. No kernel adds more than 70
// products of size 4 or so (transforms twelve of size 10), and each rounding is 6e-8 of a term.
func same(t *testing.T, what string, got, want guarded) {
	t.Helper()
	if !got.intact() {
		t.Fatalf("%s writes outside of its buffer", what)
	}
	const tolerance = 5e-5
	for i, w := range want.buf {
		g := got.buf[i]
		if w != w && g != g {
			continue
		}
		if !(math.Abs(float64(g-w)) <= tolerance*(1+math.Abs(float64(w)))) {
			t.Fatalf("%s: element %d of %d is %v, its twin has %v", what, i, len(want.buf), g, w)
		}
	}
}

// everyKernel runs f for the kernels of each assembly road.
func everyKernel(t *testing.T, f func(t *testing.T, k *kernels, r *rand.Rand)) {
	for _, road := range cpu.Roads() {
		if road == cpu.Generic {
			continue
		}
		t.Run(road.String(), func(t *testing.T) { f(t, roads[road], rand.New(rand.NewPCG(7, 7))) })
	}
}

func TestMulKernels(t *testing.T) {
	everyKernel(t, func(t *testing.T, k *kernels, r *rand.Rand) {
		for rows := 1; rows <= k.rows; rows++ {
			for np := 1; np <= k.panels; np++ {
				for _, c4 := range []int{1, 3, 4, 5, 8, 11} {
					n := rows + r.IntN(3)
					groups := ceil(4*c4, lane)
					// The last group of a ends with its last row.
					a := newGuarded(((groups-1)*n + rows) * lane).fill(r)
					bs := 4*c4*lane + 8
					b := newGuarded(bs*(np-1) + 4*c4*lane).fill(r)
					os := rows*lane + 4
					got, want := newGuarded(os*(np-1)+rows*lane), newGuarded(os*(np-1)+rows*lane)
					k.mul(rows, np, got.buf, os, a.buf, n*lane, b.buf, bs, c4)
					mulGeneric(rows, np, want.buf, os, a.buf, n*lane, b.buf, bs, c4)
					same(t, "mul", got, want)
				}
			}
		}
	})
}

func TestOuterKernels(t *testing.T) {
	everyKernel(t, func(t *testing.T, k *kernels, r *rand.Rand) {
		for np := 1; np <= k.panels; np++ {
			for _, tiles := range []int{1, 2, 3, 4, 5, 8, 31, 70} {
				for _, add := range []bool{false, true} {
					bs, os := tiles*lane+4, lane*lane+4
					a, b := newGuarded(tiles*lane).fill(r), newGuarded(bs*(np-1)+tiles*lane).fill(r)
					n := os*(np-1) + lane*lane
					got, want := newGuarded(n), newGuarded(n)
					if add {
						got.fill(r)
						copy(want.buf, got.buf)
					}
					k.outer(np, got.buf, os, a.buf, b.buf, bs, tiles, add)
					outerGeneric(np, want.buf, os, a.buf, b.buf, bs, tiles, add)
					same(t, "outer", got, want)
				}
			}
		}
	})
}

// randomWindow is a tile of size x size pixels and n groups of channels, some columns of which are missing.
// A single group may be incomplete. Each row lies between NaNs.
func randomWindow(r *rand.Rand, size int) (rows [6][]float32, mask [6]uint32, c, lead, n int) {
	n = 1 + r.IntN(3)
	c = n * lane
	if n == 1 {
		c = 1 + r.IntN(lane)
	}
	left := r.IntN(3)
	right := left + 1 + r.IntN(size-left)
	for i := range size {
		rows[i] = newGuarded((right - left) * c).fill(r).buf
		if i >= left && i < right {
			mask[i] = 1<<min(c, lane) - 1
		}
	}
	return rows, mask, c, left * c, n
}

func TestInputKernels(t *testing.T) {
	everyKernel(t, func(t *testing.T, k *kernels, r *rand.Rand) {
		tmp := newGuarded(tmpLen)
		for range 200 {
			rows, mask, cs, lead, n := randomWindow(r, 6)
			ds := n*lane + 16*r.IntN(3)
			got, want := newGuarded(35*ds+n*lane), newGuarded(35*ds+n*lane)
			k.input(got.buf, ds, lane, &rows, cs, lead, &mask, n, tmp.buf)
			inputGeneric(want.buf, ds, lane, &rows, cs, lead, &mask, n, nil)
			same(t, "input", got, want)

			rows, mask, cs, lead, n = randomWindow(r, 4)
			rows4, mask4 := [4][]float32(rows[:4]), [4]uint32(mask[:4])
			ds = n*lane + 16*r.IntN(3)
			got, want = newGuarded(35*ds+n*lane), newGuarded(35*ds+n*lane)
			k.grad(got.buf, ds, lane, &rows4, cs, lead, &mask4, n, tmp.buf)
			gradGeneric(want.buf, ds, lane, &rows4, cs, lead, &mask4, n, nil)
			same(t, "grad", got, want)
			if !tmp.intact() {
				t.Fatal("tmp overrun")
			}
		}
	})
}

func TestFilterKernels(t *testing.T) {
	everyKernel(t, func(t *testing.T, k *kernels, r *rand.Rand) {
		tmp := newGuarded(tmpLen)
		for n := 1; n <= 5; n++ {
			ds := n*lane + 4
			src := newGuarded(9 * lane * n).fill(r)
			for _, turn := range []bool{false, true} {
				first, step := 0, lane
				if turn {
					first, step = 8*lane, -lane
				}
				got, want := newGuarded(35*ds+n*lane), newGuarded(35*ds+n*lane)
				k.filter(got.buf, ds, src.buf, first, step, n, tmp.buf)
				filterGeneric(want.buf, ds, src.buf, first, step, n, nil)
				same(t, "filter", got, want)
			}
			ss := n*lane + 4
			sums := newGuarded(35*ss + n*lane).fill(r)
			got, want := newGuarded(9*lane*n), newGuarded(9*lane*n)
			k.output3(got.buf, sums.buf, ss, n, tmp.buf)
			output3Generic(want.buf, sums.buf, ss, n, nil)
			same(t, "output3", got, want)
			if !tmp.intact() {
				t.Fatal("tmp overrun")
			}
		}
	})
}

func TestOutputKernels(t *testing.T) {
	everyKernel(t, func(t *testing.T, k *kernels, r *rand.Rand) {
		tmp := newGuarded(tmpLen)
		inf := float32(math.Inf(1))
		for rows := 1; rows <= 4; rows++ {
			for cols := 1; cols <= 4; cols++ {
				ss, cs := lane+4*r.IntN(3), lane+4*r.IntN(3)
				rs := 4*cs + 8
				src := newGuarded(35*ss + lane).fill(r)
				n := (rows-1)*rs + (cols-1)*cs + lane
				got, want := newGuarded(n), newGuarded(n)
				k.output(got.buf, rs, cs, rows, cols, src.buf, ss, tmp.buf)
				outputGeneric(want.buf, rs, cs, rows, cols, src.buf, ss, nil)
				same(t, "output", got, want)

				scale, shift, res := newGuarded(lane).fill(r), newGuarded(lane).fill(r), newGuarded(n).fill(r)
				for _, a := range [][3]float32{{-inf, inf, 0}, {0, inf, 0}, {0, inf, .2}, {0, inf, -1.5}, {-1, 6, 0}} {
					for _, add := range [][]float32{nil, res.buf} {
						got, want = newGuarded(n), newGuarded(n)
						k.outputEp(got.buf, rs, cs, rows, cols, src.buf, ss, scale.buf, shift.buf, add, a[0], a[1], a[2], tmp.buf)
						outputEpGeneric(want.buf, rs, cs, rows, cols, src.buf, ss, scale.buf, shift.buf, add, a[0], a[1], a[2], nil)
						same(t, "outputEp", got, want)
					}
				}
				if !tmp.intact() {
					t.Fatal("tmp overrun")
				}
			}
		}
	})
}

func TestTransposeKernels(t *testing.T) {
	everyKernel(t, func(t *testing.T, k *kernels, r *rand.Rand) {
		for n := 1; n <= 3; n++ {
			ss, ds := n*lane+4, 20
			src := newGuarded(15*ss + n*lane).fill(r)
			size := (n-1)*16*ds + 15*ds + lane
			got, want := newGuarded(size), newGuarded(size)
			k.transpose(got.buf, ds, 16*ds, src.buf, ss, lane, n)
			transposeGeneric(want.buf, ds, 16*ds, src.buf, ss, lane, n)
			same(t, "transpose", got, want)
		}
	})
}
