// Command peak generates loops of fused multiply-adds that touch no memory: what a core can do at most.
package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// chains is how many independent sums run at once: more than latency × units of any processor.
const chains = 12

func main() {
	ConstraintExpr("amd64,!noasm")
	loop("fmaAVX2", func() reg.VecVirtual { return YMM() })
	loop("fmaAVX512", func() reg.VecVirtual { return ZMM() })
	Generate()
}

func loop(name string, vector func() reg.VecVirtual) {
	TEXT(name, NOSPLIT, "func(n int)")
	Doc(name + " makes 12·n fused multiply-adds of whole registers.")
	n := Load(Param("n"), GP64())
	x := vector()
	VXORPS(x.AsX(), x.AsX(), x.AsX())
	sums := make([]reg.VecVirtual, chains)
	for i := range sums {
		sums[i] = vector()
		VXORPS(sums[i].AsX(), sums[i].AsX(), sums[i].AsX())
	}
	Label("loop_" + name)
	for _, s := range sums {
		VFMADD231PS(x, x, s)
	}
	DECQ(n)
	JNZ(LabelRef("loop_" + name))
	VZEROUPPER()
	RET()
}
