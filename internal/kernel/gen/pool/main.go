// Command pool generates the assembly of package pool.
//
//	cd internal/kernel/gen && go run ./pool -out ../pool/kernels_amd64.s -stubs ../pool/kernels_amd64.go -pkg pool
package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"

	. "github.com/stheno-ml/stheno/internal/kernel/gen/lane"
)

// Offsets of the fields of pool.call and window.Segment.
const (
	callDst, callSrc, callSide                          = 0, 8, 16
	callRows, callSrcRow, callSrcTap                    = 24, 32, 40
	callSideRow, callSideTap                            = 48, 56
	callDstStep, callSrcStep, callSideStep              = 64, 72, 80
	callDstPixel, callSrcPixel, callSidePixel           = 88, 96, 104
	callSegs, callN, callChannels                       = 112, 120, 128
	callTap, callTapRow, callTapStep                    = 136, 140, 144
	segDst, segSrc, segTap, segTaps, segN, segmentBytes = 0, 8, 16, 24, 32, 40
)

func field(base reg.Register, off int) Mem { return Mem{Base: base, Disp: off} }

func get(base reg.Register, off int) reg.GPVirtual {
	r := GP64()
	MOVQ(field(base, off), r)
	return r
}

// kind is one of the kernels. All walk over the pixels of a row of the result, blocks of channels, and the window's
// rows and taps; the side array holds the places of maxima, or factors.
type kind struct {
	name     string
	indexed  bool // taps are numbered
	sideSrc  bool // the side array goes with the source and is read at each tap
	sideDst  bool // the side array goes with the result
	sideByte bool // it has bytes for each channel; else one float for all
	start    func(w Width) Vec
	tap      func(w Width, v Mem, side Mem, index Vec, acc, at Vec)
	end      func(w Width, acc, at Vec, dst, side Mem)
}

// ints fills a fresh register with the 32-bit number at m.
func ints(w Width, m Mem) Vec {
	v := w.New()
	VPBROADCASTD(m, v)
	return v
}

