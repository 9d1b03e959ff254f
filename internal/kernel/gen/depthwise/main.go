// Command depthwise generates the assembly of package depthwise.
//
//	cd internal/kernel/gen && go run ./depthwise -out ../depthwise/kernels_amd64.s -stubs ../depthwise/kernels_amd64.go -pkg depthwise
package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"

	. "github.com/stheno-ml/stheno/internal/kernel/gen/lane"
)

// Offsets of the fields of depthwise.rowCall and window.Segment.
const (
	callDst, callSrc, callF                              = 0, 8, 16
	callRows, callSrcRow, callFRow                       = 24, 32, 40
	callSrcTap, callFTap, callDstStep, callSrcStep       = 48, 56, 64, 72
	callSegs, callN, callScale, callShift, callSlope     = 80, 88, 96, 104, 112
	callLo                                               = 116
	callLanes                                            = 120
	callNextSrc, callSrcLines, callNextDst, callDstLines = 128, 136, 144, 152
	segDst, segSrc, segTap, segTaps, segN, segmentBytes  = 0, 8, 16, 24, 32, 40
	callPixel, callTap, callCount                        = 160, 168, 176
)

func field(base reg.Register, off int) Mem { return Mem{Base: base, Disp: off} }

func get(base reg.Register, off int) reg.GPVirtual {
	r := GP64()
	MOVQ(field(base, off), r)
	return r
}

// pixels addresses pixels 0, 1, … of a row, step apart, from one pointer for every three.
type pixels struct {
	bases []reg.GPVirtual
	step  reg.GPVirtual
}

func newPixels(first, step reg.GPVirtual, n int) pixels {
	p := pixels{step: step}
	for i := 0; i < n; i += 3 {
		b := GP64()
		if i == 0 {
			MOVQ(first, b)
		} else {
			LEAQ(Mem{Base: p.bases[i/3-1], Index: step, Scale: 2}, b)
			ADDQ(step, b)
		}
		p.bases = append(p.bases, b)
	}
	return p
}

func (p pixels) at(i, disp int) Mem {
	m := Mem{Base: p.bases[i/3], Disp: disp}
	if i%3 > 0 {
		m.Index, m.Scale = p.step, uint8(i%3)
	}
	return m
}

func (p pixels) add(by reg.GPVirtual) {
	for _, b := range p.bases {
		ADDQ(by, b)
	}
}

// prefetch asks for the lines that the next row will need. They lie side by side, while the kernel itself jumps
// from pixel to pixel, which no hardware prefetcher follows.
func prefetch(c reg.Register, label string, next, lines int) {
	p, n := get(c, next), get(c, lines)
	Label(label)
	TESTQ(n, n)
	JLE(LabelRef(label + "done"))
	PREFETCHT1(Mem{Base: p})
	ADDQ(U32(64), p)
	DECQ(n)
	JMP(LabelRef(label))
	Label(label + "done")
}

// rowKernel is the kernel of forward and input gradient: for one row and a block of nv vectors of channels,
//
//	dst[i] = Σ over tap rows and taps of f · src[i + tap]
//
// for each pixel i of each segment. With narrow, nv is 1 and only the first lanes of the vector count.
type rowKernel struct {
	w                               Width
	nv                              int
	narrow                          bool
	mask                            Mask
	c, seg, srcStep, dst, src, left reg.GPVirtual
}

func (k *rowKernel) load(m Mem) Vec {
	if k.narrow {
		return k.mask.Load(m)
	}
	return k.w.Load(m)
}

// finish applies the epilogue to vector j of some pixels and stores them.
func (k *rowKernel) finish(label string, acc []Vec, j int, at func(i int) Mem) {
	scale := get(k.c, callScale)
	TESTQ(scale, scale)
	JZ(LabelRef(label))
	shift := get(k.c, callShift)
	s, t := k.load(Mem{Base: scale, Disp: j * int(k.w)}), Op(Mem{Base: shift, Disp: j * int(k.w)})
	if k.narrow {
		t = k.load(t.(Mem))
	}
	for _, a := range acc {
		k.w.MulAdd(a, s, t)
		k.w.Activate(a, field(k.c, callSlope), field(k.c, callLo))
	}
	Label(label)
	for i, a := range acc {
		if k.narrow {
			k.mask.Store(a, at(i))
		} else {
			VMOVUPS(a, at(i))
		}
	}
}

