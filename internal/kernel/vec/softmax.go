package vec

import (
	"math"

	"github.com/stheno-ml/stheno/internal/kernel/par"
)

// The functions below work on the rows of x [rows, cols]. They subtract a row's largest value first, so no
// finite input overflows.

type rowKind uint8

const (
	rowSoftmax rowKind = iota
	rowSoftmaxGrad
	rowLogSoftmax
	rowLogSoftmaxGrad
	rowCrossEntropy
	rowCrossEntropyGrad
	rowSoftCrossEntropy
	rowSoftCrossEntropyGrad
	rowCrossEntropyBoth
	rowSoftCrossEntropyBoth
)

// rowTask is one function over rows: y and a are [rows, cols], b too where there is one; v and w are [rows].
type rowTask[T Float] struct {
	kind    rowKind
	cols    int
	y, a, b []T
	v, w    []T
	labels  []int
	smooth  T
}

func (r *rowTask[T]) Run(lo, hi int) {
	for i := lo; i < hi; i++ {
		from, to := i*r.cols, (i+1)*r.cols
		r.row(i, part(r.y, from, to), r.a[from:to], part(r.b, from, to))
	}
}

func (r *rowTask[T]) row(i int, y, a, b []T) {
	switch r.kind {
	case rowSoftmax:
		softmaxRow(y, a)
	case rowSoftmaxGrad: // a = dy, b = softmax
		d := T(reducePart(redDot, a, b, 0))
		run(opAddScalar, y, a, nil, -d, 0)
		run(opMul, y, y, b, 0, 0)
	case rowLogSoftmax:
		m, l := logSumExp(a)
		// Two subtractions: the sum m + l would lose the digits of l where m is large.
		run(opAddScalar, y, a, nil, -m, 0)
		run(opAddScalar, y, y, nil, -l, 0)
	case rowLogSoftmaxGrad: // a = dy, b = log-softmax
		d := T(reducePart(redSum, a, nil, 0))
		for j := range y {
			y[j] = a[j] - d*T(math.Exp(float64(b[j])))
		}
	case rowCrossEntropy:
		r.v[i] = r.hardLoss(a, r.labels[i])
	case rowCrossEntropyGrad:
		r.hardGrad(y, a, r.labels[i], r.v[i])
	case rowSoftCrossEntropy: // b = target
		m, l := logSumExp(a)
		s := 0.0
		for j, t := range b {
			if t != 0 { // 0·Inf of a class that cannot be is 0
				s += float64(t) * (float64(l) - float64(a[j]-m))
			}
		}
		r.v[i] = T(s)
	case rowSoftCrossEntropyGrad:
		total := T(reducePart(redSum, b, nil, 0))
		g := r.v[i]
		for j, p := range softmaxRow(y, a) {
			y[j] = (p*total - b[j]) * g
		}
	case rowCrossEntropyBoth:
		r.w[i] = r.hardBoth(y, a, r.labels[i], r.v[i])
	case rowSoftCrossEntropyBoth: // b = target
		r.w[i] = softBoth(y, a, b, r.v[i])
	}
}

func (r *rowTask[T]) hardLoss(a []T, label int) T {
	if label < 0 {
		return 0
	}
	m, l := logSumExp(a)
	loss := l - (a[label] - m)
	if r.smooth != 0 {
		mean := T(reducePart(redSum, a, nil, 0) / float64(len(a)))
		loss = (1-r.smooth)*loss + r.smooth*(l-(mean-m))
	}
	return loss
}

func (r *rowTask[T]) hardGrad(y, a []T, label int, g T) {
	if label < 0 {
		run(opFill, y, nil, nil, 0, 0)
		return
	}
	softmaxRow(y, a)
	if r.smooth != 0 {
		run(opAddScalar, y, y, nil, -r.smooth/T(len(a)), 0)
	}
	y[label] -= 1 - r.smooth
	run(opScale, y, y, nil, g, 0)
}

// hardBoth is hardGrad, and hardLoss from the same exponentials.
func (r *rowTask[T]) hardBoth(y, a []T, label int, g T) (loss T) {
	if label < 0 {
		run(opFill, y, nil, nil, 0, 0)
		return 0
	}
	m, l := softmaxLog(y, a)
	loss = l - (a[label] - m)
	if r.smooth != 0 {
		mean := T(reducePart(redSum, a, nil, 0) / float64(len(a)))
		loss = (1-r.smooth)*loss + r.smooth*(l-(mean-m))
		run(opAddScalar, y, y, nil, -r.smooth/T(len(a)), 0)
	}
	y[label] -= 1 - r.smooth
	run(opScale, y, y, nil, g, 0)
	return loss
}

// softBoth is the loss and the gradient for a row of targets b.
func softBoth[T Float](y, a, b []T, g T) (loss T) {
	m, l := softmaxLog(y, a)
	total, s := T(reducePart(redSum, b, nil, 0)), 0.0
	for j, t := range b {
		if t != 0 { // 0·Inf of a class that cannot be is 0
			s += float64(t) * (float64(l) - float64(a[j]-m))
		}
		y[j] = (y[j]*total - t) * g
	}
	return T(s)
}

// run applies an elementwise operation on the calling goroutine.
func run[T Float](o op, y, a, b []T, s, t T) {
	if len(y) > 0 {
		e := elementwise[T]{o, y, a, b, s, t}
		e.Run(0, len(y))
	}
}