func emit(w Width, k kind) {
	name := k.name + w.String()
	TEXT(name, NOSPLIT, "func(c *byte)")
	Pragma("noescape")
	Doc(name + " computes one row; c points to a call.")
	c := Load(Param("c"), GP64()).(reg.GPVirtual)
	seg := get(c, callSegs)
	hasSide := k.sideSrc || k.sideDst

	Label("segment")
	dst, src := get(seg, segDst), get(seg, segSrc)
	var side reg.GPVirtual
	if hasSide {
		side = GP64()
		if k.sideSrc {
			MOVQ(src, side)
		} else {
			MOVQ(dst, side)
		}
		IMULQ(field(c, callSidePixel), side)
		ADDQ(field(c, callSide), side)
	}
	IMULQ(field(c, callDstPixel), dst)
	IMULQ(field(c, callSrcPixel), src)
	ADDQ(field(c, callDst), dst)
	ADDQ(field(c, callSrc), src)

	left := get(seg, segN)
	Label("pixel")
	off := GP64()
	XORQ(off, off)
	for _, nv := range []int{4, 1} {
		label := fmt.Sprintf("block%d", nv)
		Label(label)
		room := get(c, callChannels) // bytes of channels
		SUBQ(off, room)
		CMPQ(room, U32(nv*int(w)))
		JL(LabelRef(label + "done"))
		acc, at := make([]Vec, nv), make([]Vec, nv)
		var first Vec
		if k.indexed {
			n := GP32()
			MOVL(field(seg, segTap), n)
			ADDL(field(c, callTap), n)
			x := XMM()
			MOVD(n, x)
			first = w.New()
			VPBROADCASTD(x, first)
		}
		for j := range nv {
			acc[j] = k.start(w)
			if k.indexed && k.sideDst {
				at[j] = w.New()
				VMOVAPS(first, at[j])
			}
		}
		row := GP64()
		LEAQ(Mem{Base: src, Index: off, Scale: 1}, row)
		var sideRow reg.GPVirtual
		if k.sideSrc {
			sideRow = GP64()
			MOVQ(side, sideRow)
			if k.sideByte {
				o := GP64()
				MOVQ(off, o)
				SHRQ(U8(2), o)
				ADDQ(o, sideRow)
			}
		}
		rows := get(c, callRows)
		TESTQ(rows, rows)
		JZ(LabelRef(label + "end"))
		CMPQ(field(seg, segTaps), U32(0))
		JE(LabelRef(label + "end"))

		Label(label + "row")
		p, taps := GP64(), get(seg, segTaps)
		MOVQ(row, p)
		var s reg.GPVirtual
		if k.sideSrc {
			s = GP64()
			MOVQ(sideRow, s)
		}
		var index Vec
		if k.indexed {
			index = w.New()
			VMOVAPS(first, index)
		}
		Label(label + "tap")
		for j := range nv {
			var sm Mem
			if k.sideSrc {
				sm = Mem{Base: s}
				if k.sideByte {
					sm.Disp = j * w.Lanes()
				}
			}
			k.tap(w, Mem{Base: p, Disp: j * int(w)}, sm, index, acc[j], at[j])
		}
		ADDQ(field(c, callSrcTap), p)
		if k.sideSrc {
			ADDQ(field(c, callSideTap), s)
		}
		if k.indexed {
			VPADDD(ints(w, field(c, callTapStep)), index, index)
		}
		DECQ(taps)
		JNZ(LabelRef(label + "tap"))
		ADDQ(field(c, callSrcRow), row)
		if k.sideSrc {
			ADDQ(field(c, callSideRow), sideRow)
		}
		if k.indexed {
			VPADDD(ints(w, field(c, callTapRow)), first, first)
		}
		DECQ(rows)
		JNZ(LabelRef(label + "row"))

		Label(label + "end")
		var sideBase reg.GPVirtual
		if k.sideDst {
			sideBase = GP64()
			MOVQ(side, sideBase)
			if k.sideByte {
				o := GP64()
				MOVQ(off, o)
				SHRQ(U8(2), o)
				ADDQ(o, sideBase)
			}
		}
		for j := range nv {
			var sm Mem
			if k.sideDst {
				sm = Mem{Base: sideBase}
				if k.sideByte {
					sm.Disp = j * w.Lanes()
				}
			}
			k.end(w, acc[j], at[j], Mem{Base: dst, Index: off, Scale: 1, Disp: j * int(w)}, sm)
		}
		ADDQ(U32(nv*int(w)), off)
		JMP(LabelRef(label))
		Label(label + "done")
	}
	ADDQ(field(c, callDstStep), dst)
	ADDQ(field(c, callSrcStep), src)
	if hasSide {
		ADDQ(field(c, callSideStep), side)
	}
	DECQ(left)
	JNZ(LabelRef("pixel"))
	ADDQ(U32(segmentBytes), seg)
	DECQ(field(c, callN))
	JNZ(LabelRef("segment"))
	Done()
}

// takeMax puts v into acc, and index into at (where not nil), in the lanes where v is larger or NaN.
func takeMax(w Width, m Mem, index, acc, at Vec) {
	v := w.Load(m)
	if w == AVX512 {
		k, nan := K(), K()
		VCMPPS(U8(GT), acc, v, k)
		VCMPPS(U8(UNORD), v, v, nan)
		KORW(nan, k, k)
		VMOVAPS(v, k, acc)
		if at != nil {
			VMOVDQA32(index, k, at)
		}
		return
	}
	k, nan := YMM(), YMM()
	VCMPPS(U8(GT), acc, v, k)
	VCMPPS(U8(UNORD), v, v, nan)
	VORPS(nan, k, k)
	VBLENDVPS(k, v, acc, acc)
	if at != nil {
		VBLENDVPS(k, index, at, at)
	}
}

