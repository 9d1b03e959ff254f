package weights

import (
	"bytes"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"gorgonia.org/tensor"
)

func bitsOf(v []float32) []uint32 {
	out := make([]uint32, len(v))
	for i, x := range v {
		out[i] = math.Float32bits(x)
	}
	return out
}

func mustTensor(t *testing.T, f *File, name string) *tensor.Dense {
	t.Helper()
	d, err := f.Tensor(name)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// file lays out a safetensors file by hand.
func file(header string, data int) []byte {
	b := le.AppendUint64(nil, uint64(len(header)))
	b = append(b, header...)
	return append(b, make([]byte, data)...)
}

func parse(b []byte) (*File, error) { return NewFile(bytes.NewReader(b), int64(len(b))) }

// TestTorchFile reads what testdata/gen.py wrote.
func TestTorchFile(t *testing.T) {
	f, err := Open("testdata/torch.safetensors")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if got := f.Metadata; len(got) != 2 || got["format"] != "pt" || got["ключ"] != "значение" {
		t.Errorf("metadata %v", got)
	}
	if got := f.Names(); len(got) != 14 || got[0] != "f64" || got[13] != "bf16.wide" {
		t.Errorf("names %q, want the 14 in the order of their bytes", got)
	}

	f64 := mustTensor(t, f, "f64")
	if want := []float64{-0.1467950974849952, -0.8948278791726386}; f64.Float64s()[0] != want[0] || f64.Float64s()[5] != want[1] {
		t.Errorf("f64: %v, want %v at its ends", f64.Float64s(), want)
	}
	f32 := mustTensor(t, f, "f32")
	if want := []uint32{0xbeb6147c, 0x3f9dbed1, 0x3e0d7d22, 0xbfd75248, 0x3ea2a6bb, 0x3e07fe8d, 0x3e0c9eb0, 0x3e7651b9, 0x3fb29e22, 0x3fac6b3d, 0x401c0b9a, 0x3e4f9fde}; !slices.Equal(bitsOf(f32.Float32s()), want) {
		t.Errorf("f32: bits %x, want %x", bitsOf(f32.Float32s()), want)
	}
	if want := (tensor.Shape{2, 1, 3, 2}); !sameShape(f32.Shape(), want) {
		t.Errorf("f32: shape %v, want %v", f32.Shape(), want)
	}
	for _, name := range []string{"f16", "bf16"} {
		got, want := mustTensor(t, f, name), mustTensor(t, f, name+".wide")
		for i, v := range got.Float32s() {
			w := want.Float32s()[i]
			if math.Float32bits(v) != math.Float32bits(w) && !(v != v && w != w) {
				t.Errorf("%s[%d]: widened to %v, PyTorch has %v", name, i, v, w)
			}
		}
	}
	for name, want := range map[string]any{
		"i64":  []int64{math.MinInt64, -1, 0, math.MaxInt64},
		"i32":  []int32{math.MinInt32, math.MaxInt32},
		"i16":  []int16{math.MinInt16, math.MaxInt16},
		"i8":   []int8{-128, 127, 5},
		"u8":   []uint8{0, 255, 7},
		"bool": []bool{true, false, true},
		// A scalar's Data is the number itself.
		"bn.num_batches_tracked": int64(12345),
	} {
		if got := mustTensor(t, f, name).Data(); fmt.Sprintf("%T %v", got, got) != fmt.Sprintf("%T %v", want, want) {
			t.Errorf("%s: %T %v, want %T %v", name, got, got, want, want)
		}
	}
	if got := mustTensor(t, f, "bn.num_batches_tracked").Shape(); len(got) != 0 {
		t.Errorf("scalar of shape %v", got)
	}
	if info, ok := f.Info("empty"); !ok || info.Elements() != 0 || !sameShape(info.Shape, tensor.Shape{0, 4}) {
		t.Errorf("empty: %+v %v", info, ok)
	}
	if _, err := f.Tensor("empty"); err == nil || !strings.Contains(err.Error(), "no elements") {
		t.Errorf("empty: error %v", err)
	}
}

// TestF16 compares every half number with its definition, (−1)^s · 2^(e−15) · (1 + f/1024).
func TestF16(t *testing.T) {
	for h := range 1 << 16 {
		s, e, f := h>>15, h>>10&31, h&1023
		want := math.Ldexp(1+float64(f)/1024, e-15)
		switch {
		case e == 0:
			want = math.Ldexp(float64(f)/1024, -14)
		case e == 31 && f == 0:
			want = math.Inf(1)
		case e == 31:
			want = math.NaN()
		}
		if s == 1 {
			want = -want
		}
		got := float64(fromF16(uint16(h)))
		if got != want && !(got != got && want != want) || math.Signbit(got) != (s == 1) {
			t.Fatalf("%#04x: %v, want %v", h, got, want)
		}
	}
}

func TestTensorAs(t *testing.T) {
	f, err := Open("testdata/torch.safetensors")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	wide := mustTensor(t, f, "f32").Float32s()
	as64, err := f.TensorAs("f32", tensor.Float64)
	if err != nil {
		t.Fatal(err)
	}
	for i, v := range as64.Float64s() {
		if v != float64(wide[i]) {
			t.Errorf("element %d: %v, want %v", i, v, wide[i])
		}
	}
	as32, err := f.TensorAs("f64", tensor.Float32)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := as32.Float32s()[0], float32(mustTensor(t, f, "f64").Float64s()[0]); got != want {
		t.Errorf("narrowed to %v, want %v", got, want)
	}
	if _, err := f.TensorAs("i64", tensor.Float32); err == nil {
		t.Error("integers were read as floating point")
	}
}

func TestReadInto(t *testing.T) {
	f, err := Open("testdata/torch.safetensors")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	dst := tensor.New(tensor.Of(tensor.Float32), tensor.WithShape(2, 1, 3, 2))
	if err := f.ReadInto("f32", dst); err != nil {
		t.Fatal(err)
	}
	if want := mustTensor(t, f, "f32"); !slices.Equal(dst.Float32s(), want.Float32s()) {
		t.Errorf("got %v, want %v", dst.Float32s(), want.Float32s())
	}
	flat := tensor.New(tensor.Of(tensor.Float32), tensor.WithShape(12))
	view, err := tensor.New(tensor.Of(tensor.Float32), tensor.WithShape(2, 1, 3, 4)).Slice(nil, nil, nil, tensor.S(0, 2))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		dst  *tensor.Dense
		want string
	}{
		{"f32", flat, "shape (2, 1, 3, 2), want (12)"},
		{"i64", flat, "holds I64"},
		{"nothing", flat, `no tensor "nothing"`},
		{"f32", view.(*tensor.Dense), "view"},
	} {
		if err := f.ReadInto(c.name, c.dst); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want one with %q", c.name, err, c.want)
		}
	}
}

