package vec

import (
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"testing"
	"unsafe"

	"github.com/stheno-ml/stheno/internal/kernel/cpu"
)

var exhaustive = flag.Bool("exhaustive", false, "test functions of one float32 on every float32 (a minute each)")

// guard is the number of NaNs before and after each buffer: a write past an end shows, a read poisons a result.
const guard = 70

func guarded[T Float](n int) []T {
	buf := make([]T, n+2*guard)
	for i := range buf {
		buf[i] = T(math.NaN())
	}
	return buf[guard : guard+n : guard+n]
}

func checkGuards[T Float](t *testing.T, x []T) {
	t.Helper()
	if len(x) == 0 {
		return
	}
	buf := unsafe.Slice((*T)(unsafe.Add(unsafe.Pointer(unsafe.SliceData(x)), -guard*int(unsafe.Sizeof(x[0])))), len(x)+2*guard)
	for i := range guard {
		if buf[i] == buf[i] || buf[len(buf)-1-i] == buf[len(buf)-1-i] {
			t.Fatalf("wrote outside a buffer of %d", len(x))
		}
	}
}

func random[T Float](seed uint64, n int) []T {
	r := rand.New(rand.NewPCG(seed, 5))
	x := guarded[T](n)
	for i := range x {
		x[i] = T(r.NormFloat64())
	}
	return x
}

func eachRoad(t *testing.T, f func(t *testing.T)) {
	for _, r := range cpu.Roads() {
		t.Run(r.String(), func(t *testing.T) {
			defer cpu.Force(cpu.Force(r))
			f(t)
		})
	}
}

var sizes = []int{0, 1, 2, 3, 5, 7, 8, 9, 15, 16, 17, 31, 33, 63, 64, 65, 100, 129, 1000, 4097, 40001}

// specials are values at the edges of float32, for both operands of every operation.
var specials = []float64{
	0, math.Copysign(0, -1), 1, -1, 0.5, -0.5, 2, -2, math.Inf(1), math.Inf(-1), math.NaN(), 1e-40, -1e-40, 1e-45, 1.1754944e-38,
	-1.1754944e-38, 3.4e38, -3.4e38, 88.7, 88.8, -88.7, -103, -104, -150, 1e-8, -1e-8, 20, -20, 9, -9, 0.41421357, 0.70710677, 15, -15, 1e10, -1e10,
}

