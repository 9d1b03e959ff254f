package weights

import (
	"encoding/json"
	"io"
	"math"
	"slices"
	"sort"
	"strings"
	"unicode/utf8"

	"github.com/pkg/errors"
	"github.com/stheno-ml/stheno/internal/atomicfile"
	"gorgonia.org/tensor"
)

// Save writes tensors, and metadata unless it is empty, to a file that replaces path only when it is
// whole. The same tensors give the same bytes in whatever order they come: as in files of the reference
// implementation, wide types go first, then names decide.
func Save(path string, tensors []Named, metadata map[string]string) error {
	return atomicfile.Write(path, func(w io.Writer) error { return Write(w, tensors, metadata) })
}

// Write is Save to any writer.
func Write(w io.Writer, tensors []Named, metadata map[string]string) error {
	tensors = slices.Clone(tensors)
	for i, t := range tensors {
		dense, err := checkNamed(t)
		if err != nil {
			return err
		}
		tensors[i].Value = dense
	}
	sort.SliceStable(tensors, func(i, j int) bool {
		a, b := tensors[i], tensors[j]
		if sa, sb := elementSize(a), elementSize(b); sa != sb {
			return sa > sb
		}
		return a.Name < b.Name
	})
	header, err := makeHeader(tensors, metadata)
	if err != nil {
		return err
	}
	if _, err := w.Write(header); err != nil {
		return errors.WithStack(err)
	}
	for _, t := range tensors {
		if err := writeData(w, t.Value); err != nil {
			return errors.Wrapf(err, "tensor %q", t.Name)
		}
	}
	return nil
}

// checkNamed returns the tensor as one row-major block.
func checkNamed(t Named) (*tensor.Dense, error) {
	if !utf8.ValidString(t.Name) || t.Name == metadataKey {
		return nil, errors.Errorf("%q cannot name a tensor", t.Name)
	}
	if t.Value == nil {
		return nil, errors.Errorf("tensor %q is nil", t.Name)
	}
	if _, ok := dtypeOf(t.Value.Dtype()); !ok {
		return nil, errors.Errorf("tensor %q holds %v, which safetensors has no type for", t.Name, t.Value.Dtype())
	}
	if len(t.Value.Shape()) > maxRank {
		return nil, errors.Errorf("tensor %q has %d axes, at most %d can be read back", t.Name, len(t.Value.Shape()), maxRank)
	}
	if t.Value.IsMaterializable() {
		m, ok := t.Value.Materialize().(*tensor.Dense)
		if !ok {
			return nil, errors.Errorf("tensor %q is a view that cannot be materialised", t.Name)
		}
		t.Value = m
	}
	if !t.Value.DataOrder().IsRowMajor() || !t.Value.DataOrder().IsContiguous() {
		return nil, errors.Errorf("tensor %q is not row-major and contiguous", t.Name)
	}
	return t.Value, nil
}

func elementSize(t Named) int64 {
	d, _ := dtypeOf(t.Value.Dtype())
	return dtypes[d].size
}

// makeHeader writes the JSON by hand, so that tensors stand in the order of their bytes, and pads it so
// that the first of them is aligned to eight bytes.
func makeHeader(tensors []Named, metadata map[string]string) ([]byte, error) {
	type entry struct {
		DType   DType    `json:"dtype"`
		Shape   []int    `json:"shape"`
		Offsets [2]int64 `json:"data_offsets"`
	}
	var b strings.Builder
	put := func(key string, value any) error {
		if b.Len() == 0 {
			b.WriteByte('{')
		} else {
			b.WriteByte(',')
		}
		k, err := json.Marshal(key)
		if err != nil {
			return errors.WithStack(err)
		}
		v, err := json.Marshal(value) // keys of a map are sorted
		if err != nil {
			return errors.WithStack(err)
		}
		b.Write(k)
		b.WriteByte(':')
		b.Write(v)
		return nil
	}
	if len(metadata) > 0 {
		for k, v := range metadata {
			if !utf8.ValidString(k) || !utf8.ValidString(v) {
				return nil, errors.Errorf("metadata %q: %q is not UTF-8", k, v)
			}
		}
		if err := put(metadataKey, metadata); err != nil {
			return nil, err
		}
	}
	seen := make(map[string]bool, len(tensors))
	var at int64
	for _, t := range tensors {
		if seen[t.Name] {
			return nil, errors.Errorf("two tensors have the name %q", t.Name)
		}
		seen[t.Name] = true
		dtype, _ := dtypeOf(t.Value.Dtype())
		end := at + int64(t.Value.Shape().TotalSize())*dtypes[dtype].size
		shape := append([]int{}, t.Value.Shape()...) // not nil, which JSON would call null
		if err := put(t.Name, entry{dtype, shape, [2]int64{at, end}}); err != nil {
			return nil, err
		}
		at = end
	}
	if b.Len() == 0 {
		b.WriteByte('{')
	}
	b.WriteByte('}')
	for b.Len()%8 != 0 {
		b.WriteByte(' ')
	}
	if b.Len() > maxHeader {
		return nil, errors.Errorf("a header of %d bytes, at most %d can be read back", b.Len(), maxHeader)
	}
	return append(le.AppendUint64(nil, uint64(b.Len())), b.String()...), nil
}

func writeData(w io.Writer, t *tensor.Dense) error {
	switch t.Dtype() {
	case tensor.Float64:
		return encode(w, t.Float64s(), func(b []byte, v float64) []byte { return le.AppendUint64(b, math.Float64bits(v)) })
	case tensor.Float32:
		return encode(w, t.Float32s(), func(b []byte, v float32) []byte { return le.AppendUint32(b, math.Float32bits(v)) })
	case tensor.Int64:
		return encode(w, t.Int64s(), func(b []byte, v int64) []byte { return le.AppendUint64(b, uint64(v)) })
	case tensor.Int32:
		return encode(w, t.Int32s(), func(b []byte, v int32) []byte { return le.AppendUint32(b, uint32(v)) })
	case tensor.Int16:
		return encode(w, t.Int16s(), func(b []byte, v int16) []byte { return le.AppendUint16(b, uint16(v)) })
	case tensor.Int8:
		return encode(w, t.Int8s(), func(b []byte, v int8) []byte { return append(b, byte(v)) })
	case tensor.Uint64:
		return encode(w, t.Uint64s(), le.AppendUint64)
	case tensor.Uint32:
		return encode(w, t.Uint32s(), le.AppendUint32)
	case tensor.Uint16:
		return encode(w, t.Uint16s(), le.AppendUint16)
	case tensor.Uint8:
		return encode(w, t.Uint8s(), func(b []byte, v uint8) []byte { return append(b, v) })
	case tensor.Bool:
		return encode(w, t.Bools(), func(b []byte, v bool) []byte {
			if v {
				return append(b, 1)
			}
			return append(b, 0)
		})
	}
	return errors.Errorf("type %v cannot be written", t.Dtype())
}

func encode[T any](w io.Writer, src []T, one func([]byte, T) []byte) error {
	const chunk = 8192 // elements
	buf := make([]byte, 0, 8*min(chunk, len(src)))
	for part := range slices.Chunk(src, chunk) {
		buf = buf[:0]
		for _, v := range part {
			buf = one(buf, v)
		}
		if _, err := w.Write(buf); err != nil {
			return err
		}
	}
	return nil
}
