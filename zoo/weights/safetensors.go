package weights

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"io"
	"math"
	"math/bits"
	"sort"
	"strconv"
	"unicode/utf8"

	"github.com/pkg/errors"
)

const (
	maxHeader   = 100_000_000 // bytes; the limit of the reference implementation
	maxRank     = 32          // axes; NumPy's limit for many years
	metadataKey = "__metadata__"
)

// readHeader parses and checks everything but the tensors' bytes. data is where those start.
func readHeader(r io.ReaderAt, size int64) (infos []Info, metadata map[string]string, data int64, err error) {
	var prefix [8]byte
	if size < int64(len(prefix)) {
		return nil, nil, 0, errors.Errorf("%d bytes are too few for a safetensors file, which starts with 8 bytes that give the header's length", size)
	}
	if err := readAt(r, prefix[:], 0); err != nil {
		return nil, nil, 0, err
	}
	n := binary.LittleEndian.Uint64(prefix[:])
	if n > uint64(size-8) || n > maxHeader {
		return nil, nil, 0, errors.Errorf("header of %d bytes in a file of %d bytes (limit %d): truncated, or neither a safetensors nor a PyTorch nor a Keras nor a NumPy file", n, size, maxHeader)
	}
	header := make([]byte, n)
	if err := readAt(r, header, 8); err != nil {
		return nil, nil, 0, err
	}
	infos, metadata, err = parseHeader(header)
	if err != nil {
		return nil, nil, 0, errors.WithMessage(err, "header")
	}
	data = 8 + int64(n)
	if err := checkPlaces(infos, size-data); err != nil {
		return nil, nil, 0, err
	}
	return infos, metadata, data, nil
}

// parseHeader reads the JSON token by token: json.Unmarshal would let the last of two tensors of one name
// win, match the names of fields in any case, and round large numbers.
func parseHeader(header []byte) ([]Info, map[string]string, error) {
	if !utf8.Valid(header) {
		return nil, nil, errors.New("not UTF-8")
	}
	p := parser{json.NewDecoder(bytes.NewReader(header))}
	p.dec.UseNumber()
	var infos []Info
	var metadata map[string]string
	err := p.object(func(key string) (err error) {
		if key == metadataKey {
			metadata = map[string]string{}
			return errors.WithMessage(p.object(func(key string) (err error) {
				metadata[key], err = p.str()
				return err
			}), metadataKey)
		}
		info, err := p.info(key)
		infos = append(infos, info)
		return errors.WithMessagef(err, "tensor %q", key)
	})
	if err != nil {
		return nil, nil, err
	}
	if rest := bytes.TrimRight(header[p.dec.InputOffset():], " \t\r\n"); len(rest) > 0 {
		return nil, nil, errors.Errorf("%d bytes follow the JSON object", len(rest))
	}
	return infos, metadata, nil
}

type parser struct{ dec *json.Decoder }

func (p parser) token() (json.Token, error) {
	t, err := p.dec.Token()
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return t, errors.Wrap(err, "JSON")
}

func (p parser) delim(want json.Delim) error {
	t, err := p.token()
	if err != nil {
		return err
	}
	if t != want {
		return errors.Errorf("JSON: got %v, want %v", t, want)
	}
	return nil
}

// object calls field with each key; field reads the value. A second use of a key is an error.
func (p parser) object(field func(key string) error) error {
	if err := p.delim('{'); err != nil {
		return err
	}
	seen := map[string]bool{}
	for p.dec.More() {
		key, err := p.str()
		if err != nil {
			return err
		}
		if seen[key] {
			return errors.Errorf("%q is there twice", key)
		}
		seen[key] = true
		if err := field(key); err != nil {
			return err
		}
	}
	return p.delim('}')
}

func (p parser) str() (string, error) {
	t, err := p.token()
	if err != nil {
		return "", err
	}
	s, ok := t.(string)
	if !ok {
		return "", errors.Errorf("JSON: got %v, want a string", t)
	}
	return s, nil
}

