package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// pair is the two rows of Bᵀ for the points ±p, where q is the square of the other point:
// d4 − q·d2 ± p·(d3 − q·d1). It overwrites d3 and d4.
func pair(s isa, p, q Op, d1, d2, d3, d4 reg.VecVirtual) (plus, minus reg.VecVirtual) {
	VFNMADD231PS(q, d2, d4)
	VFNMADD231PS(q, d1, d3)
	t := s.vec()
	VMOVAPS(d4, t)
	VFMADD231PS(p, d3, t)
	VFNMADD231PS(p, d3, d4)
	return t, d4
}

// end is the row of Bᵀ for 0 or infinity: high − sum·mid + prod·low. It overwrites high.
func end(sum, prod Op, low, mid, high reg.VecVirtual) reg.VecVirtual {
	VFNMADD231PS(sum, mid, high)
	VFMADD231PS(prod, low, high)
	return high
}

const inputArgs = "dst []float32, ds, dp int, src *[6][]float32, cs, lead int, mask *[6]uint32, n int, tmp []float32"
const gradArgs = "dst []float32, ds, dp int, src *[4][]float32, cs, lead int, mask *[4]uint32, n int, tmp []float32"

// rowPointers loads where each source row begins, lead floats before its slice.
func rowPointers(n int) []reg.GPVirtual {
	src := GP64()
	Load(Param("src"), src)
	lead := floats("lead")
	rows := make([]reg.GPVirtual, n)
	for i := range rows {
		rows[i] = GP64()
		MOVQ(Mem{Base: src, Disp: 24 * i}, rows[i])
		SUBQ(lead, rows[i])
	}
	return rows
}

func inputText(s isa, n int) {
	if n == 6 {
		text(s, "input", inputArgs, "is input, the transform Bᵀ d B of 6x6 pixels.")
	} else {
		text(s, "grad", gradArgs, "is grad, the transform G' d G'ᵀ of 4x4 pixels.")
	}
}

// rowTransform applies Bᵀ (six elements) or G' (four) to a row held in registers, which it overwrites,
// and hands each of the six results to put.
func rowTransform(s isa, n int, d []reg.VecVirtual, c []Op, put func(i int, v reg.VecVirtual)) {
	if n == 6 {
		a, b, a2, b2, sum, prod := c[0], c[1], c[2], c[3], c[4], c[5]
		t := s.vec()
		VMOVAPS(d[4], t)
		put(0, end(sum, prod, d[0], d[2], t))
		put(5, end(sum, prod, d[1], d[3], d[5]))
		e, o := s.vec(), s.vec()
		VMOVAPS(d[4], e)
		VMOVAPS(d[3], o)
		p, m := pair(s, a, b2, d[1], d[2], o, e)
		put(1, p)
		put(2, m)
		p, m = pair(s, b, a2, d[1], d[2], d[3], d[4])
		put(3, p)
		put(4, m)
		return
	}
	f0, fa, fa1, fa2, fa3, fb, fb1, fb2, fb3 := c[0], c[1], c[2], c[3], c[4], c[5], c[6], c[7], c[8]
	t := s.vec()
	VMULPS(f0, d[0], t)
	put(0, t)
	put(5, d[3])
	p, m := evenOdd(s, d, fa, fa1, fa2, fa3)
	put(1, p)
	put(2, m)
	p, m = evenOdd(s, d, fb, fb1, fb2, fb3)
	put(3, p)
	put(4, m)
}

// evenOdd is the two rows of G or G' for the points ±p: c0·d0 + c2·d2 ± (c1·d1 + c3·d3).
func evenOdd(s isa, d []reg.VecVirtual, c0, c1, c2, c3 Op) (plus, minus reg.VecVirtual) {
	e, o := s.vec(), s.vec()
	VMULPS(c0, d[0], e)
	VFMADD231PS(c2, d[2], e)
	VMULPS(c1, d[1], o)
	if len(d) > 3 {
		VFMADD231PS(c3, d[3], o)
	}
	m := s.vec()
	VSUBPS(o, e, m)
	VADDPS(o, e, e)
	return e, m
}

