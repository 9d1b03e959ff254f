// Package exec is what an op and the machine that runs it agree on: bare arrays, the memory order they are
// kept in, and the call that carries them. Gorgonia's values are turned into arrays at the edge.
package exec

import (
	"unsafe"

	"github.com/pkg/errors"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// Order is how the elements of an array lie in memory.
type Order uint8

const (
	RowMajor     Order = iota // the last axis of Shape is contiguous; the only order seen outside a tape
	ChannelsLast              // Shape is [N, C, H, W], memory is [N, H, W, C]
)

func (o Order) String() string {
	if o == ChannelsLast {
		return "channels-last"
	}
	return "row-major"
}

// Element is a type that arrays hold.
type Element interface {
	float32 | float64 | int | int64 | int32 | uint8 | bool
}

// Float is a type that ops compute in.
type Float interface{ float32 | float64 }

// Array is a block of memory with a shape. Shape always names the axes in public order
// ([N, C, H, W] for pictures); a scalar has an empty shape and one element.
type Array struct {
	Shape tensor.Shape
	Dtype tensor.Dtype
	Order Order
	// Pitch is the elements from one pixel to the next of a channels-last picture whose pixels lie apart, each in
	// its place among more channels; Len, Bytes and Data then count from the first pixel's first channel to the
	// last pixel's last one, with what lies between, which is others'. 0 for all other arrays, which are dense.
	// Only results of a Pitcher or Cutter that agreed, and inputs of a Joiner and of a PitchReader, are ever pitched.
	Pitch int
	ptr   unsafe.Pointer
	n     int
}

// Of wraps a slice that holds shape in row-major order.
func Of[T Element](data []T, shape tensor.Shape) Array {
	return Array{Shape: shape, Dtype: DtypeOf[T](), ptr: unsafe.Pointer(unsafe.SliceData(data)), n: len(data)}
}

// Empty is an array that has a shape and a type but no memory yet.
func Empty(shape tensor.Shape, dt tensor.Dtype) Array {
	return Array{Shape: shape, Dtype: dt, n: Size(shape)}
}

// At gives the array memory that starts at p.
func (a Array) At(p unsafe.Pointer) Array {
	a.ptr = p
	return a
}

// Pitched is a channels-last picture with its pixels that many elements apart.
func (a Array) Pitched(pitch int) Array {
	s := a.Shape // [N, C, H, W]
	a.Pitch, a.n = pitch, (s[0]*s[2]*s[3]-1)*pitch+s[1]
	return a
}

// Pointer is where the elements start.
func (a *Array) Pointer() unsafe.Pointer { return a.ptr }

// Len is the number of elements.
func (a *Array) Len() int { return a.n }

// Bytes is the size of the elements.
func (a *Array) Bytes() int { return a.n * int(a.Dtype.Size()) }

// Data is the elements, in the array's memory order. It panics when T is not the array's type.
func Data[T Element](a *Array) []T {
	if dt := DtypeOf[T](); dt != a.Dtype {
		panic(errors.Errorf("exec: array holds %v, asked for %v", a.Dtype, dt))
	}
	return unsafe.Slice((*T)(a.ptr), a.n)
}

// DtypeOf is Gorgonia's name for T.
func DtypeOf[T Element]() tensor.Dtype {
	var zero T
	switch any(zero).(type) {
	case float32:
		return tensor.Float32
	case float64:
		return tensor.Float64
	case int:
		return tensor.Int
	case int64:
		return tensor.Int64
	case int32:
		return tensor.Int32
	case uint8:
		return tensor.Uint8
	}
	return tensor.Bool
}

// Size is the number of elements of a shape; 1 for a scalar.
func Size(s tensor.Shape) int {
	n := 1
	for _, d := range s {
		n *= d
	}
	return n
}

// FromValue looks at a Gorgonia value as an array, without copying where its memory is contiguous and
// row-major; a view or a column-major tensor is copied.
func FromValue(v gorgonia.Value) (Array, error) {
	switch x := v.(type) {
	case nil:
		return Array{}, errors.New("no value is bound")
	case *tensor.Dense:
		if x.RequiresIterator() || x.DataOrder().IsColMajor() || x.DataOrder().IsNotContiguous() {
			x = rowMajorCopy(x)
		}
		shape := x.Shape()
		p, err := start(x)
		return Array{Shape: shape, Dtype: x.Dtype(), ptr: p, n: Size(shape)}, err
	case *gorgonia.F32:
		return scalar(x, tensor.Float32), nil
	case *gorgonia.F64:
		return scalar(x, tensor.Float64), nil
	case *gorgonia.I:
		return scalar(x, tensor.Int), nil
	case *gorgonia.I64:
		return scalar(x, tensor.Int64), nil
	case *gorgonia.I32:
		return scalar(x, tensor.Int32), nil
	case *gorgonia.U8:
		return scalar(x, tensor.Uint8), nil
	case *gorgonia.B:
		return scalar(x, tensor.Bool), nil
	}
	return Array{}, errors.Errorf("value of type %T is neither a scalar nor a *tensor.Dense", v)
}

func scalar[T any](v *T, dt tensor.Dtype) Array {
	return Array{Dtype: dt, ptr: unsafe.Pointer(v), n: 1}
}

// start is where the elements of a dense tensor begin. Its typed accessors do not allocate; Data does.
func start(x *tensor.Dense) (unsafe.Pointer, error) {
	switch x.Dtype() {
	case tensor.Float32:
		return unsafe.Pointer(unsafe.SliceData(x.Float32s())), nil
	case tensor.Float64:
		return unsafe.Pointer(unsafe.SliceData(x.Float64s())), nil
	case tensor.Int:
		return unsafe.Pointer(unsafe.SliceData(x.Ints())), nil
	case tensor.Int64:
		return unsafe.Pointer(unsafe.SliceData(x.Int64s())), nil
	case tensor.Int32:
		return unsafe.Pointer(unsafe.SliceData(x.Int32s())), nil
	case tensor.Uint8:
		return unsafe.Pointer(unsafe.SliceData(x.Uint8s())), nil
	case tensor.Bool:
		return unsafe.Pointer(unsafe.SliceData(x.Bools())), nil
	}
	return nil, errors.Errorf("tensor of type %v: want a float, integer or bool type", x.Dtype())
}

// rowMajorCopy is x with its elements in the order of its axes.
func rowMajorCopy(x *tensor.Dense) *tensor.Dense {
	shape, strides := x.Shape(), x.Strides()
	c := tensor.New(tensor.Of(x.Dtype()), tensor.WithShape(shape.Clone()...))
	at := make([]int, len(shape))
	for k := range Size(shape) {
		from := 0
		for a, i := range at {
			from += i * strides[a]
		}
		c.Set(k, x.Get(from))
		for a := len(at) - 1; a >= 0; a-- {
			if at[a]++; at[a] < shape[a] {
				break
			}
			at[a] = 0
		}
	}
	return c
}

// NewValue makes a Gorgonia value of a shape and type, and the array that looks at its memory.
func NewValue(shape tensor.Shape, dt tensor.Dtype) (gorgonia.Value, Array, error) {
	var v gorgonia.Value
	if len(shape) == 0 {
		switch dt {
		case tensor.Float32:
			v = gorgonia.NewF32(0)
		case tensor.Float64:
			v = gorgonia.NewF64(0)
		case tensor.Int:
			v = gorgonia.NewI(0)
		case tensor.Int64:
			v = gorgonia.NewI64(0)
		case tensor.Int32:
			v = gorgonia.NewI32(0)
		case tensor.Uint8:
			v = gorgonia.NewU8(0)
		case tensor.Bool:
			v = gorgonia.NewB(false)
		default:
			return nil, Array{}, errors.Errorf("no scalar of type %v", dt)
		}
	} else {
		v = tensor.New(tensor.Of(dt), tensor.WithShape(shape.Clone()...))
	}
	a, err := FromValue(v)
	return v, a, err
}
