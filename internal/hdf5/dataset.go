package hdf5

import (
	"math"
	"slices"

	"github.com/pkg/errors"
)

// Dataset is an array of elements.
type Dataset struct {
	object
	typ Type
	space
	size    uint64 // bytes of all elements
	layout  layout
	filters []filter
	fill    []byte // an element that was never written; nil: zeros
}

// layout is where the elements are (section IV.A.2.i).
type layout struct {
	class   uint8  // of the constants below
	compact []byte // the elements themselves
	at      uint64 // of the elements, or of the index of chunks
	chunk   []int  // shape of a chunk
	index   uint8  // kind of index of chunks

	wholeEdges bool // chunks that stick out of the shape have gone through no filter
	single     entry
	pageBits   uint8
}

const (
	compact    = 0
	contiguous = 1
	chunked    = 2
)

func (f *File) dataset(path string, at uint64) (*Dataset, error) {
	if err := checkPath(path); err != nil {
		return nil, err
	}
	s := f.scan()
	h, err := s.header(at)
	if err != nil {
		return nil, errors.WithMessage(err, path)
	}
	d := &Dataset{object: object{f, path, at, h}}
	return d, errors.WithMessage(s.describe(d), path)
}

// describe reads the messages of a dataset.
func (s *scan) describe(d *Dataset) error {
	typ, extent, where := d.find(msgDatatype), d.find(msgDataspace), d.find(msgLayout)
	if typ == nil || extent == nil || where == nil {
		return errors.New("HDF5: not a dataset")
	}
	if extent.shared || where.shared {
		return errors.New("HDF5: a shared dataspace or layout is not read")
	}
	if d.find(msgExternal) != nil {
		return errors.New("HDF5: elements in another file are not read")
	}
	var err error
	if d.typ, err = s.datatype(typ); err != nil {
		return err
	}
	if d.space, err = parseSpace(s.f.cursor(extent.data)); err != nil {
		return err
	}
	if d.size, err = d.bytes(d.typ); err != nil {
		return err
	}
	if m := d.find(msgFilters); m != nil {
		if m.shared {
			return errors.New("HDF5: shared filters are not read")
		}
		if d.filters, err = parseFilters(s.f.cursor(m.data)); err != nil {
			return err
		}
	}
	if m := d.find(msgFill); m != nil && !m.shared {
		if d.fill, err = parseFill(s.f.cursor(m.data), d.typ.Size); err != nil {
			return err
		}
	}
	if err := d.parseLayout(s.f.cursor(where.data)); err != nil {
		return err
	}
	// Elements that the file does not have come from compression, or were never written.
	if d.size/maxRatio > uint64(s.f.size) {
		return errors.Errorf("HDF5: shape %v of %v takes %d bytes, more than a file of %d can hold", d.shape, d.typ, d.size, s.f.size)
	}
	return nil
}

func (d *Dataset) parseLayout(c *cursor) error {
	l := &d.layout
	version := c.u8()
	var rank int
	var length uint64
	switch version {
	case 1, 2:
		rank, l.class = int(c.u8()), c.u8()
		c.skip(5)
		if l.class != compact {
			l.at = c.offset()
		}
		sizes := make([]int, rank)
		for i := range sizes {
			sizes[i] = int(c.u32())
		}
		switch l.class {
		case compact:
			length = uint64(c.u32())
		case contiguous:
			length = d.size
		case chunked: // the last is the size of an element
			l.chunk = sizes[:max(0, len(sizes)-1)]
		}
	case 3, 4:
		switch l.class = c.u8(); {
		case l.class == compact:
			length = uint64(c.u16())
		case l.class == contiguous:
			l.at, length = c.offset(), c.length()
		case l.class == chunked && version == 3:
			rank = int(c.u8())
			l.at = c.offset()
			l.readChunk(c, rank, 4)
		case l.class == chunked:
			d.layout4(c)
		}
	default:
		return errors.Errorf("HDF5: layout of version %d, want 1 to 4", version)
	}
	if l.class == compact {
		l.compact = c.take(int(length))
	}
	if err := c.done("layout"); err != nil {
		return err
	}
	switch l.class {
	case compact:
		if uint64(len(l.compact)) != d.size {
			return errors.Errorf("HDF5: %d bytes, want %d for shape %v of %v", len(l.compact), d.size, d.shape, d.typ)
		}
	case contiguous:
		if l.at == undefined || d.size == 0 {
			return nil
		}
		if length != d.size {
			return errors.Errorf("HDF5: %d bytes, want %d for shape %v of %v", length, d.size, d.shape, d.typ)
		}
		return d.f.inside(l.at, length)
	case chunked:
		return d.checkChunks()
	default:
		return errors.Errorf("HDF5: layout of class %d is not read", l.class)
	}
	return nil
}

