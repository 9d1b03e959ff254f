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

func main() {
	ConstraintExpr("amd64,!noasm")
	scatter8()
	gather8()
	Generate()
}
