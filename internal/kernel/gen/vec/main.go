// Command vec generates the assembly of package vec.
//
//	cd internal/kernel/gen && go run ./vec -out ../vec/kernels_amd64.s -stubs ../vec/kernels_amd64.go -pkg vec
package main

import (
	"strings"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"

	. "github.com/stheno-ml/stheno/internal/kernel/gen/lane"
)

// loop emits a walk over n elements: body gets a byte offset register's memory operands through at, once for
// unroll whole vectors, once for one, and once for the masked rest (mask not nil).
func loop(w Width, name string, n reg.GPVirtual, unroll int, pointers []reg.GPVirtual, body func(disp int, mask *Mask)) {
	lanes := w.Lanes()
	advance := func(vectors int) {
		for _, p := range pointers {
			ADDQ(U32(vectors*int(w)), p)
		}
		SUBQ(U32(vectors*lanes), n)
	}
	if unroll > 1 {
		Label(name + "many")
		CMPQ(n, U32(unroll*lanes))
		JL(LabelRef(name + "one"))
		for u := range unroll {
			body(u*int(w), nil)
		}
		advance(unroll)
		JMP(LabelRef(name + "many"))
	}
	Label(name + "one")
	CMPQ(n, U32(lanes))
	JL(LabelRef(name + "rest"))
	body(0, nil)
	advance(1)
	JMP(LabelRef(name + "one"))
	Label(name + "rest")
	TESTQ(n, n)
	JZ(LabelRef(name + "done"))
	m := w.First(n)
	body(0, &m)
	Label(name + "done")
}

func load(w Width, p reg.GPVirtual, disp int, mask *Mask) Vec {
	m := Mem{Base: p, Disp: disp}
	if mask != nil {
		return mask.Load(m)
	}
	return w.Load(m)
}

func store(v Vec, p reg.GPVirtual, disp int, mask *Mask) {
	m := Mem{Base: p, Disp: disp}
	if mask != nil {
		mask.Store(v, m)
		return
	}
	VMOVUPS(v, m)
}

// elementwise emits y[i] = f(a[i], b[i], s, t). uses names the operands that f looks at.
func elementwise(w Width, name, uses string, unroll int, f func(a, b, s, t Vec) Vec) {
	TEXT(name+w.String(), NOSPLIT, "func(y, a, b *float32, n int, s, t float32)")
	Pragma("noescape")
	Doc(name + w.String() + " is " + name + " of loop and mathOp.")
	y := Load(Param("y"), GP64())
	pointers := []reg.GPVirtual{y.(reg.GPVirtual)}
	var a, b reg.GPVirtual
	var s, t Vec
	if strings.Contains(uses, "a") {
		a = Load(Param("a"), GP64()).(reg.GPVirtual)
		pointers = append(pointers, a)
	}
	if strings.Contains(uses, "b") {
		b = Load(Param("b"), GP64()).(reg.GPVirtual)
		pointers = append(pointers, b)
	}
	n := Load(Param("n"), GP64()).(reg.GPVirtual)
	if strings.Contains(uses, "s") {
		s = w.Param("s")
	}
	if strings.Contains(uses, "t") {
		t = w.Param("t")
	}
	loop(w, "", n, unroll, pointers, func(disp int, mask *Mask) {
		var av, bv Vec
		if a != nil {
			av = load(w, a, disp, mask)
		}
		if b != nil {
			bv = load(w, b, disp, mask)
		}
		store(f(av, bv, s, t), pointers[0], disp, mask)
	})
	Done()
}

func main() {
	ConstraintExpr("amd64,!noasm")
	for _, w := range []Width{AVX2, AVX512} {
		arithmetic(w)
		activations(w)
		reductions(w)
		updates(w)
	}
	Generate()
}

