package hdf5

import (
	"bytes"
	"compress/zlib"
	"io"

	"github.com/pkg/errors"
)

// filter is a step on the way of a chunk into the file (section IV.A.2.l).
type filter struct {
	id     uint16
	values []uint32
}

const (
	deflate    = 1
	shuffle    = 2
	fletcher32 = 3
)

var otherFilters = map[uint16]string{4: "szip", 5: "n-bit", 6: "scale and offset", 32000: "LZF", 32001: "Blosc", 32004: "LZ4", 32015: "Zstandard"}

func parseFilters(c *cursor) ([]filter, error) {
	version, n := c.u8(), int(c.u8())
	if version == 1 {
		c.skip(6)
	}
	if version < 1 || version > 2 || n > 32 {
		return nil, errors.Errorf("HDF5: %d filters in a list of version %d, want at most 32, in 1 or 2", n, version)
	}
	filters := make([]filter, n)
	for i := range filters {
		f := &filters[i]
		f.id = c.u16()
		nameSize := 0
		if version == 1 || f.id >= 256 {
			nameSize = int(c.u16())
		}
		c.skip(2)
		values := int(c.u16())
		if version == 1 {
			nameSize = pad(nameSize)
		}
		c.skip(nameSize)
		for range values {
			f.values = append(f.values, c.u32())
			if c.bad {
				return nil, c.done("filters")
			}
		}
		if version == 1 && values%2 == 1 {
			c.skip(4)
		}
		if err := c.done("filters"); err != nil {
			return nil, err
		}
		switch f.id {
		case deflate, fletcher32:
		case shuffle:
			if len(f.values) < 1 || f.values[0] == 0 {
				return nil, errors.New("HDF5: shuffle of elements of no size")
			}
		default:
			return nil, errors.Errorf("HDF5: filter %d (%s) is not read; deflate, shuffle and Fletcher's checksum are", f.id, otherFilters[f.id])
		}
	}
	return filters, nil
}

// undo takes a chunk of size bytes back through the filters, the last first; bits of mask are those that it did not
// go through.
func undo(filters []filter, mask uint32, b []byte, size int) ([]byte, error) {
	for i := len(filters) - 1; i >= 0; i-- {
		if mask>>i&1 != 0 {
			continue
		}
		var err error
		switch f := filters[i]; f.id {
		case deflate:
			// A checksum may come after.
			b, err = inflate(b, size+4)
		case shuffle:
			b = unshuffle(b, int(f.values[0]))
		case fletcher32:
			b, err = checkFletcher(b)
		}
		if err != nil {
			return nil, err
		}
	}
	if len(b) != size {
		return nil, errors.Errorf("HDF5: chunk of %d bytes, want %d", len(b), size)
	}
	return b, nil
}

// inflate gives at most that many bytes; memory grows with what there is, not with what a file claims.
func inflate(b []byte, most int) ([]byte, error) {
	r, err := zlib.NewReader(bytes.NewReader(b))
	if err != nil {
		return nil, errors.Wrap(err, "HDF5: deflate")
	}
	var out bytes.Buffer
	if _, err := io.Copy(&out, io.LimitReader(r, int64(most)+1)); err != nil {
		return nil, errors.Wrap(err, "HDF5: deflate")
	}
	if out.Len() > most {
		return nil, errors.Errorf("HDF5: deflate: a chunk is longer than %d bytes", most)
	}
	return out.Bytes(), nil
}

// unshuffle puts the bytes of elements together: first came the first bytes of all, then the second ones. What is
// left over at the end is as it was.
func unshuffle(b []byte, size int) []byte {
	out := bytes.Clone(b)
	count := len(b) / size
	for k := range size {
		for i := range count {
			out[i*size+k] = b[k*count+i]
		}
	}
	return out
}

// checkFletcher takes off the checksum, of words that have the high byte first.
func checkFletcher(b []byte) ([]byte, error) {
	if len(b) < 4 {
		return nil, errors.Errorf("HDF5: a chunk of %d bytes has no checksum", len(b))
	}
	data := b[:len(b)-4]
	if got, want := fletcher(data), le.Uint32(b[len(data):]); got != want {
		return nil, errors.Errorf("HDF5: chunk with checksum %#x, want %#x; the file is damaged", got, want)
	}
	return data, nil
}

func fletcher(b []byte) uint32 {
	var low, high uint32 // modulo 65535, where 65535 stands for 0 if there was any other summand
	fold := func(v uint32) uint32 { return v&0xffff + v>>16 }
	for len(b) > 1 {
		low += uint32(b[0])<<8 | uint32(b[1])
		low = fold(low)
		high = fold(high + low)
		b = b[2:]
	}
	if len(b) == 1 {
		low = fold(low + uint32(b[0])<<8)
		high = fold(high + low)
	}
	return high<<16 | low
}