// ops lists every operation with the error that float32 assembly may have against float64, in ulp of the larger
// of the result and, where terms cancel, scale of the operands.
var ops = []struct {
	name  string
	op    op
	uses  string // operands
	s, t  float64
	ulp   float64
	scale func(a, b float64) float64
}{
	{"fill", opFill, "", 3, 0, 0, nil},
	{"copy", opCopy, "a", 0, 0, 0, nil},
	{"add", opAdd, "ab", 0, 0, 0.5, nil},
	{"sub", opSub, "ab", 0, 0, 0.5, nil},
	{"mul", opMul, "ab", 0, 0, 0.5, nil},
	{"div", opDiv, "ab", 0, 0, 0.5, nil},
	{"scale", opScale, "a", 1.5, 0, 0.5, nil},
	{"addScalar", opAddScalar, "a", 1.5, 0, 0.5, nil},
	{"addScaled", opAddScaled, "ab", 1.5, 0, 1, func(a, b float64) float64 { return 1.5 * b }},
	{"maximum", opMaximum, "ab", 0, 0, 0, nil},
	{"minimum", opMinimum, "ab", 0, 0, 0, nil},
	{"clamp", opClamp, "a", -0.5, 1, 0, nil},
	{"relu", opClamp, "a", 0, math.Inf(1), 0, nil},
	{"clampGrad", opClampGrad, "ab", -0.5, 1, 0, nil},
	{"abs", opAbs, "a", 0, 0, 0, nil},
	{"absGrad", opAbsGrad, "ab", 0, 0, 0, nil},
	{"sqrt", opSqrt, "a", 0, 0, 0.5, nil},
	{"sqrtGrad", opSqrtGrad, "ab", 0, 0, 0.5, nil},
	{"reluGrad", opReLUGrad, "ab", 0, 0, 0, nil},
	{"leakyReLU", opLeakyReLU, "a", 0.25, 0, 0.5, nil},
	{"leakyReLUGrad", opLeakyReLUGrad, "ab", 0.25, 0, 0.5, nil},
	{"eluGrad", opELUGrad, "ab", 1.5, 1.25, 2, func(a, b float64) float64 { return a }},
	{"sigmoidGrad", opSigmoidGrad, "ab", 0, 0, 3, func(a, b float64) float64 { return a * b }},
	{"tanhGrad", opTanhGrad, "ab", 0, 0, 3, func(a, b float64) float64 { return a }},
	{"exp", opExp, "a", 0, 0, 1.01, nil},
	{"exp shifted", opExp, "a", 0.5, 0, 2, func(a, b float64) float64 { return a * math.Exp(a) }},
	{"log", opLog, "a", 0, 0, 2, nil},
	{"pow", opPow, "a", 2.5, 0, 0.5, nil},
	{"sigmoid", opSigmoid, "a", 0, 0, 3, nil},
	{"tanh", opTanh, "a", 0, 0, 3, nil},
	{"softplus", opSoftplus, "a", 0, 0, 3, nil},
	{"softplusGrad", opSoftplusGrad, "ab", 0, 0, 4, denormal},
	{"elu", opELU, "a", 1.5, 1.25, 4, nil},
	{"gelu", opGELU, "a", 0, 0, 8, denormal},
	{"geluGrad", opGELUGrad, "ab", 0, 0, 4, func(a, b float64) float64 { return a }},
	{"silu", opSiLU, "a", 0, 0, 4, denormal},
	{"siluGrad", opSiLUGrad, "ab", 0, 0, 4, func(a, b float64) float64 { return a }},
	{"bce", opBCE, "ab", 0, 0, 4, func(a, b float64) float64 { return max(math.Abs(a), math.Abs(a*b)) }},
	{"bceGrad", opBCEGrad, "ab", 1.5, 0, 4, func(a, b float64) float64 { return max(1, math.Abs(b)) }},
}

// denormal is the scale of results that are a times a probability: where that is a denormal it has few digits.
func denormal(a, b float64) float64 { return a * 0x1p-126 }

// ulp is the distance between neighbouring float32 at x.
func ulp(x float64) float64 {
	x = math.Abs(x)
	if !(x <= math.MaxFloat32) {
		return math.Inf(1)
	}
	_, e := math.Frexp(max(x, 0x1p-126))
	return math.Ldexp(1, e-24)
}

// off is the error of got in ulp of the larger of want and scale. Equal values, NaN and infinities included,
// are 0 off; a result that has to overflow may be infinite or the largest number.
func off(got float32, want, scale float64) float64 {
	g := float64(got)
	w := float64(float32(want))
	switch {
	case g == w || g != g && w != w:
		return 0
	case g != g || w != w || math.IsInf(g, 0) && math.Abs(want) < 3.4e38 || math.IsInf(w, 0) && math.Abs(g) < 3.4e38:
		return math.Inf(1)
	case math.IsInf(g, 0) || math.IsInf(w, 0):
		return 0
	}
	return math.Abs(g-want) / ulp(max(math.Abs(want), math.Abs(scale)))
}

// define is op in float64 by the plain Go loop.
func define(o op, a, b []float32, s, t float64) []float64 {
	y, u, v := make([]float64, len(a)), make([]float64, len(a)), make([]float64, len(a))
	for i := range a {
		u[i], v[i] = float64(a[i]), float64(b[i])
	}
	loop(o, y, u, v, s, t)
	return y
}

