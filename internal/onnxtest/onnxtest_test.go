package onnxtest

import (
	"encoding/binary"
	"math"
	"os"
	"path/filepath"
	"testing"
)

// message writes fields of wire type 2 and varints, as tests need them.
type message []byte

func (m message) bytes(number int, b []byte) message {
	m = binary.AppendUvarint(m, uint64(number)<<3|2)
	return append(binary.AppendUvarint(m, uint64(len(b))), b...)
}

func (m message) varint(number int, v uint64) message {
	return binary.AppendUvarint(binary.AppendUvarint(m, uint64(number)<<3), v)
}

func TestParseModel(t *testing.T) {
	half := message{}.varint(1, 2).varint(2, uint64(Float16)).bytes(9, []byte{0x00, 0x3c, 0x00, 0xc0})
	minusOne := uint64(math.MaxUint64)
	attr := message{}.bytes(1, []byte("axis")).varint(3, minusOne)
	node := message{}.bytes(1, []byte("x")).bytes(1, nil).bytes(2, []byte("y")).bytes(4, []byte("Softmax")).bytes(5, attr)
	graph := message{}.bytes(1, node).bytes(5, half).bytes(11, message{}.bytes(1, []byte("x"))).bytes(12, message{}.bytes(1, []byte("y")))
	m, err := ParseModel(message{}.bytes(7, graph).bytes(8, message{}.varint(2, 13)))
	if err != nil {
		t.Fatal(err)
	}
	n := m.Graph.Nodes[0]
	if n.Op != "Softmax" || len(n.Inputs) != 2 || n.Inputs[1] != "" || n.Attrs["axis"].Int != -1 || m.Opset[""] != 13 {
		t.Errorf("model %+v", m)
	}
	c := m.Graph.Constants[0]
	if len(c.Shape) != 1 || c.Shape[0] != 2 || c.Floats[0] != 1 || c.Floats[1] != -2 {
		t.Errorf("constant %+v, want the float16 numbers 1 and -2", c)
	}
	if m.Graph.Inputs[0] != "x" || m.Graph.Outputs[0] != "y" {
		t.Errorf("inputs %v, outputs %v", m.Graph.Inputs, m.Graph.Outputs)
	}
}

func TestParseTensorForms(t *testing.T) {
	packed := message{}.bytes(1, []byte{3}).varint(2, uint64(Int64)).bytes(7, []byte{1, 2, 3})
	single := message{}.varint(1, 2).varint(2, uint64(Int32)).varint(5, 4).varint(5, 5)
	for _, c := range []struct {
		b    []byte
		want []int
	}{{packed, []int{1, 2, 3}}, {single, []int{4, 5}}} {
		v, err := ParseTensor(c.b)
		if err != nil {
			t.Fatal(err)
		}
		for i, w := range c.want {
			if v.Ints[i] != w {
				t.Errorf("%v, want %v", v.Ints, c.want)
			}
		}
	}
	for name, b := range map[string][]byte{
		"too few elements": message{}.varint(1, 5).varint(2, uint64(Int64)).bytes(7, []byte{1}),
		"negative size":    message{}.varint(1, math.MaxUint64).varint(2, uint64(Int64)),
		"odd bytes":        message{}.varint(1, 1).varint(2, uint64(Float32)).bytes(9, []byte{1, 2, 3}),
	} {
		if _, err := ParseTensor(b); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// Whatever end of a file is missing, the reader says so or gives what is there, and does not panic.
func TestCutFilesDoNotPanic(t *testing.T) {
	dir, err := Dir()
	if err != nil {
		t.Skip(err)
	}
	for _, file := range []string{"node/test_conv_with_strides_padding/model.onnx", "node/test_abs/test_data_set_0/input_0.pb"} {
		b, err := os.ReadFile(filepath.Join(dir, file))
		if err != nil {
			t.Fatal(err)
		}
		for n := range b {
			ParseModel(b[:n])
			ParseTensor(b[:n])
		}
	}
}

func TestLoadReadsAllOfDebiansTests(t *testing.T) {
	dir, err := Dir()
	if err != nil {
		t.Skip(err)
	}
	cases, err := Load(dir, "node")
	if err != nil {
		t.Fatal(err)
	}
	read := 0
	for _, c := range cases {
		if c.Err == nil {
			read++
		}
	}
	// Those with sequences and optional values are not read.
	if read < 900 {
		t.Errorf("%d of %d tests could be read, want at least 900", read, len(cases))
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(message{}.bytes(7, message{}.bytes(5, message{}.varint(1, 2).varint(2, uint64(Int64)).bytes(7, []byte{1, 2})))))
	f.Fuzz(func(t *testing.T, b []byte) {
		ParseModel(b)
		if v, err := ParseTensor(b); err == nil && v.Type != Text && len(v.Floats)+len(v.Ints) != v.size() {
			t.Errorf("shape %v with %d elements", v.Shape, len(v.Floats)+len(v.Ints))
		}
	})
}
