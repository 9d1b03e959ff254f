package vec

import "math"

// op names an elementwise operation.
type op uint8

const (
	opFill op = iota
	opCopy
	opAdd
	opSub
	opMul
	opDiv
	opScale
	opAddScalar
	opAddScaled
	opMaximum
	opMinimum
	opClamp
	opClampGrad
	opAbs
	opAbsGrad
	opSqrt
	opSqrtGrad
	opReLUGrad
	opLeakyReLU
	opLeakyReLUGrad
	opELUGrad
	opSigmoidGrad
	opTanhGrad

	opExp // the first of those bound by arithmetic
	opLog
	opPow
	opSigmoid
	opTanh
	opSoftplus
	opSoftplusGrad
	opELU
	opGELU
	opGELUGrad
	opSiLU
	opSiLUGrad
	opBCE
	opBCEGrad
	numOps

	firstMath = opExp
)

// loop is op in plain Go, the definition that the assembly is tested against.
func loop[T Float](o op, y, a, b []T, s, t T) {
	if len(y) == 0 {
		return
	}
	if a != nil {
		a = a[:len(y)]
	}
	if b != nil {
		b = b[:len(y)]
	}
	switch o {
	case opFill:
		for i := range y {
			y[i] = s
		}
	case opCopy:
		copy(y, a)
	case opAdd:
		for i := range y {
			y[i] = a[i] + b[i]
		}
	case opSub:
		for i := range y {
			y[i] = a[i] - b[i]
		}
	case opMul:
		for i := range y {
			y[i] = a[i] * b[i]
		}
	case opDiv:
		for i := range y {
			y[i] = a[i] / b[i]
		}
	case opScale:
		for i := range y {
			y[i] = a[i] * s
		}
	case opAddScalar:
		for i := range y {
			y[i] = a[i] + s
		}
	case opAddScaled:
		for i := range y {
			y[i] = a[i] + s*b[i]
		}
	case opMaximum:
		for i := range y {
			y[i] = max(a[i], b[i])
		}
	case opMinimum:
		for i := range y {
			y[i] = min(a[i], b[i])
		}
	case opClamp:
		for i := range y {
			v := a[i]
			if v < s {
				v = s
			}
			if v > t {
				v = t
			}
			y[i] = v
		}
	case opClampGrad:
		for i := range y {
			g := a[i]
			if b[i] < s || b[i] > t {
				g = 0
			}
			y[i] = g
		}
	case opAbs:
		for i := range y {
			y[i] = T(math.Abs(float64(a[i])))
		}
	case opAbsGrad:
		for i := range y {
			g := a[i]
			switch {
			case b[i] < 0:
				g = -g
			case b[i] == 0:
				g = 0
			}
			y[i] = g
		}
	case opSqrt:
		for i := range y {
			y[i] = T(math.Sqrt(float64(a[i])))
		}
	case opSqrtGrad:
		for i := range y {
			y[i] = a[i] / (2 * b[i])
		}
	case opReLUGrad:
		for i := range y {
			g := a[i]
			if b[i] <= 0 {
				g = 0
			}
			y[i] = g
		}
	case opLeakyReLU:
		for i := range y {
			v := a[i]
			if v <= 0 {
				v *= s
			}
			y[i] = v
		}
	case opLeakyReLUGrad:
		for i := range y {
			g := a[i]
			if b[i] <= 0 {
				g *= s
			}
			y[i] = g
		}
	case opELUGrad:
		for i := range y {
			g := a[i]
			if v := b[i]; v <= 0 {
				g *= v + s
			} else {
				g *= t
			}
			y[i] = g
		}
	case opSigmoidGrad:
		for i := range y {
			v := b[i]
			y[i] = a[i] * ((1 - v) * v)
		}
	case opTanhGrad:
		for i := range y {
			v := b[i]
			y[i] = a[i] * (1 - v*v)
		}
	default:
		for i := range y {
			var av, bv float64
			av = float64(a[i])
			if b != nil {
				bv = float64(b[i])
			}
			y[i] = T(mathOp(o, av, bv, float64(s), float64(t)))
		}
	}
}

// mathOp is one element of the operations from opExp on, computed in float64 for either type: a float32
// result is then rounded once.
func mathOp(o op, a, b, s, t float64) float64 {
	switch o {
	case opExp:
		return math.Exp(a - s)
	case opLog:
		return math.Log(a)
	case opPow:
		return math.Pow(a, s)
	case opSigmoid:
		return sigmoid(a)
	case opTanh:
		return math.Tanh(a)
	case opSoftplus:
		return softplus(a)
	case opSoftplusGrad:
		return a * sigmoid(b)
	case opELU:
		if a > 0 {
			return t * a
		}
		return s * math.Expm1(a)
	case opGELU:
		return a * normalCDF(a)
	case opGELUGrad:
		pdf := math.Exp(-b*b/2) / math.Sqrt(2*math.Pi)
		if pdf == 0 { // b·0 would be NaN for an infinite b
			return a * normalCDF(b)
		}
		return a * (normalCDF(b) + b*pdf)
	case opSiLU:
		return a * sigmoid(a)
	case opSiLUGrad:
		p := sigmoid(b)
		return a * (p * (1 + b*(1-p)))
	case opBCE:
		return max(a, 0) - a*b + math.Log1p(math.Exp(-math.Abs(a)))
	case opBCEGrad:
		return (sigmoid(a) - b) * s
	}
	panic("vec: unknown operation")
}

// sigmoid is 1/(1+exp(−x)) without overflow, and with a small result where x is very negative.
func sigmoid(x float64) float64 {
	e := math.Exp(-math.Abs(x))
	if x < 0 {
		return e / (1 + e)
	}
	return 1 / (1 + e)
}

func softplus(x float64) float64 { return max(x, 0) + math.Log1p(math.Exp(-math.Abs(x))) }

func normalCDF(x float64) float64 { return math.Erfc(-x/math.Sqrt2) / 2 }