func TestElementwise(t *testing.T) {
	eachRoad(t, func(t *testing.T) {
		for _, c := range ops {
			t.Run(c.name, func(t *testing.T) {
				var a, b []float32
				for _, u := range specials {
					for _, v := range specials {
						if c.uses == "ab" && (c.op == opAddScaled || c.op >= opSqrtGrad) && (math.Abs(u) > 1e30 || math.Abs(v) == 3.4e38) {
							continue // products inside overflow in float32 where they do not in float64
						}
						a, b = append(a, float32(u)), append(b, float32(v))
					}
				}
				testOp(t, c.op, c.uses, a, b, c.s, c.t, c.ulp, c.scale)
				for _, n := range sizes {
					a, b := random[float32](1, n), random[float32](2, n)
					for i := range a {
						if i%3 == 0 {
							a[i] *= 10
						}
					}
					testOp(t, c.op, c.uses, a, b, c.s, c.t, c.ulp, c.scale)
				}
			})
		}
	})
}

func testOp(t *testing.T, o op, uses string, a, b []float32, s, u, tol float64, scale func(a, b float64) float64) {
	t.Helper()
	y := guarded[float32](len(a))
	operand := func(name byte, x []float32) []float32 {
		for i := range uses {
			if uses[i] == name {
				return x
			}
		}
		return nil
	}
	apply(o, y, operand('a', a), operand('b', b), float32(s), float32(u))
	checkGuards(t, y)
	for i, want := range define(o, a, b, s, u) {
		sc := 0.0
		if scale != nil {
			sc = scale(float64(a[i]), float64(b[i]))
		}
		if e := off(y[i], want, sc); e > tol {
			t.Fatalf("n %d: element %d of %v, %v is %v, want %v: %.2f ulp off", len(a), i, a[i], b[i], y[i], want, e)
		}
	}
	for _, name := range []byte("ab") {
		x := operand(name, map[byte][]float32{'a': a, 'b': b}[name])
		if x == nil {
			continue
		}
		in := append([]float32(nil), x...)
		if name == 'a' {
			apply(o, in, in, operand('b', b), float32(s), float32(u))
		} else {
			apply(o, in, operand('a', a), in, float32(s), float32(u))
		}
		for i := range in {
			if in[i] != y[i] && (in[i] == in[i] || y[i] == y[i]) {
				t.Fatalf("n %d: in place of %c element %d is %v, else %v", len(a), name, i, in[i], y[i])
			}
		}
	}
}

// The functions of one variable over all of float32: every 4099th value, or every one with -exhaustive.
func TestFunctionsDensely(t *testing.T) {
	step := uint64(4099)
	if *exhaustive {
		step = 1
	}
	eachRoad(t, func(t *testing.T) {
		for _, c := range ops {
			if c.op < firstMath || c.op == opPow || c.uses != "a" {
				continue
			}
			t.Run(c.name, func(t *testing.T) {
				const block = 1 << 12
				x, y := make([]float32, 0, block), make([]float32, block)
				worst, at := 0.0, float32(0)
				flush := func() {
					apply(c.op, y[:len(x)], x, nil, float32(c.s), float32(c.t))
					for i, v := range x {
						scale := 0.0
						if c.scale != nil {
							scale = c.scale(float64(v), 0)
						}
						if e := off(y[i], mathOp(c.op, float64(v), 0, c.s, c.t), scale); e > worst {
							worst, at = e, v
						}
					}
					x = x[:0]
				}
				for bits := uint64(0); bits < 1<<32; bits += step {
					if x = append(x, math.Float32frombits(uint32(bits))); len(x) == block {
						flush()
					}
				}
				flush()
				t.Logf("worst error %.3f ulp, at %v", worst, at)
				if worst > c.ulp {
					t.Errorf("%.3f ulp off at %v, want at most %v", worst, at, c.ulp)
				}
			})
		}
	})
}

