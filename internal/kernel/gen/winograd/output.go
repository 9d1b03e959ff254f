package main

import (
	"strconv"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// inverse applies Aᵀ to six vectors: load(i) gives the vector or its address. put takes the m (3 or 4) results.
//
//	s0 = m0 + A + C, s1 = a·B + b·D, s2 = a²·A + b²·C, s3 = a³·B + b³·D + m5,
//	A, B = m1 ± m2, C, D = m3 ± m4; the last result also takes m5.
func inverse(s isa, m int, c []Op, load func(i int) Op, put func(i int, v reg.VecVirtual)) {
	a, b, a2, b2 := c[0], c[1], c[2], c[3]
	sums := func(i int) (sum, diff reg.VecVirtual) {
		x := load(i)
		r, ok := x.(reg.VecVirtual)
		if !ok {
			r = s.vec()
			VMOVUPS(x, r)
		}
		sum = s.vec()
		y := load(i + 1)
		VADDPS(y, r, sum)
		VSUBPS(y, r, r)
		return sum, r
	}
	A, B := sums(1)
	C, D := sums(3)
	s0 := s.vec()
	VADDPS(C, A, s0)
	VADDPS(load(0), s0, s0)
	put(0, s0)
	VMULPS(b2, C, C)
	VFMADD231PS(a2, A, C)
	if m == 3 {
		VADDPS(load(5), C, C)
	}
	put(2, C)
	VMULPS(a, B, B)
	VMULPS(b, D, D)
	s1 := s.vec()
	VADDPS(D, B, s1)
	put(1, s1)
	if m == 4 {
		VMULPS(b2, D, D)
		VFMADD231PS(a2, B, D)
		VADDPS(load(5), D, D)
		put(3, D)
	}
}

func epilogueArgs(ep bool) string {
	args := "dst []float32, rs, cs, rows, cols int, src []float32, ss int"
	if ep {
		args += ", scale, shift, res []float32, lo, hi, slope float32"
	}
	return args + ", tmp []float32"
}

func outputText(s isa, ep bool) {
	if ep {
		text(s, "outputEp", epilogueArgs(ep), "is outputEp, the transform Aᵀ m A with an epilogue.")
	} else {
		text(s, "output", epilogueArgs(ep), "is output, the transform Aᵀ m A.")
	}
}

// epilogue turns v into act(v·scale + shift + residual). NaN stays NaN: VMAXPS and VMINPS give their second
// source, which is v, when either is NaN.
type epilogue struct {
	s                        isa
	on                       bool
	scale, shift, res, leaky reg.GPVirtual
	lo, hi, slope            Mem
}

func (e *epilogue) load() {
	if !e.on {
		return
	}
	e.scale, e.shift, e.res, e.leaky = base("scale"), base("shift"), base("res"), GP64()
	e.lo, e.hi, e.slope = param("lo"), param("hi"), param("slope")
	MOVL(e.slope, e.leaky.As32())
}

// param is the address of a scalar argument.
func param(name string) Mem {
	c, err := Param(name).Resolve()
	if err != nil {
		panic(err)
	}
	return c.Addr
}

// apply finishes the pixel v, whose residual, if there is one, lies at res.
func (e *epilogue) apply(v reg.VecVirtual, res reg.GPVirtual, half int, name string) {
	if !e.on {
		return
	}
	s := e.s
	disp := half * 32
	t := s.vec()
	VMOVUPS(Mem{Base: e.scale, Disp: disp}, t)
	VFMADD213PS(Mem{Base: e.shift, Disp: disp}, t, v)
	TESTQ(e.res, e.res)
	JZ(LabelRef("plain" + name))
	VADDPS(Mem{Base: res, Disp: disp}, v, v)
	Label("plain" + name)
	neg := s.vec()
	s.zero(t)
	VMINPS(v, t, neg)
	VBROADCASTSS(e.lo, t)
	VMAXPS(v, t, v)
	VBROADCASTSS(e.hi, t)
	VMINPS(v, t, v)
	TESTL(e.leaky.As32(), e.leaky.As32())
	JZ(LabelRef("straight" + name))
	VBROADCASTSS(e.slope, t)
	VFMADD231PS(t, neg, v)
	Label("straight" + name)
}

// clipped writes 4x4 pixels row by row and stops at the picture's edge. row gives the vectors of a row.
func clipped(s isa, e *epilogue, half int, row func(y int) []reg.VecVirtual) {
	o, rs, cs, res := base("dst"), floats("rs"), floats("cs"), GP64()
	e.load()
	if e.on {
		MOVQ(e.res, res)
	}
	rows, cols := GP64(), GP64()
	Load(Param("rows"), rows)
	Load(Param("cols"), cols)
	h := strconv.Itoa(half)
	for y := range 4 {
		v := row(y)
		to, add := GP64(), GP64()
		MOVQ(o, to)
		if e.on {
			MOVQ(res, add)
		}
		end := "row" + strconv.Itoa(y) + "_" + h
		for x := range 4 {
			e.apply(v[x], add, half, strconv.Itoa(4*y+x)+"_"+h)
			VMOVUPS(v[x], Mem{Base: to, Disp: 32 * half})
			if half == 0 {
				PREFETCHT1(Mem{Base: to, Index: cs, Scale: 4}) // where the next tile goes
			}
			if x < 3 {
				CMPQ(cols, U8(x+1))
				JE(LabelRef(end))
				ADDQ(cs, to)
				if e.on {
					ADDQ(cs, add)
				}
			}
		}
		Label(end)
		if y < 3 {
			CMPQ(rows, U8(y+1))
			JE(LabelRef("done_" + h))
			ADDQ(rs, o)
			if e.on {
				ADDQ(rs, res)
			}
		}
	}
	Label("done_" + h)
}

// columns walks the columns of the 6x6 planes of src.
func columns(half int, each func(x int, load func(y int) Op)) {
	src, ss := base("src"), floats("ss")
	six := times(ss, 3)
	SHLQ(U8(1), six)
	st := newStrided(src, six)
	for x := range 6 {
		each(x, func(y int) Op { return st.at(y, half*32) })
		if x < 5 {
			ADDQ(ss, src)
		}
	}
}

// outputAVX512 keeps the 4x6 intermediate results in registers.
func outputAVX512(ep bool) {
	s := avx512
	outputText(s, ep)
	c := s.hold(4, k.a, k.b, k.a2, k.b2)
	var m [4][6]reg.VecVirtual // [y][x]
	columns(0, func(x int, load func(int) Op) {
		inverse(s, 4, c, load, func(y int, v reg.VecVirtual) { m[y][x] = v })
	})
	clipped(s, &epilogue{s: s, on: ep}, 0, func(y int) []reg.VecVirtual {
		row := make([]reg.VecVirtual, 4)
		inverse(s, 4, c, func(x int) Op { return m[y][x] }, func(x int, v reg.VecVirtual) { row[x] = v })
		return row
	})
	ret()
}

// outputAVX2 keeps them in tmp.
func outputAVX2(ep bool) {
	s := avx2
	outputText(s, ep)
	c := s.hold(4, k.a, k.b, k.a2, k.b2)
	for half := range 2 {
		tmp := base("tmp")
		columns(half, func(x int, load func(int) Op) {
			inverse(s, 4, c, load, func(y int, v reg.VecVirtual) { VMOVUPS(v, Mem{Base: tmp, Disp: (y*6 + x) * 32}) })
		})
		clipped(s, &epilogue{s: s, on: ep}, half, func(y int) []reg.VecVirtual {
			row := make([]reg.VecVirtual, 4)
			load := func(x int) Op { return Mem{Base: tmp, Disp: (y*6 + x) * 32} }
			inverse(s, 4, c, load, func(x int, v reg.VecVirtual) { row[x] = v })
			return row
		})
	}
	ret()
}

// output3 is the inverse transform of the weight gradient, 6x6 to 3x3.
func output3(s isa) {
	text(s, "output3", "dst []float32, src []float32, ss, n int, tmp []float32", "is output3.")
	dst, src, ss, tmp, n := base("dst"), base("src"), floats("ss"), base("tmp"), GP64()
	Load(Param("n"), n)
	six := times(ss, 3)
	SHLQ(U8(1), six)
	c := s.hold(4, k.a, k.b, k.a2, k.b2)
	Label("channels")
	for half := range 64 / s.bytes {
		from := GP64()
		MOVQ(src, from)
		st := newStrided(from, six)
		for x := range 6 {
			inverse(s, 3, c, func(y int) Op { return st.at(y, half*32) }, func(y int, v reg.VecVirtual) {
				VMOVUPS(v, Mem{Base: tmp, Disp: (y*6 + x) * s.bytes})
			})
			if x < 5 {
				ADDQ(ss, from)
			}
		}
		for y := range 3 {
			inverse(s, 3, c, func(x int) Op { return Mem{Base: tmp, Disp: (y*6 + x) * s.bytes} }, func(x int, v reg.VecVirtual) {
				VMOVUPS(v, Mem{Base: dst, Disp: (3*y+x)*64 + half*32})
			})
		}
	}
	ADDQ(U32(9*64), dst)
	ADDQ(U8(64), src)
	DECQ(n)
	JNZ(LabelRef("channels"))
	ret()
}
