package exec

import (
	"unsafe"

	"github.com/pkg/errors"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/internal/memory"
)

// Call is one execution of an op: inputs in argument order, the output to fill, and scratch memory of the
// size that the op asked for. Out may share memory with one input where the op allowed that.
type Call struct {
	In      []Array
	Out     Array
	Second  Array  // the other output of an op that has two; see Pairer
	Scratch []byte // 64-byte aligned
}

// Runner is an op that computes on bare arrays. Run must not change the op: two tapes may run it at once.
type Runner interface {
	Run(c *Call) error
}

// Scratcher is a Runner that needs scratch memory. ScratchBytes sees shapes, types and orders only.
type Scratcher interface {
	ScratchBytes(c *Call) int
}

// InPlacer is a Runner whose output may lie in the memory of one input of the same size: the first of
// InPlace that dies there is taken.
type InPlacer interface {
	InPlace() []int
}

// Pitcher is a Runner whose result, a channels-last picture, may be pitched (see Array.Pitch). CanPitch sees
// shapes, types and orders only. An op that is frozen can still do what it could before.
type Pitcher interface {
	CanPitch(c *Call) bool
}

// Joiner is a Runner that may put its inputs side by side: with Joins, each pixel of its result, a channels-last
// picture, holds the channels of all inputs one after the other. Inputs that are pitched lie in their place in
// the result already and need not be copied.
type Joiner interface {
	Joins() bool
}

// Cutter is a Runner that may cut channels out of a picture: Cuts sees shapes, types and orders only, and says from
// which channel on its result is a run of its input's channels, of all pixels. A result that is pitched lies there
// already and need not be copied.
type Cutter interface {
	Cuts(c *Call) (from int, ok bool)
}

// PitchReader is a Runner that can read an input, a channels-last picture, that is pitched.
type PitchReader interface {
	ReadsPitched(input int) bool
}

// Flow says which memory orders an operand of an op may have.
type Flow uint8

const (
	Plain  Flow = iota // row-major only
	Follow             // any order, the same for all operands that follow and for the result
	Last               // channels-last wanted; row-major is taken too
)

// Flower is a Runner that takes more than row-major arrays.
type Flower interface {
	Flows(in []tensor.Shape, out tensor.Shape) (inputs []Flow, output Flow)
}

// Coster is a Runner that knows its arithmetic: additions and multiplications of one call.
type Coster interface {
	Flops(in []tensor.Shape, out tensor.Shape) int64
}

// Equaler is a Runner that can be told equal to another one: same inputs then mean the same result, and the
// tape computes it once.
type Equaler interface {
	EqualOp(other any) bool
}

// Scratch cuts the first n elements off what is left of the call's scratch memory.
func Scratch[T Element](c *Call, n int) []T {
	if n == 0 {
		return nil
	}
	var zero T
	bytes := ScratchSize[T](n)
	if bytes > len(c.Scratch) {
		panic(errors.Errorf("exec: %d bytes of scratch wanted, %d left", bytes, len(c.Scratch)))
	}
	s := unsafe.Slice((*T)(unsafe.Pointer(unsafe.SliceData(c.Scratch))), bytes/int(unsafe.Sizeof(zero)))[:n]
	c.Scratch = c.Scratch[bytes:]
	return s
}

// Align is the boundary, in bytes, on which arrays and pieces of scratch start: a cache line.
const Align = memory.Line

// ScratchSize is the bytes that Scratch takes for n elements.
func ScratchSize[T Element](n int) int {
	var zero T
	return (n*int(unsafe.Sizeof(zero)) + Align - 1) &^ (Align - 1)
}

// OnFloat runs the form of a kernel that fits the type of the first float operand of the call.
func OnFloat(c *Call, f32, f64 func(*Call)) error {
	dt := c.Out.Dtype
	for i := 0; dt != tensor.Float32 && dt != tensor.Float64; i++ {
		if i == len(c.In) {
			return errors.Errorf("float32 or float64 wanted, got %v", c.Out.Dtype)
		}
		dt = c.In[i].Dtype
	}
	if dt == tensor.Float32 {
		f32(c)
	} else {
		f64(c)
	}
	return nil
}

// Fuser is an op that can take in the op that reads its result, so that both are one pass over the data.
// The fused op has this op's inputs and then next's others, in order; at is where next reads the result,
// inputs how many next has.
type Fuser interface {
	Fuse(next any, at, inputs int) (fused any, ok bool)
}

// Absorber is an op that can compute one of its inputs itself: the absorbing op has the producer's inputs in
// the place of input at.
type Absorber interface {
	Absorb(producer any, at int) (absorbing any, ok bool)
}

// Pairer is an op that can compute the result of another one along with its own, where that costs less than two
// ops that read the same. shared tells for each input of the other op where it stands among this op's inputs, of
// which there are so many; −1 for an input that this op has not. The pair takes this op's inputs and then those of
// the other that it had not, in order. Its first result (Call.Out) is this op's, its second one the other's, each
// with the type, shape and order that it had. The second lies in nobody's memory but its own.
type Pairer interface {
	Pair(other any, inputs int, shared []int) (pair any, ok bool)
}

// Freezer is an op that has less to do when some inputs stay as they are. Freeze sees a call with those
// inputs, whose places constant tells; the frozen op is called with all inputs as before.
type Freezer interface {
	Freeze(c *Call, constant []bool) (frozen Runner, ok bool)
}

// Bypasser is an op that can do without an input by looking at what that was computed from. same tells whether
// one of its own inputs is one of the producer's. The op that does without takes its own inputs but input at,
// and then those inputs of the producer that take lists.
type Bypasser interface {
	Bypass(producer any, at int, same func(own, producers int) bool) (op any, take []int, ok bool)
}

// Swapper is an op that moves what it reads to places that its input 1 tells, as the gradient of max pooling does, and
// can leave to the op that reads its result nothing to do: what that makes of an element and of the one that its
// input 1 has there (the gradient of an activation) can be made of the element before it moves, with what the places
// were taken from. Swap sees that reader, the op that found the places, and another that reads what it reads. It says
// whether the latter takes what is at those places.
type Swapper interface {
	Swap(reader, places, taken any) bool
}
