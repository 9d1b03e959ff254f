package hdf5

import (
	"math/bits"
	"sync/atomic"

	"github.com/pkg/errors"
)

// The kinds of index of chunks since version 4 of the layout message (appendix C); 0 stands for the B-tree before.
const (
	indexTree1      = 0
	indexSingle     = 1
	indexImplicit   = 2
	indexFixed      = 3
	indexExtensible = 4
	indexTree2      = 5
)

// entry is a chunk in the file.
type entry struct {
	at, size uint64
	mask     uint32 // filters that it did not go through
}

// checkChunks bounds the shape of chunks.
func (d *Dataset) checkChunks() error {
	if len(d.layout.chunk) != len(d.shape) {
		return errors.Errorf("HDF5: chunks of %d axes, want the %d of the shape", len(d.layout.chunk), len(d.shape))
	}
	over := false
	times := func(a uint64, b int) uint64 {
		hi, lo := bits.Mul64(a, uint64(b))
		over = over || hi != 0
		return lo
	}
	total, count := uint64(d.typ.Size), uint64(1)
	for i, n := range d.layout.chunk {
		if n < 1 {
			return errors.Errorf("HDF5: chunks of shape %v", d.layout.chunk)
		}
		along := int((uint64(d.shape[i]) + uint64(n) - 1) / uint64(n))
		total = times(times(total, n), along)
		count = times(count, along)
	}
	if d.size == 0 {
		return nil
	}
	// All chunks together, which bounds the work of unpacking them, and of looking them up. They may stick out of a
	// small shape.
	if over || total/maxRatio > uint64(d.f.size) || count > uint64(d.f.size) || total > 64*d.size+1<<20 {
		return errors.Errorf("HDF5: shape %v in chunks of %v of %v is more than a file of %d bytes can hold", d.shape, d.layout.chunk, d.typ, d.f.size)
	}
	return nil
}

// chunkBytes is what a chunk takes.
func (d *Dataset) chunkBytes() int {
	n := d.typ.Size
	for _, c := range d.layout.chunk {
		n *= c
	}
	return n
}

// readChunks fills b with the chunks that there are.
func (d *Dataset) readChunks(b []byte) error {
	var left atomic.Int64 // an index counts by itself: elements may be read again and again
	left.Store(4*min(d.f.size, 1<<26) + 1<<16)
	s := d.f.scanWithin(&left)
	size := d.chunkBytes()
	grid := make([]int, len(d.shape)) // chunks along each axis
	for i, n := range d.layout.chunk {
		grid[i] = int((uint64(d.shape[i]) + uint64(n) - 1) / uint64(n))
	}
	seen := make(map[int]bool)
	one := func(place []uint64, e entry) error { // place in chunks
		if e.at == undefined {
			return nil
		}
		number := 0
		edge := false
		for i, p := range place {
			if p >= uint64(grid[i]) {
				return nil // what a smaller shape has left over
			}
			number = number*grid[i] + int(p)
			edge = edge || (int(p)+1)*d.layout.chunk[i] > d.shape[i]
		}
		if seen[number] {
			return errors.Errorf("HDF5: two chunks at %v", place)
		}
		seen[number] = true
		if err := d.f.inside(e.at, e.size); err != nil {
			return err
		}
		packed := make([]byte, e.size)
		if err := d.f.readAt(packed, e.at); err != nil {
			return err
		}
		filters := d.filters
		if edge && d.layout.wholeEdges {
			filters = nil
		}
		chunk, err := undo(filters, e.mask, packed, size)
		if err != nil {
			return errors.WithMessagef(err, "chunk %v", place)
		}
		d.put(b, chunk, place)
		return nil
	}
	return s.chunks(d, uint64(size), one)
}