// awkward holds the bit patterns that a careless reader or writer changes.
func awkward() []Named {
	f32 := []uint32{0, 1 << 31, 1, 0x007fffff, 0x7f800000, 0xff800000, 0x7fc00001, 0xffc12345, 0x3f800000, 0x7f7fffff}
	f64 := []uint64{0, 1 << 63, 1, 0x7ff0000000000000, 0x7ff8000000000001, 0xfff8dead00000000, 0x3ff0000000000000, 0x7fefffffffffffff}
	a := make([]float32, len(f32))
	for i, v := range f32 {
		a[i] = math.Float32frombits(v)
	}
	b := make([]float64, len(f64))
	for i, v := range f64 {
		b[i] = math.Float64frombits(v)
	}
	long := make([]float32, 40_001) // more than one chunk, and not a whole number of them
	for i := range long {
		long[i] = float32(i) * 0.1
	}
	return []Named{
		{"a", tensor.New(tensor.WithBacking(a), tensor.WithShape(2, 5))},
		{"b", tensor.New(tensor.WithBacking(b), tensor.WithShape(2, 2, 2))},
		{"long", tensor.New(tensor.WithBacking(long), tensor.WithShape(40_001))},
		{"column", tensor.New(tensor.WithBacking([]float32{1, 2, 3}), tensor.WithShape(3, 1))},
		{"one", tensor.New(tensor.WithBacking([]float32{4}), tensor.WithShape(1))},
		{"scalar", tensor.New(tensor.FromScalar(float32(5)))},
		{"scalar64", tensor.New(tensor.FromScalar(6.0))},
		{`quo"ted/имя <&>`, tensor.New(tensor.WithBacking([]int64{-1, 1 << 62}), tensor.WithShape(2))},
		{"flags", tensor.New(tensor.WithBacking([]bool{true, false}), tensor.WithShape(2))},
		{"u16", tensor.New(tensor.WithBacking([]uint16{0, 65535}), tensor.WithShape(2))},
	}
}

