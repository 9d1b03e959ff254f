package hdf5

import (
	"math/bits"

	"github.com/pkg/errors"
)

// array is what the two arrays that index chunks by number have in common (appendix C.C and C.D).
type array struct {
	*scan
	filtered  bool
	entrySize uint64
	pageBits  uint8  // of the number of entries in a page
	size      uint64 // of a chunk without filters
	entries   []entry
}

// start reads what the headers begin with: version, type, bytes of an entry.
func (a *array) start(c *cursor, d *Dataset) error {
	c.skip(1)
	client := c.u8()
	a.entrySize = uint64(c.u8())
	a.filtered = len(d.filters) > 0
	least := a.f.offsetSize
	if a.filtered {
		least += 1 + 4
	}
	if a.filtered != (client == 1) || client > 1 || int(a.entrySize) < least {
		return errors.Errorf("HDF5: an index of chunks of type %d, with entries of %d bytes", client, a.entrySize)
	}
	return nil
}

// take adds n entries.
func (a *array) take(c *cursor, n uint64) {
	for range n {
		e := entry{at: c.offset(), size: a.size}
		if a.filtered {
			e.size, e.mask = c.uint(int(a.entrySize)-a.f.offsetSize-4), c.u32()
		}
		a.entries = append(a.entries, e)
	}
}

// absent adds n entries of chunks that were never written.
func (a *array) absent(n uint64) error {
	const cost = 8
	if n > uint64(a.f.size) {
		return errors.Errorf("HDF5: an index of %d chunks in a file of %d bytes", n, a.f.size)
	}
	if err := a.charge(cost * n); err != nil {
		return err
	}
	for range n {
		a.entries = append(a.entries, entry{at: undefined})
	}
	return nil
}

// pages adds the n entries of a block whose pages start at an address, each with a checksum; written has a bit for
// each that there is.
func (a *array) pages(at, n uint64, written []byte) error {
	page := uint64(1) << a.pageBits
	for p := uint64(0); p*page < n; p++ {
		count := min(page, n-p*page)
		if p/8 >= uint64(len(written)) || written[p/8]>>(7-p%8)&1 == 0 {
			if err := a.absent(count); err != nil {
				return err
			}
		} else {
			c, err := a.block(at, count*a.entrySize+4, "")
			if err != nil {
				return err
			}
			a.take(c, count)
		}
		at += page*a.entrySize + 4
	}
	return nil
}

// fixedArray reads the index of a dataset that cannot grow without limit.
func (s *scan) fixedArray(d *Dataset, size uint64) ([]entry, error) {
	a := &array{scan: s, size: size}
	o := s.f.offsetSize
	c, err := s.block(d.layout.at, uint64(4+1+1+1+1+s.f.lengthSize+o+4), "FAHD")
	if err != nil {
		return nil, err
	}
	if err := a.start(c, d); err != nil {
		return nil, err
	}
	a.pageBits = c.u8()
	n, at := c.length(), c.offset()
	if a.pageBits > 32 || n > uint64(s.f.size) {
		return nil, errors.Errorf("HDF5: an index of %d chunks in a file of %d bytes", n, s.f.size)
	}
	if at == undefined {
		return nil, nil
	}
	frame := uint64(4 + 1 + 1 + o)
	if n <= 1<<a.pageBits {
		c, err := s.block(at, frame+n*a.entrySize+4, "FADB")
		if err != nil {
			return nil, err
		}
		c.skip(int(frame) - 4)
		a.take(c, n)
		return a.entries, c.done("index of chunks")
	}
	bitmap := (((n-1)>>a.pageBits + 1) + 7) / 8
	c, err = s.block(at, frame+bitmap+4, "FADB")
	if err != nil {
		return nil, err
	}
	c.skip(int(frame) - 4)
	err = a.pages(at+frame+bitmap+4, n, c.take(int(bitmap)))
	return a.entries, err
}

// extensible is the index of a dataset that may grow along one axis. Behind the first entries come blocks of
// entries, in groups ("super blocks"): group g has 2^⌊g/2⌋ blocks of first·2^⌈g/2⌉ entries. The blocks of the first
// groups are listed in the index block; the others have lists of their own.
type extensible struct {
	array
	used        uint64 // entries
	offsetBytes int
	first       uint64
}