func arithmetic(w Width) {
	const u = 4
	elementwise(w, "fill", "s", u, func(a, b, s, t Vec) Vec { return s })
	elementwise(w, "add", "ab", u, func(a, b, s, t Vec) Vec { return w.Add(a, b) })
	elementwise(w, "sub", "ab", u, func(a, b, s, t Vec) Vec { return w.Sub(a, b) })
	elementwise(w, "mul", "ab", u, func(a, b, s, t Vec) Vec { return w.Mul(a, b) })
	elementwise(w, "div", "ab", u, func(a, b, s, t Vec) Vec { return w.Div(a, b) })
	elementwise(w, "scale", "as", u, func(a, b, s, t Vec) Vec { return w.Mul(a, s) })
	elementwise(w, "addScalar", "as", u, func(a, b, s, t Vec) Vec { return w.Add(a, s) })
	elementwise(w, "addScaled", "abs", u, func(a, b, s, t Vec) Vec { return w.AddMul(a, b, s) })
	// A NaN in b comes through; one in a has to be put back.
	elementwise(w, "maximum", "ab", u, func(a, b, s, t Vec) Vec { return w.Select(UNORD, a, a, a, w.Max(a, b)) })
	elementwise(w, "minimum", "ab", u, func(a, b, s, t Vec) Vec { return w.Select(UNORD, a, a, a, w.Min(a, b)) })
	elementwise(w, "clamp", "ast", u, func(a, b, s, t Vec) Vec { return w.Min(t, w.Max(s, a)) })
	elementwise(w, "clampGrad", "abst", 1, func(a, b, s, t Vec) Vec {
		zero := w.Zero()
		return w.Select(LT, b, s, zero, w.Select(GT, b, t, zero, a))
	})
	elementwise(w, "abs", "a", u, func(a, b, s, t Vec) Vec { return w.And(a, Bits(0x7fffffff)) })
	elementwise(w, "absGrad", "ab", 1, func(a, b, s, t Vec) Vec {
		zero := w.Zero()
		r := w.Select(LT, b, zero, w.Xor(a, Bits(1<<31)), a)
		return w.Select(EQ, b, zero, zero, r)
	})
	elementwise(w, "sqrt", "a", u, func(a, b, s, t Vec) Vec { return w.Sqrt(a) })
	elementwise(w, "sqrtGrad", "ab", 1, func(a, b, s, t Vec) Vec { return w.Div(a, w.Add(b, b)) })
}

