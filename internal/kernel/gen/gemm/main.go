// Command gemm generates the assembly of package gemm.
//
//	cd internal/kernel/gen && go run ./gemm -out ../gemm/kernels_amd64.s -stubs ../gemm/kernels_amd64.go -pkg gemm
package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// Offsets of the fields of gemm.call; all strides are in bytes.
const (
	fieldA, fieldB, fieldC, fieldOffs        = 0, 8, 16, 24
	fieldRuns, fieldLen                      = 32, 40
	fieldRowA, fieldStepA, fieldStepB, fRowC = 48, 56, 64, 72
	fieldAdd, fieldMask                      = 80, 88
	fieldAhead, fieldAheadStep, fieldOffsB   = 96, 104, 112
)

// tile emits a micro-kernel: C[rows][nv vectors] (+)= Σ over runs and steps of A(row, step)·B(step, column).
// Rows of A are reached from one pointer for every five rows, at 0, 1, 2, 3 and 4 times the row stride.
func tile(rows, nv int, wide bool, masks Mem) {
	name, vec, width := fmt.Sprintf("tile256x%dx%d", rows, nv), func() reg.VecVirtual { return YMM() }, 32
	if wide {
		name, vec, width = fmt.Sprintf("tile512x%dx%d", rows, nv), func() reg.VecVirtual { return ZMM() }, 64
	}
	TEXT(name, NOSPLIT, "func(c *byte)")
	Pragma("noescape")
	Doc(fmt.Sprintf("%s computes %d rows of %d vectors; c points to a call.", name, rows, nv))
	t := Load(Param("c"), GP64())
	field := func(off int) reg.GPVirtual {
		r := GP64()
		MOVQ(Mem{Base: t, Disp: off}, r)
		return r
	}

	acc := make([][]reg.VecVirtual, rows)
	for i := range acc {
		for range nv {
			r := vec()
			acc[i] = append(acc[i], r)
			if wide {
				VPXORD(r, r, r)
			} else {
				VXORPS(r, r, r)
			}
		}
	}
	bv := make([]reg.VecVirtual, nv)
	for j := range bv {
		bv[j] = vec()
	}
	x := vec()

	b, offs, runs := field(fieldB), field(fieldOffs), field(fieldRuns)
	rowA, stepA, stepB := field(fieldRowA), field(fieldStepA), field(fieldStepB)
	var row3 reg.GPVirtual
	if rows > 3 {
		row3 = GP64()
		LEAQ(Mem{Base: rowA, Index: rowA, Scale: 2}, row3)
	}
	TESTQ(runs, runs)
	JZ(LabelRef("done"))
	// The lines of C are fetched while the sums are computed, not when they are stored.
	warm, gap := field(fieldC), field(fRowC)
	for i := range rows {
		for j := 0; j < nv*width; j += 64 {
			PREFETCHT0(Mem{Base: warm, Disp: j})
		}
		if i < rows-1 {
			ADDQ(gap, warm)
		}
	}
	ahead, aheadStep := field(fieldAhead), field(fieldAheadStep)

	Label("run")
	ptr := make([]reg.GPVirtual, (rows+4)/5)
	for g := range ptr {
		ptr[g] = GP64()
	}
	off := GP64()
	MOVQ(Mem{Base: offs}, off)
	ADDQ(Imm(8), offs)
	MOVQ(Mem{Base: t, Disp: fieldA}, ptr[0])
	LEAQ(Mem{Base: ptr[0], Index: off, Scale: 4}, ptr[0])
	for g := 1; g < len(ptr); g++ {
		LEAQ(Mem{Base: ptr[g-1], Index: rowA, Scale: 4}, ptr[g])
		ADDQ(rowA, ptr[g])
	}
	MOVQ(Mem{Base: t, Disp: fieldOffsB}, off)
	TESTQ(off, off)
	JZ(LabelRef("follows"))
	ADDQ(Imm(8), Mem{Base: t, Disp: fieldOffsB})
	MOVQ(Mem{Base: off}, off)
	MOVQ(Mem{Base: t, Disp: fieldB}, b)
	LEAQ(Mem{Base: b, Index: off, Scale: 4}, b)
	Label("follows")
	row := func(i int) Mem {
		m := Mem{Base: ptr[i/5]}
		switch i % 5 {
		case 1, 2, 4:
			m.Index, m.Scale = rowA, uint8(i%5)
		case 3:
			m.Index, m.Scale = row3, 1
		}
		return m
	}
	step := func() {
		for j := range bv {
			VMOVUPS(Mem{Base: b, Disp: j * width}, bv[j])
			if wide || j == 0 {
				PREFETCHT0(Mem{Base: b, Disp: 2048 + j*width})
			}
		}
		ADDQ(stepB, b)
		PREFETCHT0(Mem{Base: ahead})
		ADDQ(aheadStep, ahead)
		for i := range rows {
			if wide && nv == 1 {
				VFMADD231PS_BCST(row(i), bv[0], acc[i][0])
				continue
			}
			VBROADCASTSS(row(i), x)
			for j := range bv {
				VFMADD231PS(bv[j], x, acc[i][j])
			}
		}
		for _, p := range ptr {
			ADDQ(stepA, p)
		}
	}
	k := GP64()
	MOVQ(Mem{Base: t, Disp: fieldLen}, k)
	SUBQ(Imm(2), k)
	JLT(LabelRef("odd"))
	Label("pair")
	step()
	step()
	SUBQ(Imm(2), k)
	JGE(LabelRef("pair"))
	Label("odd")
	CMPQ(k, I8(-1))
	JNE(LabelRef("next"))
	step()
	Label("next")
	DECQ(runs)
	JNZ(LabelRef("run"))
	Label("done")

	c, rowC, add := field(fieldC), field(fRowC), field(fieldAdd)
	store := func(mask func(last reg.VecVirtual, m Mem, load bool)) {
		skip := "set"
		if mask != nil {
			skip = "setmasked"
		}
		TESTQ(add, add)
		JZ(LabelRef(skip))
		q := GP64()
		MOVQ(c, q)
		for i := range rows {
			for j := range nv {
				m := Mem{Base: q, Disp: j * width}
				if mask != nil && j == nv-1 {
					mask(bv[0], m, true)
					VADDPS(bv[0], acc[i][j], acc[i][j])
					continue
				}
				VADDPS(m, acc[i][j], acc[i][j])
			}
			if i < rows-1 {
				ADDQ(rowC, q)
			}
		}
		Label(skip)
		for i := range rows {
			for j := range nv {
				m := Mem{Base: c, Disp: j * width}
				if mask != nil && j == nv-1 {
					mask(acc[i][j], m, false)
					continue
				}
				VMOVUPS(acc[i][j], m)
			}
			if i < rows-1 {
				ADDQ(rowC, c)
			}
		}
		VZEROUPPER()
		RET()
	}
	bits := field(fieldMask)
	TESTQ(bits, bits)
	JNZ(LabelRef("masked"))
	store(nil)
	Label("masked")
	if wide {
		km := K()
		KMOVW(bits.As32(), km)
		store(func(v reg.VecVirtual, m Mem, load bool) {
			if load {
				VMOVUPS_Z(m, km, v)
			} else {
				VMOVUPS(v, km, m)
			}
		})
		return
	}
	// The mask of the last vector begins 4·columns bytes before the middle of ones and zeros.
	table, mv := GP64(), vec()
	LEAQ(masks.Offset(32), table)
	SHLQ(Imm(2), bits)
	SUBQ(bits, table)
	VMOVUPS(Mem{Base: table}, mv)
	store(func(v reg.VecVirtual, m Mem, load bool) {
		if load {
			VMASKMOVPS(m, mv, v)
		} else {
			VMASKMOVPS(v, mv, m)
		}
	})
}

func main() {
	ConstraintExpr("amd64,!noasm")
	masks := GLOBL("masks", RODATA|NOPTR)
	for i := range 16 {
		v := uint32(0xffffffff)
		if i >= 8 {
			v = 0
		}
		DATA(i*4, U32(v))
	}
	for _, nv := range []int{1, 2} {
		for rows := 1; rows <= 14; rows++ {
			tile(rows, nv, true, masks)
		}
		for rows := 1; rows <= 6; rows++ {
			tile(rows, nv, false, masks)
		}
	}
	Generate()
}