// advance moves on by some pixels.
func (k *rowKernel) advance(pixels int) {
	for _, p := range []struct {
		at   reg.GPVirtual
		step Op
	}{{k.dst, field(k.c, callDstStep)}, {k.src, k.srcStep}} {
		t := GP64()
		MOVQ(p.step, t)
		IMUL3Q(U32(pixels), t, t)
		ADDQ(t, p.at)
	}
	SUBQ(U32(pixels), k.left)
}

// slide does group pixels at a time of filters of so many rows and taps, of stride and dilation 1: the taps stay in
// registers, and each source pixel is loaded once for the results of a row that read it.
func (k *rowKernel) slide(name string, rows, taps, group int) {
	w := k.w
	name = fmt.Sprintf("%s%dx%dby%d", name, rows, taps, group)
	CMPQ(field(k.seg, segTaps), U32(taps))
	JNE(LabelRef(name + "other"))
	CMPQ(field(k.c, callRows), U32(rows))
	JNE(LabelRef(name + "other"))
	CMPQ(k.srcStep, field(k.c, callSrcTap))
	JNE(LabelRef(name + "other"))
	Label(name + "slide")
	CMPQ(k.left, U32(group))
	JL(LabelRef(name + "other"))
	for j := range k.nv {
		fp, fTap := get(k.seg, segTap), get(k.c, callFTap)
		IMULQ(field(k.c, callTap), fp)
		ADDQ(field(k.c, callF), fp)
		f := make([][]Vec, rows)
		for r := range f {
			f[r] = make([]Vec, taps)
			for t := range f[r] {
				m := Mem{Base: fp, Disp: j * int(w)}
				if t > 0 {
					m.Index, m.Scale = fTap, uint8(t)
				}
				f[r][t] = k.load(m)
			}
			if r < rows-1 {
				ADDQ(field(k.c, callFRow), fp)
			}
		}
		p := make([]reg.GPVirtual, rows)
		for r := range p {
			p[r] = GP64()
			if r == 0 {
				MOVQ(k.src, p[r])
			} else {
				MOVQ(p[r-1], p[r])
				ADDQ(field(k.c, callSrcRow), p[r])
			}
		}
		step3 := GP64()
		LEAQ(Mem{Base: k.srcStep, Index: k.srcStep, Scale: 2}, step3)
		dst, dstStep := GP64(), get(k.c, callDstStep)
		MOVQ(k.dst, dst)
		acc := make([]Vec, group)
		for column := range group + taps - 1 {
			for r := range p {
				m := Mem{Base: p[r], Disp: j * int(w)}
				if column%3 > 0 {
					m.Index, m.Scale = k.srcStep, uint8(column%3)
				}
				x := k.load(m)
				for t := range f[r] {
					switch i := column - t; {
					case i < 0 || i >= group:
					case acc[i] == nil:
						acc[i] = w.Mul(x, f[r][t])
					default:
						w.AddMul(acc[i], x, f[r][t])
					}
				}
				if column%3 == 2 {
					ADDQ(step3, p[r])
				}
			}
			if done := column - taps + 1; done >= 0 {
				k.finish(fmt.Sprintf("%sslid%dv%d", name, done, j), acc[done:done+1], j, func(int) Mem { return Mem{Base: dst, Disp: j * int(w)} })
				ADDQ(dstStep, dst)
			}
		}
	}
	k.advance(group)
	JMP(LabelRef(name + "slide"))
	Label(name + "other")
}

