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
	callLanes                                            = 120
	callNextSrc, callSrcLines, callNextDst, callDstLines = 128, 136, 144, 152
	segDst, segSrc, segTap, segTaps, segN, segmentBytes  = 0, 8, 16, 24, 32, 40
	callPixel                                            = 160
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

// row emits the kernel of forward and input gradient: for one row and a block of nv vectors of channels,
//
//	dst[i] = Σ over tap rows and taps of f · src[i + tap]
//
// for each pixel i of each segment. With narrow, nv is 1 and only the first lanes of the vector count.
func row(w Width, name string, nv int, narrow bool, groups []int) {
	name += w.String()
	TEXT(name, NOSPLIT, "func(c *byte)")
	Pragma("noescape")
	Doc(fmt.Sprintf("%s computes one row of a block of channels; c points to a rowCall.", name))
	c := Load(Param("c"), GP64()).(reg.GPVirtual)
	prefetch(c, name+"source", callNextSrc, callSrcLines)
	prefetch(c, name+"result", callNextDst, callDstLines)
	var mask Mask
	if narrow {
		mask = w.First(get(c, callLanes))
	}
	load := func(m Mem) Vec {
		if narrow {
			return mask.Load(m)
		}
		return w.Load(m)
	}
	seg := get(c, callSegs)
	srcStep := get(c, callSrcStep)

	Label(name + "segment")
	dst, src := get(seg, segDst), get(seg, segSrc)
	for _, p := range []reg.GPVirtual{dst, src} {
		IMULQ(field(c, callPixel), p)
	}
	ADDQ(field(c, callDst), dst)
	ADDQ(field(c, callSrc), src)
	left := get(seg, segN)
	for _, group := range groups {
		next := fmt.Sprintf("%snot%d", name, group)
		again := fmt.Sprintf("%sgroup%d", name, group)
		Label(again)
		CMPQ(left, U32(group))
		JL(LabelRef(next))
		acc := make([][]Vec, group)
		for i := range acc {
			for range nv {
				acc[i] = append(acc[i], w.Zero())
			}
		}
		rows := get(c, callRows)
		srcRow, fRow := GP64(), get(seg, segTap)
		MOVQ(src, srcRow)
		IMULQ(field(c, callPixel), fRow)
		ADDQ(field(c, callF), fRow)
		TESTQ(rows, rows)
		JZ(LabelRef(again + "sum"))
		CMPQ(field(seg, segTaps), U32(0))
		JE(LabelRef(again + "sum"))

		Label(again + "row")
		px := newPixels(srcRow, srcStep, group)
		f := GP64()
		MOVQ(fRow, f)
		taps, srcTap := get(seg, segTaps), get(c, callSrcTap)
		Label(again + "tap")
		var fv []Vec
		for j := range nv {
			fv = append(fv, load(Mem{Base: f, Disp: j * int(w)}))
		}
		for i := range group {
			for j := range nv {
				m := px.at(i, j*int(w))
				if narrow {
					w.AddMul(acc[i][j], fv[j], load(m))
				} else {
					w.AddMul(acc[i][j], fv[j], m)
				}
			}
		}
		px.add(srcTap)
		ADDQ(field(c, callFTap), f)
		DECQ(taps)
		JNZ(LabelRef(again + "tap"))
		ADDQ(field(c, callSrcRow), srcRow)
		ADDQ(field(c, callFRow), fRow)
		DECQ(rows)
		JNZ(LabelRef(again + "row"))

		Label(again + "sum")
		scale := get(c, callScale)
		TESTQ(scale, scale)
		JZ(LabelRef(again + "store"))
		shift := get(c, callShift)
		for j := range nv {
			s, t := load(Mem{Base: scale, Disp: j * int(w)}), Op(Mem{Base: shift, Disp: j * int(w)})
			if narrow {
				t = load(t.(Mem))
			}
			for i := range group {
				w.MulAdd(acc[i][j], s, t)
				w.ScaleWhere(LE, acc[i][j], Const(0), field(c, callSlope))
			}
		}
		Label(again + "store")
		dstStep := get(c, callDstStep)
		for i := range group {
			for j := range nv {
				m := Mem{Base: dst, Disp: j * int(w)}
				if narrow {
					mask.Store(acc[i][j], m)
				} else {
					VMOVUPS(acc[i][j], m)
				}
			}
			ADDQ(dstStep, dst)
			ADDQ(srcStep, src)
		}
		SUBQ(U32(group), left)
		JMP(LabelRef(again))
		Label(next)
	}
	ADDQ(U32(segmentBytes), seg)
	DECQ(field(c, callN))
	JNZ(LabelRef(name + "segment"))
	Done()
}

// Offsets of the fields of depthwise.gradCall.
const (
	gradDy, gradX, gradSum, gradPixels             = 0, 8, 16, 24
	gradDyStep, gradXStep, gradLanes               = 32, 40, 48
	gradNextDy, gradDyLines, gradNextX, gradXLines = 56, 64, 72, 80
	gradTaps                                       = 88
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

func main() {
	ConstraintExpr("amd64,!noasm")
	row(AVX2, "row", 2, false, []int{6, 3, 1})
	row(AVX2, "narrow", 1, true, []int{6, 1})
	row(AVX512, "row", 2, false, []int{8, 4, 1})
	row(AVX512, "narrow", 1, true, []int{8, 1})
	for _, taps := range []int{9, 6, 3, 1} {
		if taps < 9 { // AVX2 has registers for 12 sums
			grad(AVX2, 2, taps, false)
			grad(AVX2, 1, taps, true)
		}
		grad(AVX512, 2, taps, false)
		grad(AVX512, 1, taps, true)
	}
	Generate()
}
