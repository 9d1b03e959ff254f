package hdf5

import (
	"io"
	"math"
	"sync/atomic"

	"github.com/pkg/errors"
)

// Signature is the first bytes of a file.
const Signature = "\x89HDF\r\n\x1a\n"

// File is an open file. Several goroutines may read from one.
type File struct {
	r          io.ReaderAt
	size       int64 // of the file, from base on
	base       int64 // where address 0 lies
	offsetSize int   // bytes of an address
	lengthSize int   // bytes of a length
	root       uint64
	left       atomic.Int64 // bytes of metadata that may still be read
	unchecked  bool         // checksums are not compared, so that a fuzzer gets behind them
}

// undefined is the address of what is not there.
const undefined = math.MaxUint64

// maxRatio is more than deflate can achieve, which is 1032.
const maxRatio = 1100

// mostMetadata is how many bytes of metadata are read of a file of some size: an honest one has far fewer.
func mostMetadata(size int64) int64 { return 1<<26 + 4*min(size, 1<<26) }

// Open checks the superblock (section II.A).
func Open(r io.ReaderAt, size int64) (*File, error) { return open(r, size, false) }

func open(r io.ReaderAt, size int64, unchecked bool) (*File, error) {
	f := &File{r: r, size: size, unchecked: unchecked}
	f.left.Store(mostMetadata(size))
	s := f.scan()
	const most = 128 // bytes of any version with addresses of 8 bytes
	b, err := s.read(0, uint64(min(size, most)))
	if err != nil {
		return nil, err
	}
	c := f.cursor(b)
	if string(c.take(len(Signature))) != Signature {
		return nil, errors.New("HDF5: the file does not start with the signature")
	}
	version := c.u8()
	switch version {
	case 0, 1:
		c.skip(4) // versions of parts, all 0
		f.offsetSize, f.lengthSize = int(c.u8()), int(c.u8())
		c.skip(1 + 2 + 2 + 4) // sizes of groups' nodes, which nothing here needs; flags
		if version == 1 {
			c.skip(4)
		}
	case 2, 3:
		f.offsetSize, f.lengthSize = int(c.u8()), int(c.u8())
		c.skip(1)
	default:
		return nil, errors.Errorf("HDF5: superblock of version %d, want 0 to 3", version)
	}
	for _, n := range []int{f.offsetSize, f.lengthSize} {
		if n != 2 && n != 4 && n != 8 {
			return nil, errors.Errorf("HDF5: superblock: addresses of %d bytes and lengths of %d, want 2, 4 or 8", f.offsetSize, f.lengthSize)
		}
	}
	base := c.offset()
	c.offset() // free space, or the superblock's extension
	end := c.offset()
	if version < 2 {
		c.offset() // driver
		c.offset() // the root's name
	}
	f.root = c.offset()
	if version >= 2 && !c.bad {
		used := b[:len(b)-len(c.rest)]
		if sum := c.u32(); !c.bad && !unchecked && sum != checksum(used) {
			return nil, errors.New("HDF5: superblock: wrong checksum; the file is damaged")
		}
	}
	if c.bad {
		return nil, errors.Errorf("HDF5: superblock: truncated, the file has %d bytes", size)
	}
	if base > uint64(size) || end > uint64(size) {
		return nil, errors.Errorf("HDF5: truncated: the file has %d bytes, want %d", size, max(base, end))
	}
	f.base, f.size = int64(base), size-int64(base)
	return f, nil
}

// scan reads metadata; what it reads counts against a bound.
type scan struct {
	f     *File
	left  *atomic.Int64
	heaps map[uint64]map[uint16][]byte // global heap collections that were read
}

func (f *File) scan() *scan { return f.scanWithin(&f.left) }

func (f *File) scanWithin(left *atomic.Int64) *scan {
	return &scan{f: f, left: left, heaps: make(map[uint64]map[uint16][]byte)}
}

// read reads n bytes at an address.
func (s *scan) read(at, n uint64) ([]byte, error) {
	if err := s.f.inside(at, n); err != nil {
		return nil, err
	}
	const least = 64 // what a small read costs
	if err := s.charge(max(n, least)); err != nil {
		return nil, err
	}
	b := make([]byte, n)
	return b, s.f.readAt(b, at)
}

func (s *scan) charge(n uint64) error {
	if s.left.Add(-int64(n)) < 0 {
		return errors.New("HDF5: its metadata refers to itself over and over")
	}
	return nil
}

// inside checks a stretch of the file.
func (f *File) inside(at, n uint64) error {
	if at > uint64(f.size) || n > uint64(f.size)-at {
		return errors.Errorf("HDF5: %d bytes at %#x lie outside of the file, which has %d", n, at, f.size)
	}
	return nil
}

// readAt fills b, whose place inside has seen.
func (f *File) readAt(b []byte, at uint64) error {
	if n, err := f.r.ReadAt(b, f.base+int64(at)); n < len(b) {
		return errors.Wrapf(err, "HDF5: reading %d bytes at %#x", len(b), at)
	}
	return nil
}

// block reads n bytes that start with a signature and end with their checksum, and gives those between.
func (s *scan) block(at, n uint64, signature string) (*cursor, error) {
	b, err := s.read(at, n)
	if err != nil {
		return nil, errors.WithMessage(err, signature)
	}
	if len(b) < len(signature)+4 || string(b[:len(signature)]) != signature {
		return nil, errors.Errorf("HDF5: no %s at %#x", signature, at)
	}
	inner := b[:len(b)-4]
	if !s.f.unchecked && le.Uint32(b[len(inner):]) != checksum(inner) {
		return nil, errors.Errorf("HDF5: %s at %#x: wrong checksum; the file is damaged", signature, at)
	}
	return s.f.cursor(inner[len(signature):]), nil
}