// readChunk reads the shape of a chunk, whose last axis is the bytes of an element.
func (l *layout) readChunk(c *cursor, rank, width int) {
	for i := range rank {
		if n := c.uint(width); i < rank-1 {
			l.chunk = append(l.chunk, int(min(n, math.MaxInt)))
		}
	}
}

// layout4 is chunks since version 4 of the message.
func (d *Dataset) layout4(c *cursor) {
	const wholeEdges, filtered = 1, 2
	l := &d.layout
	flags, rank, width := c.u8(), int(c.u8()), int(c.u8())
	if width < 1 || width > 8 {
		c.bad = true
		return
	}
	l.wholeEdges = flags&wholeEdges != 0
	l.readChunk(c, rank, width)
	l.index = c.u8()
	switch l.index {
	case indexSingle:
		if flags&filtered != 0 {
			l.single.size, l.single.mask = c.length(), c.u32()
		}
	case indexFixed:
		l.pageBits = c.u8()
	case indexExtensible:
		c.skip(5)
	case indexTree2:
		c.skip(4 + 1 + 1)
	}
	l.at = c.offset()
	l.single.at = l.at
}

// parseFill reads a fill value (section IV.A.2.f).
func parseFill(c *cursor, elementSize int) ([]byte, error) {
	const defined3 = 0x20
	defined := true
	switch version := c.u8(); version {
	case 1, 2:
		c.skip(2)
		if there := c.u8(); version == 2 {
			defined = there != 0
		}
	case 3:
		defined = c.u8()&defined3 != 0
	default:
		return nil, errors.Errorf("HDF5: fill value of version %d, want 1 to 3", version)
	}
	if !defined {
		return nil, c.done("fill value")
	}
	n := c.u32()
	if n == 0 || n == 1<<32-1 {
		return nil, c.done("fill value")
	}
	value := c.take(int(n))
	if err := c.done("fill value"); err != nil {
		return nil, err
	}
	if len(value) != elementSize {
		return nil, errors.Errorf("HDF5: fill value of %d bytes, want %d", len(value), elementSize)
	}
	if len(slices.DeleteFunc(slices.Clone(value), func(b byte) bool { return b == 0 })) == 0 {
		return nil, nil
	}
	return value, nil
}

// Type is the type of the elements.
func (d *Dataset) Type() Type { return d.typ }

// Shape is the size along each axis; nil for a scalar.
func (d *Dataset) Shape() []int { return slices.Clone(d.shape) }

// Size is the bytes of all elements, at most some thousand times the file's.
func (d *Dataset) Size() int64 { return int64(d.size) }

// Place tells where in the file the elements lie one after another in C order, as Bytes gives them; false where
// they are not to be had so.
func (d *Dataset) Place() (at int64, ok bool) {
	if d.layout.class != contiguous || d.layout.at == undefined || d.size == 0 || d.typ.BigEndian {
		return 0, false
	}
	return d.f.base + int64(d.layout.at), true
}

// Bytes reads the elements in C order, numbers little-endian.
func (d *Dataset) Bytes() ([]byte, error) {
	b, err := d.read()
	if err != nil {
		return nil, errors.WithMessage(err, d.path)
	}
	if d.typ.BigEndian {
		for at := 0; at < len(b); at += d.typ.Size {
			slices.Reverse(b[at : at+d.typ.Size])
		}
	}
	return b, nil
}

func (d *Dataset) read() ([]byte, error) {
	switch l := d.layout; {
	case l.class == compact:
		return slices.Clone(l.compact), nil
	case l.at != undefined && l.class == contiguous:
		b := make([]byte, d.size)
		return b, d.f.readAt(b, l.at)
	}
	b := make([]byte, d.size)
	if d.fill != nil {
		for at := 0; at < len(b); at += len(d.fill) {
			copy(b[at:], d.fill)
		}
	}
	if d.layout.class == contiguous || d.layout.at == undefined || d.size == 0 {
		return b, nil
	}
	return b, d.readChunks(b)
}
