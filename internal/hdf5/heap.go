package hdf5

import (
	"bytes"
	"math/bits"

	"github.com/pkg/errors"
)

// localHeap is the names of a group of the old form (section III.D).
func (s *scan) localHeap(at uint64) ([]byte, error) {
	b, err := s.read(at, uint64(4+1+3+2*s.f.lengthSize+s.f.offsetSize))
	if err != nil {
		return nil, errors.WithMessage(err, "local heap")
	}
	c := s.f.cursor(b)
	if string(c.take(4)) != "HEAP" {
		return nil, errors.Errorf("HDF5: no local heap at %#x", at)
	}
	c.skip(4)
	size := c.length()
	c.length()
	data, err := s.read(c.offset(), size)
	return data, errors.WithMessage(err, "local heap")
}

// nameAt is the string that starts at a place of a heap and ends with a zero byte.
func nameAt(heap []byte, at uint64) (string, error) {
	if at < uint64(len(heap)) {
		if name, _, ok := bytes.Cut(heap[at:], []byte{0}); ok {
			return string(name), nil
		}
	}
	return "", errors.Errorf("HDF5: no name at %d of a local heap of %d bytes", at, len(heap))
}

// global is an object of a global heap collection (section III.E).
func (s *scan) global(at uint64, index uint16) ([]byte, error) {
	objects, ok := s.heaps[at]
	if !ok {
		var err error
		if objects, err = s.collection(at); err != nil {
			return nil, errors.WithMessage(err, "global heap")
		}
		s.heaps[at] = objects
	}
	object, ok := objects[index]
	if !ok {
		return nil, errors.Errorf("HDF5: the global heap at %#x has no object %d", at, index)
	}
	return object, nil
}

func (s *scan) collection(at uint64) (map[uint16][]byte, error) {
	start := uint64(4 + 1 + 3 + s.f.lengthSize)
	b, err := s.read(at, start)
	if err != nil {
		return nil, err
	}
	c := s.f.cursor(b)
	if string(c.take(4)) != "GCOL" {
		return nil, errors.Errorf("HDF5: no collection at %#x", at)
	}
	c.skip(4)
	size := c.length()
	if size < start {
		return nil, errors.Errorf("HDF5: collection of %d bytes", size)
	}
	if b, err = s.read(at+start, size-start); err != nil {
		return nil, err
	}
	objects := make(map[uint16][]byte)
	for c = s.f.cursor(b); len(c.rest) >= 2+2+4+s.f.lengthSize; {
		index := c.u16()
		c.skip(2 + 4)
		n := c.length()
		if index == 0 { // what is free, to the end
			break
		}
		if n > uint64(len(c.rest)) {
			return nil, errors.Errorf("HDF5: object %d of %d bytes in a collection of %d", index, n, size)
		}
		object := c.take(int(n))
		c.skip(min(pad(int(n))-int(n), len(c.rest)))
		objects[index] = object
	}
	return objects, nil
}

// fractalHeap holds the links of groups and the attributes of objects that have many (section III.G).
type fractalHeap struct {
	*scan
	idSize, offsetBytes, lengthBytes int
	huge                             uint64 // B-tree of objects too large for a block
	width                            int    // blocks in a row
	start, most                      uint64 // bytes of the first block, of the largest direct one
	root                             uint64
	rows                             int // of the root's table; 0: the root is a direct block
}

func (s *scan) fractalHeap(at uint64) (*fractalHeap, error) {
	o, l := s.f.offsetSize, s.f.lengthSize
	c, err := s.block(at, uint64(4+1+2+2+1+4+12*l+3*o+2+2+2+2+4), "FRHP")
	if err != nil {
		return nil, err
	}
	h := &fractalHeap{scan: s}
	c.skip(1)
	h.idSize = int(c.u16())
	if filters := c.u16(); filters != 0 {
		return nil, errors.New("HDF5: a heap of links or attributes with filters is not read")
	}
	c.skip(1)
	largest := uint64(c.u32())
	c.length()
	h.huge = c.offset()
	c.length()
	c.offset()
	c.skip(8 * l)
	h.width = int(c.u16())
	h.start, h.most = c.length(), c.length()
	bits := int(c.u16())
	c.skip(2)
	h.root, h.rows = c.offset(), int(c.u16())
	if h.width == 0 || h.start == 0 || h.most < h.start || h.most > 1<<40 || h.most&(h.most-1) != 0 || h.start&(h.start-1) != 0 || bits > 64 || h.rows > 64 {
		return nil, errors.Errorf("HDF5: heap with rows of %d blocks, of %d to %d bytes, %d bits", h.width, h.start, h.most, bits)
	}
	h.offsetBytes = (bits + 7) / 8
	h.lengthBytes = min(width(h.most-1), width(largest))
	return h, nil
}

