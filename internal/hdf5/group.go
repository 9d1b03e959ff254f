package hdf5

import (
	"path"
	"slices"
	"strings"

	"github.com/pkg/errors"
)

// Group is a group of the file.
type Group struct {
	object
	links []link // by name
}

// object is what groups and datasets have in common.
type object struct {
	f    *File
	path string
	at   uint64
	header
}

type link struct {
	name string
	at   uint64 // of the object's header; undefined: not a hard link
}

// Path is where the object is: "/layer/kernel".
func (o *object) Path() string { return o.path }

// Root is the group that has all others.
func (f *File) Root() (*Group, error) { return f.group("/", f.root) }

// maxPath bounds paths: many objects may lie below a long name.
const maxPath = 1 << 12

func checkPath(path string) error {
	if len(path) > maxPath {
		return errors.Errorf("%.40s…: HDF5: a path of %d bytes, want at most %d", path, len(path), maxPath)
	}
	return nil
}

func (f *File) group(path string, at uint64) (*Group, error) {
	if err := checkPath(path); err != nil {
		return nil, err
	}
	s := f.scan()
	h, err := s.header(at)
	if err != nil {
		return nil, errors.WithMessage(err, path)
	}
	if !h.isGroup() {
		return nil, errors.Errorf("%s: HDF5: not a group", path)
	}
	links, err := s.links(h)
	if err != nil {
		return nil, errors.WithMessage(err, path)
	}
	slices.SortFunc(links, func(a, b link) int { return strings.Compare(a.name, b.name) })
	for i := range links {
		if i > 0 && links[i].name == links[i-1].name {
			return nil, errors.Errorf("%s: HDF5: two links have the name %q", path, links[i].name)
		}
	}
	return &Group{object{f, path, at, h}, links}, nil
}

func (h header) isGroup() bool {
	return h.find(msgSymbolTable) != nil || h.find(msgLinkInfo) != nil || h.find(msgLink) != nil
}

// links reads a group's links in whichever form they are kept.
func (s *scan) links(h header) ([]link, error) {
	if m := h.find(msgSymbolTable); m != nil {
		return s.symbolTable(s.f.cursor(m.data))
	}
	var links []link
	add := func(c *cursor) error {
		l, err := parseLink(c)
		links = append(links, l)
		return err
	}
	for _, m := range h {
		if m.kind == msgLink {
			if err := add(s.f.cursor(m.data)); err != nil {
				return nil, err
			}
		}
	}
	if m := h.find(msgLinkInfo); m != nil {
		c := s.f.cursor(m.data)
		c.skip(1)
		if flags := c.u8(); flags&1 != 0 {
			c.skip(8)
		}
		heap, tree := c.offset(), c.offset()
		if err := c.done("link info"); err != nil {
			return nil, err
		}
		if err := s.dense(heap, tree, 5, 4, add); err != nil {
			return nil, err
		}
	}
	return links, nil
}

// dense gives the objects of a heap that a B-tree of a kind lists; before is the bytes before the heap ID.
func (s *scan) dense(heap, tree uint64, kind uint8, before int, one func(*cursor) error) error {
	if heap == undefined || tree == undefined {
		return nil
	}
	h, err := s.fractalHeap(heap)
	if err != nil {
		return err
	}
	return s.tree2(tree, func(k uint8, c *cursor) error {
		if k != kind {
			return errors.Errorf("HDF5: B-tree of type %d, want %d", k, kind)
		}
		c.skip(before)
		id := c.take(h.idSize)
		if err := c.done("record"); err != nil {
			return err
		}
		object, err := h.object(id)
		if err != nil {
			return err
		}
		return one(s.f.cursor(object))
	})
}