func sameBits(t *testing.T, name string, a, b *tensor.Dense) {
	t.Helper()
	if !sameShape(a.Shape(), b.Shape()) || a.Dtype() != b.Dtype() {
		t.Errorf("%s: %v of %v, want %v of %v", name, a.Dtype(), a.Shape(), b.Dtype(), b.Shape())
		return
	}
	var x, y bytes.Buffer
	if err := writeData(&x, a); err != nil {
		t.Fatal(err)
	}
	if err := writeData(&y, b); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(x.Bytes(), y.Bytes()) {
		t.Errorf("%s: bits differ", name)
	}
}

func TestRoundTrip(t *testing.T) {
	path := filepath.Join(t.TempDir(), "w.safetensors")
	want := awkward()
	meta := map[string]string{"epoch": "3", "note": "a \"quoted\" é"}
	if err := Save(path, want, meta); err != nil {
		t.Fatal(err)
	}
	f, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if len(f.Metadata) != 2 || f.Metadata["epoch"] != "3" || f.Metadata["note"] != meta["note"] {
		t.Errorf("metadata %v, want %v", f.Metadata, meta)
	}
	all, err := f.All()
	if err != nil {
		t.Fatal(err)
	}
	if len(all) != len(want) {
		t.Fatalf("%d tensors, want %d", len(all), len(want))
	}
	for _, w := range want {
		sameBits(t, w.Name, mustTensor(t, f, w.Name), w.Value)
	}
	for name, info := range f.infos {
		if info.begin%dtypes[info.DType].size != 0 {
			t.Errorf("%v: starts at %d, not aligned to its elements", name, info.begin)
		}
	}

	var again, reversed bytes.Buffer
	if err := Write(&again, all, meta); err != nil {
		t.Fatal(err)
	}
	slices.Reverse(want)
	if err := Write(&reversed, want, meta); err != nil {
		t.Fatal(err)
	}
	first, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(first, again.Bytes()) || !bytes.Equal(first, reversed.Bytes()) {
		t.Error("the same tensors in another order gave other bytes")
	}
}

// TestSaveViews saves a slice and a transposed tensor by value, not by memory.
func TestSaveViews(t *testing.T) {
	base := tensor.New(tensor.WithBacking([]float32{0, 1, 2, 3, 4, 5}), tensor.WithShape(2, 3))
	slice, err := base.Slice(nil, tensor.S(1, 3))
	if err != nil {
		t.Fatal(err)
	}
	turned := base.Clone().(*tensor.Dense)
	if err := turned.T(); err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := Write(&b, []Named{{"slice", slice.(*tensor.Dense)}, {"turned", turned}}, nil); err != nil {
		t.Fatal(err)
	}
	f, err := parse(b.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	if got := mustTensor(t, f, "slice").Float32s(); !slices.Equal(got, []float32{1, 2, 4, 5}) {
		t.Errorf("slice: %v", got)
	}
	if got := mustTensor(t, f, "turned"); !slices.Equal(got.Float32s(), []float32{0, 3, 1, 4, 2, 5}) || !sameShape(got.Shape(), tensor.Shape{3, 2}) {
		t.Errorf("turned: %v %v", got.Shape(), got.Float32s())
	}
}

func TestSaveErrors(t *testing.T) {
	one := tensor.New(tensor.WithBacking([]float32{4}), tensor.WithShape(1))
	for _, c := range []struct {
		tensors []Named
		meta    map[string]string
		want    string
	}{
		{[]Named{{"a", one}, {"a", one}}, nil, `two tensors have the name "a"`},
		{[]Named{{"a", nil}}, nil, `"a" is nil`},
		{[]Named{{"__metadata__", one}}, nil, "cannot name"},
		{[]Named{{"\xff", one}}, nil, "cannot name"},
		{[]Named{{"a", tensor.New(tensor.WithBacking([]complex64{1}), tensor.WithShape(1))}}, nil, "no type for"},
		{nil, map[string]string{"a": "\xff"}, "not UTF-8"},
	} {
		path := filepath.Join(t.TempDir(), "w.safetensors")
		if err := Save(path, c.tensors, c.meta); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("error %v, want one with %q", err, c.want)
		}
		if _, err := os.Stat(path); err == nil {
			t.Errorf("%q: a file was left", c.want)
		}
	}
	if err := Save(filepath.Join(t.TempDir(), "no", "w"), nil, nil); err == nil {
		t.Error("no error for a folder that does not exist")
	}
}

