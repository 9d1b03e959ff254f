// Command layout generates the assembly of package layout.
//
//	cd internal/kernel/gen && go run ./layout -out ../layout/kernels_amd64.s -stubs ../layout/kernels_amd64.go -pkg layout
package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// main emits the transpose of n squares of 8×8 that lie side by side in the source, one below the other in the
// result. Moving data gains nothing from wider vectors, so AVX-512 takes the same road.
func main() {
	ConstraintExpr("amd64,!noasm")
	TEXT("squares", NOSPLIT, "func(dst, src *float32, dstStride, srcStride, n int)")
	Pragma("noescape")
	Doc("squares transposes n squares of 8×8 side by side in src to squares one below the other in dst, by AVX2. Strides are in bytes.")
	dst, src := Load(Param("dst"), GP64()), Load(Param("src"), GP64())
	dstStride, srcStride := Load(Param("dstStride"), GP64()), Load(Param("srcStride"), GP64())
	n := Load(Param("n"), GP64())
	Label("square")
	var a, b [8]reg.VecVirtual
	p := GP64()
	MOVQ(src, p)
	for i := range a {
		a[i] = YMM()
		VMOVUPS(Mem{Base: p}, a[i])
		if i < 7 {
			ADDQ(srcStride, p)
		}
	}
	for i := range b {
		b[i] = YMM()
	}
	// In each half: pairs of rows interleaved, then pairs of pairs.
	for i := 0; i < 8; i += 2 {
		VUNPCKLPS(a[i+1], a[i], b[i])
		VUNPCKHPS(a[i+1], a[i], b[i+1])
	}
	for i := range a {
		a[i] = YMM()
	}
	for i := 0; i < 8; i += 4 {
		for h := range 2 {
			VSHUFPS(U8(0x44), b[i+2+h], b[i+h], a[i+2*h])
			VSHUFPS(U8(0xee), b[i+2+h], b[i+h], a[i+2*h+1])
		}
	}
	// Then the halves of rows 0 to 3 and 4 to 7 are joined.
	MOVQ(dst, p)
	for i := range 8 {
		v := YMM()
		VPERM2F128(U8(0x20+i/4*0x11), a[i%4+4], a[i%4], v)
		VMOVUPS(v, Mem{Base: p})
		ADDQ(dstStride, p)
	}
	MOVQ(p, dst)
	ADDQ(U32(32), src)
	DECQ(n)
	JNZ(LabelRef("square"))
	VZEROUPPER()
	RET()
	stream()
	Generate()
}

// stream emits a copy of whole cache lines whose stores pass the cache by: a line is written without being read
// first, which saves a third of the traffic where the result is too large to stay in the cache anyway.
func stream() {
	TEXT("stream", NOSPLIT, "func(dst, src *float32, lines int)")
	Pragma("noescape")
	Doc("stream copies lines of 64 bytes past the cache, by AVX2. dst is the start of a line.")
	dst, src, n := Load(Param("dst"), GP64()), Load(Param("src"), GP64()), Load(Param("lines"), GP64())
	Label("line")
	lo, hi := YMM(), YMM()
	VMOVUPS(Mem{Base: src}, lo)
	VMOVUPS(Mem{Base: src, Disp: 32}, hi)
	VMOVNTPS(lo, Mem{Base: dst})
	VMOVNTPS(hi, Mem{Base: dst, Disp: 32})
	ADDQ(U32(64), src)
	ADDQ(U32(64), dst)
	DECQ(n)
	JNZ(LabelRef("line"))
	SFENCE() // such stores are not ordered with those that say that the work is done
	VZEROUPPER()
	RET()
}