// object is what an ID stands for.
func (h *fractalHeap) object(id []byte) ([]byte, error) {
	const managed, huge, tiny = 0, 1, 2
	c := h.f.cursor(id)
	flags := c.u8()
	switch flags >> 4 & 3 {
	case managed:
		offset, n := c.uint(h.offsetBytes), c.uint(h.lengthBytes)
		if c.bad {
			return nil, c.done("heap ID")
		}
		return h.managed(offset, n)
	case tiny:
		n := int(flags&0xf) + 1
		if h.idSize > 18 {
			n = int(flags&0xf)<<8 + int(c.u8()) + 1
		}
		object := c.take(n)
		return object, c.done("heap ID")
	case huge:
		if o, l := h.f.offsetSize, h.f.lengthSize; h.idSize-1 >= o+l {
			at, n := c.offset(), c.length()
			return h.read(at, n)
		}
		return h.hugeObject(c.uint(min(h.idSize-1, h.f.lengthSize)))
	}
	return nil, errors.Errorf("HDF5: heap ID % x", id)
}

func (h *fractalHeap) hugeObject(id uint64) (object []byte, err error) {
	found := false
	err = h.tree2(h.huge, func(kind uint8, c *cursor) error {
		if kind != 1 {
			return errors.Errorf("HDF5: large objects of a heap in a B-tree of type %d, want 1", kind)
		}
		at, n := c.offset(), c.length()
		if c.length() != id || found {
			return nil
		}
		found = true
		object, err = h.read(at, n)
		return err
	})
	if err == nil && !found {
		err = errors.Errorf("HDF5: the heap has no large object %d", id)
	}
	return object, err
}

// managed finds the block that has an offset of the heap's space, and reads n bytes of it. Rows 0 and 1 of a table
// have blocks of the first size, and each row after has them twice as large (section III.G, "Doubling Table").
func (h *fractalHeap) managed(offset, n uint64) ([]byte, error) {
	at, rows, base := h.root, h.rows, uint64(0)
	size := h.start // of the block
	for rows > 0 {
		row, before := 0, uint64(0) // in this table
		size = h.start
		for within := offset - base; within-before >= uint64(h.width)*size; row++ {
			before += uint64(h.width) * size
			if row > 0 {
				size *= 2
			}
			if row >= rows || size > 1<<46 {
				return nil, errors.Errorf("HDF5: the heap has no byte %d", offset)
			}
		}
		if row >= rows {
			return nil, errors.Errorf("HDF5: the heap has no byte %d", offset)
		}
		column := (offset - base - before) / size
		frame := uint64(4 + 1 + h.f.offsetSize + h.offsetBytes)
		b, err := h.read(at, 4)
		if err != nil {
			return nil, errors.WithMessage(err, "heap")
		}
		if string(b) != "FHIB" {
			return nil, errors.Errorf("HDF5: no table of a heap at %#x", at)
		}
		entry := uint64(row*h.width) + column
		if b, err = h.read(at+frame+entry*uint64(h.f.offsetSize), uint64(h.f.offsetSize)); err != nil {
			return nil, errors.WithMessage(err, "heap")
		}
		at = h.f.cursor(b).offset()
		base += before + column*size
		if size <= h.most {
			break
		}
		// A table within a table has as many rows as make its size.
		inner := bits.Len64(size / h.start / uint64(h.width))
		if inner < 1 || inner >= rows {
			return nil, errors.Errorf("HDF5: heap: a table of %d rows within one of %d", inner, rows)
		}
		rows = inner
	}
	within := offset - base
	if n > size || within > size-n {
		return nil, errors.Errorf("HDF5: %d bytes at %d of a heap's block of %d", n, within, size)
	}
	b, err := h.read(at+within, n)
	return b, errors.WithMessage(err, "heap")
}
