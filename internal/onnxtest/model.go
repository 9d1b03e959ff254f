// Package onnxtest reads the operator tests of the ONNX project: models of one or a few nodes with inputs and
// the outputs that they must give. It is for tests only, and decodes no more of a model than they need.
package onnxtest

import (
	"encoding/binary"
	"math"

	"github.com/pkg/errors"
)

// Model is a graph and the version of the operator set that it is written in.
type Model struct {
	Opset map[string]int // by domain; the standard one is ""
	Graph Graph
}

// Graph is nodes in an order in which they can be run.
type Graph struct {
	Nodes           []Node
	Constants       []Tensor // initialisers
	Inputs, Outputs []string
}

// Node is a call of an operator. An input or output that is left out has an empty name.
type Node struct {
	Op, Domain      string
	Inputs, Outputs []string
	Attrs           map[string]Attr
}

// Attr is an attribute; the field of its type is set.
type Attr struct {
	Float   float64
	Int     int
	Text    string
	Floats  []float64
	Ints    []int
	Texts   []string
	Tensor  *Tensor
	IsGraph bool // a subgraph, which is not decoded
}

// Type is ONNX's number for a type of element.
type Type int

const (
	Float32  Type = 1
	Uint8    Type = 2
	Int8     Type = 3
	Uint16   Type = 4
	Int16    Type = 5
	Int32    Type = 6
	Int64    Type = 7
	Text     Type = 8
	Bool     Type = 9
	Float16  Type = 10
	Float64  Type = 11
	Uint32   Type = 12
	Uint64   Type = 13
	BFloat16 Type = 16
)

func (t Type) String() string {
	names := map[Type]string{Float32: "float32", Uint8: "uint8", Int8: "int8", Uint16: "uint16", Int16: "int16", Int32: "int32",
		Int64: "int64", Text: "string", Bool: "bool", Float16: "float16", Float64: "float64", Uint32: "uint32", Uint64: "uint64", BFloat16: "bfloat16"}
	if n, ok := names[t]; ok {
		return n
	}
	return "type of unknown number"
}

// Tensor is a constant, an input or an output. Floats are held in Floats; integers and bools, of any size, in
// Ints.
type Tensor struct {
	Name   string
	Type   Type
	Shape  []int
	Floats []float64
	Ints   []int
}

// size is the number of elements.
func (t *Tensor) size() int {
	n := 1
	for _, d := range t.Shape {
		n *= d
	}
	return n
}

// ParseModel decodes a ModelProto.
func ParseModel(b []byte) (*Model, error) {
	m := &Model{Opset: make(map[string]int)}
	err := fields(b, func(f field) error {
		switch f.number {
		case 7:
			return errors.Wrap(m.Graph.parse(f.bytes), "graph")
		case 8: // OperatorSetIdProto
			domain, version := "", 0
			err := fields(f.bytes, func(f field) error {
				switch f.number {
				case 1:
					domain = string(f.bytes)
				case 2:
					version = int(f.varint)
				}
				return nil
			})
			m.Opset[domain] = version
			return err
		}
		return nil
	})
	return m, errors.Wrap(err, "model")
}

func (g *Graph) parse(b []byte) error {
	return fields(b, func(f field) error {
		switch f.number {
		case 1:
			n, err := parseNode(f.bytes)
			g.Nodes = append(g.Nodes, n)
			return errors.Wrap(err, "node")
		case 5:
			t, err := ParseTensor(f.bytes)
			if err == nil {
				g.Constants = append(g.Constants, *t)
			}
			return errors.Wrap(err, "initialiser")
		case 11:
			name, err := nameOf(f.bytes)
			g.Inputs = append(g.Inputs, name)
			return err
		case 12:
			name, err := nameOf(f.bytes)
			g.Outputs = append(g.Outputs, name)
			return err
		}
		return nil
	})
}

// nameOf is the name in a ValueInfoProto.
func nameOf(b []byte) (name string, err error) {
	err = fields(b, func(f field) error {
		if f.number == 1 {
			name = string(f.bytes)
		}
		return nil
	})
	return name, err
}

func parseNode(b []byte) (Node, error) {
	n := Node{Attrs: make(map[string]Attr)}
	err := fields(b, func(f field) error {
		switch f.number {
		case 1:
			n.Inputs = append(n.Inputs, string(f.bytes))
		case 2:
			n.Outputs = append(n.Outputs, string(f.bytes))
		case 4:
			n.Op = string(f.bytes)
		case 5:
			name, a, err := parseAttr(f.bytes)
			n.Attrs[name] = a
			return errors.Wrapf(err, "attribute %s", name)
		case 7:
			n.Domain = string(f.bytes)
		}
		return nil
	})
	return n, errors.Wrap(err, n.Op)
}

