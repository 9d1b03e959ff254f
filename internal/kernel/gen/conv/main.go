// Command conv generates the assembly of package conv.
//
//	cd internal/kernel/gen && go run ./conv -out ../conv/kernels_amd64.s -stubs ../conv/kernels_amd64.go -pkg conv
package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

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

func finish8(masks Mem) {
	TEXT("finish8", NOSPLIT, "func(y, add *float32, stride, rows, cols int, scale, shift *float32, slope, lo, hi float32)")
	Pragma("noescape")
	Doc("finish8 applies an epilogue to cols ≥ 1 channels of rows ≥ 1 pixels, stride elements apart; add, scale and",
		"shift may be nil. Negative values are multiplied by slope, then clamped to [lo, hi]; NaN stays NaN.")
	y, add, stride := Load(Param("y"), GP64()), Load(Param("add"), GP64()), Load(Param("stride"), GP64())
	rows, scale, shift := Load(Param("rows"), GP64()), Load(Param("scale"), GP64()), Load(Param("shift"), GP64())
	slope, lo, hi := YMM(), YMM(), YMM()
	VBROADCASTSS(NewParamAddr("slope", 56), slope)
	VBROADCASTSS(NewParamAddr("lo", 60), lo)
	VBROADCASTSS(NewParamAddr("hi", 64), hi)
	SHLQ(Imm(2), stride)

	i, left, table, mask := GP64(), GP64(), GP64(), YMM()
	v, w := YMM(), YMM()
	at := func(base reg.Register) Mem { return Mem{Base: base, Index: i, Scale: 4} }
	body := func(name string, load func(m Mem, to reg.VecVirtual), store func(m Mem)) {
		load(at(y), v)
		for _, step := range []struct {
			name string
			base reg.Register
			op   func(ops ...Op)
		}{{"scale", scale, VMULPS}, {"shift", shift, VADDPS}, {"add", add, VADDPS}} {
			skip := name + "no" + step.name
			TESTQ(step.base, step.base)
			JZ(LabelRef(skip))
			load(at(step.base), w)
			step.op(w, v, v)
			Label(skip)
		}
		VMULPS(slope, v, w)
		VBLENDVPS(v, w, v, v) // where v's sign is set, w
		VMAXPS(v, lo, v)      // of lo and NaN, MAX takes its last source: NaN
		VMINPS(v, hi, v)
		store(at(y))
	}
	Label("row")
	XORQ(i, i)
	Load(Param("cols"), left)
	SUBQ(Imm(8), left)
	JLT(LabelRef("tail"))
	Label("loop")
	body("full", func(m Mem, to reg.VecVirtual) { VMOVUPS(m, to) }, func(m Mem) { VMOVUPS(v, m) })
	ADDQ(Imm(8), i)
	SUBQ(Imm(8), left)
	JGE(LabelRef("loop"))
	Label("tail")
	ADDQ(Imm(8), left)
	JZ(LabelRef("next"))
	LEAQ(masks.Offset(32), table)
	SHLQ(Imm(2), left)
	SUBQ(left, table)
	VMOVUPS(Mem{Base: table}, mask)
	body("masked", func(m Mem, to reg.VecVirtual) { VMASKMOVPS(m, mask, to) }, func(m Mem) { VMASKMOVPS(v, mask, m) })
	Label("next")
	ADDQ(stride, y)
	TESTQ(add, add)
	JZ(LabelRef("same"))
	ADDQ(stride, add)
	Label("same")
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
	finish8(masks)
	scatter8()
	gather8()
	Generate()
}
