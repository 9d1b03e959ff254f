package ops

import (
	"github.com/pkg/errors"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/internal/exec"
	"github.com/stheno-ml/stheno/internal/kernel/gemm"
	"github.com/stheno-ml/stheno/internal/kernel/vec"
)

// Transposed says how the operands of a matrix product are stored.
type Transposed struct {
	A bool // a is [..., k, m]
	B bool // b is [..., n, k]
}

// MatMul is the matrix product of the last two axes, for each entry of the axes before them:
//
//	a [..., m, k] · b [..., k, n] = y [..., m, n]
//
// The axes before the last two are broadcast as in NumPy: a matrix multiplies a whole batch.
func MatMul(a, b *Node, o Transposed) (*Node, error) {
	return apply(matmul{o.A, o.B}, a, b)
}

// Linear is a fully connected layer, with the weight as PyTorch keeps it:
//
//	y = x · wᵀ + b
//
// x is [N, in] (or [..., in]), w [out, in], b [out] or nil, y [N, out].
func Linear(x, w, b *Node) (*Node, error) {
	if b == nil {
		return apply(linear{}, x, w)
	}
	return apply(linear{}, x, w, b)
}

type matmul struct{ transA, transB bool }

func (matmul) name() string { return "matrix product" }

func (r matmul) shape(in []tensor.Shape) (tensor.Shape, error) {
	a, b := in[0], in[1]
	for i, s := range in {
		if err := checkRank(s); err != nil {
			return nil, err
		}
		if len(s) < 2 {
			return nil, errors.Errorf("input %d has shape %v, want at least two axes", i, s)
		}
	}
	m, ka := matrixSize(a, r.transA)
	kb, n := matrixSize(b, r.transB)
	if ka != kb {
		return nil, errors.Errorf("shapes %v%s and %v%s: the inner sizes are %d and %d, want equal ones", a, transposed(r.transA), b, transposed(r.transB), ka, kb)
	}
	out, err := broadcastShape([]tensor.Shape{a[:len(a)-2], b[:len(b)-2]})
	if err != nil {
		return nil, errors.Wrap(err, "the axes before the matrices")
	}
	return append(out, m, n), nil
}

func transposed(t bool) string {
	if t {
		return " (transposed)"
	}
	return ""
}

// matrixSize is the rows and columns of what a product sees in the last two axes.
func matrixSize(s tensor.Shape, trans bool) (rows, cols int) {
	rows, cols = s[len(s)-2], s[len(s)-1]
	if trans {
		return cols, rows
	}
	return rows, cols
}

func (r matmul) flops(in []tensor.Shape, out tensor.Shape) int64 {
	return 2 * r.multiplyAdds(in, out)
}

func (r matmul) multiplyAdds(in []tensor.Shape, out tensor.Shape) int64 {
	_, k := matrixSize(in[0], r.transA)
	return int64(exec.Size(out)) * int64(k)
}

func (r matmul) run(c *exec.Call) error {
	if c.Out.Dtype == tensor.Float32 {
		matmulRun[float32](c, r)
	} else {
		matmulRun[float64](c, r)
	}
	return nil
}

func matmulRun[T exec.Float](c *exec.Call, r matmul) {
	a, b, y := exec.Data[T](&c.In[0]), exec.Data[T](&c.In[1]), exec.Data[T](&c.Out)
	m, k := matrixSize(c.In[0].Shape, r.transA)
	_, n := matrixSize(c.In[1].Shape, r.transB)
	lda, ldb := k, n
	if r.transA {
		lda = m
	}
	if r.transB {
		ldb = k
	}
	w := matrixWalk(c)
	rows, count := w.rows(), w.cols()
	sa, sb, sy := w.inner(1), w.inner(2), w.inner(0)
	if sb == 0 && sa == m*k && !r.transA { // one b for all: the batch is more rows of one matrix
		m, count = m*count, 1
	}
	at := w.seek(0)
	for range rows {
		gemm.Batch(count, r.transA, r.transB, m, n, k, 1, a[at.off[1]:], lda, sa, b[at.off[2]:], ldb, sb, 0, y[at.off[0]:], n, sy)
		w.next(&at)
	}
}

