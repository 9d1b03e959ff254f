package hdf5

import "github.com/pkg/errors"

// tree1 walks over a B-tree of version 1 (section III.A.1): leaf gets each key, of keySize bytes, and the address
// that it belongs to.
func (s *scan) tree1(at uint64, kind uint8, keySize int, leaf func(key *cursor, child uint64) error) error {
	return s.node1(at, kind, keySize, -1, leaf)
}

// node1 is tree1 for a node of a level; −1 takes any.
func (s *scan) node1(at uint64, kind uint8, keySize, level int, leaf func(*cursor, uint64) error) error {
	const start = 4 + 1 + 1 + 2
	b, err := s.read(at, start)
	if err != nil {
		return errors.WithMessage(err, "B-tree")
	}
	if string(b[:4]) != "TREE" || b[4] != kind || level >= 0 && int(b[5]) != level {
		return errors.Errorf("HDF5: no node of a B-tree of type %d, level %d at %#x", kind, level, at)
	}
	level = int(b[5])
	entries := int(le.Uint16(b[6:]))
	siblings := 2 * s.f.offsetSize
	b, err = s.read(at+start, uint64(siblings+entries*(keySize+s.f.offsetSize)))
	if err != nil {
		return errors.WithMessage(err, "B-tree")
	}
	c := s.f.cursor(b)
	c.skip(siblings)
	for range entries {
		key, child := s.f.cursor(c.take(keySize)), c.offset()
		if level == 0 {
			err = leaf(key, child)
		} else {
			err = s.node1(child, kind, keySize, level-1, leaf)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// tree2 walks over a B-tree of version 2 (section III.A.2) of one of the kinds.
func (s *scan) tree2(at uint64, record func(kind uint8, c *cursor) error) error {
	c, err := s.block(at, uint64(4+1+1+4+2+2+1+1+s.f.offsetSize+2+s.f.lengthSize+4), "BTHD")
	if err != nil {
		return err
	}
	t := tree2{scan: s, record: record}
	c.skip(1)
	t.kind, t.nodeSize, t.recordSize = c.u8(), int(c.u32()), int(c.u16())
	depth := int(c.u16())
	c.skip(2)
	root, records := c.offset(), int(c.u16())
	if t.recordSize == 0 || t.nodeSize > 1<<30 || depth > 16 {
		return errors.Errorf("HDF5: B-tree of %d levels, nodes of %d bytes, records of %d", depth, t.nodeSize, t.recordSize)
	}
	if records == 0 {
		return nil
	}
	// How many records a node can have tells how wide the counts of children are.
	const frame = 4 + 1 + 1 + 4 // signature, version, type, checksum
	most := uint64(max(0, t.nodeSize-frame) / t.recordSize)
	t.countSize = width(most)
	t.totalSize = append(t.totalSize, 0)
	total := most
	for d := 1; d <= depth; d++ {
		pointer := s.f.offsetSize + t.countSize + t.totalSize[d-1]
		inner := uint64(max(0, t.nodeSize-frame-pointer) / (t.recordSize + pointer))
		total = (inner+1)*total + inner // wraps only where there are too many to be true
		t.totalSize = append(t.totalSize, width(total))
	}
	return t.node(root, records, depth)
}

type tree2 struct {
	*scan
	kind                 uint8
	nodeSize, recordSize int
	countSize            int
	totalSize            []int // by depth of the child
	record               func(uint8, *cursor) error
}

func (t *tree2) node(at uint64, records, depth int) error {
	size := 4 + 1 + 1 + records*t.recordSize + 4
	signature := "BTLF"
	if depth > 0 {
		signature = "BTIN"
		size += (records + 1) * (t.f.offsetSize + t.countSize + t.totalSize[depth-1])
	}
	c, err := t.block(at, uint64(size), signature)
	if err != nil {
		return err
	}
	c.skip(1)
	if kind := c.u8(); kind != t.kind {
		return errors.Errorf("HDF5: B-tree of type %d has a node of type %d", t.kind, kind)
	}
	for range records {
		if err := t.record(t.kind, t.f.cursor(c.take(t.recordSize))); err != nil {
			return err
		}
	}
	if depth == 0 {
		return nil
	}
	for range records + 1 {
		child, n := c.offset(), c.uint(t.countSize)
		c.skip(t.totalSize[depth-1])
		if n > uint64(t.nodeSize) {
			return errors.Errorf("HDF5: B-tree: %d records in a node of %d bytes", n, t.nodeSize)
		}
		if err := t.node(child, int(n), depth-1); err != nil {
			return err
		}
	}
	return nil
}
