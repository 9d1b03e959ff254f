package hdf5

import (
	"encoding/binary"
	"math/bits"

	"github.com/pkg/errors"
)

var le = binary.LittleEndian

// cursor takes fields off a block of metadata. Past its end fields are zero and bad is set.
type cursor struct {
	f    *File // for the sizes of addresses and lengths
	rest []byte
	size int // of the block
	bad  bool
}

func (f *File) cursor(block []byte) *cursor { return &cursor{f: f, rest: block, size: len(block)} }

func (c *cursor) take(n int) []byte {
	if n < 0 || n > len(c.rest) {
		c.bad = true
		c.rest = nil
		return nil
	}
	taken := c.rest[:n:n]
	c.rest = c.rest[n:]
	return taken
}

func (c *cursor) skip(n int) { c.take(n) }

// uint is a number of n bytes.
func (c *cursor) uint(n int) uint64 {
	var v uint64
	for i, b := range c.take(n) {
		v |= uint64(b) << (8 * i)
	}
	return v
}

func (c *cursor) u8() uint8      { return uint8(c.uint(1)) }
func (c *cursor) u16() uint16    { return uint16(c.uint(2)) }
func (c *cursor) u32() uint32    { return uint32(c.uint(4)) }
func (c *cursor) length() uint64 { return c.uint(c.f.lengthSize) }

// offset is an address; all ones, in its size, is undefined.
func (c *cursor) offset() uint64 {
	v := c.uint(c.f.offsetSize)
	if v == 1<<(8*c.f.offsetSize)-1 {
		return undefined
	}
	return v
}

// done is an error if more was taken than there is.
func (c *cursor) done(what string) error {
	if c.bad {
		return errors.Errorf("HDF5: %s of %d bytes ends in the middle of a field", what, c.size)
	}
	return nil
}

// pad is n rounded up to a multiple of 8.
func pad(n int) int { return (n + 7) &^ 7 }

// width is the number of bytes that numbers up to v take.
func width(v uint64) int { return max(1, (bits.Len64(v)+7)/8) }

// checksum is Bob Jenkins's lookup3 (hashlittle, public domain, burtleburtle.net/bob/c/lookup3.c) from 0.
func checksum(b []byte) uint32 {
	rot := bits.RotateLeft32
	x := 0xdeadbeef + uint32(len(b))
	y, z := x, x
	for len(b) > 12 {
		x += le.Uint32(b)
		y += le.Uint32(b[4:])
		z += le.Uint32(b[8:])
		x = x - z ^ rot(z, 4)
		z += y
		y = y - x ^ rot(x, 6)
		x += z
		z = z - y ^ rot(y, 8)
		y += x
		x = x - z ^ rot(z, 16)
		z += y
		y = y - x ^ rot(x, 19)
		x += z
		z = z - y ^ rot(y, 4)
		y += x
		b = b[12:]
	}
	if len(b) == 0 {
		return z
	}
	var last [12]byte
	copy(last[:], b)
	x += le.Uint32(last[:])
	y += le.Uint32(last[4:])
	z += le.Uint32(last[8:])
	z = z ^ y - rot(y, 14)
	x = x ^ z - rot(z, 11)
	y = y ^ x - rot(x, 25)
	z = z ^ y - rot(y, 16)
	x = x ^ z - rot(z, 4)
	y = y ^ x - rot(x, 14)
	return z ^ y - rot(y, 24)
}
