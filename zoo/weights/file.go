package weights

import (
	"encoding/binary"
	"io"
	"math"
	"os"
	"strings"

	"github.com/pkg/errors"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/internal/hdf5"
)

// File is an open file of named tensors. Several goroutines may read from one at the same time.
type File struct {
	// Metadata holds the strings that the writer of a safetensors file attached to it; nil when there are none.
	Metadata map[string]string

	name   string
	r      io.ReaderAt
	closer io.Closer
	infos  []Info
	byName map[string]int
	data   int64 // where the bytes start of tensors that have no storage of their own
}

// Named is a tensor with its name.
type Named struct {
	Name  string
	Value *tensor.Dense
}

// Open opens and checks a file, whose format it finds out from the first bytes. It reads the list of tensors
// alone; the file stays open for the tensors until Close.
func Open(path string) (*File, error) {
	r, err := os.Open(path)
	if err != nil {
		return nil, errors.WithStack(err)
	}
	info, err := r.Stat()
	if err != nil {
		r.Close()
		return nil, errors.WithStack(err)
	}
	if !info.Mode().IsRegular() {
		r.Close()
		return nil, errors.Errorf("%s is not a regular file", path)
	}
	f, err := NewFile(r, info.Size())
	if err != nil {
		r.Close()
		return nil, errors.WithMessage(err, path)
	}
	f.name, f.closer = path, r
	return f, nil
}

// NewFile is Open for bytes that are not in a file of their own.
func NewFile(r io.ReaderAt, size int64) (*File, error) {
	f := &File{name: "weights", r: r, byName: make(map[string]int)}
	var head [32]byte
	n, err := r.ReadAt(head[:min(size, int64(len(head)))], 0)
	if err != nil && err != io.EOF {
		return nil, errors.WithStack(err)
	}
	switch start := string(head[:n]); {
	case strings.HasPrefix(start, "PK\x03\x04"):
		f.infos, err = readZip(r, size)
	case legacyTorch(start):
		f.infos, err = readLegacyTorch(r, size)
	case strings.HasPrefix(start, hdf5.Signature):
		f.infos, err = readHDF5(r, size, nil)
	default:
		f.infos, f.Metadata, f.data, err = readHeader(r, size)
	}
	if err != nil {
		return nil, err
	}
	var total int64
	for i, info := range f.infos {
		if _, ok := f.byName[info.Name]; ok {
			return nil, errors.Errorf("two tensors have the name %q", info.Name)
		}
		f.byName[info.Name] = i
		// No overflow: each tensor is at most 1100 times the file, and there are fewer than its bytes.
		if total += int64(info.Elements()) * dtypes[info.DType].size; total/spread > size {
			return nil, errors.Errorf("the tensors take more than %d times the file's %d bytes", spread, size)
		}
	}
	return f, nil
}

// spread is how many bytes of tensors a byte of a file may make: honest weights hardly compress, and few of them
// share their elements, but a hostile file could ask for all memory.
const spread = 64

// Close closes the file that Open opened.
func (f *File) Close() error {
	if f.closer == nil {
		return nil
	}
	return errors.WithStack(f.closer.Close())
}

// Names lists the tensors in the order of their bytes.
func (f *File) Names() []string {
	names := make([]string, len(f.infos))
	for i, info := range f.infos {
		names[i] = info.Name
	}
	return names
}

// Info tells type and shape of a tensor; false when the file has none of that name.
func (f *File) Info(name string) (Info, bool) {
	i, ok := f.byName[name]
	if !ok {
		return Info{}, false
	}
	info := f.infos[i]
	info.Shape = info.Shape.Clone()
	return info, true
}

// Tensor reads one tensor in the Go type that equals its DType; F16 and BF16 are widened to float32.
// A tensor without elements is an error: tensor.Dense cannot hold one.
func (f *File) Tensor(name string) (*tensor.Dense, error) {
	info, ok := f.Info(name)
	if !ok {
		return nil, f.missing(name)
	}
	return f.tensor(info, dtypes[info.DType].in)
}

