package vec

// ReLU sets y[i] = max(x[i], 0); NaN stays NaN.
func ReLU[T Float](y, x []T) { apply(opClamp, y, x, nil, 0, inf[T]()) }

// ReLUGrad sets dx[i] = dy[i] where y[i] > 0 (or is NaN), else 0. The input x may stand in for y.
func ReLUGrad[T Float](dx, dy, y []T) { apply(opReLUGrad, dx, dy, y, 0, 0) }

// LeakyReLU sets y[i] = x[i] where x[i] > 0, else slope · x[i].
func LeakyReLU[T Float](y, x []T, slope T) { apply(opLeakyReLU, y, x, nil, slope, 0) }

// LeakyReLUGrad sets dx[i] = dy[i] where x[i] > 0, else slope · dy[i]. The output may stand in for x when
// slope ≥ 0.
func LeakyReLUGrad[T Float](dx, dy, x []T, slope T) { apply(opLeakyReLUGrad, dx, dy, x, slope, 0) }

// ELU sets y[i] = scale · x[i] where x[i] > 0, else scale · alpha · (e^x[i] − 1) (Clevert et al. 2016).
// SELU (Klambauer et al. 2017) is alpha 1.6732632, scale 1.0507010.
func ELU[T Float](y, x []T, alpha, scale T) { apply(opELU, y, x, nil, alpha*scale, scale) }

// ELUGrad sets dx[i] from dy[i] and the output y[i] of ELU.
func ELUGrad[T Float](dx, dy, y []T, alpha, scale T) { apply(opELUGrad, dx, dy, y, alpha*scale, scale) }

// Sigmoid sets y[i] = 1/(1+e^−x[i]). In float32 the error is at most 3 ulp, small results included.
func Sigmoid[T Float](y, x []T) { apply(opSigmoid, y, x, nil, 0, 0) }

// SigmoidGrad sets dx[i] = dy[i]·y[i]·(1−y[i]).
func SigmoidGrad[T Float](dx, dy, y []T) { apply(opSigmoidGrad, dx, dy, y, 0, 0) }

// Tanh sets y[i] = tanh x[i]. In float32 the error is at most 3 ulp.
func Tanh[T Float](y, x []T) { apply(opTanh, y, x, nil, 0, 0) }

// TanhGrad sets dx[i] = dy[i]·(1−y[i]²).
func TanhGrad[T Float](dx, dy, y []T) { apply(opTanhGrad, dx, dy, y, 0, 0) }

// Softplus sets y[i] = ln(1+e^x[i]). In float32 the error is at most 3 ulp.
func Softplus[T Float](y, x []T) { apply(opSoftplus, y, x, nil, 0, 0) }

// SoftplusGrad sets dx[i] = dy[i]·sigmoid(x[i]).
func SoftplusGrad[T Float](dx, dy, x []T) { apply(opSoftplusGrad, dx, dy, x, 0, 0) }

// GELU sets y[i] = x[i]·Φ(x[i]), Φ the distribution function of the standard normal, by erf and not by the
// tanh approximation (Hendrycks and Gimpel 2016). In float32 the error is at most 8 ulp.
func GELU[T Float](y, x []T) { apply(opGELU, y, x, nil, 0, 0) }

// GELUGrad sets dx[i] = dy[i]·(Φ(x[i]) + x[i]·φ(x[i])).
func GELUGrad[T Float](dx, dy, x []T) { apply(opGELUGrad, dx, dy, x, 0, 0) }

// SiLU sets y[i] = x[i]·sigmoid(x[i]), also called swish. In float32 the error is at most 4 ulp.
func SiLU[T Float](y, x []T) { apply(opSiLU, y, x, nil, 0, 0) }

// SiLUGrad sets dx[i] from dy[i] and the input x[i] of SiLU.
func SiLUGrad[T Float](dx, dy, x []T) { apply(opSiLUGrad, dx, dy, x, 0, 0) }

// BCEWithLogits sets loss[i] = max(x,0) − x·t + ln(1+e^−|x|), the cross-entropy of sigmoid(x[i]) against the
// target t[i] in [0, 1], without overflow.
func BCEWithLogits[T Float](loss, x, target []T) { apply(opBCE, loss, x, target, 0, 0) }

// BCEWithLogitsGrad sets dx[i] = (sigmoid(x[i]) − target[i]) · scale.
func BCEWithLogitsGrad[T Float](dx, x, target []T, scale T) {
	apply(opBCEGrad, dx, x, target, scale, 0)
}
