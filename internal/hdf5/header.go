package hdf5

import "github.com/pkg/errors"

// The kinds of header messages (section IV.A.2) that are read.
const (
	msgDataspace     = 0x01
	msgLinkInfo      = 0x02
	msgDatatype      = 0x03
	msgFill          = 0x05
	msgLink          = 0x06
	msgExternal      = 0x07
	msgLayout        = 0x08
	msgFilters       = 0x0b
	msgAttribute     = 0x0c
	msgContinuation  = 0x10
	msgSymbolTable   = 0x11
	msgAttributeInfo = 0x15
)

// header is an object's messages.
type header []message

type message struct {
	kind   uint16
	shared bool // data is the place of the message
	data   []byte
}

// header reads an object header with its continuation blocks.
func (s *scan) header(at uint64) (header, error) {
	start, err := s.read(at, min(16, uint64(s.f.size)-min(at, uint64(s.f.size))))
	if err != nil {
		return nil, err
	}
	if len(start) >= 4 && string(start[:4]) == "OHDR" {
		return s.header2(at, start)
	}
	return s.header1(at, start)
}

// header1 reads version 1 (section IV.A.1.a).
func (s *scan) header1(at uint64, start []byte) (header, error) {
	c := s.f.cursor(start)
	if version := c.u8(); version != 1 {
		return nil, errors.Errorf("HDF5: no object header at %#x", at)
	}
	c.skip(1 + 2 + 4) // reserved, number of messages, references
	n := uint64(c.u32())
	if c.skip(4); c.bad {
		return nil, c.done("object header")
	}
	b, err := s.read(at+16, n)
	if err != nil {
		return nil, errors.WithMessage(err, "object header")
	}
	var h header
	blocks := []*cursor{s.f.cursor(b)}
	for i := 0; i < len(blocks); i++ { // appended to in the loop
		c := blocks[i]
		for len(c.rest) >= 8 {
			kind, n, flags := c.u16(), int(c.u16()), c.u8()
			c.skip(3)
			m := message{kind, flags&2 != 0, c.take(n)}
			if c.bad {
				return nil, c.done("object header")
			}
			if kind != msgContinuation {
				h = append(h, m)
				continue
			}
			where := s.f.cursor(m.data)
			b, err := s.read(where.offset(), where.length())
			if err != nil {
				return nil, errors.WithMessage(err, "object header, continued")
			}
			blocks = append(blocks, s.f.cursor(b))
		}
	}
	return h, nil
}

// header2 reads version 2 (section IV.A.1.b).
func (s *scan) header2(at uint64, start []byte) (header, error) {
	const times, phases, order = 0x20, 0x10, 0x04
	c := s.f.cursor(start[4:])
	version, flags := c.u8(), c.u8()
	if version != 2 {
		return nil, errors.Errorf("HDF5: object header of version %d, want 1 or 2", version)
	}
	before := uint64(4 + 2)
	if flags&times != 0 {
		before += 16
	}
	if flags&phases != 0 {
		before += 4
	}
	sizeBytes := uint64(1) << (flags & 3)
	b, err := s.read(at+before, sizeBytes)
	if err != nil {
		return nil, err
	}
	n := s.f.cursor(b).uint(int(sizeBytes))
	before += sizeBytes
	if n > uint64(s.f.size) {
		return nil, errors.Errorf("HDF5: object header of %d bytes in a file of %d", n, s.f.size)
	}
	c, err = s.block(at, before+n+4, "OHDR")
	if err != nil {
		return nil, err
	}
	c.skip(int(before) - 4)
	var h header
	blocks := []*cursor{c}
	for i := 0; i < len(blocks); i++ { // appended to in the loop
		c := blocks[i]
		prefix := 4
		if flags&order != 0 {
			prefix += 2
		}
		for len(c.rest) >= prefix { // what is less is a gap
			kind, n, bits := uint16(c.u8()), int(c.u16()), c.u8()
			c.skip(prefix - 4)
			m := message{kind, bits&2 != 0, c.take(n)}
			if c.bad {
				return nil, c.done("object header")
			}
			if kind != msgContinuation {
				h = append(h, m)
				continue
			}
			where := s.f.cursor(m.data)
			more, err := s.block(where.offset(), where.length(), "OCHK")
			if err != nil {
				return nil, err
			}
			blocks = append(blocks, more)
		}
	}
	return h, nil
}

// find is the message of a kind, of which there may be one; nil if there is none.
func (h header) find(kind uint16) *message {
	for i := range h {
		if h[i].kind == kind {
			return &h[i]
		}
	}
	return nil
}

// datatype is a message's datatype, which may be a committed one elsewhere in the file.
func (s *scan) datatype(m *message) (Type, error) {
	if !m.shared {
		return parseType(s.f.cursor(m.data))
	}
	at, err := s.sharedAt(m.data)
	if err != nil {
		return Type{}, err
	}
	h, err := s.header(at)
	if err != nil {
		return Type{}, errors.WithMessage(err, "committed datatype")
	}
	committed := h.find(msgDatatype)
	if committed == nil || committed.shared {
		return Type{}, errors.Errorf("HDF5: no committed datatype at %#x", at)
	}
	return parseType(s.f.cursor(committed.data))
}

// sharedAt is where the object header lies that a shared message is in (section IV.A.2, "Shared Message").
func (s *scan) sharedAt(data []byte) (uint64, error) {
	c := s.f.cursor(data)
	version, kind := c.u8(), c.u8()
	if version == 1 {
		c.skip(6)
	}
	if version < 1 || version > 3 || version == 3 && kind != 2 {
		return 0, errors.Errorf("HDF5: a shared message of version %d, type %d is not read", version, kind)
	}
	at := c.offset()
	return at, c.done("shared message")
}