func parseAttr(b []byte) (name string, a Attr, err error) {
	var ints []int64
	err = fields(b, func(f field) (err error) {
		switch f.number {
		case 1:
			name = string(f.bytes)
		case 2:
			a.Float = float64(math.Float32frombits(uint32(f.varint)))
		case 3:
			a.Int = int(int64(f.varint))
		case 4:
			a.Text = string(f.bytes)
		case 5:
			a.Tensor, err = ParseTensor(f.bytes)
		case 6, 11:
			a.IsGraph = true
		case 7:
			a.Floats, err = f.floats(a.Floats)
		case 8:
			ints, err = f.integers(ints)
		case 9:
			a.Texts = append(a.Texts, string(f.bytes))
		}
		return err
	})
	a.Ints = toInts(ints)
	return name, a, err
}

func toInts(v []int64) []int {
	var ints []int
	for _, i := range v {
		ints = append(ints, int(i))
	}
	return ints
}

// ParseTensor decodes a TensorProto.
func ParseTensor(b []byte) (*Tensor, error) {
	t := &Tensor{}
	var dims, ints []int64
	var raw []byte
	var texts int
	err := fields(b, func(f field) (err error) {
		switch f.number {
		case 1:
			dims, err = f.integers(dims)
		case 2:
			t.Type = Type(f.varint)
		case 4:
			t.Floats, err = f.floats(t.Floats)
		case 5, 7, 11:
			ints, err = f.integers(ints)
		case 6:
			texts++
		case 8:
			t.Name = string(f.bytes)
		case 9:
			raw = f.bytes
		case 10:
			t.Floats, err = f.doubles(t.Floats)
		case 13, 14:
			err = errors.New("external data")
		}
		return err
	})
	if err != nil {
		return nil, errors.Wrapf(err, "tensor %s", t.Name)
	}
	t.Shape, t.Ints = toInts(dims), toInts(ints)
	for _, d := range t.Shape {
		if d < 0 {
			return nil, errors.Errorf("tensor %s has shape %v", t.Name, t.Shape)
		}
	}
	if t.Type == Text {
		return t, nil
	}
	if raw != nil {
		if err := t.parseRaw(raw); err != nil {
			return nil, errors.Wrapf(err, "tensor %s", t.Name)
		}
	} else if t.Type == Float16 || t.Type == BFloat16 { // bits, kept as integers
		for _, bits := range t.Ints {
			t.Floats = append(t.Floats, float64(fromHalf(t.Type, uint16(bits))))
		}
		t.Ints = nil
	}
	if n := len(t.Floats) + len(t.Ints); n != t.size() {
		return nil, errors.Errorf("tensor %s of shape %v has %d elements", t.Name, t.Shape, n)
	}
	return t, nil
}

func (t *Tensor) parseRaw(b []byte) error {
	width := map[Type]int{Float32: 4, Uint8: 1, Int8: 1, Uint16: 2, Int16: 2, Int32: 4, Int64: 8, Bool: 1, Float16: 2, Float64: 8, Uint32: 4, Uint64: 8, BFloat16: 2}[t.Type]
	if width == 0 || len(b)%width != 0 {
		return errors.Errorf("%d bytes of %v", len(b), t.Type)
	}
	for ; len(b) > 0; b = b[width:] {
		switch t.Type {
		case Float32:
			t.Floats = append(t.Floats, float64(math.Float32frombits(binary.LittleEndian.Uint32(b))))
		case Float64:
			t.Floats = append(t.Floats, math.Float64frombits(binary.LittleEndian.Uint64(b)))
		case Float16, BFloat16:
			t.Floats = append(t.Floats, float64(fromHalf(t.Type, binary.LittleEndian.Uint16(b))))
		case Uint8, Bool:
			t.Ints = append(t.Ints, int(b[0]))
		case Int8:
			t.Ints = append(t.Ints, int(int8(b[0])))
		case Uint16:
			t.Ints = append(t.Ints, int(binary.LittleEndian.Uint16(b)))
		case Int16:
			t.Ints = append(t.Ints, int(int16(binary.LittleEndian.Uint16(b))))
		case Int32:
			t.Ints = append(t.Ints, int(int32(binary.LittleEndian.Uint32(b))))
		case Uint32:
			t.Ints = append(t.Ints, int(binary.LittleEndian.Uint32(b)))
		case Int64, Uint64:
			t.Ints = append(t.Ints, int(binary.LittleEndian.Uint64(b)))
		}
	}
	return nil
}

// fromHalf turns the bits of a 16-bit float into a float32.
func fromHalf(t Type, bits uint16) float32 {
	if t == BFloat16 {
		return math.Float32frombits(uint32(bits) << 16)
	}
	sign, exponent, fraction := float64(1), int(bits>>10&31), float64(bits&1023)
	if bits>>15 == 1 {
		sign = -1
	}
	switch exponent {
	case 0:
		return float32(sign * math.Ldexp(fraction, -24))
	case 31:
		if fraction != 0 {
			return float32(math.NaN())
		}
		return float32(math.Inf(int(sign)))
	}
	return float32(sign * math.Ldexp(1024+fraction, exponent-25))
}
