package weights

import (
	"archive/zip"
	"encoding/binary"
	"io"
	"strconv"
	"strings"

	"github.com/pkg/errors"
)

// readZip reads what is in a zip file: a state dict that PyTorch saved, a model that Keras saved, or NumPy's arrays.
func readZip(r io.ReaderAt, size int64) ([]Info, error) {
	z, err := zip.NewReader(r, size)
	if err != nil {
		return nil, errors.Wrap(err, "zip")
	}
	entries := make(map[string]*zip.File, len(z.File))
	var pickles, arrays []*zip.File
	for _, e := range z.File {
		if entries[e.Name] != nil {
			return nil, errors.Errorf("zip: two entries have the name %q", e.Name)
		}
		entries[e.Name] = e
		switch {
		case e.Name == "data.pkl" || strings.HasSuffix(e.Name, "/data.pkl"):
			pickles = append(pickles, e)
		case strings.HasSuffix(e.Name, ".npy"):
			arrays = append(arrays, e)
		}
	}
	switch {
	case entries[kerasWeights] != nil && len(pickles) == 0:
		return readKerasZip(r, size, entries)
	case len(pickles) == 1:
		return readTorch(pickles[0], entries, size)
	case len(arrays) > 0 && len(pickles) == 0:
		return readArrays(arrays, size)
	}
	return nil, errors.Errorf("zip: %d pickles and %d arrays, want one data.pkl (PyTorch), "+kerasWeights+" (Keras) or arrays named *.npy (NumPy)", len(pickles), len(arrays))
}

// readArrays reads the headers of NumPy's arrays (numpy.lib.format, versions 1.0 to 3.0).
func readArrays(entries []*zip.File, size int64) ([]Info, error) {
	infos := make([]Info, 0, len(entries))
	for _, e := range entries {
		info, err := readArray(e, size)
		if err != nil {
			return nil, errors.WithMessagef(err, "array %q", e.Name)
		}
		infos = append(infos, info)
	}
	return infos, nil
}

// npyTypes are the type descriptors of arrays that can be read.
var npyTypes = map[string]DType{
	"<f8": F64, "<f4": F32, "<f2": F16, "<i8": I64, "<i4": I32, "<i2": I16, "|i1": I8,
	"<u8": U64, "<u4": U32, "<u2": U16, "|u1": U8, "|b1": Bool,
}

func readArray(e *zip.File, fileSize int64) (Info, error) {
	name := strings.TrimSuffix(e.Name, ".npy")
	s, err := entryStorage(e, fileSize)
	if err != nil {
		return Info{}, err
	}
	r, err := e.Open()
	if err != nil {
		return Info{}, errors.WithStack(err)
	}
	defer r.Close()
	text, begin, err := npyHeader(r)
	if err != nil {
		return Info{}, err
	}
	h, err := parseNpy(text)
	if err != nil {
		return Info{}, errors.WithMessagef(err, "header %.200q", text)
	}
	dt, ok := npyTypes[h.descr]
	if !ok {
		return Info{}, errors.Errorf("type %q is not read; little-endian numbers are", h.descr)
	}
	bytes, err := byteCount(h.shape, dtypes[dt].size)
	if err != nil {
		return Info{}, err
	}
	if s.size != begin+bytes {
		return Info{}, errors.Errorf("%d bytes, want %d for the header and %d for %v of %s", s.size, begin, bytes, h.shape, h.descr)
	}
	// In elements; where an axis is empty they may be anything.
	strides := make([]int64, len(h.shape))
	next := int64(1)
	for i := range h.shape {
		k := i // Fortran's first axis lies closest
		if !h.fortran {
			k = len(h.shape) - 1 - i
		}
		strides[k] = next
		next *= max(h.shape[k], 1)
	}
	info, err := strided(name, dt, &storage{size: bytes}, 0, h.shape, strides)
	info.from = s
	info.begin += begin
	info.end += begin
	return info, err
}

// npyHeader reads the text of an array's header; begin is where the elements start.
func npyHeader(r io.Reader) (text string, begin int64, err error) {
	var b [12]byte
	if _, err := io.ReadFull(r, b[:8]); err != nil || string(b[:6]) != "\x93NUMPY" {
		return "", 0, errors.New("not an array of NumPy's")
	}
	var n int64
	switch version := b[6]; version {
	case 1:
		_, err = io.ReadFull(r, b[8:10])
		n, begin = int64(binary.LittleEndian.Uint16(b[8:])), 10
	case 2, 3:
		_, err = io.ReadFull(r, b[8:12])
		n, begin = int64(binary.LittleEndian.Uint32(b[8:])), 12
	default:
		return "", 0, errors.Errorf("version %d of NumPy's format, want 1 to 3", version)
	}
	const limit = 1 << 16
	if err != nil || n > limit {
		return "", 0, errors.Errorf("header of %d bytes, want at most %d", n, limit)
	}
	header := make([]byte, n)
	if _, err := io.ReadFull(r, header); err != nil {
		return "", 0, errors.Wrap(err, "header")
	}
	return string(header), begin + n, nil
}

type npyFields struct {
	descr   string
	fortran bool
	shape   []int64
}

// parseNpy reads a literal of Python's such as {'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }.
func parseNpy(text string) (npyFields, error) {
	var h npyFields
	seen := map[string]bool{}
	rest := strings.TrimSpace(text)
	eat := func(token string) bool {
		after, ok := strings.CutPrefix(rest, token)
		if ok {
			rest = strings.TrimLeft(after, " ")
		}
		return ok
	}
	str := func() (s string, ok bool) {
		if eat("'") {
			if s, rest, ok = strings.Cut(rest, "'"); ok {
				rest = strings.TrimLeft(rest, " ")
			}
		}
		return s, ok
	}
	bad := func() (npyFields, error) {
		return h, errors.Errorf("unexpected at %.40q; want descr, fortran_order and shape, once each", rest)
	}
	if !eat("{") {
		return bad()
	}
	for !eat("}") {
		key, ok := str()
		if !ok || seen[key] || !eat(":") {
			return bad()
		}
		seen[key] = true
		switch key {
		case "descr":
			h.descr, ok = str()
		case "fortran_order":
			if h.fortran = eat("True"); !h.fortran {
				ok = eat("False")
			}
		case "shape":
			h.shape, rest, ok = pythonTuple(rest)
		default:
			ok = false
		}
		if !ok {
			return bad()
		}
		if !eat(",") && !strings.HasPrefix(rest, "}") {
			return bad()
		}
	}
	if rest != "" || len(seen) != 3 {
		return bad()
	}
	return h, nil
}

// pythonTuple reads (), (3,) or (3, 4).
func pythonTuple(text string) (numbers []int64, rest string, ok bool) {
	text, ok = strings.CutPrefix(text, "(")
	inside, rest, closed := strings.Cut(text, ")")
	if !ok || !closed {
		return nil, text, false
	}
	parts := strings.Split(inside, ",")
	if last := len(parts) - 1; strings.TrimSpace(parts[last]) == "" {
		parts = parts[:last]
	}
	for _, p := range parts {
		v, err := strconv.ParseUint(strings.TrimSpace(p), 10, 63)
		if err != nil || len(numbers) == maxRank {
			return nil, rest, false
		}
		numbers = append(numbers, int64(v))
	}
	return numbers, strings.TrimLeft(rest, " "), true
}