// storeBytes stores the low byte of each 32-bit lane.
func storeBytes(w Width, v Vec, m Mem) {
	if w == AVX512 {
		VPMOVDB(v, m)
		return
	}
	high, low := XMM(), v.(reg.Vec).AsX()
	VEXTRACTI128(U8(1), v, high)
	VPACKUSDW(high, low, low)
	VPACKUSWB(low, low, low)
	VMOVQ(low, m)
}

func main() {
	ConstraintExpr("amd64,!noasm")
	zero := func(w Width) Vec { return w.Zero() }
	lowest := func(w Width) Vec { return w.Load(Bits(0xff800000)) }
	for _, w := range []Width{AVX2, AVX512} {
		emit(w, kind{
			name: "max", start: lowest,
			tap: func(w Width, v, side Mem, index, acc, at Vec) { takeMax(w, v, nil, acc, nil) },
			end: func(w Width, acc, at Vec, dst, side Mem) { VMOVUPS(acc, dst) },
		})
		emit(w, kind{
			name: "maxPlace", start: lowest, indexed: true, sideDst: true, sideByte: true,
			tap: func(w Width, v, side Mem, index, acc, at Vec) { takeMax(w, v, index, acc, at) },
			end: func(w Width, acc, at Vec, dst, side Mem) {
				VMOVUPS(acc, dst)
				storeBytes(w, at, side)
			},
		})
		emit(w, kind{
			name: "maxGrad", start: zero, indexed: true, sideSrc: true, sideByte: true,
			tap: func(w Width, v, side Mem, index, acc, at Vec) {
				place := w.New()
				VPMOVZXBD(side, place)
				if w == AVX512 {
					k := K()
					VPCMPEQD(index, place, k)
					VADDPS(v, acc, k, acc)
					return
				}
				VPCMPEQD(index, place, place)
				VANDPS(v, place, place)
				VADDPS(place, acc, acc)
			},
			end: func(w Width, acc, at Vec, dst, side Mem) { VMOVUPS(acc, dst) },
		})
		emit(w, kind{
			name: "average", start: zero, sideDst: true,
			tap: func(w Width, v, side Mem, index, acc, at Vec) { VADDPS(v, acc, acc) },
			end: func(w Width, acc, at Vec, dst, side Mem) {
				f := w.New()
				VBROADCASTSS(side, f)
				VMULPS(f, acc, acc)
				VMOVUPS(acc, dst)
			},
		})
		emit(w, kind{
			name: "averageGrad", start: zero, sideSrc: true,
			tap: func(w Width, v, side Mem, index, acc, at Vec) {
				f := w.New()
				VBROADCASTSS(side, f)
				VFMADD231PS(v, f, acc)
			},
			end: func(w Width, acc, at Vec, dst, side Mem) { VMOVUPS(acc, dst) },
		})
	}
	rows(AVX2)
	rows(AVX512)
	Generate()
}

// rows emits y[c] += Σ over rows of x[row][c], for whole vectors of channels.
func rows(w Width) {
	name := "addRows" + w.String()
	TEXT(name, NOSPLIT, "func(y, x *float32, rows, stride, channels int)")
	Pragma("noescape")
	Doc(name + " adds the sum of some rows to y. stride is in bytes.")
	y, x := Load(Param("y"), GP64()).(reg.GPVirtual), Load(Param("x"), GP64()).(reg.GPVirtual)
	stride, channels := Load(Param("stride"), GP64()), Load(Param("channels"), GP64())
	Label("vector")
	CMPQ(channels, U32(w.Lanes()))
	JL(LabelRef("done"))
	p, n := GP64(), GP64()
	MOVQ(x, p)
	Load(Param("rows"), n)
	sum := w.Zero()
	Label("row")
	VADDPS(Mem{Base: p}, sum, sum)
	ADDQ(stride, p)
	DECQ(n)
	JNZ(LabelRef("row"))
	VADDPS(Mem{Base: y}, sum, sum)
	VMOVUPS(sum, Mem{Base: y})
	ADDQ(U32(int(w)), y)
	ADDQ(U32(int(w)), x)
	SUBQ(U32(w.Lanes()), channels)
	JMP(LabelRef("vector"))
	Label("done")
	Done()
}