// rowConstants are what rowTransform wants.
func rowConstants(s isa, n int) []Op {
	if n == 6 {
		return s.hold(4, k.a, k.b, k.a2, k.b2, k.sum, k.prod)
	}
	return s.hold(4, k.f0, k.fa, k.fa1, k.fa2, k.fa3, k.fb, k.fb1, k.fb2, k.fb3)
}

// inputAVX512 transforms columns for one or two rows of the result at a time, so that nothing but the
// result is stored; pixels are loaded up to three times instead, which is cheaper than a store.
func inputAVX512(n int) {
	s := avx512
	inputText(s, n)
	rows := rowPointers(n)
	col := newStrided(rows[0], floats("cs"))
	ds := floats("ds")
	dst := newStrided(base("dst"), ds)
	mask := GP64()
	Load(Param("mask"), mask)
	masks := make([]reg.OpmaskVirtual, n)
	for x := range masks {
		masks[x] = K()
		KMOVW(Mem{Base: mask, Disp: 4 * x}, masks[x])
	}
	c := rowConstants(s, n)
	load := func(y, x int) reg.VecVirtual {
		v := s.vec()
		VMOVUPS_Z(col.with(rows[y]).at(x, 0), masks[x], v)
		return v
	}
	Label("channels")
	o := GP64()
	for _, r := range rows { // the next tile's new pixels, columns 6 to 9
		LEAQ(Mem{Base: r, Index: col.one, Scale: 4}, o)
		for x := n - 4; x < n; x++ {
			PREFETCHT1(col.with(o).at(x, 0))
		}
	}
	MOVQ(dst.base, o)
	next := 0 // row of the result that o points at
	put := func(row int) func(int, reg.VecVirtual) {
		for ; next < row; next++ {
			LEAQ(Mem{Base: o, Index: dst.three, Scale: 2}, o)
		}
		return func(x int, v reg.VecVirtual) {
			VMOVUPS(v, dst.with(o).at(x, 0))
			PREFETCHT1(dst.with(o).at(x, 64)) // where the next tile goes
		}
	}
	line := make([][]reg.VecVirtual, 2)
	both := func(row int, f func(x int) (p, m reg.VecVirtual)) {
		line[0], line[1] = nil, nil
		for x := range n {
			p, m := f(x)
			line[0], line[1] = append(line[0], p), append(line[1], m)
		}
		rowTransform(s, n, line[0], c, put(row))
		rowTransform(s, n, line[1], c, put(row+1))
	}
	single := func(row int, f func(x int) reg.VecVirtual) {
		line[0] = nil
		for x := range n {
			line[0] = append(line[0], f(x))
		}
		rowTransform(s, n, line[0], c, put(row))
	}
	if n == 6 {
		a, b, a2, b2, sum, prod := c[0], c[1], c[2], c[3], c[4], c[5]
		single(0, func(x int) reg.VecVirtual { return end(sum, prod, load(0, x), load(2, x), load(4, x)) })
		both(1, func(x int) (p, m reg.VecVirtual) {
			return pair(s, a, b2, load(1, x), load(2, x), load(3, x), load(4, x))
		})
		both(3, func(x int) (p, m reg.VecVirtual) {
			return pair(s, b, a2, load(1, x), load(2, x), load(3, x), load(4, x))
		})
		single(5, func(x int) reg.VecVirtual { return end(sum, prod, load(1, x), load(3, x), load(5, x)) })
	} else {
		column := func(x int) []reg.VecVirtual {
			return []reg.VecVirtual{load(0, x), load(1, x), load(2, x), load(3, x)}
		}
		single(0, func(x int) reg.VecVirtual {
			v := load(0, x)
			VMULPS(c[0], v, v)
			return v
		})
		both(1, func(x int) (p, m reg.VecVirtual) { return evenOdd(s, column(x), c[1], c[2], c[3], c[4]) })
		both(3, func(x int) (p, m reg.VecVirtual) { return evenOdd(s, column(x), c[5], c[6], c[7], c[8]) })
		single(5, func(x int) reg.VecVirtual { return load(3, x) })
	}
	for _, r := range rows {
		ADDQ(U8(64), r)
	}
	step := floats("dp")
	ADDQ(step, dst.base)
	DECQ(param("n")) // there is no register left for it
	JNZ(LabelRef("channels"))
	ret()
}

