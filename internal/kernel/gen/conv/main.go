// Command conv generates the assembly of package conv.
//
//	cd internal/kernel/gen && go run ./conv -out ../conv/kernels_amd64.s -stubs ../conv/kernels_amd64.go -pkg conv
package main

import (
	"fmt"

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

// Offsets of the fields of conv.laneCall; strides are in bytes, offsets in elements.
const (
	laneX, laneW, laneY, laneOffs = 0, 8, 16, 24
	laneRuns, laneLen, laneStepX  = 32, 40, 48
	laneStepY, laneIndex, laneAdd = 56, 64, 72
	laneRow                       = 16 * 4 // bytes of one row of packed weights
)

// lane holds what the kernels of grouped convolutions share: how to spread channel c of each group over the
// group's lanes.
type lane struct {
	wide  bool
	group int // channels of a group
	index []reg.VecVirtual
	call  reg.Register
}

func (l *lane) vec() reg.VecVirtual {
	if l.wide {
		return ZMM()
	}
	return YMM()
}

func (l *lane) width() int {
	if l.wide {
		return 64
	}
	return 32
}

func (l *lane) name(kind string) string {
	return fmt.Sprintf("%s%dg%d", kind, 8*l.width(), l.group)
}

// begin loads the index vectors, unless a broadcast or a shuffle within quarters does it.
func (l *lane) begin() {
	l.call = Load(Param("c"), GP64())
	if l.whole() || l.group == 4 {
		return
	}
	table := l.field(laneIndex)
	for c := range l.group {
		v := l.vec()
		VMOVUPS(Mem{Base: table, Disp: 64 * c}, v)
		l.index = append(l.index, v)
	}
}

func (l *lane) whole() bool { return 4*l.group == l.width() }

func (l *lane) field(off int) reg.GPVirtual {
	r := GP64()
	MOVQ(Mem{Base: l.call, Disp: off}, r)
	return r
}

// spread puts channel c of every group at m into all lanes of the group.
func (l *lane) spread(m Mem, c int, to reg.VecVirtual) {
	if l.whole() {
		m.Disp += 4 * c
		VBROADCASTSS(m, to)
		return
	}
	if l.group == 4 {
		VPERMILPS(Imm(uint64(c*0x55)), m, to)
		return
	}
	VPERMPS(m, l.index[c], to)
}

func (l *lane) zero(v reg.VecVirtual) {
	if l.wide {
		VPXORD(v, v, v)
	} else {
		VXORPS(v, v, v)
	}
}

// lanes computes rows neighbouring output pixels of one vector of channels.
func lanes(l lane, rows int) {
	TEXT(fmt.Sprintf("%sx%d", l.name("lanes"), rows), NOSPLIT, "func(c *byte)")
	Pragma("noescape")
	l.begin()
	w, offs, runs, step := l.field(laneW), l.field(laneOffs), l.field(laneRuns), l.field(laneStepX)
	acc := make([]reg.VecVirtual, rows)
	for i := range acc {
		acc[i] = l.vec()
		l.zero(acc[i])
	}
	filter, x := l.vec(), l.vec()
	Label("run")
	p, q := GP64(), GP64()
	MOVQ(Mem{Base: offs}, q)
	ADDQ(Imm(8), offs)
	MOVQ(Mem{Base: l.call, Disp: laneX}, p)
	LEAQ(Mem{Base: p, Index: q, Scale: 4}, p)
	for c := range l.group {
		VMOVUPS(Mem{Base: w, Disp: laneRow * c}, filter)
		MOVQ(p, q)
		for i := range rows {
			l.spread(Mem{Base: q}, c, x)
			VFMADD231PS(x, filter, acc[i])
			if i < rows-1 {
				ADDQ(step, q)
			}
		}
	}
	ADDQ(U32(uint32(laneRow*l.group)), w)
	DECQ(runs)
	JNZ(LabelRef("run"))
	y, stepY := l.field(laneY), l.field(laneStepY)
	for i := range rows {
		VMOVUPS(acc[i], Mem{Base: y})
		ADDQ(stepY, y)
	}
	VZEROUPPER()
	RET()
}

// lanesGrad computes the gradient of one tap of one vector of output channels: w[c] (+)= Σ y·x spread. Even and
// odd pixels have sums of their own.
func lanesGrad(l lane) {
	TEXT(l.name("lanesGrad"), NOSPLIT, "func(c *byte)")
	Pragma("noescape")
	l.begin()
	y, offs, runs := l.field(laneY), l.field(laneOffs), l.field(laneRuns)
	step, stepY := l.field(laneStepX), l.field(laneStepY)
	ways := 2
	if l.group > 4 {
		ways = 1
	}
	acc := make([]reg.VecVirtual, ways*l.group)
	for i := range acc {
		acc[i] = l.vec()
		l.zero(acc[i])
	}
	d, x := l.vec(), l.vec()
	p, k := GP64(), GP64()
	pixel := func(way int) {
		VMOVUPS(Mem{Base: y}, d)
		for c := range l.group {
			l.spread(Mem{Base: p}, c, x)
			VFMADD231PS(x, d, acc[way*l.group+c])
		}
		ADDQ(step, p)
		ADDQ(stepY, y)
	}
	Label("run")
	MOVQ(Mem{Base: offs}, k)
	ADDQ(Imm(8), offs)
	MOVQ(Mem{Base: l.call, Disp: laneX}, p)
	LEAQ(Mem{Base: p, Index: k, Scale: 4}, p)
	MOVQ(Mem{Base: l.call, Disp: laneLen}, k)
	SUBQ(Imm(2), k)
	JLT(LabelRef("odd"))
	Label("pair")
	pixel(0)
	pixel(ways - 1)
	SUBQ(Imm(2), k)
	JGE(LabelRef("pair"))
	Label("odd")
	CMPQ(k, I8(-1))
	JNE(LabelRef("next"))
	pixel(0)
	Label("next")
	DECQ(runs)
	JNZ(LabelRef("run"))
	if ways == 2 {
		for c := range l.group {
			VADDPS(acc[l.group+c], acc[c], acc[c])
		}
	}
	w, add := l.field(laneW), l.field(laneAdd)
	TESTQ(add, add)
	JZ(LabelRef("set"))
	for c := range l.group {
		VADDPS(Mem{Base: w, Disp: laneRow * c}, acc[c], acc[c])
	}
	Label("set")
	for c := range l.group {
		VMOVUPS(acc[c], Mem{Base: w, Disp: laneRow * c})
	}
	VZEROUPPER()
	RET()
}

func main() {
	ConstraintExpr("amd64,!noasm")
	for _, wide := range []bool{true, false} {
		for _, group := range []int{4, 8} {
			for _, rows := range []int{8, 4, 2, 1} {
				lanes(lane{wide: wide, group: group}, rows)
			}
			lanesGrad(lane{wide: wide, group: group})
		}
	}
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