func TestFloat64IsThePlainLoop(t *testing.T) {
	for _, c := range ops {
		a, b := random[float64](1, 70001), random[float64](2, 70001)
		y, want := guarded[float64](len(a)), make([]float64, len(a))
		apply(c.op, y, a, b, c.s, c.t)
		loop(c.op, want, a, b, c.s, c.t)
		for i := range y {
			if y[i] != want[i] && (y[i] == y[i] || want[i] == want[i]) {
				t.Fatalf("%s: element %d is %v, want %v", c.name, i, y[i], want[i])
			}
		}
		checkGuards(t, y)
	}
}

// The public functions, each against its formula: that names and operands are wired as documented.
func TestPublicFunctions(t *testing.T) {
	const n = 20
	a, b := random[float64](1, n), random[float64](2, n)
	for i := range a {
		a[i] = math.Abs(a[i])
	}
	sigmoid := func(x float64) float64 { return 1 / (1 + math.Exp(-x)) }
	phi := func(x float64) float64 { return math.Exp(-x*x/2) / math.Sqrt(2*math.Pi) }
	cdf := func(x float64) float64 { return (1 + math.Erf(x/math.Sqrt2)) / 2 }
	type f2 = func(a, b float64) float64
	when := func(c bool, x, y float64) float64 {
		if c {
			return x
		}
		return y
	}
	elu := func(x float64) float64 { return when(x > 0, 1.2*x, 1.2*0.7*(math.Exp(x)-1)) }
	for name, c := range map[string]struct {
		f    func(y []float64)
		want f2
	}{
		"Fill":              {func(y []float64) { Fill(y, 3) }, func(a, b float64) float64 { return 3 }},
		"Copy":              {func(y []float64) { Copy(y, a) }, func(a, b float64) float64 { return a }},
		"Add":               {func(y []float64) { Add(y, a, b) }, func(a, b float64) float64 { return a + b }},
		"Sub":               {func(y []float64) { Sub(y, a, b) }, func(a, b float64) float64 { return a - b }},
		"Mul":               {func(y []float64) { Mul(y, a, b) }, func(a, b float64) float64 { return a * b }},
		"Div":               {func(y []float64) { Div(y, a, b) }, func(a, b float64) float64 { return a / b }},
		"Scale":             {func(y []float64) { Scale(y, a, 3) }, func(a, b float64) float64 { return 3 * a }},
		"AddScalar":         {func(y []float64) { AddScalar(y, a, 3) }, func(a, b float64) float64 { return 3 + a }},
		"AddScaled":         {func(y []float64) { AddScaled(y, a, b, 3) }, func(a, b float64) float64 { return a + 3*b }},
		"Axpy":              {func(y []float64) { copy(y, b); Axpy(y, 3, a) }, func(a, b float64) float64 { return b + 3*a }},
		"Maximum":           {func(y []float64) { Maximum(y, a, b) }, func(a, b float64) float64 { return max(a, b) }},
		"Minimum":           {func(y []float64) { Minimum(y, a, b) }, func(a, b float64) float64 { return min(a, b) }},
		"Clamp":             {func(y []float64) { Clamp(y, b, -0.3, 0.4) }, func(a, b float64) float64 { return min(max(b, -0.3), 0.4) }},
		"ClampGrad":         {func(y []float64) { ClampGrad(y, a, b, -0.3, 0.4) }, func(a, b float64) float64 { return when(b > -0.3 && b < 0.4, a, 0) }},
		"Abs":               {func(y []float64) { Abs(y, b) }, func(a, b float64) float64 { return math.Abs(b) }},
		"AbsGrad":           {func(y []float64) { AbsGrad(y, a, b) }, func(a, b float64) float64 { return when(b > 0, a, -a) }},
		"Sqrt":              {func(y []float64) { Sqrt(y, a) }, func(a, b float64) float64 { return math.Sqrt(a) }},
		"SqrtGrad":          {func(y []float64) { SqrtGrad(y, b, a) }, func(a, b float64) float64 { return b / 2 / a }},
		"Exp":               {func(y []float64) { Exp(y, a) }, func(a, b float64) float64 { return math.Exp(a) }},
		"Log":               {func(y []float64) { Log(y, a) }, func(a, b float64) float64 { return math.Log(a) }},
		"Pow":               {func(y []float64) { Pow(y, a, 1.7) }, func(a, b float64) float64 { return math.Pow(a, 1.7) }},
		"ReLU":              {func(y []float64) { ReLU(y, b) }, func(a, b float64) float64 { return max(b, 0) }},
		"ReLUGrad":          {func(y []float64) { ReLUGrad(y, a, b) }, func(a, b float64) float64 { return when(b > 0, a, 0) }},
		"LeakyReLU":         {func(y []float64) { LeakyReLU(y, b, 0.2) }, func(a, b float64) float64 { return max(b, b*0.2) }},
		"LeakyReLUGrad":     {func(y []float64) { LeakyReLUGrad(y, a, b, 0.2) }, func(a, b float64) float64 { return when(b > 0, a, 0.2*a) }},
		"ELU":               {func(y []float64) { ELU(y, b, 0.7, 1.2) }, func(a, b float64) float64 { return elu(b) }},
		"ELUGrad":           {func(y []float64) { ELU(y, b, 0.7, 1.2); ELUGrad(y, a, y, 0.7, 1.2) }, func(a, b float64) float64 { return a * when(b > 0, 1.2, 1.2*0.7*math.Exp(b)) }},
		"Sigmoid":           {func(y []float64) { Sigmoid(y, b) }, func(a, b float64) float64 { return sigmoid(b) }},
		"SigmoidGrad":       {func(y []float64) { SigmoidGrad(y, a, b) }, func(a, b float64) float64 { return a * b * (1 - b) }},
		"Tanh":              {func(y []float64) { Tanh(y, b) }, func(a, b float64) float64 { return math.Tanh(b) }},
		"TanhGrad":          {func(y []float64) { TanhGrad(y, a, b) }, func(a, b float64) float64 { return a * (1 - b*b) }},
		"Softplus":          {func(y []float64) { Softplus(y, b) }, func(a, b float64) float64 { return math.Log(1 + math.Exp(b)) }},
		"SoftplusGrad":      {func(y []float64) { SoftplusGrad(y, a, b) }, func(a, b float64) float64 { return a * sigmoid(b) }},
		"GELU":              {func(y []float64) { GELU(y, b) }, func(a, b float64) float64 { return b * cdf(b) }},
		"GELUGrad":          {func(y []float64) { GELUGrad(y, a, b) }, func(a, b float64) float64 { return a * (cdf(b) + b*phi(b)) }},
		"SiLU":              {func(y []float64) { SiLU(y, b) }, func(a, b float64) float64 { return b * sigmoid(b) }},
		"SiLUGrad":          {func(y []float64) { SiLUGrad(y, a, b) }, func(a, b float64) float64 { return a * (sigmoid(b) + b*sigmoid(b)*(1-sigmoid(b))) }},
		"BCEWithLogits":     {func(y []float64) { BCEWithLogits(y, b, a) }, func(a, b float64) float64 { return -a*math.Log(sigmoid(b)) - (1-a)*math.Log(1-sigmoid(b)) }},
		"BCEWithLogitsGrad": {func(y []float64) { BCEWithLogitsGrad(y, b, a, 3) }, func(a, b float64) float64 { return 3 * (sigmoid(b) - a) }},
	} {
		y := guarded[float64](n)
		c.f(y)
		for i := range y {
			// 1e-13: a few roundings of 1e-16, some of them amplified by the cancellation in 1−sigmoid.
			if want := c.want(a[i], b[i]); !(math.Abs(y[i]-want) <= 1e-13*(1+math.Abs(want))) {
				t.Errorf("%s: element %d of %v, %v is %v, want %v", name, i, a[i], b[i], y[i], want)
			}
		}
	}
}