// taps does group pixels at a time of any filter.
func (k *rowKernel) taps(name string, group int) {
	w := k.w
	next := fmt.Sprintf("%snot%d", name, group)
	again := fmt.Sprintf("%sgroup%d", name, group)
	Label(again)
	CMPQ(k.left, U32(group))
	JL(LabelRef(next))
	acc := make([][]Vec, k.nv)
	for j := range acc {
		for range group {
			acc[j] = append(acc[j], w.Zero())
		}
	}
	rows := get(k.c, callRows)
	srcRow, fRow := GP64(), get(k.seg, segTap)
	MOVQ(k.src, srcRow)
	IMULQ(field(k.c, callTap), fRow)
	ADDQ(field(k.c, callF), fRow)
	MOVQ(rows, field(k.c, callCount)) // in memory: all registers are taken
	TESTQ(rows, rows)
	JZ(LabelRef(again + "sum"))
	CMPQ(field(k.seg, segTaps), U32(0))
	JE(LabelRef(again + "sum"))

	Label(again + "row")
	px := newPixels(srcRow, k.srcStep, group)
	f := GP64()
	MOVQ(fRow, f)
	taps, srcTap := get(k.seg, segTaps), get(k.c, callSrcTap)
	Label(again + "tap")
	for j := range acc {
		fv := k.load(Mem{Base: f, Disp: j * int(w)})
		for i, a := range acc[j] {
			m := px.at(i, j*int(w))
			if k.narrow {
				w.AddMul(a, fv, k.load(m))
			} else {
				w.AddMul(a, fv, m)
			}
		}
	}
	px.add(srcTap)
	ADDQ(field(k.c, callFTap), f)
	DECQ(taps)
	JNZ(LabelRef(again + "tap"))
	ADDQ(field(k.c, callSrcRow), srcRow)
	ADDQ(field(k.c, callFRow), fRow)
	DECQ(field(k.c, callCount))
	JNZ(LabelRef(again + "row"))

	Label(again + "sum")
	for j := range acc {
		dst := newPixels(k.dst, get(k.c, callDstStep), group)
		k.finish(fmt.Sprintf("%sstore%d", again, j), acc[j], j, func(i int) Mem { return dst.at(i, j*int(w)) })
	}
	k.advance(group)
	JMP(LabelRef(again))
	Label(next)
}

// row emits a kernel; slide is how many pixels it slides over at a time, groups how many it does else.
func row(w Width, name string, nv int, narrow bool, slide int, groups []int) {
	name += w.String()
	TEXT(name, NOSPLIT, "func(c *byte)")
	Pragma("noescape")
	Doc(fmt.Sprintf("%s computes one row of a block of channels; c points to a rowCall.", name))
	k := rowKernel{w: w, nv: nv, narrow: narrow}
	k.c = Load(Param("c"), GP64()).(reg.GPVirtual)
	prefetch(k.c, name+"source", callNextSrc, callSrcLines)
	prefetch(k.c, name+"result", callNextDst, callDstLines)
	if narrow {
		k.mask = w.First(get(k.c, callLanes))
	}
	k.seg, k.srcStep = get(k.c, callSegs), get(k.c, callSrcStep)
	Label(name + "segment")
	k.dst, k.src = get(k.seg, segDst), get(k.seg, segSrc)
	for _, p := range []reg.GPVirtual{k.dst, k.src} {
		IMULQ(field(k.c, callPixel), p)
	}
	ADDQ(field(k.c, callDst), k.dst)
	ADDQ(field(k.c, callSrc), k.src)
	k.left = get(k.seg, segN)
	for _, shape := range [][2]int{{3, 3}, {2, 3}, {3, 2}, {2, 2}} { // at the edges of a picture there are fewer
		if shape[1] == 3 {
			k.slide(name, shape[0], 3, slide)
		}
		k.slide(name, shape[0], shape[1], 1)
	}
	for _, group := range groups {
		k.taps(name, group)
	}
	ADDQ(U32(segmentBytes), k.seg)
	DECQ(field(k.c, callN))
	JNZ(LabelRef(name + "segment"))
	Done()
}

// Offsets of the fields of depthwise.gradCall.
const (
	gradDy, gradX, gradSum, gradPixels             = 0, 8, 16, 24
	gradDyStep, gradXStep, gradLanes               = 32, 40, 48
	gradNextDy, gradDyLines, gradNextX, gradXLines = 56, 64, 72, 80
	gradTaps                                       = 88
	gradXRow, gradSumTap, gradPad, gradTail        = 96, 104, 112, 120
)