// put copies what of a chunk lies in the shape.
func (d *Dataset) put(b, chunk []byte, place []uint64) {
	size := d.typ.Size
	if len(d.shape) == 0 {
		copy(b, chunk)
		return
	}
	var rows func(axis, to, from int)
	rows = func(axis, to, from int) {
		c, n := d.layout.chunk[axis], d.shape[axis]
		first := int(place[axis]) * c
		count := min(c, n-first)
		if axis == len(d.shape)-1 {
			to, from = (to*n+first)*size, from*c*size
			copy(b[to:to+count*size], chunk[from:])
			return
		}
		for i := range count {
			rows(axis+1, to*n+first+i, from*c+i)
		}
	}
	rows(0, 0, 0)
}

// chunks calls one with the place, counted in chunks, of each chunk.
func (s *scan) chunks(d *Dataset, size uint64, one func([]uint64, entry) error) error {
	l := &d.layout
	rank := len(d.shape)
	filtered := len(d.filters) > 0
	switch l.index {
	case indexTree1: // key: bytes, mask, place in elements, and 0 within the element
		return s.tree1(l.at, 1, 8+8*(rank+1), func(key *cursor, at uint64) error {
			e := entry{at: at, size: uint64(key.u32()), mask: key.u32()}
			place := make([]uint64, rank)
			for i := range place {
				first := key.uint(8)
				if place[i] = first / uint64(l.chunk[i]); first%uint64(l.chunk[i]) != 0 {
					return errors.Errorf("HDF5: a chunk starts at %d along axis %d, where chunks have %d", first, i, l.chunk[i])
				}
			}
			return one(place, e)
		})
	case indexSingle:
		e := l.single
		if !filtered {
			e.size = size
		}
		return one(make([]uint64, rank), e)
	case indexTree2:
		return s.tree2(l.at, func(kind uint8, c *cursor) error {
			if want := uint8(10); kind != want && !filtered || kind != want+1 && filtered {
				return errors.Errorf("HDF5: chunks in a B-tree of type %d", kind)
			}
			e := entry{at: c.offset(), size: size}
			if filtered {
				e.size = c.uint(len(c.rest) - 4 - 8*rank)
				e.mask = c.u32()
			}
			place := make([]uint64, rank)
			for i := range place {
				place[i] = c.uint(8)
			}
			if err := c.done("record of a chunk"); err != nil {
				return err
			}
			return one(place, e)
		})
	case indexImplicit:
		if filtered {
			return errors.New("HDF5: chunks with filters under an implicit index")
		}
		return d.numbered(func(number uint64) (entry, bool) {
			at := l.at + number*size
			return entry{at: at, size: size}, at >= l.at
		}, one)
	case indexFixed, indexExtensible:
		read := s.fixedArray
		if l.index == indexExtensible {
			read = s.extensibleArray
		}
		entries, err := read(d, size)
		if err != nil {
			return err
		}
		return d.numbered(func(number uint64) (entry, bool) {
			if number >= uint64(len(entries)) {
				return entry{at: undefined}, true
			}
			return entries[number], true
		}, one)
	}
	return errors.Errorf("HDF5: chunks under an index of type %d are not read", l.index)
}

// numbered calls one with each chunk of the shape; chunks are numbered, in C order, in the largest shape that the
// dataset may get. An axis without limit, which only an extensible array allows, comes first for that.
func (d *Dataset) numbered(get func(uint64) (entry, bool), one func([]uint64, entry) error) error {
	rank := len(d.shape)
	place := make([]uint64, rank)
	for {
		number := uint64(0)
		for i, p := range place {
			if d.most[i] == undefined {
				number = p
			}
		}
		for i, p := range place {
			if c := uint64(d.layout.chunk[i]); d.most[i] != undefined {
				number = number*((d.most[i]+c-1)/c) + p
			}
		}
		e, ok := get(number)
		if !ok {
			return errors.Errorf("HDF5: the index has no chunk %v", place)
		}
		if err := one(place, e); err != nil {
			return err
		}
		i := rank - 1
		for ; i >= 0; i-- {
			if place[i]++; place[i]*uint64(d.layout.chunk[i]) < uint64(d.shape[i]) {
				break
			}
			place[i] = 0
		}
		if i < 0 {
			return nil
		}
	}
}