// integers reads an array of at most limit non-negative integers.
func (p parser) integers(limit int) ([]int64, error) {
	if err := p.delim('['); err != nil {
		return nil, err
	}
	var out []int64
	for p.dec.More() {
		t, err := p.token()
		if err != nil {
			return nil, err
		}
		text, ok := t.(json.Number)
		if !ok {
			return nil, errors.Errorf("got %v, want a number", t)
		}
		v, err := strconv.ParseUint(text.String(), 10, 63)
		if err != nil {
			return nil, errors.Errorf("got %v, want a whole number from 0 to 2⁶³−1", text)
		}
		if len(out) == limit {
			return nil, errors.Errorf("more than %d numbers", limit)
		}
		out = append(out, int64(v))
	}
	return out, p.delim(']')
}

// info reads the entry of one tensor and checks that its place has room for just its elements.
func (p parser) info(name string) (Info, error) {
	info := Info{Name: name}
	var shape, offsets []int64
	fields := 0
	err := p.object(func(key string) (err error) {
		fields++
		switch key {
		case "dtype":
			var s string
			s, err = p.str()
			info.DType = DType(s)
		case "shape":
			shape, err = p.integers(maxRank)
		case "data_offsets":
			offsets, err = p.integers(2)
		default:
			err = errors.New("unknown field")
		}
		return errors.WithMessagef(err, "%q", key)
	})
	if err != nil {
		return info, err
	}
	if fields != 3 {
		return info, errors.Errorf("%d fields, want dtype, shape and data_offsets", fields)
	}
	if len(offsets) != 2 || offsets[0] > offsets[1] {
		return info, errors.Errorf("data_offsets %v, want [begin, end] with begin ≤ end", offsets)
	}
	info.begin, info.end = offsets[0], offsets[1]

	dt, ok := dtypes[info.DType]
	if !ok {
		return info, errors.Errorf("dtype %q is not known", info.DType)
	}
	bytes, err := byteCount(shape, dt.size)
	if err != nil {
		return info, err
	}
	for _, d := range shape {
		info.Shape = append(info.Shape, int(d))
	}
	if bytes != info.end-info.begin {
		return info, errors.Errorf("shape %v of %s takes %d bytes, data_offsets %v give it %d", shape, info.DType, bytes, offsets, info.end-info.begin)
	}
	return info, nil
}

// byteCount is the bytes that a shape takes, for elements of a size.
func byteCount(shape []int64, size int64) (int64, error) {
	for _, d := range shape {
		hi, lo := bits.Mul64(uint64(size), uint64(d))
		if d < 0 || hi != 0 || lo > math.MaxInt64 || d > math.MaxInt {
			return 0, errors.Errorf("shape %v has more elements than can be counted", shape)
		}
		size = int64(lo)
	}
	return size, nil
}

// checkPlaces sorts the tensors by their place and checks that they fill size bytes exactly.
// Where a tensor starts may be odd: files written before alignment became the custom are about, and
// tensors are copied out of the file, so that it does not matter.
func checkPlaces(infos []Info, size int64) error {
	sort.SliceStable(infos, func(i, j int) bool {
		a, b := &infos[i], &infos[j]
		if a.begin != b.begin {
			return a.begin < b.begin
		}
		return a.end < b.end
	})
	var at int64
	for _, info := range infos {
		if info.end > size {
			return errors.Errorf("tensor %q ends at byte %d of the data, of which there are %d: truncated", info.Name, info.end, size)
		}
		if info.begin < at {
			return errors.Errorf("tensor %q starts at byte %d of the data, inside another that ends at %d", info.Name, info.begin, at)
		}
		if info.begin > at {
			return errors.Errorf("bytes %d to %d of the data, before tensor %q, belong to no tensor", at, info.begin, info.Name)
		}
		at = info.end
	}
	if at != size {
		return errors.Errorf("the last %d of %d bytes of data belong to no tensor", size-at, size)
	}
	return nil
}

// readAt fills b from r at offset.
func readAt(r io.ReaderAt, b []byte, offset int64) error {
	n, err := r.ReadAt(b, offset)
	if n == len(b) {
		return nil
	}
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return errors.Wrapf(err, "reading %d bytes at %d", len(b), offset)
}