// grad emits the kernel of the weight gradient: for one run of pixels, taps taps and a block of nv vectors of
// channels,
//
//	sum[tap] += Σ over pixels of dy · x[tap]
//
// A tap's places in x and in sum come in pairs from a list.
func grad(w Width, nv, taps int, narrow bool) {
	name := fmt.Sprintf("grad%d%v", taps, w)
	if narrow {
		name = fmt.Sprintf("narrowGrad%d%v", taps, w)
	}
	TEXT(name, NOSPLIT, "func(c *byte)")
	Pragma("noescape")
	Doc(fmt.Sprintf("%s adds one run of pixels to the gradients of %d taps; c points to a gradCall.", name, taps))
	c := Load(Param("c"), GP64()).(reg.GPVirtual)
	prefetch(c, name+"dy", gradNextDy, gradDyLines)
	prefetch(c, name+"x", gradNextX, gradXLines)
	var mask Mask
	if narrow {
		mask = w.First(get(c, gradLanes))
	}
	load := func(m Mem) Vec {
		if narrow {
			return mask.Load(m)
		}
		return w.Load(m)
	}
	at := func(base, index reg.Register, j int) Mem {
		m := Mem{Base: base, Disp: j * int(w)}
		if index != nil {
			m.Index, m.Scale = index, 1
		}
		return m
	}
	var acc [][]Vec
	var x []reg.GPVirtual
	offs := get(c, gradTaps)
	for t := range taps {
		p := get(c, gradSum)
		ADDQ(field(offs, 16*t+8), p)
		var a []Vec
		for j := range nv {
			a = append(a, load(at(p, nil, j)))
		}
		acc = append(acc, a)
		b := get(c, gradX)
		ADDQ(field(offs, 16*t), b)
		x = append(x, b)
	}
	dy, left, step := get(c, gradDy), get(c, gradPixels), GP64()
	XORQ(step, step)
	Label(name + "pixel")
	var g []Vec
	for j := range nv {
		g = append(g, load(at(dy, nil, j)))
	}
	for t := range taps {
		for j := range nv {
			m := at(x[t], step, j)
			if narrow {
				w.AddMul(acc[t][j], g[j], load(m))
			} else {
				w.AddMul(acc[t][j], g[j], m)
			}
		}
	}
	ADDQ(field(c, gradDyStep), dy)
	ADDQ(field(c, gradXStep), step)
	DECQ(left)
	JNZ(LabelRef(name + "pixel"))
	offs = get(c, gradTaps)
	for t := range taps {
		p := get(c, gradSum)
		ADDQ(field(offs, 16*t+8), p)
		for j := range nv {
			m := at(p, nil, j)
			if narrow {
				mask.Store(acc[t][j], m)
			} else {
				VMOVUPS(acc[t][j], m)
			}
		}
	}
	Done()
}

