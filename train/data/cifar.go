package data

import (
	"bufio"
	"fmt"
	"image"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/pkg/errors"
)

// CIFAR10Classes names the classes of CIFAR-10 (Krizhevsky 2009).
var CIFAR10Classes = []string{"airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"}

// CIFAR is a data set of 32×32 colour pictures in memory.
type CIFAR struct {
	records []byte // labels, then 3 planes of 32×32, for each
	labels  int    // bytes of labels in a record
	classes []string
	source  []string // a file each
	first   []int    // number of its first picture
}

const cifarPixels = 3 * 32 * 32

// CIFAR10 reads the binary version: data_batch_1.bin to data_batch_5.bin and test_batch.bin.
func CIFAR10(dir string) (train, test *CIFAR, err error) {
	var files []string
	for i := 1; i <= 5; i++ {
		files = append(files, fmt.Sprintf("data_batch_%d.bin", i))
	}
	if train, err = cifar(dir, files, 1, CIFAR10Classes); err != nil {
		return nil, nil, err
	}
	test, err = cifar(dir, []string{"test_batch.bin"}, 1, CIFAR10Classes)
	return train, test, err
}

// CIFAR100 reads the binary version, train.bin and test.bin, with the 100 fine labels, whose names come from
// fine_label_names.txt.
func CIFAR100(dir string) (train, test *CIFAR, err error) {
	names, err := os.ReadFile(filepath.Join(dir, "fine_label_names.txt"))
	if err != nil {
		return nil, nil, errors.WithStack(err)
	}
	classes := strings.Fields(string(names))
	if len(classes) != 100 {
		return nil, nil, errors.Errorf("fine_label_names.txt has %d names, want 100", len(classes))
	}
	if train, err = cifar(dir, []string{"train.bin"}, 2, classes); err != nil {
		return nil, nil, err
	}
	test, err = cifar(dir, []string{"test.bin"}, 2, classes)
	return train, test, err
}

func cifar(dir string, files []string, labels int, classes []string) (*CIFAR, error) {
	c := &CIFAR{labels: labels, classes: classes}
	for _, name := range files {
		c.source, c.first = append(c.source, name), append(c.first, c.Len())
		if err := c.read(filepath.Join(dir, name)); err != nil {
			return nil, err
		}
	}
	return c, nil
}

func (c *CIFAR) read(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return errors.WithStack(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return errors.WithStack(err)
	}
	const most = 1 << 30
	size, record := info.Size(), int64(c.labels+cifarPixels)
	if !info.Mode().IsRegular() || size == 0 || size%record != 0 || size > most {
		return errors.Errorf("%s: %d bytes, want a multiple of %d", path, size, record)
	}
	before := len(c.records)
	c.records = append(c.records, make([]byte, size)...)
	if _, err := io.ReadFull(bufio.NewReader(f), c.records[before:]); err != nil {
		return errors.Wrap(err, path)
	}
	for i := before / int(record); i < c.Len(); i++ {
		if l := c.Label(i); l >= len(c.classes) {
			return errors.Errorf("%s: label %d of picture %d, want 0 to %d", path, l, i-before/int(record), len(c.classes)-1)
		}
	}
	return nil
}

// Len is the number of pictures.
func (c *CIFAR) Len() int { return len(c.records) / (c.labels + cifarPixels) }

// Classes names the classes.
func (c *CIFAR) Classes() []string { return c.classes }

func (c *CIFAR) record(i int) []byte {
	n := c.labels + cifarPixels
	return c.records[i*n : (i+1)*n]
}

// Label is the label of picture i: the last of its record's.
func (c *CIFAR) Label(i int) int { return int(c.record(i)[c.labels-1]) }

// Name is the file and the place in it.
func (c *CIFAR) Name(i int) string {
	k := len(c.first) - 1
	for c.first[k] > i {
		k--
	}
	return fmt.Sprintf("%s[%d]", c.source[k], i-c.first[k])
}

// Get returns picture i.
func (c *CIFAR) Get(i int) (Example, error) {
	if i < 0 || i >= c.Len() {
		return Example{}, errors.Errorf("picture %d of %d", i, c.Len())
	}
	planes := c.record(i)[c.labels:]
	img := image.NewNRGBA(image.Rect(0, 0, 32, 32))
	for k := range 32 * 32 {
		copy(img.Pix[4*k:], []byte{planes[k], planes[1024+k], planes[2048+k], 255})
	}
	return Example{Image: img, Label: c.Label(i)}, nil
}
