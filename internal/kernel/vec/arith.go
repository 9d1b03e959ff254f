package vec

// Fill sets y[i] = v.
func Fill[T Float](y []T, v T) { apply(opFill, y, nil, nil, v, 0) }

// Copy sets y[i] = x[i].
func Copy[T Float](y, x []T) { apply(opCopy, y, x, nil, 0, 0) }

// Add sets y[i] = a[i] + b[i].
func Add[T Float](y, a, b []T) { apply(opAdd, y, a, b, 0, 0) }

// Sub sets y[i] = a[i] − b[i].
func Sub[T Float](y, a, b []T) { apply(opSub, y, a, b, 0, 0) }

// Mul sets y[i] = a[i] · b[i].
func Mul[T Float](y, a, b []T) { apply(opMul, y, a, b, 0, 0) }

// Div sets y[i] = a[i] / b[i].
func Div[T Float](y, a, b []T) { apply(opDiv, y, a, b, 0, 0) }

// Scale sets y[i] = s · x[i].
func Scale[T Float](y, x []T, s T) { apply(opScale, y, x, nil, s, 0) }

// AddScalar sets y[i] = x[i] + s.
func AddScalar[T Float](y, x []T, s T) { apply(opAddScalar, y, x, nil, s, 0) }

// AddScaled sets y[i] = a[i] + s · b[i].
func AddScaled[T Float](y, a, b []T, s T) { apply(opAddScaled, y, a, b, s, 0) }

// Axpy sets y[i] += a · x[i].
func Axpy[T Float](y []T, a T, x []T) { apply(opAddScaled, y, y, x, a, 0) }

// Maximum sets y[i] = max(a[i], b[i]); a NaN in either gives NaN.
func Maximum[T Float](y, a, b []T) { apply(opMaximum, y, a, b, 0, 0) }

// Minimum sets y[i] = min(a[i], b[i]); a NaN in either gives NaN.
func Minimum[T Float](y, a, b []T) { apply(opMinimum, y, a, b, 0, 0) }

// Clamp sets y[i] = x[i] held between lo and hi; NaN stays NaN. ReLU6 is Clamp(y, x, 0, 6).
func Clamp[T Float](y, x []T, lo, hi T) { apply(opClamp, y, x, nil, lo, hi) }

// ClampGrad sets dx[i] = dy[i] where lo ≤ x[i] ≤ hi, and 0 elsewhere.
func ClampGrad[T Float](dx, dy, x []T, lo, hi T) { apply(opClampGrad, dx, dy, x, lo, hi) }

// Abs sets y[i] = |x[i]|.
func Abs[T Float](y, x []T) { apply(opAbs, y, x, nil, 0, 0) }

// AbsGrad sets dx[i] = dy[i] · sign(x[i]), with sign(0) = 0.
func AbsGrad[T Float](dx, dy, x []T) { apply(opAbsGrad, dx, dy, x, 0, 0) }

// Sqrt sets y[i] = √x[i].
func Sqrt[T Float](y, x []T) { apply(opSqrt, y, x, nil, 0, 0) }

// SqrtGrad sets dx[i] = dy[i] / (2·y[i]), where y = √x.
func SqrtGrad[T Float](dx, dy, y []T) { apply(opSqrtGrad, dx, dy, y, 0, 0) }

// Exp sets y[i] = e^x[i]. In float32 the error is at most 1.01 ulp.
func Exp[T Float](y, x []T) { apply(opExp, y, x, nil, 0, 0) }

// Log sets y[i] = ln x[i]. In float32 the error is at most 2 ulp.
func Log[T Float](y, x []T) { apply(opLog, y, x, nil, 0, 0) }

// Pow sets y[i] = x[i]^p.
func Pow[T Float](y, x []T, p T) { apply(opPow, y, x, nil, p, 0) }
