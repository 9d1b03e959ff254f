package ops

import (
	"math"

	"github.com/stheno-ml/stheno/internal/exec"
	"github.com/stheno-ml/stheno/internal/kernel/vec"
)

// derivative is ∂ⁱ⁺ʲf/∂xⁱ∂tʲ at a point, for i + j up to 2. At a kink it takes the value that PyTorch takes.
func (l pointLoss) derivative(i, j int, x, t, p float64) float64 {
	switch l.f {
	case squaredError, absoluteError, huberError, smoothError:
		d := distance(l.f, i+j, x-t, l.k)
		if j&1 == 1 {
			d = -d
		}
		return d
	case logitCrossEntropy:
		return logitDerivative(i, j, x, t, p)
	case binaryCrossEntropy:
		return binaryDerivative(i, j, x, t)
	case hingeLoss, hingeEmbedding:
		return hingeDerivative(l.f, i, x, t, l.k)
	case divergence, logTargetDivergence:
		return divergenceDerivative(l.f, i, j, x, t)
	}
	panic("ops: unknown loss")
}

// fillTerms sets y to ∂ⁱ⁺ʲf/∂xⁱ∂tʲ, element by element; p is nil for ones, a and b are buffers, y may be x or
// t. Losses and gradients that networks are mostly trained with are made of vector kernels, the rest is computed
// in float64, element by element.
func fillTerms[T exec.Float](l pointLoss, i, j int, y, x, t, p, a, b []T) {
	side := T(1 - 2*j) // a derivative for t is one for d, negated
	switch {
	case l.f == squaredError && i+j == 0:
		vec.Sub(y, x, t)
		vec.Mul(y, y, y)
	case l.f == squaredError && i+j == 1:
		vec.Sub(y, x, t)
		vec.Scale(y, y, 2*side)
	case l.f == absoluteError && i+j == 0:
		vec.Sub(y, x, t)
		vec.Abs(y, y)
	case l.f == absoluteError && i+j == 1:
		vec.Sub(a, x, t)
		vec.Fill(b, side)
		vec.AbsGrad(y, b, a)
	case (l.f == huberError || l.f == smoothError) && i+j < 2:
		// With c = d, held between ±k, Huber's loss is c·(d − c/2) and its slope c; the smooth L1 loss is that
		// over k.
		vec.Sub(a, x, t)
		vec.Clamp(b, a, T(-l.k), T(l.k))
		scale := T(1)
		if l.f == smoothError {
			scale = T(1 / l.k)
		}
		if i+j == 1 {
			vec.Scale(y, b, scale*side)
			return
		}
		vec.AddScaled(a, a, b, -0.5)
		vec.Mul(y, a, b)
		if scale != 1 {
			vec.Scale(y, y, scale)
		}
	case l.f == logitCrossEntropy && p == nil && i+j == 0:
		vec.BCEWithLogits(y, x, t)
	case l.f == logitCrossEntropy && p == nil && i == 1 && j == 0:
		// (1−t)·σ(x) − t·σ(−x): σ(x) − t has no digits left where the answer is right and sure.
		vec.Sigmoid(a, x)
		vec.Scale(b, x, -1)
		vec.Sigmoid(b, b)
		for e, v := range t {
			y[e] = (1-v)*a[e] - v*b[e]
		}
	default:
		weight := 1.0
		for e := range x {
			if p != nil {
				weight = float64(p[e])
			}
			y[e] = T(l.derivative(i, j, float64(x[e]), float64(t[e]), weight))
		}
	}
}

// distance is derivative n of a loss of d = x − t, for d.
func distance(f function, n int, d, k float64) float64 {
	far := f == absoluteError || f == huberError && math.Abs(d) > k || f == smoothError && math.Abs(d) >= k
	slope, curvature := 1.0, 2.0 // far from 0, and near to it
	switch f {
	case huberError:
		slope, curvature = k, 1
	case smoothError:
		curvature = 1 / k
	}
	switch {
	case n == 2 && far:
		return 0
	case n == 2:
		return curvature
	case n == 1 && far:
		return slope * sign(d)
	case n == 1:
		return curvature * d
	case f == absoluteError:
		return math.Abs(d)
	case far:
		return slope * (math.Abs(d) - k/2)
	}
	return curvature / 2 * d * d
}

func sign(x float64) float64 {
	switch {
	case x > 0:
		return 1
	case x < 0:
		return -1
	}
	return x
}

func logitDerivative(i, j int, x, t, p float64) float64 {
	e := math.Exp(-math.Abs(x)) // in (0, 1]: nothing below overflows
	low := e / (1 + e)          // σ(−x), where x is positive
	if x < 0 {
		low = 1 / (1 + e)
	}
	softplus := math.Max(-x, 0) + math.Log1p(e) // of −x
	switch {
	case i == 0 && j == 0:
		return (1-t)*x + (1+(p-1)*t)*softplus
	case i == 1 && j == 0:
		return (1 - t) - (1+(p-1)*t)*low
	case i == 0 && j == 1:
		return -x + (p-1)*softplus
	case i == 2:
		return (1 + (p-1)*t) * e / ((1 + e) * (1 + e))
	case i == 1 && j == 1:
		return -1 - (p-1)*low
	}
	return 0
}

// binaryDerivative holds each logarithm above −100 and each denominator above 1e-12, as PyTorch does, so that
// probabilities of 0 and 1 give no infinities.
func binaryDerivative(i, j int, x, t float64) float64 {
	const leastLog, least = -100, 1e-12
	yes, no := math.Max(math.Log(x), leastLog), math.Max(math.Log1p(-x), leastLog)
	switch {
	case i == 0 && j == 0:
		return (t-1)*no - t*yes
	case i == 1 && j == 0:
		return (x - t) / math.Max(x*(1-x), least)
	case i == 0 && j == 1:
		return no - yes
	case i == 2:
		return t/math.Max(x*x, least) + (1-t)/math.Max((1-x)*(1-x), least)
	case i == 1 && j == 1:
		return -1 / math.Max(x*(1-x), least)
	}
	return 0
}

func hingeDerivative(f function, i int, x, t, k float64) float64 {
	value, slope := k-t*x, -t
	if f == hingeEmbedding {
		value, slope = k-x, -1
		if t > 0 {
			value, slope = x, 1
		}
	}
	inside := value > 0 || f == hingeEmbedding && t > 0
	switch {
	case math.IsNaN(value):
		return value
	case !inside || i > 1:
		return 0
	case i == 1:
		return slope
	}
	return value
}

func divergenceDerivative(f function, i, j int, x, t float64) float64 {
	if f == logTargetDivergence {
		e := math.Exp(t)
		if i == 1 {
			return -e
		}
		return e * (t - x + float64(j)) // each derivative for t adds eᵗ
	}
	switch {
	case i == 1 && j == 1:
		return -1
	case i == 1:
		return -t
	case t == 0: // t·ln t tends to 0
		return 0
	case j == 2:
		return 1 / t
	case j == 1:
		return math.Log(t) + 1 - x
	}
	return t * (math.Log(t) - x)
}
