// Command norm generates the assembly of package norm.
//
//	cd internal/kernel/gen && go run ./norm -out ../norm/kernels_amd64.s -stubs ../norm/kernels_amd64.go -pkg norm
package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"

	. "github.com/stheno-ml/stheno/internal/kernel/gen/lane"
)

// Offsets of the fields of norm.call.
const (
	callRows, callStride, callChannels, callStep = 0, 8, 16, 24
	callSlope                                    = 32
	callArrays, callParams, callSums             = 40, 80, 128
	callStrideApart                              = 136
)

// Arrays and per-channel parameters in the order of norm.call.
const (
	none                                    = -1
	y, x, add, dx, dadd, dy, mask           = 0, 1, 2, 0, 2, 3, 4
	mean, scale, shift, gradB, gradA, gradC = 0, 1, 2, 3, 4, 5
)

// kernel is one walk over rows, a few at a time, a vector of channels at a time.
type kernel struct {
	w      Width
	c      reg.GPVirtual
	arrays map[int]array
	params map[int]reg.GPVirtual
	sums   reg.GPVirtual // two vectors of doubles for each sum
	offset reg.GPVirtual // bytes that parameters are on from their first; sums, of twice as many doubles, four times as many
	tail   *Mask
	zero   bool // the activation's slope is 0: ReLU
}

// array addresses a vector of each of some rows, from one pointer for every three rows.
type array struct {
	bases  []reg.GPVirtual
	stride reg.GPVirtual
}

func (a array) row(i int) Mem {
	m := Mem{Base: a.bases[i/3]}
	if i%3 > 0 {
		m.Index, m.Scale = a.stride, uint8(i%3)
	}
	return m
}

func get(base reg.Register, off int) reg.GPVirtual {
	r := GP64()
	MOVQ(Mem{Base: base, Disp: off}, r)
	return r
}

func (k *kernel) load(m Mem) Vec {
	if k.tail != nil {
		return k.tail.Load(m)
	}
	return k.w.Load(m)
}

func (k *kernel) store(v Vec, m Mem) {
	if k.tail != nil {
		k.tail.Store(v, m)
		return
	}
	VMOVUPS(v, m)
}

func (k *kernel) param(i int) Vec {
	return k.load(Mem{Base: k.params[i], Index: k.offset, Scale: 1})
}

func (k *kernel) at(array, row int) Vec { return k.load(k.arrays[array].row(row)) }

// emit writes the walk: rows at a time while there are so many, then one at a time. body does one vector of
// channels of that many rows. sums tells whether the walk adds to sums, act whether there is an activation, for whose
// slope of 0 there is a walk of its own; the rows of the array that apart names have a stride of their own.
func emit(w Width, name, doc string, rows int, arrays, params []int, sums, act bool, apart int, body func(k *kernel, rows int)) {
	name += w.String()
	TEXT(name, NOSPLIT, "func(c *byte)")
	Pragma("noescape")
	Doc(name + " " + doc + "; c points to a call.")
	k := &kernel{w: w, c: Load(Param("c"), GP64()).(reg.GPVirtual)}
	if act {
		CMPL(Mem{Base: k.c, Disp: callSlope}, U32(0)) // its bits
		JNE(LabelRef(name + "leaky"))
		k.zero = true
		k.walk(name+"zero", rows, arrays, params, sums, apart, body)
		Label(name + "leaky")
		k.zero = false
	}
	k.walk(name, rows, arrays, params, sums, apart, body)
}