// symbolTable reads the links of a group of the old form (sections III.B, III.C, IV.A.2.r).
func (s *scan) symbolTable(c *cursor) ([]link, error) {
	tree, heap := c.offset(), c.offset()
	if err := c.done("symbol table"); err != nil {
		return nil, err
	}
	names, err := s.localHeap(heap)
	if err != nil {
		return nil, err
	}
	var links []link
	err = s.tree1(tree, 0, s.f.lengthSize, func(_ *cursor, node uint64) error {
		const start = 4 + 1 + 1 + 2
		b, err := s.read(node, start)
		if err != nil {
			return errors.WithMessage(err, "symbol table")
		}
		if string(b[:4]) != "SNOD" {
			return errors.Errorf("HDF5: no symbol table node at %#x", node)
		}
		n := int(le.Uint16(b[6:]))
		if b, err = s.read(node+start, uint64(n*(2*s.f.offsetSize+4+4+16))); err != nil {
			return errors.WithMessage(err, "symbol table")
		}
		c := s.f.cursor(b)
		for range n {
			name, err := nameAt(names, c.offset())
			if err != nil {
				return err
			}
			// Names may lie in one another.
			if err := s.charge(uint64(len(name))); err != nil {
				return err
			}
			l := link{name, c.offset()}
			if cache := c.u32(); cache == 2 { // a soft link
				l.at = undefined
			}
			c.skip(4 + 16)
			links = append(links, l)
		}
		return nil
	})
	return links, err
}

// parseLink reads a link message (section IV.A.2.g).
func parseLink(c *cursor) (link, error) {
	const withType, withOrder, withCharset = 8, 4, 16
	version, flags := c.u8(), c.u8()
	if version != 1 {
		return link{}, errors.Errorf("HDF5: link of version %d, want 1", version)
	}
	kind := uint8(0)
	if flags&withType != 0 {
		kind = c.u8()
	}
	if flags&withOrder != 0 {
		c.skip(8)
	}
	if flags&withCharset != 0 {
		c.skip(1)
	}
	n := c.uint(1 << (flags & 3))
	l := link{at: undefined}
	l.name = string(c.take(int(min(n, 1<<31-1))))
	if kind == 0 {
		l.at = c.offset()
	}
	return l, c.done("link")
}

// Names are the names of what is in the group, sorted.
func (g *Group) Names() []string {
	names := make([]string, len(g.links))
	for i, l := range g.links {
		names[i] = l.name
	}
	return names
}

// Has tells whether the group has something of that name.
func (g *Group) Has(name string) bool {
	_, ok := g.find(name)
	return ok
}

func (g *Group) find(name string) (link, bool) {
	i, ok := slices.BinarySearchFunc(g.links, name, func(l link, name string) int { return strings.Compare(l.name, name) })
	if !ok {
		return link{}, false
	}
	return g.links[i], true
}

// locate is the place of what a name stands for.
func (g *Group) locate(name string) (string, uint64, error) {
	where := path.Join(g.path, name)
	l, ok := g.find(name)
	if !ok {
		return "", 0, errors.Errorf("HDF5: %s has no %q", g.path, name)
	}
	if l.at == undefined {
		return "", 0, errors.Errorf("%s: HDF5: soft and external links are not followed", where)
	}
	return where, l.at, nil
}

// Group is a group in this one; name may be a path.
func (g *Group) Group(name string) (*Group, error) {
	first, rest, more := strings.Cut(name, "/")
	where, at, err := g.locate(first)
	if err != nil {
		return nil, err
	}
	sub, err := g.f.group(where, at)
	if err != nil || !more {
		return sub, err
	}
	return sub.Group(rest)
}

// Dataset is a dataset in this group; name may be a path.
func (g *Group) Dataset(name string) (*Dataset, error) {
	if i := strings.LastIndexByte(name, '/'); i >= 0 {
		sub, err := g.Group(name[:i])
		if err != nil {
			return nil, err
		}
		return sub.Dataset(name[i+1:])
	}
	where, at, err := g.locate(name)
	if err != nil {
		return nil, err
	}
	return g.f.dataset(where, at)
}
