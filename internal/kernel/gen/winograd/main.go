// Command winograd writes the AVX-512 and AVX2 kernels of internal/kernel/winograd.
package main

import (
	"strconv"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// isa is what differs between the two instruction sets.
type isa struct {
	suffix string
	wide   bool // AVX-512
	bytes  int  // of a vector
}

var (
	avx512 = isa{"AVX512", true, 64}
	avx2   = isa{"AVX2", false, 32}
)

func (s isa) vec() reg.VecVirtual {
	if s.wide {
		return ZMM()
	}
	return YMM()
}

func (s isa) vecs(n int) []reg.VecVirtual {
	v := make([]reg.VecVirtual, n)
	for i := range v {
		v[i] = s.vec()
	}
	return v
}

func (s isa) zero(v reg.VecVirtual) {
	if s.wide {
		VPXORD(v, v, v)
	} else {
		VXORPS(v, v, v)
	}
}

// constant is a vector of equal floats in read-only memory.
func constant(name string, v float64) Mem {
	m := GLOBL(name, RODATA|NOPTR)
	for i := range 16 {
		DATA(4*i, F32(float32(v)))
	}
	return m
}

// The interpolation points are 0, ±a, ±b and infinity (see the package documentation of winograd).
const (
	ptA = 5.0 / 8
	ptB = 3.0 / 2
)

var k struct {
	a, b, a2, b2, sum, prod                        Mem
	f0, fa, fa1, fa2, fa3, fb, fb1, fb2, fb3, lane Mem
}

func constants() {
	a2, b2 := ptA*ptA, ptB*ptB
	na, nb := 2*a2*(a2-b2), 2*b2*(b2-a2)
	k.a, k.b = constant("pointA", ptA), constant("pointB", ptB)
	k.a2, k.b2 = constant("pointA2", a2), constant("pointB2", b2)
	k.sum, k.prod = constant("pointSum", a2+b2), constant("pointProd", a2*b2)
	k.f0 = constant("filter0", 1/(a2*b2))
	k.fa, k.fa1, k.fa2, k.fa3 = constant("filterA", 1/na), constant("filterA1", ptA/na), constant("filterA2", a2/na), constant("filterA3", ptA*a2/na)
	k.fb, k.fb1, k.fb2, k.fb3 = constant("filterB", 1/nb), constant("filterB1", ptB/nb), constant("filterB2", b2/nb), constant("filterB3", ptB*b2/nb)
	k.lane = GLOBL("laneBits", RODATA|NOPTR)
	for i := range 16 {
		DATA(4*i, U32(1<<i))
	}
}

// hold puts constants into registers, the first n of them where registers are scarce.
func (s isa) hold(n int, ms ...Mem) []Op {
	ops := make([]Op, len(ms))
	for i, m := range ms {
		ops[i] = m
		if s.wide || i < n {
			r := s.vec()
			VMOVUPS(m, r)
			ops[i] = r
		}
	}
	return ops
}

// floats loads an argument that counts floats and makes it a count of bytes.
func floats(name string) reg.GPVirtual {
	r := GP64()
	Load(Param(name), r)
	SHLQ(U8(2), r)
	return r
}

func base(name string) reg.GPVirtual {
	r := GP64()
	Load(Param(name).Base(), r)
	return r
}

func times(r reg.GPVirtual, n uint8) reg.GPVirtual {
	t := GP64()
	LEAQ(Mem{Base: r, Index: r, Scale: n - 1}, t)
	return t
}

// strided addresses element i (0 to 5) of a row of vectors that lie stride apart.
type strided struct {
	base             reg.GPVirtual
	one, three, five reg.GPVirtual
}

func (s strided) at(i, disp int) Mem {
	m := Mem{Base: s.base, Disp: disp}
	switch i {
	case 1, 2, 4:
		m.Index, m.Scale = s.one, uint8(i)
	case 3:
		m.Index, m.Scale = s.three, 1
	case 5:
		m.Index, m.Scale = s.five, 1
	}
	return m
}

func newStrided(base, stride reg.GPVirtual) strided {
	return strided{base, stride, times(stride, 3), times(stride, 5)}
}

func (s strided) with(base reg.GPVirtual) strided {
	s.base = base
	return s
}

func text(s isa, name, args, doc string) {
	TEXT(name+s.suffix, NOSPLIT, "func("+args+")")
	Doc(name + s.suffix + " " + doc)
	Pragma("noescape")
}

func ret() {
	VZEROUPPER()
	RET()
}

// mul is the product of forward convolution.
func mul(s isa, rows, panels int) {
	name := "mul" + strconv.Itoa(rows) + "x" + strconv.Itoa(16*panels)
	text(s, name, "out []float32, os int, a []float32, as int, b []float32, bs, c4 int",
		"is mul with rows = "+strconv.Itoa(rows)+", panels = "+strconv.Itoa(panels)+".")
	a, as, b, bs, c4 := base("a"), floats("as"), base("b"), floats("bs"), GP64()
	Load(Param("c4"), c4)
	SUBQ(U8(64), as)
	per := 64 / s.bytes // vectors of a panel
	acc, bv, av := s.accumulators(rows, panels*per)
	for i := range acc {
		for j := range acc[i] {
			s.zero(acc[i][j])
		}
	}
	// steps adds n products of four input channels.
	steps := func(n int) {
		for u := range 4 * n {
			s.rank1(acc, bv, av, per, b, bs, u*64, func(i int) Mem { return Mem{Base: a, Disp: i*64 + u*4} })
		}
		ADDQ(U32(16*n), a)
		ADDQ(U32(256*n), b)
	}
	SUBQ(U8(4), c4)
	JLT(LabelRef("tail"))
	Label("group")
	if s.wide {
		count := GP64()
		MOVQ(U32(4), count)
		Label("step")
		steps(1)
		DECQ(count)
		JNZ(LabelRef("step"))
	} else {
		steps(4)
	}
	ADDQ(as, a)
	SUBQ(U8(4), c4)
	JGE(LabelRef("group"))
	Label("tail")
	ADDQ(U8(4), c4)
	JZ(LabelRef("done"))
	Label("rest")
	steps(1)
	DECQ(c4)
	JNZ(LabelRef("rest"))
	Label("done")
	out, os := base("out"), floats("os")
	for j := range panels * per {
		for i := range rows {
			VMOVUPS(acc[i][j], Mem{Base: out, Disp: i*64 + j%per*s.bytes})
		}
		if j%per == per-1 {
			ADDQ(os, out)
		}
	}
	ret()
}

// outer is the product of the weight gradient: the sum runs over tiles.
func outer(s isa, rows, panels int) {
	name := "outer" + strconv.Itoa(rows) + "x" + strconv.Itoa(16*panels)
	text(s, name, "out []float32, os int, a, b []float32, bs, tiles int, add bool",
		"is outer with rows = "+strconv.Itoa(rows)+", panels = "+strconv.Itoa(panels)+".")
	out, os, a, b, bs, n := base("out"), floats("os"), base("a"), base("b"), floats("bs"), GP64()
	Load(Param("tiles"), n)
	add := GP8()
	Load(Param("add"), add)
	per := 64 / s.bytes
	acc, bv, av := s.accumulators(rows, panels*per)
	for i := range acc {
		for j := range acc[i] {
			s.zero(acc[i][j])
		}
	}
	at := func(i, j int) Mem {
		m := Mem{Base: out, Disp: i*64 + j%per*s.bytes}
		if j >= per {
			m.Index, m.Scale = os, 1
		}
		return m
	}
	SUBQ(U8(4), n)
	JLT(LabelRef("tail"))
	Label("four")
	for u := range 4 {
		s.rank1(acc, bv, av, per, b, bs, u*64, func(i int) Mem { return Mem{Base: a, Disp: i*4 + u*64} })
	}
	ADDQ(U32(256), a)
	ADDQ(U32(256), b)
	SUBQ(U8(4), n)
	JGE(LabelRef("four"))
	Label("tail")
	ADDQ(U8(4), n)
	JZ(LabelRef("done"))
	Label("one")
	s.rank1(acc, bv, av, per, b, bs, 0, func(i int) Mem { return Mem{Base: a, Disp: i * 4} })
	ADDQ(U8(64), a)
	ADDQ(U8(64), b)
	DECQ(n)
	JNZ(LabelRef("one"))
	Label("done")
	TESTB(add, add)
	JZ(LabelRef("store"))
	for i := range acc {
		for j := range acc[i] {
			VADDPS(at(i, j), acc[i][j], acc[i][j])
		}
	}
	Label("store")
	for i := range acc {
		for j := range acc[i] {
			VMOVUPS(acc[i][j], at(i, j))
		}
	}
	ret()
}

func (s isa) accumulators(rows, nv int) (acc [][]reg.VecVirtual, bv []reg.VecVirtual, av reg.VecVirtual) {
	for range rows {
		acc = append(acc, s.vecs(nv))
	}
	return acc, s.vecs(nv), s.vec()
}

// rank1 adds the product of a column of a and a row of b.
func (s isa) rank1(acc [][]reg.VecVirtual, bv []reg.VecVirtual, av reg.VecVirtual, per int, b, bs reg.GPVirtual, disp int, a func(int) Mem) {
	for j, v := range bv {
		m := Mem{Base: b, Disp: disp + j%per*s.bytes}
		if j >= per {
			m.Index, m.Scale = bs, 1
		}
		VMOVUPS(m, v)
		if j%per == 0 { // the panels of b stream from L2 or L3
			m.Disp += 1024
			PREFETCHT0(m)
		}
	}
	for i := range acc {
		VBROADCASTSS(a(i), av)
		for j, v := range bv {
			VFMADD231PS(v, av, acc[i][j])
		}
	}
}

func main() {
	ConstraintExpr("amd64,!noasm")
	constants()
	for _, s := range []isa{avx512, avx2} {
		rows, panels := 14, 2
		if !s.wide {
			rows, panels = 6, 1
		}
		for p := 1; p <= panels; p++ {
			for r := 1; r <= rows; r++ {
				mul(s, r, p)
			}
		}
		if s.wide {
			outer(s, 8, 1)
			outer(s, 8, 2)
		} else {
			outer(s, 4, 1)
			outer(s, 6, 1)
		}
		transpose(s)
		filter(s)
		output3(s)
	}
	inputAVX512(6)
	inputAVX512(4)
	inputAVX2(6)
	inputAVX2(4)
	outputAVX512(false)
	outputAVX512(true)
	outputAVX2(false)
	outputAVX2(true)
	Generate()
}
