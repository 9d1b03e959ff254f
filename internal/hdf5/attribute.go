package hdf5

import (
	"bytes"

	"github.com/pkg/errors"
)

// attribute is a small value of a group or dataset (section IV.A.2.m).
type attribute struct {
	name string
	typ  Type
	space
	data []byte
}

// Strings is an attribute that holds strings, one or many; false if there is none of that name. An attribute
// without elements is no strings, whatever its type.
func (o *object) Strings(name string) ([]string, bool, error) {
	s := o.f.scan()
	a, err := s.attribute(o.header, name)
	if a == nil || err != nil {
		return nil, false, errors.WithMessagef(err, "%s: attribute %q", o.path, name)
	}
	list, err := s.strings(a)
	return list, true, errors.WithMessagef(err, "%s: attribute %q", o.path, name)
}

// attribute finds one; nil if there is none.
func (s *scan) attribute(h header, name string) (found *attribute, err error) {
	one := func(c *cursor) error {
		a, err := s.parseAttribute(c, name)
		if a != nil {
			found = a
		}
		return err
	}
	for _, m := range h {
		if m.kind != msgAttribute {
			continue
		}
		if m.shared {
			return nil, errors.New("HDF5: a shared attribute is not read")
		}
		if err := one(s.f.cursor(m.data)); err != nil {
			return nil, err
		}
	}
	if m := h.find(msgAttributeInfo); m != nil {
		c := s.f.cursor(m.data)
		c.skip(1)
		if flags := c.u8(); flags&1 != 0 {
			c.skip(2)
		}
		heap, tree := c.offset(), c.offset()
		if err := c.done("attribute info"); err != nil {
			return nil, err
		}
		if err := s.dense(heap, tree, 8, 0, one); err != nil {
			return nil, err
		}
	}
	return found, nil
}

// parseAttribute reads an attribute if it has the name, else gives nil.
func (s *scan) parseAttribute(c *cursor, name string) (*attribute, error) {
	version, flags := c.u8(), c.u8()
	nameSize, typeSize, spaceSize := int(c.u16()), int(c.u16()), int(c.u16())
	align := func(n int) int { return n }
	switch version {
	case 1:
		align, flags = pad, 0
	case 2:
	case 3:
		c.skip(1) // character set
	default:
		return nil, errors.Errorf("HDF5: attribute of version %d, want 1 to 3", version)
	}
	text := func(field []byte, n int) []byte { return field[:min(n, len(field))] }
	a := &attribute{name: string(bytes.TrimRight(text(c.take(align(nameSize)), nameSize), "\x00"))}
	if a.name != name {
		return nil, c.done("attribute")
	}
	typ := message{kind: msgDatatype, shared: flags&1 != 0, data: text(c.take(align(typeSize)), typeSize)}
	extent := text(c.take(align(spaceSize)), spaceSize)
	if err := c.done("attribute"); err != nil {
		return nil, err
	}
	if flags&2 != 0 {
		return nil, errors.New("HDF5: a shared dataspace is not read")
	}
	var err error
	if a.typ, err = s.datatype(&typ); err != nil {
		return nil, err
	}
	if a.space, err = parseSpace(s.f.cursor(extent)); err != nil {
		return nil, err
	}
	n, err := a.bytes(a.typ)
	if err != nil {
		return nil, err
	}
	if n > uint64(len(c.rest)) {
		return nil, errors.Errorf("HDF5: shape %v of %v takes %d bytes, there are %d", a.shape, a.typ, n, len(c.rest))
	}
	a.data = c.take(int(n))
	return a, nil
}

// strings are the elements.
func (s *scan) strings(a *attribute) ([]string, error) {
	if a.count == 0 {
		return nil, nil
	}
	if a.typ.Class != String && a.typ.Class != VarString {
		return nil, errors.Errorf("HDF5: %v, want strings", a.typ)
	}
	list := make([]string, a.count)
	for i := range list {
		b := a.data[i*a.typ.Size : (i+1)*a.typ.Size]
		if a.typ.Class == VarString {
			c := s.f.cursor(b)
			n, at, index := c.u32(), c.offset(), c.u32()
			if err := c.done("string"); err != nil {
				return nil, err
			}
			if n == 0 {
				continue
			}
			object, err := s.global(at, uint16(index))
			if err != nil {
				return nil, err
			}
			if index > 0xffff || uint64(n) > uint64(len(object)) {
				return nil, errors.Errorf("HDF5: string of %d bytes, there are %d", n, len(object))
			}
			// Many may be one object.
			if err := s.charge(uint64(n)); err != nil {
				return nil, err
			}
			b = object[:n]
		}
		switch {
		case a.typ.Class == String && a.typ.padding == 2:
			b = bytes.TrimRight(b, " ")
		case a.typ.Class == String && a.typ.padding == 1:
			b = bytes.TrimRight(b, "\x00")
		default:
			b, _, _ = bytes.Cut(b, []byte{0})
		}
		list[i] = string(b)
	}
	return list, nil
}
