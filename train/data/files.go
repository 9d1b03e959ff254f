package data

import (
	"encoding/csv"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/pkg/errors"
)

// Files is a data set of pictures in files under one folder. They are opened so that no name and no link
// leads out of the folder.
type Files struct {
	Decode DecodeConfig // how they are decoded; may be set before the first Get

	root    *os.Root
	paths   []string // slash-separated, under root
	labels  []int
	classes []string
}

// Len is the number of pictures.
func (f *Files) Len() int { return len(f.paths) }

// Classes names the classes.
func (f *Files) Classes() []string { return f.classes }

// Label is the class of picture i.
func (f *Files) Label(i int) int { return f.labels[i] }

// Name is the file of picture i, under the folder.
func (f *Files) Name(i int) string { return f.paths[i] }

// Close gives the folder's handle back.
func (f *Files) Close() error { return f.root.Close() }

// Get reads and decodes picture i.
func (f *Files) Get(i int) (Example, error) {
	if i < 0 || i >= len(f.paths) {
		return Example{}, errors.Errorf("picture %d of %d", i, len(f.paths))
	}
	b, err := readPicture(f.root, f.paths[i])
	if err != nil {
		return Example{}, err
	}
	img, err := Decode(b, f.Decode)
	return Example{Image: img, Label: f.labels[i]}, err
}

// readPicture reads a regular file of bounded size.
func readPicture(root *os.Root, name string) ([]byte, error) {
	info, err := root.Stat(name) // before it is opened: to open a pipe would wait for its writer
	if err != nil {
		return nil, errors.WithStack(err)
	}
	if !info.Mode().IsRegular() || info.Size() > maxFile {
		return nil, errors.Errorf("a file of mode %v with %d bytes, want a regular one of at most %d", info.Mode(), info.Size(), maxFile)
	}
	r, err := root.Open(name)
	if err != nil {
		return nil, errors.WithStack(err)
	}
	defer r.Close()
	b := make([]byte, info.Size())
	_, err = io.ReadFull(r, b)
	return b, errors.WithStack(err)
}

var extensions = []string{".jpg", ".jpeg", ".jpe", ".png", ".gif", ".bmp", ".tif", ".tiff", ".webp", ".pgm", ".ppm", ".pnm"}

func isPicture(name string) bool {
	return !strings.HasPrefix(path.Base(name), ".") && slices.Contains(extensions, strings.ToLower(path.Ext(name)))
}

// Folder is the pictures of a folder with a folder for each class, named after it, at any depth within. The
// classes stand in the order of their names' bytes, and so do the pictures of each, whatever the system says.
func Folder(dir string) (*Files, error) {
	f, err := newFiles(dir)
	if err != nil {
		return nil, err
	}
	entries, err := fs.ReadDir(f.root.FS(), ".") // sorted
	if err != nil {
		return nil, errors.Wrap(err, dir)
	}
	for _, e := range entries {
		if !e.IsDir() || strings.HasPrefix(e.Name(), ".") {
			continue
		}
		before := len(f.paths)
		err := fs.WalkDir(f.root.FS(), e.Name(), func(name string, d fs.DirEntry, err error) error {
			if err == nil && !d.IsDir() && isPicture(name) {
				f.paths = append(f.paths, name)
			}
			return err
		})
		if err != nil {
			return nil, errors.Wrap(err, dir)
		}
		if len(f.paths) == before {
			return nil, errors.Errorf("%s: class %q has no pictures (%s)", dir, e.Name(), strings.Join(extensions, " "))
		}
		slices.Sort(f.paths[before:])
		for range f.paths[before:] {
			f.labels = append(f.labels, len(f.classes))
		}
		f.classes = append(f.classes, e.Name())
	}
	if len(f.classes) == 0 {
		return nil, errors.Errorf("%s: no folders; want one for each class", dir)
	}
	return f, nil
}

func newFiles(dir string) (*Files, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, errors.WithStack(err)
	}
	return &Files{root: root}, nil
}

// CSVConfig says what a CSV file of pictures looks like. The zero value is one without a header, with paths in
// the first column and labels in the second.
type CSVConfig struct {
	Dir         string // folder that the paths are in; "" means that of the CSV file
	PathColumn  string // names of the columns; when set, the first row is a header
	LabelColumn string // "" with PathColumn means that there are no labels: all are −1
	Comma       rune   // 0 means ','

	// Classes are the names that labels may have, in order. When it is nil, they are those in the file,
	// sorted; labels that are all whole numbers are taken as they are.
	Classes []string
}

