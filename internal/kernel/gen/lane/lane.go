// Package lane lets one generator write a kernel for both vector widths: AVX2 (8 floats) and AVX-512 (16).
package lane

import (
	"fmt"
	"math"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// Width is a vector width in bytes.
type Width int

const (
	AVX2   Width = 32
	AVX512 Width = 64
)

// Vec is a vector register that avo will choose.
type Vec = reg.VecVirtual

func (w Width) String() string {
	if w == AVX512 {
		return "AVX512"
	}
	return "AVX2"
}

// Lanes is how many floats a vector holds.
func (w Width) Lanes() int { return int(w) / 4 }

// New is a fresh register.
func (w Width) New() Vec {
	if w == AVX512 {
		return ZMM()
	}
	return YMM()
}

// Half is a fresh register of half the width.
func (w Width) Half() Vec {
	if w == AVX512 {
		return YMM()
	}
	return XMM()
}

// Zero is a fresh register of zeros.
func (w Width) Zero() Vec {
	v := w.New()
	VXORPS(v, v, v) // avo knows that this one depends on nothing; of VPXORD it does not
	return v
}

// Param is a float parameter in every lane.
func (w Width) Param(name string) Vec {
	x, v := XMM(), w.New()
	Load(Param(name), x)
	VBROADCASTSS(x, v)
	return v
}

var constants = map[uint32]Mem{}

// Bits is a constant of 32 bits in every lane of either width, in memory.
func Bits(u uint32) Mem {
	m, ok := constants[u]
	if !ok {
		m = GLOBL(fmt.Sprintf("lane%08x", u), RODATA|NOPTR)
		for i := range 16 {
			DATA(4*i, U32(u))
		}
		constants[u] = m
	}
	return m
}

// Const is a float constant in every lane of either width, in memory.
func Const(v float64) Mem { return Bits(math.Float32bits(float32(v))) }

// Load is a fresh register with the operand's value.
func (w Width) Load(m Op) Vec {
	v := w.New()
	VMOVUPS(m, v)
	return v
}

// The functions below give a fresh register. The last argument may lie in memory.

func (w Width) op2(f func(...Op), a Vec, b Op) Vec {
	v := w.New()
	f(b, a, v)
	return v
}

func (w Width) Add(a Vec, b Op) Vec { return w.op2(VADDPS, a, b) }
func (w Width) Sub(a Vec, b Op) Vec { return w.op2(VSUBPS, a, b) }
func (w Width) Mul(a Vec, b Op) Vec { return w.op2(VMULPS, a, b) }
func (w Width) Div(a Vec, b Op) Vec { return w.op2(VDIVPS, a, b) }
func (w Width) And(a Vec, b Op) Vec { return w.op2(VANDPS, a, b) }
func (w Width) Or(a Vec, b Op) Vec  { return w.op2(VORPS, a, b) }
func (w Width) Xor(a Vec, b Op) Vec { return w.op2(VXORPS, a, b) }

// Max is a > b ? a : b, so b where one is NaN.
func (w Width) Max(a Vec, b Op) Vec { return w.op2(VMAXPS, a, b) }

// Min is a < b ? a : b, so b where one is NaN.
func (w Width) Min(a Vec, b Op) Vec { return w.op2(VMINPS, a, b) }

func (w Width) Sqrt(a Op) Vec {
	v := w.New()
	VSQRTPS(a, v)
	return v
}

// Round rounds to the nearest whole number, ties to even.
func (w Width) Round(a Vec) Vec {
	v := w.New()
	if w == AVX512 {
		VRNDSCALEPS(U8(8), a, v)
	} else {
		VROUNDPS(U8(8), a, v)
	}
	return v
}

// MulAdd is a·b + c; it overwrites a.
func (w Width) MulAdd(a, b Vec, c Op) Vec {
	VFMADD213PS(c, b, a)
	return a
}

// AddMul is c + a·b; it overwrites c.
func (w Width) AddMul(c, a Vec, b Op) Vec {
	VFMADD231PS(b, a, c)
	return c
}

// SubMul is c − a·b; it overwrites c.
func (w Width) SubMul(c, a Vec, b Op) Vec {
	VFNMADD231PS(b, a, c)
	return c
}

// Horner is a polynomial in r with the given coefficients, lowest first.
func (w Width) Horner(r Vec, coefficients ...float64) Vec {
	last := len(coefficients) - 1
	v := w.Load(Const(coefficients[last]))
	for i := last - 1; i >= 0; i-- {
		v = w.MulAdd(v, r, Const(coefficients[i]))
	}
	return v
}

// Comparison predicates.
const (
	EQ    = 0  // equal
	LT    = 17 // less; false for NaN
	LE    = 18 // less or equal; false for NaN
	UNORD = 3  // one is NaN
	NLT   = 21 // not less; true for NaN
	GE    = 29 // greater or equal; false for NaN
	GT    = 30 // greater; false for NaN
)

// Select is (a pred b) ? yes : no, lane by lane.
func (w Width) Select(pred uint8, a Vec, b Op, yes Op, no Vec) Vec {
	v := w.New()
	if w == AVX512 {
		k := K()
		VCMPPS(U8(pred), b, a, k)
		VBLENDMPS(yes, no, k, v)
		return v
	}
	m := YMM()
	VCMPPS(U8(pred), b, a, m)
	VBLENDVPS(m, yes, no, v)
	return v
}

// Mask is the first few lanes of a vector.
type Mask struct {
	w Width
	k reg.OpmaskVirtual
	v Vec
}

// First is a mask of the first n lanes; n is destroyed.
func (w Width) First(n reg.GPVirtual) Mask {
	if w == AVX512 {
		m := Mask{w: w, k: K()}
		bits := GP32()
		XORL(bits, bits)
		BTSL(n.As32(), bits)
		DECL(bits)
		KMOVW(bits, m.k)
		return m
	}
	m := Mask{w: w, v: YMM()}
	table := firstTable()
	at := GP64()
	LEAQ(table, at)
	NEGQ(n)
	VMOVUPS(Mem{Base: at, Index: n, Scale: 4, Disp: 32}, m.v)
	return m
}

var first *Mem

// firstTable is eight lanes of ones, then eight of zeros.
func firstTable() Mem {
	if first == nil {
		m := GLOBL("laneFirst", RODATA|NOPTR)
		for i := range 16 {
			if i < 8 {
				DATA(4*i, U32(0xffffffff))
			} else {
				DATA(4*i, U32(0))
			}
		}
		first = &m
	}
	return *first
}

// Load is a fresh register with the masked lanes of m, zero elsewhere.
func (k Mask) Load(m Mem) Vec {
	v := k.w.New()
	if k.w == AVX512 {
		VMOVUPS_Z(m, k.k, v)
	} else {
		VMASKMOVPS(m, k.v, v)
	}
	return v
}

// Store writes the masked lanes of v.
func (k Mask) Store(v Vec, m Mem) {
	if k.w == AVX512 {
		VMOVUPS(v, k.k, m)
	} else {
		VMASKMOVPS(v, k.v, m)
	}
}

// Keep is v with zeros outside the mask.
func (k Mask) Keep(v Vec) Vec {
	d := k.w.New()
	if k.w == AVX512 {
		VMOVUPS_Z(v, k.k, d)
	} else {
		VANDPS(v, k.v, d)
	}
	return d
}

// Choose is v in the masked lanes and other outside; it may overwrite v.
func (k Mask) Choose(v, other Vec) Vec {
	d := k.w.New()
	if k.w == AVX512 {
		VBLENDMPS(v, other, k.k, d)
	} else {
		VBLENDVPS(k.v, v, other, d)
	}
	return d
}

// Marks remembers in which lanes something was ever true.
type Marks struct {
	w Width
	k reg.OpmaskVirtual
	v Vec
}

// NewMarks is marks of which none is set.
func (w Width) NewMarks() Marks {
	f := Marks{w: w}
	if w == AVX512 {
		f.k = K()
		KXORW(f.k, f.k, f.k)
	} else {
		f.v = w.Zero()
	}
	return f
}

// Note sets the flags of the lanes where a pred b.
func (f Marks) Note(pred uint8, a, b Vec) {
	if f.w == AVX512 {
		k := K()
		VCMPPS(U8(pred), b, a, k)
		KORW(k, f.k, f.k)
		return
	}
	m := YMM()
	VCMPPS(U8(pred), b, a, m)
	VORPS(m, f.v, f.v)
}

// Any is a register that is zero if no flag is set.
func (f Marks) Any() reg.GPVirtual {
	r := GP32()
	if f.w == AVX512 {
		KMOVW(f.k, r)
	} else {
		VMOVMSKPS(f.v, r)
	}
	return r
}

// Done ends a kernel.
func Done() {
	VZEROUPPER()
	RET()
}

// Once is the float at m for use in every lane, many times: AVX2 reads it here, AVX-512 where it is used.
func (w Width) Once(m Mem) Op {
	if w == AVX512 {
		return m
	}
	v := YMM()
	VBROADCASTSS(m, v)
	return v
}

// all is the float in every lane of a vector.
func (w Width) all(f Op) Vec {
	if v, ok := f.(Vec); ok {
		return v
	}
	v := w.New()
	VBROADCASTSS(f, v)
	return v
}

// ScaleWhere multiplies the lanes of v where a pred b by the float s, in place.
func (w Width) ScaleWhere(pred uint8, a Vec, b Op, v Vec, s Op) {
	if w == AVX512 {
		k := K()
		VCMPPS(U8(pred), b, a, k)
		VMULPS_BCST(s, v, k, v)
		return
	}
	m, p := YMM(), YMM()
	VCMPPS(U8(pred), b, a, m)
	VMULPS(w.all(s), v, p)
	VBLENDVPS(m, p, v, v)
}

// Activate multiplies the lanes of v that are not above 0 by the float slope, after raising v to the float lo:
// with a slope of 0, lo must be 0 too, or −Inf would become NaN; with another slope it is −Inf. NaN stays NaN.
func (w Width) Activate(v Vec, slope, lo Op) {
	VMAXPS(v, w.all(lo), v) // where one is NaN, the operand named first
	w.ScaleWhere(LE, v, Const(0), v, slope)
}

// ZeroWhere clears the lanes of v where a pred b.
func (w Width) ZeroWhere(pred uint8, a Vec, b Op, v Vec) {
	if w == AVX512 {
		k := K()
		VCMPPS(U8(pred^4), b, a, k) // the opposite
		VMOVAPS_Z(v, k, v)
		return
	}
	m := YMM()
	VCMPPS(U8(pred), b, a, m)
	VANDNPS(v, m, v)
}