// TensorAs is Tensor for a floating-point tensor, converted to float32 or float64.
func (f *File) TensorAs(name string, dt tensor.Dtype) (*tensor.Dense, error) {
	info, ok := f.Info(name)
	if !ok {
		return nil, f.missing(name)
	}
	return f.tensor(info, dt)
}

func (f *File) tensor(info Info, dt tensor.Dtype) (*tensor.Dense, error) {
	if info.Elements() == 0 {
		return nil, errors.Errorf("%s: tensor %q of shape %v has no elements", f.name, info.Name, info.Shape)
	}
	if !convertible(info.DType, dt) {
		return nil, errors.Errorf("%s: tensor %q holds %s, which is not read as %v", f.name, info.Name, info.DType, dt)
	}
	var dst *tensor.Dense
	if len(info.Shape) == 0 {
		dst = scalar(dt)
	} else {
		dst = tensor.New(tensor.Of(dt), tensor.WithShape(info.Shape...))
	}
	return dst, f.read(info, dst)
}

// ReadInto reads one tensor into dst, which must have its shape, and either its type or, for a
// floating-point tensor, float32 or float64. After an error in the checks dst is as it was.
func (f *File) ReadInto(name string, dst *tensor.Dense) error {
	info, ok := f.Info(name)
	if !ok {
		return f.missing(name)
	}
	if !convertible(info.DType, dst.Dtype()) {
		return errors.Errorf("%s: tensor %q holds %s, which is not read as %v", f.name, name, info.DType, dst.Dtype())
	}
	if !sameShape(info.Shape, dst.Shape()) {
		return errors.Errorf("%s: tensor %q has shape %v, want %v", f.name, name, info.Shape, dst.Shape())
	}
	if dst.IsMaterializable() || !dst.DataOrder().IsRowMajor() {
		return errors.Errorf("%s: tensor %q cannot be read into a view or a transposed tensor", f.name, name)
	}
	return f.read(info, dst)
}

// All reads every tensor.
func (f *File) All() ([]Named, error) {
	out := make([]Named, len(f.infos))
	for i, info := range f.infos {
		t, err := f.Tensor(info.Name)
		if err != nil {
			return nil, err
		}
		out[i] = Named{info.Name, t}
	}
	return out, nil
}

func (f *File) missing(name string) error {
	return errors.Errorf("%s has no tensor %q (it has %d others)", f.name, name, len(f.infos))
}

// read decodes the bytes of info into the whole of dst.
func (f *File) read(info Info, dst *tensor.Dense) error {
	var err error
	switch dst.Dtype() {
	case tensor.Float64:
		err = decode(f, info, dst.Float64s(), asFloat64[info.DType])
	case tensor.Float32:
		err = decode(f, info, dst.Float32s(), asFloat32[info.DType])
	case tensor.Int64:
		err = decode(f, info, dst.Int64s(), func(b []byte) int64 { return int64(le.Uint64(b)) })
	case tensor.Int32:
		err = decode(f, info, dst.Int32s(), func(b []byte) int32 { return int32(le.Uint32(b)) })
	case tensor.Int16:
		err = decode(f, info, dst.Int16s(), func(b []byte) int16 { return int16(le.Uint16(b)) })
	case tensor.Int8:
		err = decode(f, info, dst.Int8s(), func(b []byte) int8 { return int8(b[0]) })
	case tensor.Uint64:
		err = decode(f, info, dst.Uint64s(), le.Uint64)
	case tensor.Uint32:
		err = decode(f, info, dst.Uint32s(), le.Uint32)
	case tensor.Uint16:
		err = decode(f, info, dst.Uint16s(), le.Uint16)
	case tensor.Uint8:
		err = decode(f, info, dst.Uint8s(), func(b []byte) uint8 { return b[0] })
	case tensor.Bool:
		err = decode(f, info, dst.Bools(), func(b []byte) bool { return b[0] != 0 })
	}
	return errors.WithMessagef(err, "%s: tensor %q", f.name, info.Name)
}

var le = binary.LittleEndian

