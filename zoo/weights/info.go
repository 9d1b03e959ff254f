package weights

import (
	"archive/zip"
	"bytes"
	"io"

	"github.com/pkg/errors"
	"gorgonia.org/tensor"
)

// Info is what a file says of one tensor.
type Info struct {
	Name  string
	DType DType
	Shape tensor.Shape // nil for a scalar

	begin, end int64    // of its bytes, within from
	from       *storage // nil: the file's data
	layout     []axis   // how its elements lie from begin on; nil: in C order
}

// axis is one level of a walk over elements, the outermost first. A walk may have other axes than the shape.
type axis struct{ size, stride int } // stride in elements

// storage is bytes that tensors share, a stretch of the file.
type storage struct {
	at     int64                  // where they start in the file
	size   int64                  // in bytes, unpacked
	unpack func() ([]byte, error) // nil when they are in the file as they are
}

// Elements is the number of elements: 1 for a scalar, 0 when an axis is empty.
func (i Info) Elements() int {
	n := 1
	for _, d := range i.Shape {
		n *= d
	}
	return n
}

// bytes is where the tensor's bytes can be read, from 0 to i.end − i.begin.
func (f *File) bytes(i Info) (io.ReaderAt, error) {
	n := i.end - i.begin
	switch {
	case i.from == nil:
		return io.NewSectionReader(f.r, f.data+i.begin, n), nil
	case i.from.unpack == nil:
		return io.NewSectionReader(f.r, i.from.at+i.begin, n), nil
	}
	all, err := i.from.unpack()
	if err != nil {
		return nil, err
	}
	return bytes.NewReader(all[i.begin:i.end]), nil
}

// maxRatio is more than deflate can achieve, which is 1032.
const maxRatio = 1100

// checkPacked compares what an entry of a zip file claims to hold with the bytes it has.
func checkPacked(e *zip.File, fileSize int64) error {
	switch {
	case e.CompressedSize64 > uint64(fileSize):
		return errors.Errorf("entry %q claims %d bytes in a file of %d", e.Name, e.CompressedSize64, fileSize)
	case e.Method == zip.Store && e.UncompressedSize64 != e.CompressedSize64:
		return errors.Errorf("entry %q is not compressed, but claims %d bytes of %d", e.Name, e.UncompressedSize64, e.CompressedSize64)
	case e.UncompressedSize64/maxRatio > e.CompressedSize64:
		return errors.Errorf("entry %q claims %d bytes unpacked from %d, more than compression can do", e.Name, e.UncompressedSize64, e.CompressedSize64)
	}
	return nil
}

// unpack reads an entry of size bytes, which checkPacked has seen; its checksum is compared.
func unpack(e *zip.File, size int64) ([]byte, error) {
	r, err := e.Open()
	if err != nil {
		return nil, errors.WithStack(err)
	}
	defer r.Close()
	all := make([]byte, size)
	if _, err := io.ReadFull(r, all); err != nil {
		return nil, errors.Wrapf(err, "entry %q", e.Name)
	}
	// The checksum is compared at the end.
	if n, err := io.CopyN(io.Discard, r, 1); n > 0 || err != io.EOF {
		return nil, errors.Errorf("entry %q is longer than %d bytes, or damaged: %v", e.Name, size, err)
	}
	return all, nil
}

// entryStorage is the bytes of an entry of a zip file.
func entryStorage(e *zip.File, fileSize int64) (*storage, error) {
	if err := checkPacked(e, fileSize); err != nil {
		return nil, err
	}
	s := &storage{size: int64(e.UncompressedSize64)}
	s.unpack = func() ([]byte, error) { return unpack(e, s.size) }
	if e.Method == zip.Store {
		at, err := e.DataOffset()
		if err != nil {
			return nil, errors.Wrapf(err, "entry %q", e.Name)
		}
		if at < 0 || s.size > fileSize-at {
			return nil, errors.Errorf("entry %q ends after the file: truncated", e.Name)
		}
		s.at, s.unpack = at, nil
	}
	return s, nil
}

// contiguous tells whether a walk visits elements one after another.
func contiguous(layout []axis) bool {
	next := 1
	for i := len(layout) - 1; i >= 0; i-- {
		if layout[i].size != 1 && layout[i].stride != next {
			return false
		}
		next *= layout[i].size
	}
	return true
}

// strided gives a tensor of shape and strides (in elements) its place, from element offset of s on. A view that
// reaches out of its storage, or that repeats elements, is an error.
func strided(name string, dt DType, s *storage, offset int64, shape, strides []int64) (Info, error) {
	info := Info{Name: name, DType: dt, from: s}
	size := dtypes[dt].size
	if len(shape) != len(strides) || len(shape) > maxRank {
		return info, errors.Errorf("shape %v with strides %v", shape, strides)
	}
	bytes, err := byteCount(shape, size)
	if err != nil {
		return info, err
	}
	if offset < 0 || bytes > s.size {
		return info, errors.Errorf("shape %v of %s takes %d bytes from element %d on; its storage has %d", shape, dt, bytes, offset, s.size)
	}
	for _, d := range shape {
		info.Shape = append(info.Shape, int(d))
	}
	if bytes == 0 {
		return info, nil
	}
	span := int64(1) // elements from the first to the last
	for i, d := range shape {
		info.layout = append(info.layout, axis{int(d), int(strides[i])})
		// No product overflows: a size is at most s.size, and so is a stride that passes.
		if strides[i] < 0 || d > 1 && strides[i] > s.size/(d-1) {
			return info, errors.Errorf("shape %v with strides %v reaches out of its storage of %d bytes", shape, strides, s.size)
		}
		span += (d - 1) * strides[i]
	}
	if elements := s.size / size; span > elements || offset > elements-span {
		return info, errors.Errorf("shape %v with strides %v from element %d on reaches out of its storage of %d elements", shape, strides, offset, elements)
	}
	info.begin = offset * size
	info.end = info.begin + span*size
	if contiguous(info.layout) {
		info.layout = nil
	}
	return info, nil
}