func TestWorkersDoNotChangeBits(t *testing.T) {
	const n = 300001
	eachRoad(t, func(t *testing.T) {
		var first []float32
		for _, procs := range []int{1, 2, 4} {
			old := runtime.GOMAXPROCS(procs)
			a, b, y := random[float32](1, n), random[float32](2, n), make([]float32, n)
			GELU(y, a)
			all := append(y, float32(Sum(a)), float32(Dot(a, b)), float32(SumSquares(b)), Max(a))
			Softmax(y[:n/10*10], a[:n/10*10], n/10, 10)
			all = append(all, y...)
			Adam(a, b, a, y, AdamStep{Rate: 0.1, Beta1: 0.9, Beta2: 0.99, Step: 1})
			all = append(all, y...)
			runtime.GOMAXPROCS(old)
			if first == nil {
				first = all
			}
			for i := range all {
				if math.Float32bits(all[i]) != math.Float32bits(first[i]) {
					t.Fatalf("value %d is %v with %d workers, %v with one", i, all[i], procs, first[i])
				}
			}
		}
	})
}

func TestAllocatesNothing(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(2))
	const n = 1 << 18
	x, y, z, labels := random[float32](1, n), make([]float32, n), make([]float32, n), make([]int, n/100)
	f := func() {
		Add(y, x, x)
		Sigmoid(y[:100], x)
		Sigmoid(y, x)
		Sum(x)
		Softmax(y, x, n/100, 100)
		SoftmaxCrossEntropy(y, x, labels, 0.1, n/100, 100)
		SGD(z, x, y, SGDStep{Rate: 1e-3, Momentum: 0.9})
		Adam(z, x, y, y, AdamStep{Rate: 1e-3, Beta1: 0.9, Beta2: 0.99, Step: 1})
		SGD(z[:100], x, nil, SGDStep{Rate: 1e-3})
	}
	f()
	if a := testing.AllocsPerRun(20, f); a >= 1 {
		t.Fatalf("%v allocations a call", a)
	}
}