func activations(w Width) {
	const u = 4
	elementwise(w, "reluGrad", "ab", u, func(a, b, s, t Vec) Vec {
		zero := w.Zero()
		return w.Select(LE, b, zero, zero, a)
	})
	elementwise(w, "leakyReLU", "as", u, func(a, b, s, t Vec) Vec { return w.Select(LE, a, w.Zero(), w.Mul(a, s), a) })
	elementwise(w, "leakyReLUGrad", "abs", u, func(a, b, s, t Vec) Vec { return w.Select(LE, b, w.Zero(), w.Mul(a, s), a) })
	elementwise(w, "eluGrad", "abst", 1, func(a, b, s, t Vec) Vec {
		return w.Mul(a, w.Select(LE, b, w.Zero(), w.Add(b, s), t))
	})
	elementwise(w, "sigmoidGrad", "ab", u, func(a, b, s, t Vec) Vec {
		return w.Mul(a, w.Mul(w.Sub(w.Load(Const(1)), b), b))
	})
	elementwise(w, "tanhGrad", "ab", u, func(a, b, s, t Vec) Vec {
		return w.Mul(a, w.SubMul(w.Load(Const(1)), b, b))
	})

	elementwise(w, "exp", "as", 1, func(a, b, s, t Vec) Vec { return exp(w, w.Sub(a, s)) })
	elementwise(w, "log", "a", 1, func(a, b, s, t Vec) Vec { return log(w, a) })
	elementwise(w, "sigmoid", "a", 1, func(a, b, s, t Vec) Vec { return sigmoid(w, a) })
	elementwise(w, "tanh", "a", 1, func(a, b, s, t Vec) Vec {
		twice := w.And(w.Add(a, a), Bits(0x7fffffff))
		e := expm1(w, w.Min(w.Load(Const(20)), twice)) // tanh 10 is 1 in float32
		q := w.Div(e, w.Add(e, Const(2)))
		return w.Or(q, w.And(a, Bits(1<<31)))
	})
	elementwise(w, "softplus", "a", 1, func(a, b, s, t Vec) Vec {
		return w.Add(log1p(w, expNegAbs(w, a)), w.Max(w.Zero(), a))
	})
	elementwise(w, "softplusGrad", "ab", 1, func(a, b, s, t Vec) Vec { return w.Mul(a, sigmoid(w, b)) })
	elementwise(w, "elu", "ast", 1, func(a, b, s, t Vec) Vec {
		// −60: e^x − 1 is −1 from −17 on.
		e := expm1(w, w.Max(w.Load(Const(-60)), w.Min(w.Zero(), a)))
		return w.Select(GT, a, w.Zero(), w.Mul(a, t), w.Mul(e, s))
	})
	elementwise(w, "gelu", "a", 1, func(a, b, s, t Vec) Vec {
		p, _ := normal(w, a)
		return w.Mul(a, p)
	})
	elementwise(w, "geluGrad", "ab", 1, func(a, b, s, t Vec) Vec {
		p, e := normal(w, b)
		// b·0 is NaN for an infinite b, where the density's part is to be 0.
		d := w.Mul(w.Mul(e, Const(0.3989422804)), b)
		d = w.Select(EQ, e, w.Zero(), w.Zero(), d)
		return w.Mul(a, w.Add(p, d))
	})
	elementwise(w, "silu", "a", 1, func(a, b, s, t Vec) Vec { return w.Mul(a, sigmoid(w, a)) })
	elementwise(w, "siluGrad", "ab", 1, func(a, b, s, t Vec) Vec {
		// p·(1 + b·(1−p)), with 1−p as the sigmoid of −b: the difference would have few digits.
		rest := sigmoid(w, w.Xor(b, Bits(1<<31)))
		return w.Mul(a, w.Mul(sigmoid(w, b), w.AddMul(w.Load(Const(1)), b, rest)))
	})
	elementwise(w, "bce", "ab", 1, func(a, b, s, t Vec) Vec {
		return w.Add(log1p(w, expNegAbs(w, a)), w.SubMul(w.Max(w.Zero(), a), a, b))
	})
	elementwise(w, "bceGrad", "abs", 1, func(a, b, s, t Vec) Vec { return w.Mul(w.Sub(sigmoid(w, a), b), s) })
}

// double is a vector of float64 from the given half of a vector of float32.
func double(w Width, v Vec, half int) Vec {
	d := w.New()
	switch {
	case w == AVX512 && half == 0:
		VCVTPS2PD(v.(reg.Vec).AsY(), d)
	case w == AVX512:
		h := YMM()
		VEXTRACTF32X8(U8(1), v, h)
		VCVTPS2PD(h, d)
	case half == 0:
		VCVTPS2PD(v.(reg.Vec).AsX(), d)
	default:
		h := XMM()
		VEXTRACTF128(U8(1), v, h)
		VCVTPS2PD(h, d)
	}
	return d
}

// fold joins the float64 lanes of v by f, in order of halves, and stores the result.
func fold(w Width, v Vec, f func(...Op)) {
	y := v.(reg.Vec).AsY()
	if w == AVX512 {
		h := YMM()
		VEXTRACTF64X4(U8(1), v, h)
		f(h, y, y)
	}
	x, h := y.(reg.Vec).AsX(), XMM()
	VEXTRACTF128(U8(1), y, h)
	f(h, x, x)
	VPERMILPD(U8(1), x, h)
	f(h, x, x)
	Store(x, ReturnIndex(0))
}

