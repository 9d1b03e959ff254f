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
	fieldHalf, fieldFar                      = 120, 128
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
	at := func(j, disp int) Mem { return Mem{Base: b, Disp: disp + j*width} } // vector j of a row of B
	if nv*width > 64 {
		half := field(fieldHalf)
		near := at
		at = func(j, disp int) Mem {
			if j*width < 64 {
				return near(j, disp)
			}
			return Mem{Base: b, Index: half, Scale: 1, Disp: disp + j*width - 64}
		}
	}
	var far reg.GPVirtual
	if !wide {
		far = field(fieldFar)
	}
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
	MOVQ(offs, b) // the number of runs begun, in bytes of offsets
	SUBQ(Mem{Base: t, Disp: fieldOffs}, b)
	MOVQ(Mem{Base: off, Index: b, Scale: 1, Disp: -8}, off)
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
	// B comes from the second or third level: some hundred cycles ahead, whatever a step takes. AVX2 is told how
	// far, since it walks what lies in the first level so often that asking for what follows would push it out.
	const distance = 1024
	step := func(first bool) {
		for j := range bv {
			VMOVUPS(at(j, 0), bv[j])
			switch {
			case wide:
				PREFETCHT0(at(j, distance))
			case j == 0:
				PREFETCHT0(Mem{Base: b, Index: far, Scale: 1})
			}
		}
		ADDQ(stepB, b)
		if first {
			PREFETCHT0(Mem{Base: ahead})
			ADDQ(aheadStep, ahead)
		}
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
	// What is read soon is asked for every 28 or 24 cycles, which memory keeps up with.
	unroll := 2
	if !wide {
		unroll = 4
	}
	k := GP64()
	MOVQ(Mem{Base: t, Disp: fieldLen}, k)
	SUBQ(Imm(uint64(unroll)), k)
	JLT(LabelRef("rest"))
	Label("steps")
	for i := range unroll {
		step(wide || i == 0)
	}
	SUBQ(Imm(uint64(unroll)), k)
	JGE(LabelRef("steps"))
	Label("rest")
	ADDQ(Imm(uint64(unroll)), k)
	JZ(LabelRef("next"))
	Label("single")
	step(wide)
	DECQ(k)
	JNZ(LabelRef("single"))
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

// transpose turns eight vectors of eight floats round; the operands' order is Go's.
func transpose(r []reg.VecVirtual) []reg.VecVirtual {
	t := make([]reg.VecVirtual, 8)
	for i := 0; i < 8; i += 2 {
		t[i], t[i+1] = YMM(), YMM()
		VUNPCKLPS(r[i+1], r[i], t[i])
		VUNPCKHPS(r[i+1], r[i], t[i+1])
	}
	u := make([]reg.VecVirtual, 8)
	for i := 0; i < 8; i += 4 {
		for j := range 2 {
			u[i+2*j], u[i+2*j+1] = YMM(), YMM()
			VSHUFPS(Imm(0x44), t[i+2+j], t[i+j], u[i+2*j])
			VSHUFPS(Imm(0xee), t[i+2+j], t[i+j], u[i+2*j+1])
		}
	}
	out := make([]reg.VecVirtual, 8)
	for i := range 4 {
		out[i], out[i+4] = YMM(), YMM()
		VPERM2F128(Imm(0x20), u[i+4], u[i], out[i])
		VPERM2F128(Imm(0x31), u[i+4], u[i], out[i+4])
	}
	return out
}

// rowsOf returns addresses of eight rows that lie stride apart.
func rowsOf(base, stride reg.Register) []Mem {
	three, four := GP64(), GP64()
	LEAQ(Mem{Base: stride, Index: stride, Scale: 2}, three)
	LEAQ(Mem{Base: base, Index: stride, Scale: 4}, four)
	var m []Mem
	for _, b := range []reg.Register{base, four} {
		m = append(m, Mem{Base: b}, Mem{Base: b, Index: stride, Scale: 1}, Mem{Base: b, Index: stride, Scale: 2}, Mem{Base: b, Index: three, Scale: 1})
	}
	return m
}

func scatter8() {
	TEXT("scatter8", NOSPLIT, "func(dst, src *float32, stride int, offs *int, blocks int)")
	Pragma("noescape")
	Doc("scatter8 reads eight rows of 8·blocks floats, stride elements apart, and writes column i, as eight",
		"floats, to dst[offs[i]]. Within a block the first column is written last.")
	dst, src, stride := Load(Param("dst"), GP64()), Load(Param("src"), GP64()), Load(Param("stride"), GP64())
	offs, blocks := Load(Param("offs"), GP64()), Load(Param("blocks"), GP64())
	SHLQ(Imm(2), stride)
	rows := rowsOf(src, stride)
	half := rows[4].Base
	Label("loop")
	in := make([]reg.VecVirtual, 8)
	for i := range in {
		in[i] = YMM()
		VMOVUPS(rows[i], in[i])
	}
	out := transpose(in)
	for i := 7; i >= 0; i-- {
		off := GP64()
		MOVQ(Mem{Base: offs, Disp: 8 * i}, off)
		VMOVUPS(out[i], Mem{Base: dst, Index: off, Scale: 4})
	}
	ADDQ(Imm(32), src)
	ADDQ(Imm(32), half)
	ADDQ(Imm(64), offs)
	DECQ(blocks)
	JNZ(LabelRef("loop"))
	VZEROUPPER()
	RET()
}

func gather8() {
	TEXT("gather8", NOSPLIT, "func(dst *float32, stride int, src *float32, offs *int, blocks, parts, next int)")
	Pragma("noescape")
	Doc("gather8 is the inverse: row i of 8·blocks is the sum of the eight floats at src[offs[i] + p·next], over",
		"parts in order; it becomes column i of eight rows of dst, stride elements apart.")
	dst, stride, src := Load(Param("dst"), GP64()), Load(Param("stride"), GP64()), Load(Param("src"), GP64())
	offs, blocks := Load(Param("offs"), GP64()), Load(Param("blocks"), GP64())
	next := Load(Param("next"), GP64())
	SHLQ(Imm(2), stride)
	SHLQ(Imm(2), next)
	rows := rowsOf(dst, stride)
	half := rows[4].Base
	Label("loop")
	in := make([]reg.VecVirtual, 8)
	for i := range in {
		in[i] = YMM()
		at, left := GP64(), GP64()
		MOVQ(Mem{Base: offs, Disp: 8 * i}, at)
		LEAQ(Mem{Base: src, Index: at, Scale: 4}, at)
		VMOVUPS(Mem{Base: at}, in[i])
		Load(Param("parts"), left)
		part, done := "part"+string(rune('0'+i)), "sum"+string(rune('0'+i))
		Label(part)
		DECQ(left)
		JZ(LabelRef(done))
		ADDQ(next, at)
		VADDPS(Mem{Base: at}, in[i], in[i])
		JMP(LabelRef(part))
		Label(done)
	}
	out := transpose(in)
	for i := range out {
		VMOVUPS(out[i], rows[i])
	}
	ADDQ(Imm(32), dst)
	ADDQ(Imm(32), half)
	ADDQ(Imm(64), offs)
	DECQ(blocks)
	JNZ(LabelRef("loop"))
	VZEROUPPER()
	RET()
}

func split16() {
	TEXT("split16", NOSPLIT, "func(dst *float32, gap int, src *float32, stride, rows, pieces int)")
	Pragma("noescape")
	Doc("split16 copies rows of 16·pieces floats, stride elements apart: piece p of row r goes to dst[p·gap + 16·r].")
	dst, gap, src := Load(Param("dst"), GP64()), Load(Param("gap"), GP64()), Load(Param("src"), GP64())
	stride, rows := Load(Param("stride"), GP64()), Load(Param("rows"), GP64())
	SHLQ(Imm(2), gap)
	SHLQ(Imm(2), stride)
	to, from, left := GP64(), GP64(), GP64()
	lo, hi := YMM(), YMM()
	Label("row")
	MOVQ(dst, to)
	MOVQ(src, from)
	Load(Param("pieces"), left)
	Label("piece")
	VMOVUPS(Mem{Base: from}, lo)
	VMOVUPS(Mem{Base: from, Disp: 32}, hi)
	VMOVUPS(lo, Mem{Base: to})
	VMOVUPS(hi, Mem{Base: to, Disp: 32})
	ADDQ(Imm(64), from)
	ADDQ(gap, to)
	DECQ(left)
	JNZ(LabelRef("piece"))
	ADDQ(Imm(64), dst)
	ADDQ(stride, src)
	DECQ(rows)
	JNZ(LabelRef("row"))
	VZEROUPPER()
	RET()
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
	for _, nv := range []int{3, 4} { // of few rows
		for rows := 1; rows <= 3; rows++ {
			tile(rows, nv, false, masks)
		}
	}
	scatter8()
	gather8()
	split16()
	Generate()
}
