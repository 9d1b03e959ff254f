package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"

	. "github.com/stheno-ml/stheno/internal/kernel/gen/lane"
)

// The polynomials are minimax fits (Lawson's iteration in float64), weighted so that the error is relative to
// the function's value; the figure beside each is that error. A float32's half ulp is 3e-8 to 6e-8.

// reduceExp gives n = round(x/ln 2) and e = exp(x − n·ln 2) − 1, for moderate x.
func reduceExp(w Width, x Vec) (n, e Vec) {
	n = w.Round(w.Mul(x, Const(1.4426950408889634)))
	// ln 2 in two parts; fused multiplication leaves the first product exact.
	r := w.New()
	VMOVAPS(x, r)
	w.SubMul(r, n, Const(0.693147182464599609375))
	w.SubMul(r, n, Const(-1.904654290582768e-9))
	// (e^r − 1 − r)/r² on ±ln 2/2: 3.1e-9.
	q := w.Horner(r, 0.4999999343, 0.166665204, 0.04166839079, 0.008368745113, 0.001381454003)
	return n, w.MulAdd(q, w.Mul(r, r), r)
}

// exp is e^x, at most 1.01 ulp off; overflow is +Inf, underflow goes through the denormals to 0.
func exp(w Width, x Vec) Vec {
	x = w.Max(w.Load(Const(-104)), w.Min(w.Load(Const(89)), x)) // beyond, the result is 0 or +Inf; NaN stays
	n, e := reduceExp(w, x)
	p := w.Add(e, Const(1))
	if w == AVX512 {
		VSCALEFPS(n, p, p)
		return p
	}
	// 2^n in two factors, since n reaches from −150 to 128. The first product is exact.
	whole := w.New()
	VCVTPS2DQ(n, whole)
	half := w.New()
	VPSRAD(U8(1), whole, half)
	VPSUBD(half, whole, whole)
	return w.Mul(w.Mul(p, pow2(w, half)), pow2(w, whole))
}

// pow2 is 2^n for whole numbers n from −126 to 127; it overwrites n.
func pow2(w Width, n Vec) Vec {
	VPADDD(Bits(127), n, n)
	VPSLLD(U8(23), n, n)
	return n
}

// expm1 is e^x − 1 for x from −60 to 60, at most 2 ulp off.
func expm1(w Width, x Vec) Vec {
	n, e := reduceExp(w, x)
	whole := w.New()
	VCVTPS2DQ(n, whole)
	scale := pow2(w, whole)
	return w.MulAdd(e, scale, w.Sub(scale, Const(1)))
}

// expNegAbs is e^−|x|.
func expNegAbs(w Width, x Vec) Vec { return exp(w, w.Or(x, Bits(1<<31))) }

// sigmoid is 1/(1+e^−x), as e^x/(1+e^x) where x is negative, so that small results keep their digits.
func sigmoid(w Width, x Vec) Vec {
	e := expNegAbs(w, x)
	top := w.Select(LT, x, w.Zero(), e, w.Load(Const(1)))
	return w.Div(top, w.Add(e, Const(1)))
}

// logTail is ln(1+f) − f for f from √½−1 to √2−1.
func logTail(w Width, f Vec) Vec {
	z := w.Mul(f, f)
	// (ln(1+f) − f + f²/2)/f³: 5.8e-9.
	p := w.Horner(f, 0.3333333171, -0.2500082103, 0.2000122688, -0.1662335736, 0.1420175792, -0.1316018216, 0.1276157753, -0.07634497746)
	p = w.Mul(p, w.Mul(f, z))
	return w.SubMul(p, z, Const(0.5))
}

// log is the natural logarithm.
func log(w Width, x Vec) Vec {
	// A denormal is scaled into the normal range first.
	tiny := w.Load(Const(1.17549435e-38))
	scaled := w.Select(LT, x, tiny, w.Mul(x, Const(1<<23)), x)
	less := w.Select(LT, x, tiny, w.Load(Const(23)), w.Zero())
	// x = 2^n·(1+f) with 1+f from √½ to √2: the bits of √½ are subtracted, the exponent is split off.
	bits := w.New()
	VPSUBD(Bits(0x3f3504f3), scaled, bits)
	n := w.New()
	VPSRAD(U8(23), bits, n)
	VCVTDQ2PS(n, n)
	n = w.Sub(n, less)
	m := w.And(bits, Bits(0x007fffff))
	VPADDD(Bits(0x3f3504f3), m, m)
	f := w.Sub(m, Const(1))
	y := logTail(w, f)
	// ln 2 in two parts, the first short enough for n times it to be exact.
	y = w.AddMul(y, n, Const(-2.12194440e-4))
	y = w.AddMul(w.Add(f, y), n, Const(0.693359375))
	zero := w.Zero()
	out := w.Select(EQ, x, zero, w.Load(Bits(0xff800000)), w.Load(Bits(0x7fc00000)))
	y = w.Select(GT, x, zero, y, out)
	inf := w.Load(Bits(0x7f800000))
	return w.Select(EQ, x, inf, inf, y)
}

// log1p is ln(1+e) for e from 0 to 1.
func log1p(w Width, e Vec) Vec {
	// From √2−1 on, 1+e = 2·(1+f) with f = (e−1)/2, which loses nothing.
	big := w.Load(Const(0.41421356))
	f := w.Select(GT, e, big, w.Mul(w.Sub(e, Const(1)), Const(0.5)), e)
	n := w.Select(GT, e, big, w.Load(Const(1)), w.Zero())
	y := logTail(w, f)
	y = w.AddMul(y, n, Const(-2.12194440e-4))
	return w.AddMul(w.Add(f, y), n, Const(0.693359375))
}

// normal is the distribution function Φ of the standard normal, and exp(−x²/2).
func normal(w Width, x Vec) (cdf, e Vec) {
	a := w.Min(w.Load(Const(15)), w.And(x, Bits(0x7fffffff))) // Φ(−15) is 0 in float32; NaN stays
	h := w.Mul(a, a)
	low := w.New()
	VMOVAPS(a, low)
	VFMSUB213PS(h, a, low) // a² = h + low
	e = exp(w, w.Mul(h, Const(-0.5)))
	e = w.SubMul(e, e, w.Mul(low, Const(0.5)))
	// Φ(−a) = exp(−a²/2)·R(t), t = 1/(1+0.3a): 3.1e-9.
	t := w.Div(w.Load(Const(1)), w.MulAdd(w.Load(Const(0.3)), a, Const(1)))
	r := w.Horner(t, 5.073139734e-07, 0.1196748585, 0.1196909529, 0.1095526935, 0.08085874715, 0.09025782514, -0.06997497465,
		0.1817441625, -0.2214242968, 0.1097918859, -0.02017236308)
	q := w.Mul(e, r)
	return w.Select(LT, x, w.Zero(), q, w.Sub(w.Load(Const(1)), q)), e
}