func reductions(w Width) {
	signature := "func(a, b *float32, n int, s float32) float64"
	sum := func(name, uses string, step func(acc, a, b Vec), each func(a, s Vec) Vec) {
		TEXT(name+w.String(), NOSPLIT, signature)
		Pragma("noescape")
		Doc(name + w.String() + " is " + name + " of reduceLoop.")
		pointers := []reg.GPVirtual{Load(Param("a"), GP64()).(reg.GPVirtual)}
		if strings.Contains(uses, "b") {
			pointers = append(pointers, Load(Param("b"), GP64()).(reg.GPVirtual))
		}
		n := Load(Param("n"), GP64()).(reg.GPVirtual)
		var s Vec
		if strings.Contains(uses, "s") {
			s = w.Param("s")
		}
		acc := []Vec{w.Zero(), w.Zero(), w.Zero(), w.Zero()}
		loop(w, "", n, 2, pointers, func(disp int, mask *Mask) {
			a := load(w, pointers[0], disp, mask)
			if each != nil {
				if a = each(a, s); mask != nil {
					a = mask.Keep(a)
				}
			}
			var b Vec
			if len(pointers) > 1 {
				b = load(w, pointers[1], disp, mask)
			}
			for half := range 2 {
				da, db := double(w, a, half), Vec(nil)
				if b != nil {
					db = double(w, b, half)
				}
				step(acc[disp/int(w)%2*2+half], da, db)
			}
		})
		VADDPD(acc[1], acc[0], acc[0])
		VADDPD(acc[3], acc[2], acc[2])
		VADDPD(acc[2], acc[0], acc[0])
		fold(w, acc[0], VADDPD)
		Done()
	}
	add := func(acc, a, b Vec) { VADDPD(a, acc, acc) }
	sum("sum", "a", add, nil)
	sum("sumSquares", "a", func(acc, a, b Vec) { VFMADD231PD(a, a, acc) }, nil)
	sum("dot", "ab", func(acc, a, b Vec) { VFMADD231PD(b, a, acc) }, nil)
	sum("expSum", "as", add, func(a, s Vec) Vec { return exp(w, w.Sub(a, s)) })

	// The largest value: maxima let go of a NaN that came before, so NaNs are flagged on the side.
	TEXT("max"+w.String(), NOSPLIT, signature)
	Pragma("noescape")
	Doc("max" + w.String() + " is max of reduceLoop.")
	a := Load(Param("a"), GP64()).(reg.GPVirtual)
	n := Load(Param("n"), GP64()).(reg.GPVirtual)
	acc := []Vec{w.Load(Bits(0xff800000)), w.Load(Bits(0xff800000))}
	nan := w.NewMarks()
	loop(w, "", n, 2, []reg.GPVirtual{a}, func(disp int, mask *Mask) {
		i := disp / int(w) % 2
		v := load(w, a, disp, mask)
		nan.Note(UNORD, v, v)
		if mask != nil {
			v = mask.Choose(v, acc[i])
		}
		VMAXPS(v, acc[i], acc[i])
	})
	VMAXPS(acc[1], acc[0], acc[0])
	y := acc[0].(reg.Vec).AsY()
	if w == AVX512 {
		h := YMM()
		VEXTRACTF64X4(U8(1), acc[0], h)
		VMAXPS(h, y, y)
	}
	x, h := y.(reg.Vec).AsX(), XMM()
	VEXTRACTF128(U8(1), y, h)
	VMAXPS(h, x, x)
	VPERMILPS(U8(0b1110), x, h)
	VMAXPS(h, x, x)
	VPERMILPS(U8(1), x, h)
	VMAXPS(h, x, x)
	VCVTSS2SD(x, x, x)
	flags := nan.Any()
	TESTL(flags, flags)
	JZ(LabelRef("ordered"))
	VPCMPEQD(x, x, x) // all ones is a NaN
	Label("ordered")
	Store(x, ReturnIndex(0))
	Done()

	TEXT("finite"+w.String(), NOSPLIT, signature)
	Pragma("noescape")
	Doc("finite" + w.String() + " is finite of reduceLoop: 1 if some element is not finite, else 0.")
	a = Load(Param("a"), GP64()).(reg.GPVirtual)
	n = Load(Param("n"), GP64()).(reg.GPVirtual)
	flag := w.NewMarks()
	inf := w.Load(Bits(0x7f800000))
	loop(w, "", n, 4, []reg.GPVirtual{a}, func(disp int, mask *Mask) {
		flag.Note(NLT, w.And(load(w, a, disp, mask), Bits(0x7fffffff)), inf)
	})
	flags = flag.Any()
	one := GP32()
	MOVL(U32(1), one)
	TESTL(flags, flags)
	CMOVLNE(one, flags)
	r := XMM()
	VXORPD(r, r, r)
	VCVTSI2SDL(flags, r, r)
	Store(r, ReturnIndex(0))
	Done()
}

