//go:build amd64 && !noasm

package conv

import (
	"unsafe"

	"github.com/stheno-ml/stheno/internal/kernel/cpu"
)

// assembly says that T is float32 and the road in force has kernels for it.
func assembly[T Float]() bool {
	var z T
	return unsafe.Sizeof(z) == 4 && cpu.Current() >= cpu.AVX2
}

func pointer[T Float](s []T) *float32 { return (*float32)(unsafe.Pointer(unsafe.SliceData(s))) }

func finish[T Float](y, add []T, stride, rows, cols int, scale, shift []T, slope, lo, hi T) {
	if !assembly[T]() {
		finishGeneric(y, add, stride, rows, cols, scale, shift, slope, lo, hi)
		return
	}
	_ = y[(rows-1)*stride+cols-1]
	finish8(pointer(y), pointer(add), stride, rows, cols, pointer(scale), pointer(shift), float32(slope), float32(lo), float32(hi))
}

// laneCall is what the assembly of grouped convolutions reads. Strides are in bytes, offsets in elements.
type laneCall struct {
	x, w, y      unsafe.Pointer
	offs         unsafe.Pointer
	runs, pixels int
	stepX, stepY int
	index        unsafe.Pointer
	add          int
}

func (t *laneTile[T]) call() laneCall {
	c := laneCall{
		x: unsafe.Pointer(unsafe.SliceData(t.x)), w: unsafe.Pointer(unsafe.SliceData(t.w)), y: unsafe.Pointer(unsafe.SliceData(t.y)),
		offs: unsafe.Pointer(unsafe.SliceData(t.offs)), runs: len(t.offs), pixels: t.pixels,
		stepX: 4 * t.stepX, stepY: 4 * t.stepY, index: unsafe.Pointer(&spreads[t.group/8]),
	}
	if t.add {
		c.add = 1
	}
	return c
}

func (t *laneTile[T]) forward() {
	if !assembly[T]() || len(t.offs) == 0 {
		t.forwardGeneric()
		return
	}
	_ = t.x[t.offs[len(t.offs)-1]+(t.pixels-1)*t.stepX+laneBlock-1]
	_ = t.y[(t.pixels-1)*t.stepY+laneBlock-1]
	_ = t.w[len(t.offs)*t.group*laneBlock-1]
	wide := cpu.Current() == cpu.AVX512
	halves := 2
	if wide {
		halves = 1
	}
	for h := range halves {
		c := t.call()
		x, y := c.x, c.y
		c.w = unsafe.Add(c.w, 32*h)
		for q := 0; q < t.pixels; {
			n := 1
			for n < 8 && 2*n <= t.pixels-q {
				n *= 2
			}
			c.x, c.y = unsafe.Add(x, 32*h+q*c.stepX), unsafe.Add(y, 32*h+q*c.stepY)
			callLanes(&c, wide, t.group, n)
			q += n
		}
	}
}

func callLanes(c *laneCall, wide bool, group, rows int) {
	p := (*byte)(unsafe.Pointer(c))
	key := group*16 + rows
	if wide {
		key += 1000
	}
	switch key {
	case 1072:
		lanes512g4x8(p)
	case 1068:
		lanes512g4x4(p)
	case 1066:
		lanes512g4x2(p)
	case 1065:
		lanes512g4x1(p)
	case 1136:
		lanes512g8x8(p)
	case 1132:
		lanes512g8x4(p)
	case 1130:
		lanes512g8x2(p)
	case 1129:
		lanes512g8x1(p)
	case 72:
		lanes256g4x8(p)
	case 68:
		lanes256g4x4(p)
	case 66:
		lanes256g4x2(p)
	case 65:
		lanes256g4x1(p)
	case 136:
		lanes256g8x8(p)
	case 132:
		lanes256g8x4(p)
	case 130:
		lanes256g8x2(p)
	case 129:
		lanes256g8x1(p)
	}
}

func (t *laneTile[T]) grad() {
	if !assembly[T]() || len(t.offs) == 0 {
		t.gradGeneric()
		return
	}
	_ = t.x[t.offs[len(t.offs)-1]+(t.pixels-1)*t.stepX+laneBlock-1]
	_ = t.y[(len(t.offs)*t.pixels-1)*t.stepY+laneBlock-1]
	_ = t.w[t.group*laneBlock-1]
	if cpu.Current() == cpu.AVX512 {
		c := t.call()
		p := (*byte)(unsafe.Pointer(&c))
		if t.group == 4 {
			lanesGrad512g4(p)
		} else {
			lanesGrad512g8(p)
		}
		return
	}
	for half := 0; half < 64; half += 32 {
		c := t.call()
		p := (*byte)(unsafe.Pointer(&c))
		c.x, c.w, c.y = unsafe.Add(c.x, half), unsafe.Add(c.w, half), unsafe.Add(c.y, half)
		if t.group == 4 {
			lanesGrad256g4(p)
		} else {
			lanesGrad256g8(p)
		}
	}
}
