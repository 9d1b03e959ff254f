//go:build amd64 && !noasm

package gemm

import (
	"unsafe"

	"github.com/stheno-ml/stheno/internal/kernel/cpu"
)

// call is what the assembly reads. Strides are in bytes, the offsets that offs points to in elements.
type call struct {
	a, b, c            unsafe.Pointer
	offs               unsafe.Pointer
	runs, steps        int
	rowA, stepA, stepB int
	rowC               int
	add                int
	mask               int            // 0: the last vector is full; else AVX-512: its mask, AVX2: how many columns it has
	ahead              unsafe.Pointer // a line that each step prefetches
	aheadStep          int
	offsB              unsafe.Pointer // like offs, or nil
	half               int            // bytes from the first half of a row of B to the second
	far                int            // bytes from what is read of B to what is prefetched; AVX2
}

// cached is how many bytes of B stay in the first-level cache while rows of A pass by.
const cached = 20 << 10

func (t *Tile[T]) runAsm(road cpu.Road) {
	c := call{
		runs: len(t.Offs), steps: t.Len,
		rowA: 4 * t.RowA, stepA: 4 * t.StepA, stepB: 4 * t.StepB, rowC: 4 * t.RowC, half: 4 * t.HalfB,
		offs: unsafe.Pointer(unsafe.SliceData(t.Offs)), offsB: unsafe.Pointer(unsafe.SliceData(t.OffsB)),
	}
	if t.Len == 0 {
		c.runs = 0
	}
	if t.Add {
		c.add = 1
	}
	a, b, out := unsafe.Pointer(unsafe.SliceData(t.A)), unsafe.Pointer(unsafe.SliceData(t.B)), unsafe.Pointer(unsafe.SliceData(t.C))
	limit, width, lanes := 14, 32, 16
	lines := c.runs * c.steps // that a call prefetches
	if road == cpu.AVX2 {
		limit, width, lanes = 6, Half, 8
		if t.Rows <= 3 {
			width = Panel // twelve sums, as in six rows of a half
		}
		lines = c.runs * (c.steps / 4)
		if c.runs*c.steps*c.stepB > cached {
			c.far = 3072
		}
	}
	calls := (t.Rows + limit - 1) / limit
	for j := 0; j < t.Cols; j += width {
		cols := min(t.Cols-j, width)
		vectors := (cols + lanes - 1) / lanes
		c.mask = cols % lanes
		if road == cpu.AVX512 && c.mask != 0 {
			c.mask = 1<<c.mask - 1
		}
		c.b = unsafe.Add(b, 4*t.column(j))
		for q, i := 0, 0; q < calls; q++ {
			rows := (t.Rows - i + calls - q - 1) / (calls - q)
			c.a = unsafe.Add(a, i*c.rowA)
			c.c = unsafe.Add(out, i*c.rowC+4*j)
			c.ahead, c.aheadStep = c.a, 0
			if len(t.Next) > 0 {
				c.ahead, c.aheadStep = unsafe.Pointer(unsafe.SliceData(t.Next)), 64
				t.Next = t.Next[min(len(t.Next), 16*lines):]
			}
			if road == cpu.AVX512 {
				call512(&c, rows, vectors)
			} else {
				call256(&c, rows, vectors)
			}
			i += rows
		}
	}
}

func call512(c *call, rows, vectors int) {
	p := (*byte)(unsafe.Pointer(c))
	switch vectors*16 + rows {
	case 17:
		tile512x1x1(p)
	case 18:
		tile512x2x1(p)
	case 19:
		tile512x3x1(p)
	case 20:
		tile512x4x1(p)
	case 21:
		tile512x5x1(p)
	case 22:
		tile512x6x1(p)
	case 23:
		tile512x7x1(p)
	case 24:
		tile512x8x1(p)
	case 25:
		tile512x9x1(p)
	case 26:
		tile512x10x1(p)
	case 27:
		tile512x11x1(p)
	case 28:
		tile512x12x1(p)
	case 29:
		tile512x13x1(p)
	case 30:
		tile512x14x1(p)
	case 33:
		tile512x1x2(p)
	case 34:
		tile512x2x2(p)
	case 35:
		tile512x3x2(p)
	case 36:
		tile512x4x2(p)
	case 37:
		tile512x5x2(p)
	case 38:
		tile512x6x2(p)
	case 39:
		tile512x7x2(p)
	case 40:
		tile512x8x2(p)
	case 41:
		tile512x9x2(p)
	case 42:
		tile512x10x2(p)
	case 43:
		tile512x11x2(p)
	case 44:
		tile512x12x2(p)
	case 45:
		tile512x13x2(p)
	case 46:
		tile512x14x2(p)
	}
}

func call256(c *call, rows, vectors int) {
	p := (*byte)(unsafe.Pointer(c))
	switch vectors*16 + rows {
	case 17:
		tile256x1x1(p)
	case 18:
		tile256x2x1(p)
	case 19:
		tile256x3x1(p)
	case 20:
		tile256x4x1(p)
	case 21:
		tile256x5x1(p)
	case 22:
		tile256x6x1(p)
	case 33:
		tile256x1x2(p)
	case 34:
		tile256x2x2(p)
	case 35:
		tile256x3x2(p)
	case 36:
		tile256x4x2(p)
	case 37:
		tile256x5x2(p)
	case 38:
		tile256x6x2(p)
	case 49:
		tile256x1x3(p)
	case 50:
		tile256x2x3(p)
	case 51:
		tile256x3x3(p)
	case 65:
		tile256x1x4(p)
	case 66:
		tile256x2x4(p)
	case 67:
		tile256x3x4(p)
	}
}
