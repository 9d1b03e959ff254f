// Command dots generates the assembly of package dots.
//
//	cd internal/kernel/gen && go run ./dots -out ../dots/kernels_amd64.s -stubs ../dots/kernels_amd64.go -pkg dots
package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"

	. "github.com/stheno-ml/stheno/internal/kernel/gen/lane"
)

const rowsA, rowsB = 4, 3 // dots.rowsA and rowsB: 12 sums, 3 rows of b and a row of a fill AVX2's 16 registers

// block emits a kernel: each of 4 rows of a by each of 3 rows of b. A vector holds half as many float64s as floats.
func block(w Width) {
	name := "block" + w.String()
	TEXT(name, NOSPLIT, "func(rows **float32, n int, sums *float64)")
	Pragma("noescape")
	Doc(name + " adds up products of the first n elements, a multiple of 8, of 4 and 3 rows: sums[3i + j] = Σ a[i]·b[j].")
	rows, n, sums := Load(Param("rows"), GP64()), Load(Param("n"), GP64()), Load(Param("sums"), GP64())
	row := make([]reg.GPVirtual, rowsA+rowsB)
	for i := range row {
		row[i] = GP64()
		MOVQ(Mem{Base: rows, Disp: 8 * i}, row[i])
	}
	acc := make([]Vec, rowsA*rowsB)
	for i := range acc {
		acc[i] = w.Zero()
	}
	k := GP64()
	XORQ(k, k)
	step := int(w) / 8 // float64s in a vector
	Label("loop")
	CMPQ(k, n)
	JGE(LabelRef("sum"))
	widen := func(r reg.GPVirtual) Vec {
		v := w.New()
		VCVTPS2PD(Mem{Base: r, Index: k, Scale: 4}, v)
		return v
	}
	var b [rowsB]Vec
	for j := range b {
		b[j] = widen(row[rowsA+j])
	}
	for i := range rowsA {
		a := widen(row[i])
		for j := range b {
			VFMADD231PD(b[j], a, acc[rowsB*i+j])
		}
	}
	ADDQ(Imm(uint64(step)), k)
	JMP(LabelRef("loop"))
	Label("sum")
	for i, v := range acc {
		y := v.(reg.Vec).AsY()
		if w == AVX512 {
			upper := YMM()
			VEXTRACTF64X4(Imm(1), v, upper)
			VADDPD(upper, y, y)
		}
		x, high := y.(reg.Vec).AsX(), XMM()
		VEXTRACTF128(Imm(1), y, high)
		VADDPD(high, x, x)
		VHADDPD(x, x, x)
		VMOVSD(x, Mem{Base: sums, Disp: 8 * i})
	}
	VZEROUPPER()
	RET()
}

func main() {
	ConstraintExpr("amd64,!noasm")
	block(AVX2)
	block(AVX512)
	Generate()
}