// CSV is the pictures that a CSV file lists, with their labels.
func CSV(file string, c CSVConfig) (*Files, error) {
	if c.Dir == "" {
		c.Dir = filepath.Dir(file)
	}
	f, err := newFiles(c.Dir)
	if err != nil {
		return nil, err
	}
	in, err := os.Open(file)
	if err != nil {
		return nil, errors.WithStack(err)
	}
	defer in.Close()
	labels, err := f.readCSV(in, c)
	if err != nil {
		return nil, errors.WithMessage(err, file)
	}
	return f, errors.WithMessage(f.name(labels, c.Classes), file)
}

// readCSV adds the paths and returns the labels, nil when there are none.
func (f *Files) readCSV(in io.Reader, c CSVConfig) ([]string, error) {
	r := csv.NewReader(in)
	r.ReuseRecord = true
	if c.Comma != 0 {
		r.Comma = c.Comma
	}
	at, labelAt := 0, 1
	if c.PathColumn != "" {
		head, err := r.Read()
		if err != nil {
			return nil, errors.Wrap(err, "header")
		}
		if at = slices.Index(head, c.PathColumn); at < 0 {
			return nil, errors.Errorf("no column %q; there are %q", c.PathColumn, head)
		}
		labelAt = -1
		if c.LabelColumn != "" {
			if labelAt = slices.Index(head, c.LabelColumn); labelAt < 0 {
				return nil, errors.Errorf("no column %q; there are %q", c.LabelColumn, head)
			}
		}
	}
	var labels []string
	for {
		row, err := r.Read()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, errors.WithStack(err)
		}
		line, _ := r.FieldPos(0)
		if max(at, labelAt) >= len(row) {
			return nil, errors.Errorf("line %d: %d columns, want a path and a label", line, len(row))
		}
		name := filepath.ToSlash(row[at])
		if !filepath.IsLocal(filepath.FromSlash(name)) {
			return nil, errors.Errorf("line %d: %q leads out of the folder", line, row[at])
		}
		f.paths = append(f.paths, strings.Clone(path.Clean(name)))
		if labelAt >= 0 {
			labels = append(labels, strings.Clone(row[labelAt]))
		}
	}
	if len(f.paths) == 0 {
		return nil, errors.New("no rows")
	}
	return labels, nil
}

// name turns labels into class indices.
func (f *Files) name(labels, classes []string) error {
	f.labels = make([]int, len(f.paths))
	if labels == nil {
		for i := range f.labels {
			f.labels[i] = -1
		}
		return nil
	}
	if classes == nil {
		var ok bool
		if ok, f.classes = wholeNumbers(labels, f.labels); ok {
			return nil
		}
		classes = slices.Compact(slices.Sorted(slices.Values(labels)))
	}
	index := make(map[string]int, len(classes))
	for i, c := range classes {
		index[c] = i
	}
	for i, l := range labels {
		k, ok := index[l]
		if !ok {
			return errors.Errorf("%s: label %q is none of the classes %q", f.paths[i], l, classes)
		}
		f.labels[i] = k
	}
	f.classes = classes
	return nil
}

// wholeNumbers fills dst if all labels are numbers of classes.
func wholeNumbers(labels []string, dst []int) (ok bool, classes []string) {
	const most = 1 << 20
	top := 0
	for i, l := range labels {
		n, err := strconv.Atoi(l)
		if err != nil || n < 0 || n >= most {
			return false, nil
		}
		dst[i] = n
		top = max(top, n)
	}
	for i := range top + 1 {
		classes = append(classes, strconv.Itoa(i))
	}
	return true, classes
}

// SkipList gathers the examples that could not be read: its Skip is for LoaderConfig.Skip or
// train.Config.Skip. Each is listed once, however often it comes.
type SkipList struct {
	Names []string
	Errs  []error
	seen  map[string]bool
}

// Skip adds an example.
func (l *SkipList) Skip(name string, err error) {
	if l.seen == nil {
		l.seen = make(map[string]bool)
	}
	if l.seen[name] {
		return
	}
	l.seen[name] = true
	l.Names, l.Errs = append(l.Names, name), append(l.Errs, err)
}
