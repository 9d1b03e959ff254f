package ops

import (
	"math"

	"github.com/pkg/errors"
	"gorgonia.org/gorgonia"

	"github.com/stheno-ml/stheno/internal/exec"
	"github.com/stheno-ml/stheno/internal/kernel/par"
	"github.com/stheno-ml/stheno/internal/kernel/vec"
)

// Softmax makes positive numbers that sum to 1 along an axis (-1 is the last one):
//
//	y_i = exp(x_i) / Σ_k exp(x_k)
//
// The largest x is subtracted first, so large inputs do not overflow.
func Softmax(x *Node, axis int) (*Node, error) {
	a, err := softmaxAxis("softmax", x, axis)
	if err != nil {
		return nil, err
	}
	return apply(softmax{axis: a}, x)
}

// LogSoftmax is the logarithm of Softmax along an axis, right also where Softmax is too small for its type:
//
//	y_i = x_i − ln Σ_k exp(x_k)
func LogSoftmax(x *Node, axis int) (*Node, error) {
	a, err := softmaxAxis("log-softmax", x, axis)
	if err != nil {
		return nil, err
	}
	return apply(logSoftmax{axis: a}, x)
}

func softmaxAxis(name string, x *Node, axis int) (int, error) {
	if x == nil {
		return 0, errors.Errorf("%s: input 0 is nil", name)
	}
	if err := checkRank(x.Shape()); err != nil {
		return 0, errors.Wrap(err, name)
	}
	a, err := axisOf(axis, len(x.Shape()))
	return a, errors.Wrap(err, name)
}

// along is an array cut at one axis, in memory: [outer, n, inner].
func along(a *exec.Array, axis int) (outer, n, inner int) {
	n = a.Shape[axis]
	inner = stepsOf(a)[axis]
	return a.Len() / (n * inner), n, inner
}

type softmax struct {
	elementwise
	axis int
}

func (softmax) name() string { return "softmax" }

func (r softmax) run(c *exec.Call) error {
	outer, n, inner := along(&c.In[0], r.axis)
	if inner == 1 {
		return on1(c,
			func(y, x []float32) { vec.Softmax(y, x, outer, n) },
			func(y, x []float64) { vec.Softmax(y, x, outer, n) })
	}
	return on1(c,
		func(y, x []float32) { runColumns(columnTask[float32]{softmaxColumns, n, inner, y, x, nil}, outer) },
		func(y, x []float64) { runColumns(columnTask[float64]{softmaxColumns, n, inner, y, x, nil}, outer) })
}

func (r softmax) grad(_ gorgonia.Nodes, y, dy *Node) (gorgonia.Nodes, error) {
	var e expr
	return e.nodes(e.op(softmaxGrad{axis: r.axis}, dy, y))
}

// softmaxGrad is dx = y·(dy − Σ dy·y).
type softmaxGrad struct {
	elementwise
	axis int
}

func (softmaxGrad) name() string { return "softmax gradient" }

func (r softmaxGrad) run(c *exec.Call) error {
	outer, n, inner := along(&c.In[0], r.axis)
	if inner == 1 {
		return on2(c,
			func(dx, dy, y []float32) { vec.SoftmaxGrad(dx, dy, y, outer, n) },
			func(dx, dy, y []float64) { vec.SoftmaxGrad(dx, dy, y, outer, n) })
	}
	return on2(c,
		func(dx, dy, y []float32) {
			runColumns(columnTask[float32]{softmaxGradColumns, n, inner, dx, dy, y}, outer)
		},
		func(dx, dy, y []float64) {
			runColumns(columnTask[float64]{softmaxGradColumns, n, inner, dx, dy, y}, outer)
		})
}

// The Jacobian is symmetric. By y: with s = Σ dy·y and t = Σ ddx·y, the gradient is ddx·(dy − s) − dy·t.
func (r softmaxGrad) grad(in gorgonia.Nodes, _, ddx *Node) (gorgonia.Nodes, error) {
	dy, y := in[0], in[1]
	axis := axisSet(1) << r.axis
	var e expr
	s, t := e.sumKeep(e.mul(dy, y), axis), e.sumKeep(e.mul(ddx, y), axis)
	return e.nodes(e.op(r, ddx, y), e.sub(e.mul(ddx, e.sub(dy, s)), e.mul(dy, t)))
}

type logSoftmax struct {
	elementwise
	axis int
}

func (logSoftmax) name() string { return "log-softmax" }

func (r logSoftmax) run(c *exec.Call) error {
	outer, n, inner := along(&c.In[0], r.axis)
	if inner == 1 {
		return on1(c,
			func(y, x []float32) { vec.LogSoftmax(y, x, outer, n) },
			func(y, x []float64) { vec.LogSoftmax(y, x, outer, n) })
	}
	return on1(c,
		func(y, x []float32) { runColumns(columnTask[float32]{logSoftmaxColumns, n, inner, y, x, nil}, outer) },
		func(y, x []float64) { runColumns(columnTask[float64]{logSoftmaxColumns, n, inner, y, x, nil}, outer) })
}

