package gemm

import (
	"unsafe"

	"github.com/stheno-ml/stheno/internal/kernel/cpu"
)

// Float is what the kernels compute with.
type Float interface{ float32 | float64 }

// Panel is the number of columns of B that are packed together, as two halves one after the other,
// [2][k][Half], on every road, so that what one road packed another can read.
const (
	Panel = 2 * Half
	Half  = 16
)

// Tile is one product of panels, the work of a micro-kernel:
//
//	C[i][j] (+)= Σ_run Σ_k A[Offs[run] + i·RowA + k·StepA] · B[OffsB[run] + k·StepB + j/Half·HalfB + j%Half]
//
// for i in [0, Rows) and j in [0, Cols). Runs let A be a picture that is walked tap by tap: each run begins
// somewhere else. Without OffsB, B is one sequence over all runs. Each half of
// its rows must hold Half readable elements, if Cols reaches into it. Sums run over k in order, in one accumulator
// unless InParts.
type Tile[T Float] struct {
	A           []T
	Offs        []int // where each run begins in A, for row 0
	OffsB       []int // where each run begins in B; nil: where the last one ended
	Len         int   // steps a run
	RowA, StepA int
	B           []T
	StepB       int
	HalfB       int // from the first half of a row of B to the second
	C           []T
	RowC        int
	Rows, Cols  int  // Rows is any number, Cols at most Panel
	Add         bool // add to C instead of overwriting it
	InParts     bool // make long sums in parts (part.go): closer, but a quarter slower
	Next        []T  // what will be read soon: Run prefetches some of it and takes that off
}

// Run computes the tile by the road in force. Rows are cut into nearly equal calls of the micro-kernel.
func (t *Tile[T]) Run() {
	if t.Rows <= 0 || t.Cols <= 0 {
		return
	}
	t.check()
	if t.InParts && t.Len*len(t.Offs) > partMost {
		t.runParts()
		return
	}
	t.run()
}

func (t *Tile[T]) run() {
	road := cpu.Current()
	if road != cpu.Generic && isFloat32[T]() {
		t.runAsm(road)
		return
	}
	t.RunGeneric()
}

// check panics when the tile reaches beyond its slices, before assembly does so silently.
func (t *Tile[T]) check() {
	if t.Cols > Panel {
		panic("gemm: tile wider than a panel")
	}
	_ = t.C[(t.Rows-1)*t.RowC+t.Cols-1]
	if t.Len == 0 || len(t.Offs) == 0 {
		return
	}
	last := (t.Rows-1)*t.RowA + (t.Len-1)*t.StepA
	_ = t.A[t.Offs[0]]
	_ = t.A[t.Offs[len(t.Offs)-1]+last]
	width := Half
	if t.Cols > Half {
		width += t.HalfB
	}
	if t.OffsB == nil {
		_ = t.B[(len(t.Offs)*t.Len-1)*t.StepB+width-1]
		return
	}
	_ = t.OffsB[len(t.Offs)-1]
	_ = t.B[t.OffsB[len(t.Offs)-1]+(t.Len-1)*t.StepB+width-1]
}

// column is where column j of B begins.
func (t *Tile[T]) column(j int) int { return j/Half*t.HalfB + j%Half }

// RunGeneric is the twin of the assembly, whatever road is in force: blocks of 3 rows × 2 columns, which is what the compiler keeps in
// registers.
func (t *Tile[T]) RunGeneric() {
	for i := 0; i < t.Rows; i += 3 {
		for j := 0; j < t.Cols; j += 2 {
			var sum [6]T
			if i+3 <= t.Rows {
				sum = t.block(i, j)
			} else {
				for r := range t.Rows - i {
					sum[2*r], sum[2*r+1] = t.row(i+r, j)
				}
			}
			for r := 0; r < 3 && i+r < t.Rows; r++ {
				c := t.C[(i+r)*t.RowC+j:]
				for q := 0; q < 2 && j+q < t.Cols; q++ {
					if t.Add {
						c[q] += sum[2*r+q]
					} else {
						c[q] = sum[2*r+q]
					}
				}
			}
		}
	}
}

// block walks by pointers, in fewer registers than slices take: check has seen that they stay inside.
func (t *Tile[T]) block(i, j int) [6]T {
	var c00, c01, c10, c11, c20, c21 T
	size := unsafe.Sizeof(c00)
	row, stepA, stepB := size*uintptr(t.RowA), size*uintptr(t.StepA), size*uintptr(t.StepB)
	first := unsafe.Add(unsafe.Pointer(unsafe.SliceData(t.A)), size*uintptr(i*t.RowA))
	b := unsafe.Add(unsafe.Pointer(unsafe.SliceData(t.B)), size*uintptr(t.column(j)))
	bi := uintptr(0)
	for run, off := range t.Offs {
		a0 := unsafe.Add(first, size*uintptr(off))
		a1, a2, ai := unsafe.Add(a0, row), unsafe.Add(a0, 2*row), uintptr(0)
		if t.OffsB != nil {
			bi = size * uintptr(t.OffsB[run])
		}
		for k := t.Len; k > 0; k-- {
			x, y := *(*T)(unsafe.Add(b, bi)), *(*T)(unsafe.Add(b, bi+size))
			v := *(*T)(unsafe.Add(a0, ai))
			c00 += v * x
			c01 += v * y
			v = *(*T)(unsafe.Add(a1, ai))
			c10 += v * x
			c11 += v * y
			v = *(*T)(unsafe.Add(a2, ai))
			c20 += v * x
			c21 += v * y
			ai += stepA
			bi += stepB
		}
	}
	return [6]T{c00, c01, c10, c11, c20, c21}
}

func (t *Tile[T]) row(i, j int) (c0, c1 T) {
	bs, steps, stepA, stepB, bi := t.B, t.Len, t.StepA, t.StepB, t.column(j)
	for run, off := range t.Offs {
		if t.OffsB != nil {
			bi = t.OffsB[run] + t.column(j)
		}
		a := t.A[off+i*t.RowA:]
		ai := 0
		for range steps {
			b := (*[2]T)(bs[bi:])
			c0 += a[ai] * b[0]
			c1 += a[ai] * b[1]
			ai += stepA
			bi += stepB
		}
	}
	return c0, c1
}