// matrixWalk goes over the axes before the matrices, with steps in elements.
func matrixWalk(c *exec.Call) walk {
	rank := len(c.Out.Shape) - 2
	w := walk{axes: rank}
	for k := range rank {
		w.size[k] = c.Out.Shape[k]
	}
	steps := stepsOf(&c.Out)
	copy(w.step[0][:rank], steps[:])
	for i := range c.In {
		s := c.In[i].Shape
		steps := stepsOf(&c.In[i])
		missing := rank - (len(s) - 2)
		for k := missing; k < rank; k++ {
			if s[k-missing] != 1 {
				w.step[i+1][k] = steps[k-missing]
			}
		}
	}
	w.join()
	return w
}

// With C = op(A)·op(B): dop(A) = dC·op(B)ᵀ and dop(B) = op(A)ᵀ·dC, each transposed again where the operand is.
func (r matmul) grad(in gorgonia.Nodes, _, dy *Node) (gorgonia.Nodes, error) {
	a, b := in[0], in[1]
	var e expr
	var da, db *Node
	if r.transA {
		da = e.op(matmul{r.transB, true}, b, dy)
	} else {
		da = e.op(matmul{false, !r.transB}, dy, b)
	}
	left, right := a, dy
	if len(b.Shape()) == 2 && !r.transA { // one b for all: sum over the batch inside one product
		left, right = e.rows(a), e.rows(dy)
	}
	if r.transB {
		db = e.op(matmul{true, r.transA}, right, left)
	} else {
		db = e.op(matmul{!r.transA, false}, left, right)
	}
	return e.nodes(e.to(da, a.Shape()), e.to(db, b.Shape()))
}

// rows is n as one matrix: all axes but the last together.
func (e *expr) rows(n *Node) *Node {
	if e.err != nil {
		return nil
	}
	s := n.Shape()
	last := s[len(s)-1]
	return e.reshape(n, tensor.Shape{exec.Size(s) / last, last})
}

type linear struct{}

func (linear) name() string { return "linear" }

func (linear) shape(in []tensor.Shape) (tensor.Shape, error) {
	x, w := in[0], in[1]
	switch {
	case len(x) < 2:
		return nil, errors.Errorf("x has shape %v, want [N, in]", x)
	case len(w) != 2:
		return nil, errors.Errorf("the weight has shape %v, want [out, in]", w)
	case x[len(x)-1] != w[1]:
		return nil, errors.Errorf("x of shape %v has %d features, the weight of shape %v wants %d", x, x[len(x)-1], w, w[1])
	case len(in) == 3 && !sameShape(in[2], tensor.Shape{w[0]}):
		return nil, errors.Errorf("the bias has shape %v, want (%d) for a weight of shape %v", in[2], w[0], w)
	}
	out := x.Clone()
	out[len(out)-1] = w[0]
	return out, nil
}

func (r linear) flops(in []tensor.Shape, out tensor.Shape) int64 { return 2 * r.multiplyAdds(in, out) }

func (linear) multiplyAdds(in []tensor.Shape, out tensor.Shape) int64 {
	return int64(exec.Size(out)) * int64(in[1][1])
}

func (linear) run(c *exec.Call) error {
	return exec.OnFloat(c, linearRun[float32], linearRun[float64])
}

func linearRun[T exec.Float](c *exec.Call) {
	x, w, y := exec.Data[T](&c.In[0]), exec.Data[T](&c.In[1]), exec.Data[T](&c.Out)
	out, in := c.In[1].Shape[0], c.In[1].Shape[1]
	n := len(y) / out
	beta := T(0)
	if len(c.In) == 3 {
		b := exec.Data[T](&c.In[2])
		for i := range n {
			vec.Copy(y[i*out:(i+1)*out], b)
		}
		beta = 1
	}
	gemm.Gemm(false, true, n, out, in, 1, x, in, w, in, beta, y, out)
}

func (linear) grad(in gorgonia.Nodes, _, dy *Node) (gorgonia.Nodes, error) {
	x, w := in[0], in[1]
	var e expr
	rows := e.rows(dy)
	grads := gorgonia.Nodes{
		e.op(matmul{}, dy, w),
		e.op(matmul{transA: true}, rows, e.rows(x)),
	}
	if len(in) == 3 {
		grads = append(grads, e.op(channelSum{}, rows))
	}
	return grads, e.err
}