func (s *scan) extensibleArray(d *Dataset, size uint64) ([]entry, error) {
	a := &extensible{array: array{scan: s, size: size}}
	o := s.f.offsetSize
	c, err := s.block(d.layout.at, uint64(4+8+6*s.f.lengthSize+o+4), "EAHD")
	if err != nil {
		return nil, err
	}
	if err := a.start(c, d); err != nil {
		return nil, err
	}
	most, direct, first, pointers := int(c.u8()), uint64(c.u8()), uint64(c.u8()), uint64(c.u8())
	a.pageBits = c.u8()
	c.skip(4 * s.f.lengthSize)
	a.used = c.length()
	c.length()
	at := c.offset()
	if most > 64 || first == 0 || first&(first-1) != 0 || pointers < 2 || pointers&(pointers-1) != 0 || a.pageBits > 32 || a.used > uint64(s.f.size) {
		return nil, errors.Errorf("HDF5: an index of %d chunks, of %d bits, with %d and %d to a block", a.used, most, direct, first)
	}
	if at == undefined {
		return nil, nil
	}
	a.first, a.offsetBytes = first, (most+7)/8
	groups := max(0, 1+most-(bits.Len64(first)-1))
	listed := 2 * (bits.Len64(pointers) - 1) // groups whose blocks the index block lists
	blocks := int(2 * (pointers - 1))
	lists := max(0, groups-listed)
	frame := 1 + 1 + o
	c, err = s.block(at, 4+uint64(frame)+direct*a.entrySize+uint64((blocks+lists)*o)+4, "EAIB")
	if err != nil {
		return nil, err
	}
	c.skip(frame)
	a.take(c, direct)
	for g := 0; uint64(len(a.entries)) < a.used; g++ {
		if g >= groups {
			return nil, errors.Errorf("HDF5: the index has no chunk %d", len(a.entries))
		}
		if g < listed {
			for range 1 << (g / 2) {
				if err := a.data(c.offset(), g, nil); err != nil {
					return nil, err
				}
			}
		} else if err := a.group(c.offset(), g); err != nil {
			return nil, err
		}
		if c.bad {
			return nil, c.done("index of chunks")
		}
	}
	return a.entries, nil
}

// inBlock is the number of entries in a block of a group, as far as they are used.
func (a *extensible) inBlock(g int) uint64 { return a.first << ((g + 1) / 2) }

// group adds the blocks of a group that has a list of them.
func (a *extensible) group(at uint64, g int) error {
	left := a.used - uint64(len(a.entries))
	blocks := uint64(1) << (g / 2)
	if at == undefined {
		return a.absent(min(left, blocks*a.inBlock(g)))
	}
	bitmap := uint64(0)
	if n := a.inBlock(g); n > 1<<a.pageBits {
		bitmap = (n>>a.pageBits + 7) / 8
	}
	frame := 1 + 1 + a.f.offsetSize + a.offsetBytes
	if blocks > uint64(a.f.size) || bitmap > uint64(a.f.size) {
		return errors.Errorf("HDF5: an index with %d blocks in a file of %d bytes", blocks, a.f.size)
	}
	c, err := a.block(at, 4+uint64(frame)+blocks*(bitmap+uint64(a.f.offsetSize))+4, "EASB")
	if err != nil {
		return err
	}
	c.skip(frame)
	written := c.take(int(blocks * bitmap))
	for i := uint64(0); i < blocks && uint64(len(a.entries)) < a.used; i++ {
		if err := a.data(c.offset(), g, written[i*bitmap:(i+1)*bitmap]); err != nil {
			return err
		}
	}
	return c.done("index of chunks")
}

// data adds the entries of a block.
func (a *extensible) data(at uint64, g int, written []byte) error {
	left := a.used - min(a.used, uint64(len(a.entries)))
	n := a.inBlock(g)
	if at == undefined {
		return a.absent(min(left, n))
	}
	if n > uint64(a.f.size) {
		return errors.Errorf("HDF5: a block of %d chunks in a file of %d bytes", n, a.f.size)
	}
	frame := 1 + 1 + a.f.offsetSize + a.offsetBytes
	if n > 1<<a.pageBits {
		return a.pages(at+4+uint64(frame)+4, n, written)
	}
	c, err := a.block(at, 4+uint64(frame)+n*a.entrySize+4, "EADB")
	if err != nil {
		return err
	}
	c.skip(frame)
	a.take(c, n)
	return c.done("index of chunks")
}
