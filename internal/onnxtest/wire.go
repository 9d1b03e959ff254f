package onnxtest

import (
	"encoding/binary"
	"math"

	"github.com/pkg/errors"
)

// field is one field of a protocol-buffer message, as it stands on the wire
// (https://protobuf.dev/programming-guides/encoding).
type field struct {
	number int
	varint uint64 // wire types 0 (varint), 1 (64 bits) and 5 (32 bits)
	bytes  []byte // wire type 2: text, raw bytes, a message, or packed numbers
	wire   int
}

// fields calls visit for each field of a message.
func fields(b []byte, visit func(field) error) error {
	for len(b) > 0 {
		key, n := binary.Uvarint(b)
		if n <= 0 {
			return errors.New("a field's key is cut off")
		}
		b = b[n:]
		f := field{number: int(key >> 3), wire: int(key & 7)}
		switch f.wire {
		case 0:
			if f.varint, n = binary.Uvarint(b); n <= 0 {
				return errors.Errorf("field %d: number cut off", f.number)
			}
		case 1:
			if n = 8; len(b) < n {
				return errors.Errorf("field %d: 8 bytes wanted, %d left", f.number, len(b))
			}
			f.varint = binary.LittleEndian.Uint64(b)
		case 5:
			if n = 4; len(b) < n {
				return errors.Errorf("field %d: 4 bytes wanted, %d left", f.number, len(b))
			}
			f.varint = uint64(binary.LittleEndian.Uint32(b))
		case 2:
			size, k := binary.Uvarint(b)
			if k <= 0 || size > uint64(len(b)-k) {
				return errors.Errorf("field %d: %d bytes wanted, %d left", f.number, size, len(b))
			}
			f.bytes = b[k : k+int(size)]
			n = k + int(size)
		default:
			return errors.Errorf("field %d: wire type %d", f.number, f.wire)
		}
		b = b[n:]
		if err := visit(f); err != nil {
			return err
		}
	}
	return nil
}

// integers appends a repeated integer field, packed or not.
func (f field) integers(to []int64) ([]int64, error) {
	if f.wire != 2 {
		return append(to, int64(f.varint)), nil
	}
	for b := f.bytes; len(b) > 0; {
		v, n := binary.Uvarint(b)
		if n <= 0 {
			return nil, errors.Errorf("field %d: packed number cut off", f.number)
		}
		to, b = append(to, int64(v)), b[n:]
	}
	return to, nil
}

// floats appends a repeated field of 32-bit floats, packed or not.
func (f field) floats(to []float64) ([]float64, error) {
	if f.wire != 2 {
		return append(to, float64(math.Float32frombits(uint32(f.varint)))), nil
	}
	if len(f.bytes)%4 != 0 {
		return nil, errors.Errorf("field %d: %d bytes are no floats", f.number, len(f.bytes))
	}
	for b := f.bytes; len(b) > 0; b = b[4:] {
		to = append(to, float64(math.Float32frombits(binary.LittleEndian.Uint32(b))))
	}
	return to, nil
}

// doubles appends a repeated field of 64-bit floats, packed or not.
func (f field) doubles(to []float64) ([]float64, error) {
	if f.wire != 2 {
		return append(to, math.Float64frombits(f.varint)), nil
	}
	if len(f.bytes)%8 != 0 {
		return nil, errors.Errorf("field %d: %d bytes are no doubles", f.number, len(f.bytes))
	}
	for b := f.bytes; len(b) > 0; b = b[8:] {
		to = append(to, math.Float64frombits(binary.LittleEndian.Uint64(b)))
	}
	return to, nil
}
