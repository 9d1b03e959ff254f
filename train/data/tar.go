package data

import (
	"archive/tar"
	"bufio"
	"compress/gzip"
	"context"
	"encoding/json"
	"io"
	"iter"
	"os"
	"path"
	"strconv"
	"strings"

	"github.com/pkg/errors"
)

// Tar is a data set of pictures in tar files, by WebDataset's convention: files whose names agree up to the
// first dot, which stand one after another, are one example. Its picture has a picture's extension; its label is a
// whole number in a .cls file or the field "label" (or "cls") of a .json file; without either it is −1.
// Names are keys only: nothing is unpacked.
type Tar struct {
	Decode DecodeConfig // may be set before the first Get

	shards   []*os.File
	examples []tarExample
	classes  []string
}

type tarExample struct {
	key    string
	shard  int
	offset int64
	size   int64
	label  int
}

const (
	maxMeta   = 1 << 20 // bytes of a label's file
	maxLabel  = 1 << 20
	maxMember = 1 << 28 // bytes of a picture
)

// OpenTar reads the tables of contents of plain tar files, so that examples can be had in any order. Compressed
// ones can be read in order only, with TarStream. classes may be nil.
func OpenTar(classes []string, paths ...string) (*Tar, error) {
	t := &Tar{classes: classes}
	for _, p := range paths {
		if err := t.index(p); err != nil {
			t.Close()
			return nil, errors.WithMessage(err, p)
		}
	}
	if len(t.examples) == 0 {
		t.Close()
		return nil, errors.Errorf("%d tar files without pictures", len(paths))
	}
	return t, nil
}

func (t *Tar) index(p string) error {
	f, err := os.Open(p)
	if err != nil {
		return errors.WithStack(err)
	}
	t.shards = append(t.shards, f)
	info, err := f.Stat()
	if err != nil {
		return errors.WithStack(err)
	}
	if !info.Mode().IsRegular() {
		return errors.New("not a regular file")
	}
	for g, err := range members(f, false) {
		if err != nil {
			return err
		}
		if g.offset+g.size > info.Size() {
			return errors.Errorf("%s: %d bytes from %d on, the file has %d", g.key, g.size, g.offset, info.Size())
		}
		if err := checkLabel(g.label, t.classes); err != nil {
			return errors.WithMessage(err, g.key)
		}
		t.examples = append(t.examples, tarExample{g.key, len(t.shards) - 1, g.offset, g.size, g.label})
	}
	return nil
}

func checkLabel(label int, classes []string) error {
	if classes != nil && label >= len(classes) {
		return errors.Errorf("label %d, want 0 to %d", label, len(classes)-1)
	}
	return nil
}

// group is the files of one example.
type group struct {
	key          string
	offset, size int64  // of the picture in the tar file, when it can be sought
	picture      []byte // or its bytes
	label        int
	hasPicture   bool
}

// members goes through the examples of a tar file. With content it reads the pictures too, and r need not be
// a file.
func members(r io.Reader, content bool) iter.Seq2[group, error] {
	return func(yield func(group, error) bool) {
		in := tar.NewReader(r)
		g := group{label: -1}
		for {
			h, err := in.Next()
			if err == io.EOF {
				break
			}
			if err != nil {
				yield(group{}, errors.Wrap(err, "tar"))
				return
			}
			key, ext := tarKey(h.Name)
			if h.Typeflag != tar.TypeReg || key == "" {
				continue
			}
			if key != g.key {
				if g.hasPicture && !yield(g, nil) {
					return
				}
				g = group{key: key, label: -1}
			}
			if err := g.take(in, r, h, ext, content); err != nil {
				yield(group{}, errors.WithMessage(err, h.Name))
				return
			}
		}
		if g.hasPicture {
			yield(g, nil)
		}
	}
}

// tarKey splits a name at the first dot of its last element.
func tarKey(name string) (key, ext string) {
	dir, base := path.Split(name)
	stem, ext, ok := strings.Cut(base, ".")
	if !ok || stem == "" {
		return "", ""
	}
	return dir + stem, strings.ToLower(ext)
}

