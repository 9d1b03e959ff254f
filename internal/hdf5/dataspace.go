package hdf5

import (
	"math"
	"math/bits"

	"github.com/pkg/errors"
)

// maxRank is HDF5's.
const maxRank = 32

// space is the shape of a dataset or of an attribute.
type space struct {
	shape []int // nil for a scalar
	most  []uint64
	count int // of elements
}

// parseSpace reads a dataspace message (section IV.A.2.b).
func parseSpace(c *cursor) (space, error) {
	version, rank, flags := c.u8(), int(c.u8()), c.u8()
	kind := uint8(1)
	switch version {
	case 1:
		c.skip(5)
	case 2:
		kind = c.u8()
	default:
		return space{}, errors.Errorf("HDF5: dataspace of version %d, want 1 or 2", version)
	}
	if rank > maxRank {
		return space{}, errors.Errorf("HDF5: %d axes, want at most %d", rank, maxRank)
	}
	sp := space{count: 1}
	if kind == 2 { // null
		sp.shape, sp.most, sp.count = []int{0}, []uint64{0}, 0
		return sp, c.done("dataspace")
	}
	for range rank {
		d := c.length()
		hi, lo := bits.Mul64(uint64(sp.count), d)
		if hi != 0 || lo > math.MaxInt || d > math.MaxInt {
			return space{}, errors.Errorf("HDF5: shape %v by %d has more elements than can be counted", sp.shape, d)
		}
		sp.shape = append(sp.shape, int(d))
		sp.most = append(sp.most, d)
		sp.count = int(lo)
	}
	if flags&1 != 0 {
		for i := range rank {
			sp.most[i] = c.length()
		}
	}
	return sp, c.done("dataspace")
}

// bytes is what the elements take.
func (sp space) bytes(t Type) (uint64, error) {
	hi, lo := bits.Mul64(uint64(sp.count), uint64(t.Size))
	if hi != 0 || lo > math.MaxInt {
		return 0, errors.Errorf("HDF5: shape %v of %v has more bytes than can be counted", sp.shape, t)
	}
	return lo, nil
}