func TestHostile(t *testing.T) {
	huge := le.AppendUint64(nil, math.MaxUint64)
	for name, c := range map[string]struct {
		b    []byte
		want string
	}{
		"empty":             {nil, "too few"},
		"seven bytes":       {make([]byte, 7), "too few"},
		"header 2⁶⁴−1":      {append(huge, '{', '}'), "truncated"},
		"header past end":   {le.AppendUint64(nil, 1), "truncated"},
		"no header":         {file("", 0), "JSON"},
		"not an object":     {file(`[]`, 0), "want {"},
		"not JSON":          {file(`{"a":`, 0), "JSON"},
		"unclosed":          {file(`{`, 0), "JSON"},
		"pickle":            {append([]byte("\x80\x02}q\x00(X\x06\x00"), make([]byte, 100)...), "truncated"},
		"trailing JSON":     {file(`{} {}`, 0), "follow the JSON"},
		"not UTF-8":         {file("{\"\xff\":1}", 0), "UTF-8"},
		"deep":              {file(`{"a":`+strings.Repeat("[", 1<<20), 0), "want {"},
		"name twice":        {file(`{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"a":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}}`, 2), "twice"},
		"field twice":       {file(`{"a":{"dtype":"U8","shape":[1],"shape":[1],"data_offsets":[0,1]}}`, 1), "twice"},
		"field missing":     {file(`{"a":{"dtype":"U8","shape":[1]}}`, 1), "want dtype"},
		"field unknown":     {file(`{"a":{"dtype":"U8","Shape":[1],"data_offsets":[0,1]}}`, 1), "unknown field"},
		"dtype unknown":     {file(`{"a":{"dtype":"F8_E4M3","shape":[1],"data_offsets":[0,1]}}`, 1), `dtype "F8_E4M3"`},
		"dtype number":      {file(`{"a":{"dtype":7,"shape":[1],"data_offsets":[0,1]}}`, 1), "want a string"},
		"metadata number":   {file(`{"__metadata__":{"a":1}}`, 0), "want a string"},
		"metadata twice":    {file(`{"__metadata__":{"a":"1","a":"2"}}`, 0), "twice"},
		"shape negative":    {file(`{"a":{"dtype":"U8","shape":[-1],"data_offsets":[0,1]}}`, 1), "whole number"},
		"shape fraction":    {file(`{"a":{"dtype":"U8","shape":[1.0],"data_offsets":[0,1]}}`, 1), "whole number"},
		"shape exponent":    {file(`{"a":{"dtype":"U8","shape":[1e0],"data_offsets":[0,1]}}`, 1), "whole number"},
		"shape string":      {file(`{"a":{"dtype":"U8","shape":["1"],"data_offsets":[0,1]}}`, 1), "want a number"},
		"shape null":        {file(`{"a":{"dtype":"U8","shape":null,"data_offsets":[0,1]}}`, 1), "want ["},
		"shape 33 axes":     {file(`{"a":{"dtype":"U8","shape":[1`+strings.Repeat(",1", 32)+`],"data_offsets":[0,1]}}`, 1), "more than 32"},
		"shape overflow":    {file(`{"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0]}}`, 0), "more elements"},
		"shape overflow 2":  {file(`{"a":{"dtype":"F64","shape":[2305843009213693952],"data_offsets":[0,0]}}`, 0), "more elements"},
		"shape over 2⁶³":    {file(`{"a":{"dtype":"U8","shape":[9223372036854775808],"data_offsets":[0,0]}}`, 0), "whole number"},
		"shape and bytes":   {file(`{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}}`, 4), "takes 8 bytes"},
		"part of element":   {file(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,5]}}`, 5), "takes 4 bytes"},
		"one offset":        {file(`{"a":{"dtype":"U8","shape":[1],"data_offsets":[0]}}`, 1), "want [begin, end]"},
		"three offsets":     {file(`{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1,2]}}`, 1), "more than 2"},
		"offsets backwards": {file(`{"a":{"dtype":"U8","shape":[1],"data_offsets":[1,0]}}`, 1), "begin ≤ end"},
		"past the end":      {file(`{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}}`, 1), "truncated"},
		"far past the end":  {file(`{"a":{"dtype":"F32","shape":[1099511627776],"data_offsets":[0,4398046511104]}}`, 4), "truncated"},
		"hole":              {file(`{"a":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}}`, 2), "belong to no tensor"},
		"tail":              {file(`{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}`, 2), "belong to no tensor"},
		"overlap":           {file(`{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"b":{"dtype":"U8","shape":[2],"data_offsets":[1,3]}}`, 3), "inside another"},
		"same place":        {file(`{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"b":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}}`, 2), "inside another"},
	} {
		if _, err := parse(c.b); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want one with %q", name, err, c.want)
		}
	}
}

// TestShortRead has a file that shrinks after it was opened.
func TestShortRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "w.safetensors")
	if err := Save(path, awkward(), nil); err != nil {
		t.Fatal(err)
	}
	f, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := os.Truncate(path, f.data+10); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Tensor("long"); err == nil || !strings.Contains(err.Error(), "long") {
		t.Errorf("error %v, want one that names the tensor", err)
	}
}

func TestOpenErrors(t *testing.T) {
	if _, err := Open(t.TempDir()); err == nil || !strings.Contains(err.Error(), "regular file") {
		t.Errorf("folder: error %v", err)
	}
	if _, err := Open(filepath.Join(t.TempDir(), "none")); err == nil {
		t.Error("no error for a file that does not exist")
	}
}

// FuzzRead: whatever opens can be read, written and read again with the same bits.
func FuzzRead(f *testing.F) {
	torch, err := os.ReadFile("testdata/torch.safetensors")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(torch)
	var b bytes.Buffer
	if err := Write(&b, awkward()[:2], map[string]string{"k": "v"}); err != nil {
		f.Fatal(err)
	}
	f.Add(b.Bytes())
	f.Add(file(`{}`, 0))
	f.Add(file(`{"a":{"dtype":"BF16","shape":[2,0],"data_offsets":[0,0]},"b":{"dtype":"BOOL","shape":[],"data_offsets":[0,1]}}`, 1))
	f.Fuzz(func(t *testing.T, b []byte) {
		f, err := parse(b)
		if err != nil {
			return
		}
		var tensors []Named
		for _, name := range f.Names() {
			info, ok := f.Info(name)
			if !ok {
				t.Fatalf("%q is named but unknown", name)
			}
			if info.Elements() == 0 {
				continue
			}
			tensors = append(tensors, Named{name, mustTensor(t, f, name)})
		}
		var out bytes.Buffer
		if err := Write(&out, tensors, f.Metadata); err != nil {
			t.Fatal(err)
		}
		again, err := parse(out.Bytes())
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range tensors {
			sameBits(t, n.Name, mustTensor(t, again, n.Name), n.Value)
		}
	})
}
