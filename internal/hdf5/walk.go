package hdf5

import (
	"path"

	"github.com/pkg/errors"
)

// maxDepth is how deep groups may be within groups.
const maxDepth = 64

// Walk calls visit with every dataset below the group, in the order of names. A group with several names is
// visited once; soft and external links are passed over.
func (g *Group) Walk(visit func(*Dataset) error) error {
	return g.walk(visit, map[uint64]bool{g.at: true}, 0)
}

func (g *Group) walk(visit func(*Dataset) error, seen map[uint64]bool, depth int) error {
	if depth == maxDepth {
		return errors.Errorf("%s: HDF5: groups are %d deep", g.path, depth)
	}
	for _, l := range g.links {
		if l.at == undefined || seen[l.at] {
			continue
		}
		where := path.Join(g.path, l.name)
		h, err := g.f.scan().header(l.at)
		if err != nil {
			return errors.WithMessage(err, where)
		}
		switch {
		case h.isGroup():
			seen[l.at] = true
			var sub *Group
			if sub, err = g.f.group(where, l.at); err == nil {
				err = sub.walk(visit, seen, depth+1)
			}
		case h.find(msgLayout) != nil:
			var d *Dataset
			if d, err = g.f.dataset(where, l.at); err == nil {
				err = visit(d)
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}