func (k *kernel) walk(name string, rows int, arrays, params []int, sums bool, apart int, body func(k *kernel, rows int)) {
	stride := get(k.c, callStride)
	strides := map[int]reg.GPVirtual{}
	for _, i := range arrays {
		strides[i] = stride
	}
	if apart != none {
		strides[apart] = get(k.c, callStrideApart)
	}
	for _, group := range []int{rows, 1} {
		label := fmt.Sprintf("%s%d", name, group)
		Label(label)
		CMPQ(Mem{Base: k.c, Disp: callRows}, U32(group))
		JL(LabelRef(label + "done"))
		k.arrays, k.params = map[int]array{}, map[int]reg.GPVirtual{}
		var moving []reg.GPVirtual
		for _, i := range arrays {
			a := array{stride: strides[i]}
			for r := 0; r < group; r += 3 {
				b := GP64()
				if r == 0 {
					MOVQ(Mem{Base: k.c, Disp: callArrays + 8*i}, b)
				} else {
					LEAQ(Mem{Base: a.bases[r/3-1], Index: a.stride, Scale: 2}, b)
					ADDQ(a.stride, b)
				}
				a.bases = append(a.bases, b)
			}
			k.arrays[i] = a
			moving = append(moving, a.bases...)
		}
		for _, i := range params {
			k.params[i] = get(k.c, callParams+8*i)
		}
		if sums {
			k.sums = get(k.c, callSums)
		}
		if sums || len(params) > 0 {
			k.offset = GP64()
			XORQ(k.offset, k.offset)
		}
		n := get(k.c, callChannels)
		Label(label + "vector")
		CMPQ(n, U32(k.w.Lanes()))
		JL(LabelRef(label + "tail"))
		k.tail = nil
		body(k, group)
		for _, p := range moving {
			ADDQ(U32(int(k.w)), p)
		}
		if sums || len(params) > 0 {
			ADDQ(Mem{Base: k.c, Disp: callStep}, k.offset)
		}
		SUBQ(U32(k.w.Lanes()), n)
		JMP(LabelRef(label + "vector"))
		Label(label + "tail")
		TESTQ(n, n)
		JZ(LabelRef(label + "next"))
		m := k.w.First(n)
		k.tail = &m
		body(k, group)
		Label(label + "next")
		for range group {
			for _, i := range arrays {
				ADDQ(strides[i], Mem{Base: k.c, Disp: callArrays + 8*i})
			}
		}
		SUBQ(U32(group), Mem{Base: k.c, Disp: callRows})
		JMP(LabelRef(label))
		Label(label + "done")
	}
	Done()
}

// double is one half of v as doubles.
func double(w Width, v Vec, half int) Vec {
	d := w.New()
	low := func(v Vec) Op {
		if w == AVX512 {
			return v.(reg.Vec).AsY()
		}
		return v.(reg.Vec).AsX()
	}
	if half == 0 {
		VCVTPS2PD(low(v), d)
		return d
	}
	h := w.Half()
	if w == AVX512 {
		VEXTRACTF32X8(U8(1), v, h)
	} else {
		VEXTRACTF128(U8(1), v, h)
	}
	VCVTPS2PD(h, d)
	return d
}

// sum addresses half a vector of sum i.
func (k *kernel) sum(i, half int) Mem {
	return Mem{Base: k.sums, Index: k.offset, Scale: 4, Disp: (2*i + half) * int(k.w)}
}

// stats adds Σ x and Σ x² in float64.
func stats(w Width) {
	emit(w, "stats", "adds values and their squares to sums", 6, []int{x}, nil, true, false, none, func(k *kernel, rows int) {
		var s, q [2]Vec
		for h := range 2 {
			s[h], q[h] = w.Load(k.sum(0, h)), w.Load(k.sum(1, h))
		}
		for r := range rows {
			v := k.at(x, r)
			for h := range 2 {
				d := double(w, v, h)
				VADDPD(d, s[h], s[h])
				VFMADD231PD(d, d, q[h])
			}
		}
		for h := range 2 {
			VMOVUPD(s[h], k.sum(0, h))
			VMOVUPD(q[h], k.sum(1, h))
		}
	})
}

// maskKind says where the sign of Normalize's output comes from.
type maskKind int

const (
	noMask maskKind = iota
	fromY
	fromX
)

func (m maskKind) arrays() []int {
	if m == fromY {
		return []int{mask}
	}
	return nil
}

// gradient is dy of a row behind the mask; d is x − mean of that row, where the mask is worked out from it.
func (k *kernel) gradient(kind maskKind, r int, d, scale, shift Vec, slope Op) Vec {
	g := k.at(dy, r)
	var v Vec // whose sign tells
	switch kind {
	case noMask:
		return g
	case fromY:
		v = k.at(mask, r)
	case fromX:
		v = k.w.New()
		VMOVAPS(d, v)
		v = k.w.MulAdd(v, scale, shift)
	}
	if k.zero {
		k.w.ZeroWhere(LE, v, Const(0), g)
	} else {
		k.w.ScaleWhere(LE, v, Const(0), g, slope)
	}
	return g
}

