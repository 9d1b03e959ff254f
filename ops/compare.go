package ops

import (
	"github.com/pkg/errors"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/internal/exec"
	"github.com/stheno-ml/stheno/internal/kernel/par"
)

// Equal is true where a = b, element by element, broadcast as Add does. Comparisons take floats or integers,
// both of one type, and give booleans; they have no gradient. Comparisons with NaN are false, but NotEqual's.
func Equal(a, b *Node) (*Node, error) { return apply(compare{kind: isEqual}, a, b) }

// NotEqual is true where a ≠ b; see Equal.
func NotEqual(a, b *Node) (*Node, error) { return apply(compare{kind: isNotEqual}, a, b) }

// Less is true where a < b; see Equal.
func Less(a, b *Node) (*Node, error) { return apply(compare{kind: isLess}, a, b) }

// LessOrEqual is true where a ≤ b; see Equal.
func LessOrEqual(a, b *Node) (*Node, error) { return apply(compare{kind: isLessOrEqual}, a, b) }

// Greater is true where a > b; see Equal.
func Greater(a, b *Node) (*Node, error) { return apply(compare{kind: isLess}, b, a) }

// GreaterOrEqual is true where a ≥ b; see Equal.
func GreaterOrEqual(a, b *Node) (*Node, error) { return apply(compare{kind: isLessOrEqual}, b, a) }

type comparison uint8

const (
	isEqual comparison = iota
	isNotEqual
	isLess
	isLessOrEqual
)

type compare struct {
	stepped
	kind comparison
}

func (compare) name() string                                  { return "compare" }
func (compare) shape(in []tensor.Shape) (tensor.Shape, error) { return broadcastShape(in) }

func (compare) dtype(in []tensor.Dtype) (tensor.Dtype, error) {
	if in[0] != in[1] {
		return in[0], errors.Errorf("inputs are of types %v and %v, want one type", in[0], in[1])
	}
	switch in[0] {
	case tensor.Float32, tensor.Float64, tensor.Int, tensor.Int64, tensor.Int32, tensor.Uint8:
		return tensor.Bool, nil
	}
	return in[0], errors.Errorf("inputs are of type %v, want floats or integers", in[0])
}

func (r compare) run(c *exec.Call) error {
	switch c.In[0].Dtype {
	case tensor.Float32:
		runRows(c, [...]comparer[float32]{equalRow[float32], notEqualRow[float32], lessRow[float32], lessOrEqualRow[float32]}[r.kind])
	case tensor.Float64:
		runRows(c, [...]comparer[float64]{equalRow[float64], notEqualRow[float64], lessRow[float64], lessOrEqualRow[float64]}[r.kind])
	case tensor.Int:
		runRows(c, [...]comparer[int]{equalRow[int], notEqualRow[int], lessRow[int], lessOrEqualRow[int]}[r.kind])
	case tensor.Int64:
		runRows(c, [...]comparer[int64]{equalRow[int64], notEqualRow[int64], lessRow[int64], lessOrEqualRow[int64]}[r.kind])
	case tensor.Int32:
		runRows(c, [...]comparer[int32]{equalRow[int32], notEqualRow[int32], lessRow[int32], lessOrEqualRow[int32]}[r.kind])
	case tensor.Uint8:
		runRows(c, [...]comparer[uint8]{equalRow[uint8], notEqualRow[uint8], lessRow[uint8], lessOrEqualRow[uint8]}[r.kind])
	}
	return nil
}

// number is an element that has an order.
type number interface {
	float32 | float64 | int | int64 | int32 | uint8
}

// comparer compares a row. It is made outside generic code, where it would be a closure and be allocated.
type comparer[T number] = func(y []bool, a, b []T, stepA, stepB int)

func equalRow[T number](y []bool, a, b []T, sa, sb int) {
	for i := range y {
		y[i] = a[i*sa] == b[i*sb]
	}
}

func notEqualRow[T number](y []bool, a, b []T, sa, sb int) {
	for i := range y {
		y[i] = a[i*sa] != b[i*sb]
	}
}

func lessRow[T number](y []bool, a, b []T, sa, sb int) {
	for i := range y {
		y[i] = a[i*sa] < b[i*sb]
	}
}

func lessOrEqualRow[T number](y []bool, a, b []T, sa, sb int) {
	for i := range y {
		y[i] = a[i*sa] <= b[i*sb]
	}
}

func (e *expr) equal(a, b *Node) *Node { return e.op(compare{kind: isEqual}, a, b) }

// constant is a scalar of the type of like.
func (e *expr) constant(like *Node, v float64) *Node {
	return e.node(func() (*Node, error) { return Full(like.Graph(), like.Dtype(), v) })
}

// Cast converts elements of any type to float32 or float64; booleans become 0 and 1. The gradient of a float
// input is converted back.
func Cast(x *Node, to tensor.Dtype) (*Node, error) {
	if !isFloat(to) {
		return nil, errors.Errorf("cast: to type %v, want float32 or float64", to)
	}
	return apply(cast{to}, x)
}

type cast struct{ to tensor.Dtype }

func (cast) name() string                                  { return "cast" }
func (cast) shape(in []tensor.Shape) (tensor.Shape, error) { return in[0].Clone(), nil }

func (r cast) dtype(in []tensor.Dtype) (tensor.Dtype, error) {
	switch in[0] {
	case tensor.Float32, tensor.Float64, tensor.Int, tensor.Int64, tensor.Int32, tensor.Uint8, tensor.Bool:
		return r.to, nil
	}
	return r.to, errors.Errorf("the input is of type %v, want a float, integer or bool", in[0])
}

func (r cast) run(c *exec.Call) error { return exec.OnFloat(c, castRun[float32], castRun[float64]) }

func castRun[T exec.Float](c *exec.Call) {
	switch c.In[0].Dtype {
	case tensor.Float32:
		castFrom[T, float32](c)
	case tensor.Float64:
		castFrom[T, float64](c)
	case tensor.Int:
		castFrom[T, int](c)
	case tensor.Int64:
		castFrom[T, int64](c)
	case tensor.Int32:
		castFrom[T, int32](c)
	case tensor.Uint8:
		castFrom[T, uint8](c)
	case tensor.Bool:
		y := exec.Data[T](&c.Out)
		for i, v := range exec.Data[bool](&c.In[0]) {
			y[i] = 0
			if v {
				y[i] = 1
			}
		}
	}
}

func castFrom[T exec.Float, From number](c *exec.Call) {
	par.For(c.Out.Len(), blockSize, castTask[T, From]{exec.Data[T](&c.Out), exec.Data[From](&c.In[0])})
}

type castTask[T exec.Float, From number] struct {
	y []T
	x []From
}

func (t *castTask[T, From]) Run(lo, hi int) {
	y := t.y[lo:hi]
	for i, v := range t.x[lo:hi] {
		y[i] = T(v)
	}
}

func (cast) grad(in gorgonia.Nodes, _, dy *Node) (gorgonia.Nodes, error) {
	if !isFloat(in[0].Dtype()) {
		return gorgonia.Nodes{nil}, nil
	}
	dx, err := Cast(dy, in[0].Dtype())
	return gorgonia.Nodes{dx}, err
}
