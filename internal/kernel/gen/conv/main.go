// Command conv generates the assembly of package conv.
//
//	cd internal/kernel/gen && go run ./conv -out ../conv/kernels_amd64.s -stubs ../conv/kernels_amd64.go -pkg conv
package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

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
	Generate()
}
