package hdf5

import (
	"fmt"

	"github.com/pkg/errors"
)

// Class is what elements are.
type Class int

const (
	Other     Class = iota // what is not read
	Int                    // two's complement
	Uint                   // without sign
	Float                  // IEEE 754 of 2, 4 or 8 bytes
	BFloat                 // bfloat16
	String                 // of Size bytes
	VarString              // in the global heap
	Opaque                 // bytes whose meaning the file does not tell
)

// Type is the type of an element.
type Type struct {
	Class     Class
	Size      int // bytes
	BigEndian bool
	padding   uint8 // of String: 0 ends at a zero byte, 1 at trailing zeros, 2 at trailing spaces
}

func (t Type) String() string {
	names := [...]string{"a type that is not read", "int", "uint", "float", "bfloat", "string", "string of any length", "opaque"}
	switch name := names[t.Class]; {
	case t.Class == Other || t.Class == VarString:
		return name
	case t.Class == String || t.Class == Opaque:
		return fmt.Sprintf("%s of %d bytes", name, t.Size)
	case t.BigEndian:
		return fmt.Sprintf("%s%d, big-endian", name, 8*t.Size)
	default:
		return fmt.Sprintf("%s%d", name, 8*t.Size)
	}
}

// parseType reads a datatype message (section IV.A.2.d).
func parseType(c *cursor) (Type, error) {
	kind, low, sign := c.u8(), c.u8(), c.u8()
	c.skip(1)
	size := c.u32()
	t := Type{Size: int(size)}
	if err := c.done("datatype"); err != nil {
		return Type{}, err
	}
	if size == 0 || size > 1<<31-1 {
		return Type{}, errors.Errorf("HDF5: datatype of %d bytes", size)
	}
	switch kind & 0xf {
	case 0: // fixed point
		offset, precision := c.u16(), c.u16()
		if offset != 0 || int(precision) != 8*t.Size || t.Size > 8 || t.Size&(t.Size-1) != 0 {
			break
		}
		t.Class, t.BigEndian = Uint, low&1 != 0
		if low&8 != 0 {
			t.Class = Int
		}
	case 1: // floating point
		layout := fmt.Sprint(c.u16(), c.u16(), c.u8(), c.u8(), c.u8(), c.u8(), c.u32(), sign, low&0x70)
		t.Class, t.BigEndian = floats[layout], low&1 != 0
	case 3:
		t.Class, t.padding = String, low&0xf
	case 5:
		t.Class = Opaque
	case 9: // of variable length
		if low&0xf == 1 {
			t.Class = VarString
		}
	}
	return t, c.done("datatype")
}

// floats are the layouts of bits: offset, precision; where the exponent lies and its size; the fraction; bias;
// sign; leading one not stored, byte order not VAX's.
var floats = map[string]Class{
	"0 16 10 5 0 10 15 15 32":    Float,
	"0 32 23 8 0 23 127 31 32":   Float,
	"0 64 52 11 0 52 1023 63 32": Float,
	"0 16 7 8 0 7 127 15 32":     BFloat,
}