func (g *group) take(in *tar.Reader, r io.Reader, h *tar.Header, ext string, content bool) error {
	switch {
	case isPicture("x." + ext):
		if g.hasPicture {
			return errors.New("the example has two pictures")
		}
		if h.Size > maxMember {
			return errors.Errorf("%d bytes, want at most %d", h.Size, maxMember)
		}
		for k := range h.PAXRecords {
			if strings.HasPrefix(k, "GNU.sparse") {
				return errors.New("a sparse file; pack it anew without holes")
			}
		}
		g.hasPicture, g.size = true, h.Size
		if content {
			b, err := readGrowing(in, h.Size)
			g.picture = b
			return err
		}
		at, err := r.(io.Seeker).Seek(0, io.SeekCurrent) // tar.Reader reads no further than the header
		g.offset = at
		return errors.WithStack(err)
	case ext == "cls", ext == "json":
		if h.Size > maxMeta {
			return errors.Errorf("%d bytes, want at most %d", h.Size, maxMeta)
		}
		b, err := readGrowing(in, h.Size)
		if err != nil {
			return err
		}
		return g.readLabel(b, ext == "json")
	}
	return nil
}

func (g *group) readLabel(b []byte, isJSON bool) error {
	text := strings.TrimSpace(string(b))
	if isJSON {
		var fields map[string]json.RawMessage
		if err := json.Unmarshal(b, &fields); err != nil {
			return errors.WithStack(err)
		}
		v, ok := fields["label"]
		if !ok {
			v, ok = fields["cls"]
		}
		if !ok {
			return nil
		}
		text = string(v)
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 || n > maxLabel {
		return errors.Errorf("label %.20q, want a whole number", text)
	}
	g.label = n
	return nil
}

// Len is the number of pictures.
func (t *Tar) Len() int { return len(t.examples) }

// Classes names the classes, as OpenTar was told.
func (t *Tar) Classes() []string { return t.classes }

// Label is the label of picture i.
func (t *Tar) Label(i int) int { return t.examples[i].label }

// Name is the shard and the key of picture i.
func (t *Tar) Name(i int) string {
	e := t.examples[i]
	return t.shards[e.shard].Name() + ":" + e.key
}

// Get reads and decodes picture i.
func (t *Tar) Get(i int) (Example, error) {
	if i < 0 || i >= len(t.examples) {
		return Example{}, errors.Errorf("picture %d of %d", i, len(t.examples))
	}
	e := t.examples[i]
	b := make([]byte, e.size)
	if _, err := t.shards[e.shard].ReadAt(b, e.offset); err != nil {
		return Example{}, errors.WithStack(err)
	}
	img, err := Decode(b, t.Decode)
	return Example{Image: img, Label: e.label}, err
}

// Close closes the files.
func (t *Tar) Close() error {
	var first error
	for _, f := range t.shards {
		if err := f.Close(); err != nil && first == nil {
			first = err
		}
	}
	return first
}

// TarStream is Tar for reading in order: files one after another, plain or gzip-compressed, of which an epoch
// has the first size examples. Set Buffer to shuffle.
func TarStream(size int, classes []string, c DecodeConfig, paths ...string) *Stream {
	open := func(ctx context.Context, _ int) iter.Seq2[Pending, error] {
		return func(yield func(Pending, error) bool) {
			for _, p := range paths {
				if !streamTar(ctx, p, classes, c, yield) {
					return
				}
			}
		}
	}
	return &Stream{Size: size, Labels: classes, Open: open}
}

// streamTar yields the examples of one file; false means that it is over.
func streamTar(ctx context.Context, p string, classes []string, c DecodeConfig, yield func(Pending, error) bool) bool {
	fail := func(err error) bool {
		yield(nil, errors.WithMessage(err, p))
		return false
	}
	f, err := os.Open(p)
	if err != nil {
		return fail(errors.WithStack(err))
	}
	defer f.Close()
	in := bufio.NewReaderSize(f, 1<<18)
	var r io.Reader = in
	if magic, err := in.Peek(2); err == nil && magic[0] == 0x1f && magic[1] == 0x8b {
		z, err := gzip.NewReader(in)
		if err != nil {
			return fail(errors.Wrap(err, "gzip"))
		}
		defer z.Close()
		r = z
	}
	for g, err := range members(r, true) {
		if err == nil {
			err = ctx.Err()
		}
		if err == nil {
			err = checkLabel(g.label, classes)
		}
		if err != nil {
			return fail(err)
		}
		more := yield(func() (Example, error) {
			img, err := Decode(g.picture, c)
			return Example{Image: img, Label: g.label}, errors.WithMessage(err, p+":"+g.key)
		}, nil)
		if !more {
			return false
		}
	}
	return true
}