func (r logSoftmax) grad(_ gorgonia.Nodes, y, dy *Node) (gorgonia.Nodes, error) {
	var e expr
	return e.nodes(e.op(logSoftmaxGrad{axis: r.axis}, dy, y))
}

// logSoftmaxGrad is dx = dy − exp(y)·Σ dy.
type logSoftmaxGrad struct {
	elementwise
	axis int
}

func (logSoftmaxGrad) name() string { return "log-softmax gradient" }

func (r logSoftmaxGrad) run(c *exec.Call) error {
	outer, n, inner := along(&c.In[0], r.axis)
	if inner == 1 {
		return on2(c,
			func(dx, dy, y []float32) { vec.LogSoftmaxGrad(dx, dy, y, outer, n) },
			func(dx, dy, y []float64) { vec.LogSoftmaxGrad(dx, dy, y, outer, n) })
	}
	return on2(c,
		func(dx, dy, y []float32) {
			runColumns(columnTask[float32]{logSoftmaxGradColumns, n, inner, dx, dy, y}, outer)
		},
		func(dx, dy, y []float64) {
			runColumns(columnTask[float64]{logSoftmaxGradColumns, n, inner, dx, dy, y}, outer)
		})
}

// By dy: ddx − Σ ddx·exp(y). By y: −ddx·exp(y)·Σ dy.
func (r logSoftmaxGrad) grad(in gorgonia.Nodes, _, ddx *Node) (gorgonia.Nodes, error) {
	dy, y := in[0], in[1]
	axis := axisSet(1) << r.axis
	var e expr
	weighted := e.mul(ddx, e.op(exponential{}, y))
	return e.nodes(e.sub(ddx, e.sumKeep(weighted, axis)), e.scale(e.mul(weighted, e.sumKeep(dy, axis)), -1))
}

// columnTask does a function of the columns of [n, inner] matrices, as many columns at a time as stay in the
// first-level cache with their sums.
type columnTask[T exec.Float] struct {
	kind     columnKind
	n, inner int
	y, a, b  []T
}

type columnKind uint8

const (
	softmaxColumns columnKind = iota
	softmaxGradColumns
	logSoftmaxColumns
	logSoftmaxGradColumns
)

const columnBlock = 128

func runColumns[T exec.Float](t columnTask[T], outer int) {
	par.For(outer*par.Chunks(t.inner, columnBlock), max(1, loopGrain/(columnBlock*t.n)), t)
}

func (t *columnTask[T]) Run(lo, hi int) {
	blocks := par.Chunks(t.inner, columnBlock)
	for i := lo; i < hi; i++ {
		from := i % blocks * columnBlock
		t.block(i/blocks*t.n*t.inner+from, min(columnBlock, t.inner-from))
	}
}

func (t *columnTask[T]) block(at, cols int) {
	var largest [columnBlock]T
	var totals [columnBlock]float64
	m, s := largest[:cols], totals[:cols]
	row := func(x []T, k int) []T { return x[at+k*t.inner:][:cols] }
	switch t.kind {
	case softmaxGradColumns: // a = dy, b = y
		for k := range t.n {
			dy, y := row(t.a, k), row(t.b, k)
			for j := range s {
				s[j] += float64(dy[j]) * float64(y[j])
			}
		}
		for k := range t.n {
			dx, dy, y := row(t.y, k), row(t.a, k), row(t.b, k)
			for j := range s {
				dx[j] = y[j] * (dy[j] - T(s[j]))
			}
		}
		return
	case logSoftmaxGradColumns: // a = dy, b = y
		for k := range t.n {
			for j, v := range row(t.a, k) {
				s[j] += float64(v)
			}
		}
		for k := range t.n {
			dx, dy, y := row(t.y, k), row(t.a, k), row(t.b, k)
			for j := range s {
				dx[j] = dy[j] - T(s[j]*math.Exp(float64(y[j])))
			}
		}
		return
	}
	for j := range m {
		m[j] = T(math.Inf(-1))
	}
	for k := range t.n {
		for j, v := range row(t.a, k) {
			if !(v <= m[j]) && m[j] == m[j] { // a NaN is taken, and stays
				m[j] = v
			}
		}
	}
	for k := range t.n {
		y, x := row(t.y, k), row(t.a, k)
		for j, v := range x {
			y[j] = v - m[j]
		}
		if t.kind == logSoftmaxColumns {
			for j, v := range y {
				s[j] += math.Exp(float64(v))
			}
			continue
		}
		vec.Exp(y, y)
		for j, v := range y {
			s[j] += float64(v)
		}
	}
	for j, v := range s {
		if t.kind == logSoftmaxColumns {
			s[j] = math.Log(v)
		} else {
			s[j] = 1 / v
		}
	}
	for k := range t.n {
		y := row(t.y, k)
		for j := range y {
			if t.kind == logSoftmaxColumns {
				y[j] -= T(s[j])
			} else {
				y[j] *= T(s[j])
			}
		}
	}
}