// inputAVX2 transforms columns into tmp, then rows.
func inputAVX2(n int) {
	s := avx2
	inputText(s, n)
	groups := GP64()
	Load(Param("n"), groups)
	off := GP64() // bytes into the channels
	XORQ(off, off)
	SUBQ(floats("lead"), off)
	dstBase := base("dst")
	c := rowConstants(s, n)
	Label("channels")
	for half := range 2 {
		tmp := base("tmp")
		cs := floats("cs")
		src, mask := GP64(), GP64()
		Load(Param("src"), src)
		Load(Param("mask"), mask)
		lane := k.lane
		lane.Disp += 32 * half
		x := GP64() // bytes into the row
		MOVQ(off, x)
		for col := range n {
			m := s.vec()
			VPBROADCASTD(Mem{Base: mask, Disp: 4 * col}, m)
			VPAND(lane, m, m)
			VPCMPEQD(lane, m, m)
			d := s.vecs(n)
			row, ahead := GP64(), GP64()
			LEAQ(Mem{Base: x, Index: cs, Scale: 4}, ahead)
			for y := range d {
				MOVQ(Mem{Base: src, Disp: 24 * y}, row)
				if half == 0 && col >= n-4 { // the next tile's new pixels, columns 6 to 9
					PREFETCHT1(Mem{Base: row, Index: ahead, Scale: 1})
				}
				VMASKMOVPS(Mem{Base: row, Index: x, Scale: 1, Disp: 32 * half}, m, d[y])
			}
			rowTransform(s, n, d, c, func(i int, v reg.VecVirtual) {
				VMOVUPS(v, Mem{Base: tmp, Disp: (i*n + col) * 32})
			})
			ADDQ(cs, x)
		}
		dst := newStrided(dstBase, floats("ds"))
		o := GP64()
		MOVQ(dst.base, o)
		for y := range 6 {
			d := s.vecs(n)
			for x := range d {
				VMOVUPS(Mem{Base: tmp, Disp: (y*n + x) * 32}, d[x])
			}
			rowTransform(s, n, d, c, func(i int, v reg.VecVirtual) {
				VMOVUPS(v, dst.with(o).at(i, 32*half))
				if half == 0 {
					PREFETCHT1(dst.with(o).at(i, 64))
				}
			})
			LEAQ(Mem{Base: o, Index: dst.three, Scale: 2}, o)
		}
	}
	ADDQ(U8(64), off)
	ADDQ(floats("dp"), dstBase)
	DECQ(groups)
	JNZ(LabelRef("channels"))
	ret()
}

// filter is G g Gᵀ: 3x3 vectors, step floats apart, to 6x6.
func filter(s isa) {
	text(s, "filter", "dst []float32, ds int, src []float32, first, step, n int, tmp []float32",
		"is filter, the transform G g Gᵀ.")
	src, first, step := base("src"), floats("first"), floats("step")
	ADDQ(first, src)
	groups := GP64()
	Load(Param("n"), groups)
	dstBase, tmp := base("dst"), base("tmp")
	st := newStrided(dstBase, floats("ds"))
	c := s.hold(3, k.f0, k.fa, k.fa1, k.fa2, k.fb, k.fb1, k.fb2)
	line := func(d []reg.VecVirtual, put func(i int, v reg.VecVirtual)) {
		t := s.vec()
		VMULPS(c[0], d[0], t)
		put(0, t)
		put(5, d[2])
		p, m := evenOdd(s, d, c[1], c[2], c[3], nil)
		put(1, p)
		put(2, m)
		p, m = evenOdd(s, d, c[4], c[5], c[6], nil)
		put(3, p)
		put(4, m)
	}
	Label("channels")
	for half := range 64 / s.bytes {
		p := GP64()
		MOVQ(src, p)
		taps := make([][]reg.VecVirtual, 3)
		for r := range 3 {
			taps[r] = s.vecs(3)
			for x := range 3 {
				VMOVUPS(Mem{Base: p, Disp: half * 32}, taps[r][x])
				ADDQ(step, p)
			}
		}
		for x := range 3 {
			line([]reg.VecVirtual{taps[0][x], taps[1][x], taps[2][x]}, func(i int, v reg.VecVirtual) {
				VMOVUPS(v, Mem{Base: tmp, Disp: (i*3 + x) * s.bytes})
			})
		}
		o := GP64()
		MOVQ(dstBase, o)
		for y := range 6 {
			d := s.vecs(3)
			for x := range d {
				VMOVUPS(Mem{Base: tmp, Disp: (y*3 + x) * s.bytes}, d[x])
			}
			line(d, func(i int, v reg.VecVirtual) {
				VMOVUPS(v, st.with(o).at(i, half*32))
				if half == 0 {
					PREFETCHT1(st.with(o).at(i, 256)) // where the channels after the next go
				}
			})
			LEAQ(Mem{Base: o, Index: st.three, Scale: 2}, o)
		}
	}
	// The taps of the next channel follow the nine of this one, whichever way they are read.
	adv, back := GP64(), GP64()
	LEAQ(Mem{Base: step, Index: step, Scale: 8}, adv)
	MOVQ(adv, back)
	NEGQ(back)
	CMPQ(adv, back)
	CMOVQLT(back, adv)
	ADDQ(adv, src)
	ADDQ(U8(64), dstBase)
	DECQ(groups)
	JNZ(LabelRef("channels"))
	ret()
}