// slideGrad emits the weight gradient of rows rows of a filter three taps wide, for stride and dilation 1, over
// a whole row of the picture: the sums stay in registers, and each pixel x is loaded once for the three results
// that read it, whose gradients roll through three registers.
func slideGrad(w Width, nv, rows int, narrow bool) {
	name := fmt.Sprintf("slideGrad%d%v", rows, w)
	if narrow {
		name = fmt.Sprintf("narrowSlideGrad%d%v", rows, w)
	}
	TEXT(name, NOSPLIT, "func(c *byte)")
	Pragma("noescape")
	Doc(fmt.Sprintf("%s adds a row of pixels to the gradients of %d×3 taps; c points to a gradCall.", name, rows))
	c := Load(Param("c"), GP64()).(reg.GPVirtual)
	// What the next row will read is asked for a line of each at a time: as many at once as the processor can
	// wait for, and no more.
	nextDy, nextX := get(c, gradNextDy), get(c, gradNextX)
	var mask Mask
	if narrow {
		mask = w.First(get(c, gradLanes))
	}
	load := func(m Mem) Vec {
		if narrow {
			return mask.Load(m)
		}
		return w.Load(m)
	}
	dyStep, xStep, sumTap := get(c, gradDyStep), get(c, gradXStep), get(c, gradSumTap)
	for j := range nv {
		label := fmt.Sprintf("%sv%d", name, j)
		disp := j * int(w)
		sum := get(c, gradSum)
		acc := make([][3]Vec, rows)
		for r := range acc {
			for t := range acc[r] {
				acc[r][t] = load(Mem{Base: sum, Disp: disp})
				ADDQ(sumTap, sum)
			}
		}
		x := []reg.GPVirtual{get(c, gradX)}
		for r := 1; r < rows; r++ {
			p := GP64()
			MOVQ(x[r-1], p)
			ADDQ(field(c, gradXRow), p)
			x = append(x, p)
		}
		// d[t] is the gradient of the result that reads the pixel by tap t.
		dy := get(c, gradDy)
		d := [3]Vec{w.Zero(), w.Zero(), w.Zero()}
		pad := get(c, gradPad)
		Label(label + "lead")
		TESTQ(pad, pad)
		JZ(LabelRef(label + "start"))
		VMOVAPS(d[1], d[2])
		VMOVUPS(load(Mem{Base: dy, Disp: disp}), d[1])
		ADDQ(dyStep, dy)
		DECQ(pad)
		JMP(LabelRef(label + "lead"))
		Label(label + "start")
		// Taps without a result are left out, since 0 times a pixel that is not finite would be NaN.
		column := func(taps ...int) {
			for r := range acc {
				v := load(Mem{Base: x[r], Disp: disp})
				for _, t := range taps {
					w.AddMul(acc[r][t], v, d[t])
				}
				ADDQ(xStep, x[r])
			}
			VMOVAPS(d[1], d[2])
			VMOVAPS(d[0], d[1])
		}
		next := func() {
			PREFETCHT1(Mem{Base: nextDy})
			PREFETCHT1(Mem{Base: nextX})
			ADDQ(U32(64), nextDy)
			ADDQ(U32(64), nextX)
			VMOVUPS(load(Mem{Base: dy, Disp: disp}), d[0])
			ADDQ(dyStep, dy)
		}
		n := get(c, gradPixels)
		for pad := range 2 { // the first pixels, which some taps do not reach
			CMPQ(field(c, gradPad), U32(pad))
			JG(LabelRef(fmt.Sprintf("%sreached%d", label, pad)))
			next()
			if pad == 0 {
				column(0)
			} else {
				column(0, 1)
			}
			DECQ(n)
			Label(fmt.Sprintf("%sreached%d", label, pad))
		}
		Label(label + "column")
		TESTQ(n, n)
		JZ(LabelRef(label + "tail"))
		next()
		column(0, 1, 2)
		DECQ(n)
		JMP(LabelRef(label + "column"))
		Label(label + "tail")
		MOVQ(field(c, gradTail), n)
		for gone := 1; gone <= 2; gone++ {
			TESTQ(n, n)
			JZ(LabelRef(label + "done"))
			if gone == 1 {
				column(1, 2)
			} else {
				column(2)
			}
			DECQ(n)
		}
		Label(label + "done")
		MOVQ(field(c, gradSum), sum)
		for r := range acc {
			for t := range acc[r] {
				m := Mem{Base: sum, Disp: disp}
				if narrow {
					mask.Store(acc[r][t], m)
				} else {
					VMOVUPS(acc[r][t], m)
				}
				ADDQ(sumTap, sum)
			}
		}
	}
	Done()
}

func main() {
	ConstraintExpr("amd64,!noasm")
	row(AVX2, "row", 2, false, 8, []int{6, 3, 1})
	row(AVX2, "narrow", 1, true, 8, []int{6, 1})
	row(AVX512, "row", 2, false, 8, []int{8, 4, 1})
	row(AVX512, "narrow", 1, true, 8, []int{8, 1})
	for _, taps := range []int{9, 6, 3, 1} {
		if taps < 9 { // AVX2 has registers for 12 sums
			grad(AVX2, 2, taps, false)
			grad(AVX2, 1, taps, true)
		}
		grad(AVX512, 2, taps, false)
		grad(AVX512, 1, taps, true)
	}
	for rows := 1; rows <= 3; rows++ {
		for _, w := range []Width{AVX2, AVX512} {
			slideGrad(w, 2, rows, false)
			slideGrad(w, 1, rows, true)
		}
	}
	Generate()
}
