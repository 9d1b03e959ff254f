package weights

import (
	"math"
	"reflect"

	"gorgonia.org/tensor"
)

// DType is the type of a tensor's elements as the file names it.
type DType string

// The element types that can be read. F16 and BF16 have no Go type: they are widened to float32.
const (
	F64  DType = "F64"
	F32  DType = "F32"
	F16  DType = "F16"
	BF16 DType = "BF16"
	I64  DType = "I64"
	I32  DType = "I32"
	I16  DType = "I16"
	I8   DType = "I8"
	U64  DType = "U64"
	U32  DType = "U32"
	U16  DType = "U16"
	U8   DType = "U8"
	Bool DType = "BOOL"
)

// dtypes gives the bytes an element takes in the file and the type it gets in memory.
var dtypes = map[DType]struct {
	size int64
	in   tensor.Dtype
}{
	F64: {8, tensor.Float64}, F32: {4, tensor.Float32}, F16: {2, tensor.Float32}, BF16: {2, tensor.Float32},
	I64: {8, tensor.Int64}, I32: {4, tensor.Int32}, I16: {2, tensor.Int16}, I8: {1, tensor.Int8},
	U64: {8, tensor.Uint64}, U32: {4, tensor.Uint32}, U16: {2, tensor.Uint16}, U8: {1, tensor.Uint8},
	Bool: {1, tensor.Bool},
}

// dtypeOf is the inverse of dtypes.in, less the half types, which nothing in memory has.
func dtypeOf(in tensor.Dtype) (DType, bool) {
	switch in.Kind() {
	case reflect.Float64:
		return F64, true
	case reflect.Float32:
		return F32, true
	case reflect.Int64:
		return I64, true
	case reflect.Int32:
		return I32, true
	case reflect.Int16:
		return I16, true
	case reflect.Int8:
		return I8, true
	case reflect.Uint64:
		return U64, true
	case reflect.Uint32:
		return U32, true
	case reflect.Uint16:
		return U16, true
	case reflect.Uint8:
		return U8, true
	case reflect.Bool:
		return Bool, true
	}
	return "", false
}

// fromF16 widens IEEE 754 binary16: 1 bit sign, 5 exponent, 10 fraction. Every value is exact in float32.
func fromF16(h uint16) float32 {
	sign := uint32(h>>15) << 31
	exponent := uint32(h >> 10 & 0x1f)
	fraction := uint32(h & 0x3ff)
	switch exponent {
	case 0: // zero and subnormal: fraction · 2⁻²⁴
		v := float32(fraction) * (1.0 / (1 << 24))
		return math.Float32frombits(math.Float32bits(v) | sign)
	case 0x1f: // infinity and NaN; a NaN keeps its payload
		return math.Float32frombits(sign | 0x7f800000 | fraction<<13)
	}
	return math.Float32frombits(sign | (exponent+127-15)<<23 | fraction<<13)
}

// fromBF16 widens bfloat16, which is the upper half of a float32.
func fromBF16(h uint16) float32 { return math.Float32frombits(uint32(h) << 16) }