// transpose moves blocks of 16x16 floats: 4x4 blocks in each 128-bit lane.
func transpose(s isa) {
	text(s, "transpose", "dst []float32, ds, dstep int, src []float32, ss, sstep, n int",
		"is transpose.")
	dst, ds, dstep := base("dst"), floats("ds"), floats("dstep")
	src, ss, sstep := base("src"), floats("ss"), floats("sstep")
	n, ss4, ds3 := GP64(), GP64(), times(ds, 3)
	Load(Param("n"), n)
	MOVQ(ss, ss4)
	SHLQ(U8(2), ss4)
	lanes := s.bytes / 16
	Label("block")
	from := GP64()
	MOVQ(src, from)
	for part := range 4 / lanes { // 4·lanes rows of the source at a time
		o := GP64()
		MOVQ(dst, o)
		for q := range 4 { // four columns of the source, four rows of the result
			r := s.vecs(4)
			line := GP64()
			MOVQ(from, line)
			for j := range r {
				p := GP64()
				MOVQ(line, p)
				if s.wide {
					VBROADCASTF32X4(Mem{Base: p, Disp: 16 * q}, r[j])
				} else {
					VBROADCASTF128(Mem{Base: p, Disp: 16 * q}, r[j])
				}
				for l := 1; l < lanes; l++ {
					ADDQ(ss4, p)
					if s.wide {
						VINSERTF32X4(U8(l), Mem{Base: p, Disp: 16 * q}, r[j], r[j])
					} else {
						VINSERTF128(U8(l), Mem{Base: p, Disp: 16 * q}, r[j], r[j])
					}
				}
				if j < 3 {
					ADDQ(ss, line)
				}
			}
			t := s.vecs(4)
			VUNPCKLPS(r[1], r[0], t[0])
			VUNPCKHPS(r[1], r[0], t[1])
			VUNPCKLPS(r[3], r[2], t[2])
			VUNPCKHPS(r[3], r[2], t[3])
			VUNPCKLPD(t[2], t[0], r[0])
			VUNPCKHPD(t[2], t[0], r[1])
			VUNPCKLPD(t[3], t[1], r[2])
			VUNPCKHPD(t[3], t[1], r[3])
			disp := part * s.bytes
			VMOVUPS(r[0], Mem{Base: o, Disp: disp})
			VMOVUPS(r[1], Mem{Base: o, Index: ds, Scale: 1, Disp: disp})
			VMOVUPS(r[2], Mem{Base: o, Index: ds, Scale: 2, Disp: disp})
			VMOVUPS(r[3], Mem{Base: o, Index: ds3, Scale: 1, Disp: disp})
			LEAQ(Mem{Base: o, Index: ds, Scale: 4}, o)
		}
		LEAQ(Mem{Base: from, Index: ss4, Scale: 2}, from)
	}
	ADDQ(sstep, src)
	ADDQ(dstep, dst)
	DECQ(n)
	JNZ(LabelRef("block"))
	ret()
}