// updates emits the optimisers; c in the assembly points to coefficients.
func updates(w Width) {
	update := func(name, uses string, body func(c func(i int) Vec, p, g, m, v Vec) (p1, m1, v1 Vec)) {
		TEXT(name+w.String(), NOSPLIT, "func(p, d, m, v *float32, n int, c *float32)")
		Pragma("noescape")
		Doc(name + w.String() + " is the update " + name + " of update.loop.")
		p := Load(Param("p"), GP64()).(reg.GPVirtual)
		g := Load(Param("d"), GP64()).(reg.GPVirtual)
		pointers := []reg.GPVirtual{p, g}
		var m, v reg.GPVirtual
		if strings.Contains(uses, "m") {
			m = Load(Param("m"), GP64()).(reg.GPVirtual)
			pointers = append(pointers, m)
		}
		if strings.Contains(uses, "v") {
			v = Load(Param("v"), GP64()).(reg.GPVirtual)
			pointers = append(pointers, v)
		}
		n := Load(Param("n"), GP64()).(reg.GPVirtual)
		at := Load(Param("c"), GP64()).(reg.GPVirtual)
		coefficient := func(i int) Vec {
			r := w.New()
			VBROADCASTSS(Mem{Base: at, Disp: 4 * i}, r)
			return r
		}
		loop(w, "", n, 1, pointers, func(disp int, mask *Mask) {
			var mv, vv Vec
			if m != nil {
				mv = load(w, m, disp, mask)
			}
			if v != nil {
				vv = load(w, v, disp, mask)
			}
			p1, m1, v1 := body(coefficient, load(w, p, disp, mask), load(w, g, disp, mask), mv, vv)
			store(p1, p, disp, mask)
			if m != nil {
				store(m1, m, disp, mask)
			}
			if v != nil {
				store(v1, v, disp, mask)
			}
		})
		Done()
	}
	const grad, decay, beta1, rest1, beta2, rest2, rate, look, keep, shrink, root, eps = 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11
	type coef = func(i int) Vec
	direction := func(c coef, p, g Vec) Vec { return w.AddMul(w.Mul(g, c(grad)), p, c(decay)) }
	moment := func(c coef, m, d Vec, beta, rest int) Vec { return w.AddMul(w.Mul(m, c(beta)), d, c(rest)) }
	update("sgd", "", func(c coef, p, g, m, v Vec) (p1, m1, v1 Vec) {
		return w.SubMul(p, direction(c, p, g), c(rate)), nil, nil
	})
	update("momentum", "m", func(c coef, p, g, m, v Vec) (p1, m1, v1 Vec) {
		d := direction(c, p, g)
		m = moment(c, m, d, beta1, rest1)
		return w.SubMul(p, w.AddMul(w.Mul(d, c(keep)), m, c(look)), c(rate)), m, nil
	})
	update("adam", "mv", func(c coef, p, g, m, v Vec) (p1, m1, v1 Vec) {
		d := direction(c, p, g)
		m = moment(c, m, d, beta1, rest1)
		v = moment(c, v, w.Mul(d, d), beta2, rest2)
		under := w.MulAdd(w.Sqrt(v), c(root), c(eps))
		return w.Sub(w.Mul(p, c(shrink)), w.Div(w.Mul(m, c(rate)), under)), m, v
	})
	rms := func(c coef, p, g, v Vec) (d, v1 Vec) {
		d = direction(c, p, g)
		v = moment(c, v, w.Mul(d, d), beta2, rest2)
		return w.Div(d, w.Add(w.Sqrt(v), c(eps))), v
	}
	update("rmsProp", "v", func(c coef, p, g, m, v Vec) (p1, m1, v1 Vec) {
		d, v := rms(c, p, g, v)
		return w.SubMul(p, d, c(rate)), nil, v
	})
	update("rmsPropMomentum", "mv", func(c coef, p, g, m, v Vec) (p1, m1, v1 Vec) {
		d, v := rms(c, p, g, v)
		m = w.AddMul(d, m, c(beta1))
		return w.SubMul(p, m, c(rate)), m, v
	})
}