var asFloat32 = map[DType]func([]byte) float32{
	F64:  func(b []byte) float32 { return float32(math.Float64frombits(le.Uint64(b))) },
	F32:  func(b []byte) float32 { return math.Float32frombits(le.Uint32(b)) },
	F16:  func(b []byte) float32 { return fromF16(le.Uint16(b)) },
	BF16: func(b []byte) float32 { return fromBF16(le.Uint16(b)) },
}

var asFloat64 = map[DType]func([]byte) float64{
	F64:  func(b []byte) float64 { return math.Float64frombits(le.Uint64(b)) },
	F32:  func(b []byte) float64 { return float64(math.Float32frombits(le.Uint32(b))) },
	F16:  func(b []byte) float64 { return float64(fromF16(le.Uint16(b))) },
	BF16: func(b []byte) float64 { return float64(fromBF16(le.Uint16(b))) },
}

// convertible tells whether a tensor stored as from may be read as to: floating point as either float
// type, all else as itself.
func convertible(from DType, to tensor.Dtype) bool {
	if _, float := asFloat32[from]; float {
		return to == tensor.Float32 || to == tensor.Float64
	}
	return dtypes[from].in == to
}

// decode reads the elements of info into dst.
func decode[T any](f *File, info Info, dst []T, one func([]byte) T) error {
	if len(dst) == 0 {
		return nil
	}
	r, err := f.bytes(info)
	if err != nil {
		return err
	}
	size := int(dtypes[info.DType].size)
	if info.layout != nil {
		all := make([]byte, info.end-info.begin)
		if err := readAt(r, all, 0); err != nil {
			return err
		}
		if first := info.layout[0]; first.stride == 1 && first.size > 1 && first.size < len(dst) {
			gatherTiles(dst, all, info.layout, size, one)
		} else {
			gather(dst, all, info.layout, size, one)
		}
		return nil
	}
	const chunk = 1 << 16 // bytes; a multiple of every element's size
	buf := make([]byte, min(chunk, len(dst)*size))
	for at := int64(0); len(dst) > 0; {
		n := min(len(dst), len(buf)/size)
		if err := readAt(r, buf[:n*size], at); err != nil {
			return err
		}
		for i := range dst[:n] {
			dst[i] = one(buf[i*size:])
		}
		dst = dst[n:]
		at += int64(n * size)
	}
	return nil
}

// gather walks over elements of size bytes and returns what is left of dst.
func gather[T any](dst []T, from []byte, layout []axis, size int, one func([]byte) T) []T {
	if len(layout) == 0 {
		dst[0] = one(from)
		return dst[1:]
	}
	for i := range layout[0].size {
		dst = gather(dst, from[i*layout[0].stride*size:], layout[1:], size, one)
	}
	return dst
}

// gatherTiles is gather where elements that are neighbours in the file come far from one another, as in kernels of
// Keras: it takes a cache line's worth of them at once.
func gatherTiles[T any](dst []T, from []byte, layout []axis, size int, one func([]byte) T) {
	const tile = 16
	n := layout[0].size
	rest := len(dst) / n
	places := make([]int, 0, rest) // of what follows one after another in dst
	var add func(at int, layout []axis)
	add = func(at int, layout []axis) {
		if len(layout) == 0 {
			places = append(places, at)
			return
		}
		for i := range layout[0].size {
			add(at+i*layout[0].stride, layout[1:])
		}
	}
	add(0, layout[1:])
	for i := 0; i < n; i += tile {
		count := min(tile, n-i)
		for k, at := range places {
			line := from[(at+i)*size:]
			for j := range count {
				dst[(i+j)*rest+k] = one(line[j*size:])
			}
		}
	}
}

// scalar makes a tensor of rank 0.
func scalar(dt tensor.Dtype) *tensor.Dense {
	t := tensor.New(tensor.Of(dt), tensor.WithShape(1))
	if err := t.Reshape(); err != nil {
		panic(err) // one element always fits no axes
	}
	return t
}

// sameShape compares axis by axis; tensor.Shape.Eq takes (1) for a scalar and (n) for (n, 1).
func sameShape(a, b tensor.Shape) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}