func BenchmarkElementwise(b *testing.B) {
	const n = 1 << 18 // 1 MiB an operand: second-level cache of two cores, so that arithmetic shows
	x, z, y := random[float32](1, n), random[float32](2, n), make([]float32, n)
	for _, c := range ops {
		for _, r := range cpu.Roads() {
			b.Run(fmt.Sprintf("%s/%v", c.name, r), func(b *testing.B) {
				defer cpu.Force(cpu.Force(r))
				b.SetBytes(int64(4 * n * (1 + len(c.uses))))
				for b.Loop() {
					apply(c.op, y, x, z, float32(c.s), float32(c.t))
				}
			})
		}
	}
}

func BenchmarkMemoryBound(b *testing.B) {
	const n = 16 << 20 // 64 MiB an operand: memory
	x, z, y := random[float32](1, n), random[float32](2, n), make([]float32, n)
	b.Run("Add", func(b *testing.B) {
		b.SetBytes(12 * n)
		for b.Loop() {
			Add(y, x, z)
		}
	})
	b.Run("Sum", func(b *testing.B) {
		b.SetBytes(4 * n)
		for b.Loop() {
			Sum(x)
		}
	})
	b.Run("HasNaNInf", func(b *testing.B) {
		b.SetBytes(4 * n)
		for b.Loop() {
			HasNaNInf(x)
		}
	})
	b.Run("Momentum", func(b *testing.B) {
		b.SetBytes(20 * n)
		for b.Loop() {
			SGD(x, y, z, SGDStep{Rate: 1e-9, Momentum: 0.9})
		}
	})
	v := make([]float32, n)
	b.Run("Adam", func(b *testing.B) {
		b.SetBytes(28 * n)
		for b.Loop() {
			Adam(x, y, z, v, AdamStep{Rate: 1e-9, Beta1: 0.9, Beta2: 0.99, Eps: 1, Step: 1})
		}
	})
}