func softmaxRow[T Float](y, x []T) []T {
	softmaxLog(y, x)
	return y
}

// softmaxLog sets y to the softmax of x, and gives m = max x and l = ln Σ exp(x − m).
func softmaxLog[T Float](y, x []T) (m, l T) {
	m = T(reducePart(redMax, x, nil, 0))
	run(opExp, y, x, nil, m, 0)
	total := reducePart(redSum, y, nil, 0)
	run(opScale, y, y, nil, T(1/total), 0)
	return m, T(math.Log(total))
}

// logSumExp gives m = max x and l = ln Σ exp(x − m).
func logSumExp[T Float](x []T) (m, l T) {
	m = T(reducePart(redMax, x, nil, 0))
	return m, T(math.Log(reducePart(redExpSum, x, nil, m)))
}

func overRows[T Float](rows int, r rowTask[T]) {
	if rows <= 0 || r.cols <= 0 {
		return
	}
	grain := max(1, grainMath/r.cols)
	if rows <= grain {
		r.Run(0, rows)
		return
	}
	par.For(rows, grain, r)
}

// Softmax sets y[r, c] = exp(x[r, c]) / Σ_k exp(x[r, k]).
func Softmax[T Float](y, x []T, rows, cols int) {
	overRows(rows, rowTask[T]{kind: rowSoftmax, cols: cols, y: y, a: x})
}

// SoftmaxGrad sets dx[r, c] = y[r, c]·(dy[r, c] − Σ_k dy[r, k]·y[r, k]), where y is the output of Softmax.
// dx may be dy, but not y.
func SoftmaxGrad[T Float](dx, dy, y []T, rows, cols int) {
	overRows(rows, rowTask[T]{kind: rowSoftmaxGrad, cols: cols, y: dx, a: dy, b: y})
}

// LogSoftmax sets y[r, c] = x[r, c] − ln Σ_k exp(x[r, k]).
func LogSoftmax[T Float](y, x []T, rows, cols int) {
	overRows(rows, rowTask[T]{kind: rowLogSoftmax, cols: cols, y: y, a: x})
}

// LogSoftmaxGrad sets dx[r, c] = dy[r, c] − exp(y[r, c])·Σ_k dy[r, k], where y is the output of LogSoftmax.
func LogSoftmaxGrad[T Float](dx, dy, y []T, rows, cols int) {
	overRows(rows, rowTask[T]{kind: rowLogSoftmaxGrad, cols: cols, y: dx, a: dy, b: y})
}

// SoftmaxCrossEntropy sets loss[r] = −Σ_c t[r, c]·ln softmax(x)[r, c], where t is 1−smoothing for the row's
// label plus smoothing/cols for every class (Szegedy et al. 2016, section 7). A negative label counts as no
// label: its loss is 0.
func SoftmaxCrossEntropy[T Float](loss, x []T, labels []int, smoothing T, rows, cols int) {
	overRows(rows, rowTask[T]{kind: rowCrossEntropy, cols: cols, a: x, v: loss, labels: labels, smooth: smoothing})
}

// SoftmaxCrossEntropyGrad sets dx[r, c] = (softmax(x)[r, c] − t[r, c])·dloss[r], and 0 for a negative label.
func SoftmaxCrossEntropyGrad[T Float](dx, x []T, labels []int, dloss []T, smoothing T, rows, cols int) {
	overRows(rows, rowTask[T]{kind: rowCrossEntropyGrad, cols: cols, y: dx, a: x, v: dloss, labels: labels, smooth: smoothing})
}

// SoftCrossEntropy sets loss[r] = −Σ_c target[r, c]·ln softmax(x)[r, c].
func SoftCrossEntropy[T Float](loss, x, target []T, rows, cols int) {
	overRows(rows, rowTask[T]{kind: rowSoftCrossEntropy, cols: cols, a: x, b: target, v: loss})
}

// SoftCrossEntropyGrad sets dx[r, c] = (softmax(x)[r, c]·Σ_k target[r, k] − target[r, c])·dloss[r].
// dx may be x, but not target.
func SoftCrossEntropyGrad[T Float](dx, x, target, dloss []T, rows, cols int) {
	overRows(rows, rowTask[T]{kind: rowSoftCrossEntropyGrad, cols: cols, y: dx, a: x, b: target, v: dloss})
}

// SoftmaxCrossEntropyBoth is SoftmaxCrossEntropy and SoftmaxCrossEntropyGrad of one x, of one softmax.
func SoftmaxCrossEntropyBoth[T Float](loss, dx, x []T, labels []int, dloss []T, smoothing T, rows, cols int) {
	overRows(rows, rowTask[T]{kind: rowCrossEntropyBoth, cols: cols, y: dx, a: x, v: dloss, w: loss, labels: labels, smooth: smoothing})
}

// SoftCrossEntropyBoth is SoftCrossEntropy and SoftCrossEntropyGrad of one x, of one softmax.
func SoftCrossEntropyBoth[T Float](loss, dx, x, target, dloss []T, rows, cols int) {
	overRows(rows, rowTask[T]{kind: rowSoftCrossEntropyBoth, cols: cols, y: dx, a: x, b: target, v: dloss, w: loss})
}