// gradStats adds Σ g and Σ g·(x−mean): a few rows in float32, the sums in float64.
func gradStats(w Width, name string, kind maskKind) {
	arrays := append([]int{dy, x}, kind.arrays()...)
	params := []int{mean}
	if kind == fromX {
		params = append(params, scale, shift)
	}
	emit(w, name, "adds gradients and their products with x − mean to sums", 6, arrays, params, true, kind != noMask, dy, func(k *kernel, rows int) {
		m, s, q := k.param(mean), w.Zero(), w.Zero()
		var sc, sh Vec
		if kind == fromX {
			sc, sh = k.param(scale), k.param(shift)
		}
		slope := k.slope(kind != noMask)
		for r := range rows {
			d := w.Sub(k.at(x, r), m)
			g := k.gradient(kind, r, d, sc, sh, slope)
			VADDPS(g, s, s)
			w.AddMul(q, g, d)
		}
		for i, v := range []Vec{s, q} {
			for h := range 2 {
				d := double(w, v, h)
				VADDPD(k.sum(i, h), d, d)
				VMOVUPD(d, k.sum(i, h))
			}
		}
	})
}

// slope is the activation's in every lane, where there is one whose slope is not 0.
func (k *kernel) slope(act bool) Op {
	if !act || k.zero {
		return nil
	}
	return k.w.Once(Mem{Base: k.c, Disp: callSlope})
}

// normalize is y = act((x−mean)·scale + shift + add).
func normalize(w Width, name string, adds, act bool) {
	arrays := []int{y, x}
	if adds {
		arrays = append(arrays, add)
	}
	emit(w, name, "normalises rows", 3, arrays, []int{mean, scale, shift}, false, act, y, func(k *kernel, rows int) {
		m, s, t := k.param(mean), k.param(scale), k.param(shift)
		slope, zero := k.slope(act), w.Zero()
		for r := range rows {
			v := w.MulAdd(w.Sub(k.at(x, r), m), s, t)
			if adds {
				v = w.Add(v, k.at(add, r))
			}
			switch {
			case k.zero:
				VMAXPS(v, zero, v) // where one is NaN, the operand named first
			case act:
				w.ScaleWhere(LE, v, Const(0), v, slope)
			}
			k.store(v, k.arrays[y].row(r))
		}
	})
}

// inputGrad is dx = a·g + (c·(x−mean) + b), or a·g where the statistics are constants.
func inputGrad(w Width, name string, kind maskKind, split, frozen bool) {
	arrays := append([]int{dx, dy}, kind.arrays()...)
	if split {
		arrays = append(arrays, dadd)
	}
	params := []int{gradA}
	if !frozen || kind == fromX {
		arrays = append(arrays, x)
		params = append(params, mean)
	}
	if kind == fromX {
		params = append(params, scale, shift)
	}
	if !frozen {
		params = append(params, gradB, gradC)
	}
	emit(w, name, "computes gradients of rows", 3, arrays, params, false, kind != noMask, dy, func(k *kernel, rows int) {
		p := map[int]Vec{}
		for _, i := range params {
			p[i] = k.param(i)
		}
		slope := k.slope(kind != noMask)
		for r := range rows {
			var d Vec
			if p[mean] != nil {
				d = w.Sub(k.at(x, r), p[mean])
			}
			g := k.gradient(kind, r, d, p[scale], p[shift], slope)
			var v Vec
			if frozen {
				v = w.Mul(g, p[gradA])
			} else {
				v = w.AddMul(w.MulAdd(d, p[gradC], p[gradB]), g, p[gradA])
			}
			if split {
				k.store(g, k.arrays[dadd].row(r))
			}
			k.store(v, k.arrays[dx].row(r))
		}
	})
}

func main() {
	ConstraintExpr("amd64,!noasm")
	for _, w := range []Width{AVX2, AVX512} {
		stats(w)
		gradStats(w, "gradStats", noMask)
		gradStats(w, "gradStatsMasked", fromY)
		gradStats(w, "gradStatsFromX", fromX)
		normalize(w, "normalize", false, false)
		normalize(w, "normalizeAct", false, true)
		normalize(w, "normalizeAdd", true, false)
		normalize(w, "normalizeAddAct", true, true)
		for _, frozen := range []bool{false, true} {
			name := "inputGrad"
			if frozen {
				name = "frozenGrad"
			}
			inputGrad(w, name, noMask, false, frozen)
			inputGrad(w, name+"Masked", fromY, false, frozen)
			inputGrad(w, name+"Split", fromY, true, frozen)
			inputGrad(w, name+"FromX", fromX, false, frozen)
		}
	}
	Generate()
}
