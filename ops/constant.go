package ops

import (
	"strconv"
	"sync/atomic"

	"github.com/pkg/errors"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

var constants atomic.Uint64

// Constant is a node that holds a value: a *tensor.Dense, or a scalar such as gorgonia.NewF32(2).
// Unlike gorgonia.NewConstant it is never merged with another constant that merely prints alike.
// The value is not copied; do not change it while the graph is in use.
func Constant(g *gorgonia.ExprGraph, v gorgonia.Value) (*Node, error) {
	if g == nil {
		return nil, errors.New("constant: graph is nil")
	}
	if v == nil {
		return nil, errors.New("constant: value is nil")
	}
	name := "constant." + strconv.FormatUint(constants.Add(1), 10)
	shape := v.Shape()
	return gorgonia.NewUniqueNode(gorgonia.In(g), gorgonia.WithName(name), gorgonia.WithType(typeOf(len(shape), v.Dtype())),
		gorgonia.WithShape(shape...), gorgonia.WithValue(v)), nil
}

// Full is a constant of one shape and type whose elements all have the given value; a scalar for no shape.
func Full(g *gorgonia.ExprGraph, dt tensor.Dtype, value float64, shape ...int) (*Node, error) {
	v, err := filled(dt, value, shape)
	if err != nil {
		return nil, errors.Wrap(err, "constant")
	}
	return Constant(g, v)
}

func filled(dt tensor.Dtype, value float64, shape []int) (gorgonia.Value, error) {
	switch {
	case dt == tensor.Float32 && len(shape) == 0:
		return gorgonia.NewF32(float32(value)), nil
	case dt == tensor.Float64 && len(shape) == 0:
		return gorgonia.NewF64(value), nil
	case !isFloat(dt):
		return nil, errors.Errorf("type %v, want float32 or float64", dt)
	}
	for i, d := range shape {
		if d <= 0 {
			return nil, errors.Errorf("axis %d of shape %v has size %d", i, shape, d)
		}
	}
	t := tensor.New(tensor.Of(dt), tensor.WithShape(shape...))
	var err error
	if dt == tensor.Float32 {
		err = t.Memset(float32(value))
	} else {
		err = t.Memset(value)
	}
	return t, errors.Wrap(err, "filling a constant")
}
