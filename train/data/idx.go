package data

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"fmt"
	"image"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"

	"github.com/pkg/errors"
)

// idx is an array of bytes in the format of the MNIST files (http://yann.lecun.com/exdb/mnist, "The IDX
// file format"): two zero bytes, a byte for the element type, one for the number of axes, the size of each
// axis as four bytes, most significant first, then the elements in C order.
type idx struct {
	dims []int
	data []byte
}

const (
	idxBytes    = 0x08          // element type: unsigned byte
	idxMax      = math.MaxInt32 // elements; MNIST has 47·10⁶
	deflateBest = 1032          // no deflate stream grows by more than this factor (zlib's technical notes)
)

// readIDX reads a file with the given number of axes, gzip-compressed or plain.
func readIDX(path string, axes int) (idx, error) {
	f, err := os.Open(path)
	if err != nil {
		return idx{}, errors.WithStack(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return idx{}, errors.WithStack(err)
	}
	x, err := parseIDX(f, info.Size(), axes)
	return x, errors.WithMessage(err, path)
}

// parseIDX reads from a stream of size bytes, which bounds what is allocated before it is read.
func parseIDX(r io.Reader, size int64, axes int) (idx, error) {
	in := bufio.NewReaderSize(r, 1<<16)
	bound := size
	if magic, err := in.Peek(2); err == nil && magic[0] == 0x1f && magic[1] == 0x8b {
		z, err := gzip.NewReader(in)
		if err != nil {
			return idx{}, errors.Wrap(err, "gzip")
		}
		defer z.Close()
		in = bufio.NewReaderSize(z, 1<<16)
		bound = size * deflateBest
	}
	header := make([]byte, 4+4*axes)
	if err := readFull(in, header); err != nil {
		return idx{}, errors.Wrap(err, "idx header")
	}
	if header[0] != 0 || header[1] != 0 || header[2] != idxBytes || int(header[3]) != axes {
		return idx{}, errors.Errorf("magic number %#08x, want %#08x (idx file of unsigned bytes with %d axes)",
			binary.BigEndian.Uint32(header), idxBytes<<8|axes, axes)
	}
	x := idx{dims: make([]int, axes)}
	total := int64(1)
	for a := range x.dims {
		d := int64(binary.BigEndian.Uint32(header[4+4*a:]))
		if d == 0 || d > idxMax/total {
			return idx{}, errors.Errorf("header promises an axis %d of %d, want 1 to %d", a, d, idxMax/total)
		}
		x.dims[a] = int(d)
		total *= d
	}
	if total > bound-int64(len(header)) {
		return idx{}, errors.Errorf("header promises %v = %d elements, a file of %d bytes cannot hold them", x.dims, total, size)
	}
	var err error
	if x.data, err = readGrowing(in, total); err != nil {
		return idx{}, errors.Wrapf(err, "%v = %d elements promised", x.dims, total)
	}
	// This read also lets gzip compare its checksum.
	if _, err := in.ReadByte(); err == nil {
		return idx{}, errors.Errorf("bytes follow the %v = %d elements that the header promises", x.dims, total)
	} else if err != io.EOF {
		return idx{}, errors.Wrap(err, "at the end")
	}
	return x, nil
}

// readGrowing reads n bytes. Memory grows as they come: a short compressed file may promise a thousand
// times its size.
func readGrowing(r io.Reader, n int64) ([]byte, error) {
	var b bytes.Buffer
	got, err := io.CopyN(&b, r, n)
	if err == io.EOF {
		return nil, errors.Errorf("truncated: %d are there", got)
	}
	return slices.Clip(b.Bytes()), err
}

func readFull(r io.Reader, b []byte) error {
	_, err := io.ReadFull(r, b)
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return errors.New("truncated")
	}
	return err
}

// Images is a data set of grey pictures in memory.
type Images struct {
	pictures []image.Gray
	labels   []byte
	classes  []string
	source   string
}

// Len is the number of pictures.
func (m *Images) Len() int { return len(m.pictures) }

// Get returns picture i; its pixels are those of the data set.
func (m *Images) Get(i int) (Example, error) {
	if i < 0 || i >= len(m.pictures) {
		return Example{}, errors.Errorf("%s: picture %d of %d", m.source, i, len(m.pictures))
	}
	return Example{Image: &m.pictures[i], Label: int(m.labels[i])}, nil
}

// Classes names the classes.
func (m *Images) Classes() []string { return m.classes }

// Label is the label of picture i.
func (m *Images) Label(i int) int { return int(m.labels[i]) }

// Name is the file and the place in it.
func (m *Images) Name(i int) string { return fmt.Sprintf("%s[%d]", m.source, i) }

// IDX reads a file of pictures [N, H, W] and one of labels [N], in the format of MNIST, plain or
// gzip-compressed. Every label must be an index of classes.
func IDX(pictures, labels string, classes []string) (*Images, error) {
	x, err := readIDX(pictures, 3)
	if err != nil {
		return nil, err
	}
	y, err := readIDX(labels, 1)
	if err != nil {
		return nil, err
	}
	n, h, w := x.dims[0], x.dims[1], x.dims[2]
	if y.dims[0] != n {
		return nil, errors.Errorf("%s has %d pictures, %s has %d labels", pictures, n, labels, y.dims[0])
	}
	for i, label := range y.data {
		if int(label) >= len(classes) {
			return nil, errors.Errorf("%s: label %d of picture %d, want 0 to %d", labels, label, i, len(classes)-1)
		}
	}
	m := &Images{pictures: make([]image.Gray, n), labels: y.data, classes: classes, source: filepath.Base(pictures)}
	for i := range m.pictures {
		m.pictures[i] = image.Gray{Pix: x.data[i*h*w : (i+1)*h*w], Stride: w, Rect: image.Rect(0, 0, w, h)}
	}
	return m, nil
}
