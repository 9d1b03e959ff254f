package data

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"image"
	"iter"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/pkg/errors"
)

func write(t *testing.T, b []byte, elements ...string) string {
	t.Helper()
	path := filepath.Join(elements...)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, b, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestFolder(t *testing.T) {
	dir := t.TempDir()
	img := picture(t, "rgb.png")
	for _, name := range []string{"dog/b.png", "dog/a.PNG", "dog/more/c.jpeg", "cat/x.webp", "cat/notes.txt", "cat/.hidden.png", ".git/y.png", "readme.png"} {
		write(t, img, dir, filepath.FromSlash(name))
	}
	f, err := Folder(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if want := []string{"cat/x.webp", "dog/a.PNG", "dog/b.png", "dog/more/c.jpeg"}; !reflect.DeepEqual(f.paths, want) {
		t.Errorf("files %v, want %v", f.paths, want)
	}
	if want := []int{0, 1, 1, 1}; !reflect.DeepEqual(f.labels, want) || !reflect.DeepEqual(f.Classes(), []string{"cat", "dog"}) {
		t.Errorf("labels %v of %v, want %v", f.labels, f.Classes(), want)
	}
	ex, err := f.Get(3)
	if err != nil || ex.Label != 1 || ex.Image.Bounds().Dx() != 12 {
		t.Errorf("error %v, %+v", err, ex)
	}

	// Links may lead about within the folder, not out of it.
	outside := write(t, img, t.TempDir(), "secret.png")
	if err := os.Symlink(outside, filepath.Join(dir, "cat", "out.png")); err != nil {
		t.Skipf("no links here: %v", err)
	}
	if err := os.Symlink(filepath.Join("..", "dog", "b.png"), filepath.Join(dir, "cat", "in.png")); err != nil {
		t.Fatal(err)
	}
	g, err := Folder(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	for i := range g.Len() {
		if _, err := g.Get(i); (err != nil) != (g.Name(i) == "cat/out.png") {
			t.Errorf("%s: error %v", g.Name(i), err)
		}
	}

	if _, err := Folder(filepath.Join(dir, "none")); err == nil {
		t.Error("no error for a folder that is not there")
	}
	if _, err := Folder(filepath.Join(dir, "dog", "more")); err == nil || !strings.Contains(err.Error(), "class") {
		t.Errorf("no classes: error %v", err)
	}
	if err := os.MkdirAll(filepath.Join(dir, "empty"), 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := Folder(dir); err == nil || !strings.Contains(err.Error(), `"empty"`) {
		t.Errorf("an empty class: error %v", err)
	}
}

func TestCSV(t *testing.T) {
	dir := t.TempDir()
	write(t, picture(t, "rgb.png"), dir, "p", "a.png")
	write(t, picture(t, "grey.png"), dir, "p", "b.png")
	for name, c := range map[string]struct {
		text    string
		cfg     CSVConfig
		labels  []int
		classes []string
	}{
		"plain":     {"p/a.png,dog\np/b.png,cat\n", CSVConfig{}, []int{1, 0}, []string{"cat", "dog"}},
		"numbers":   {"p/a.png,2\np/b.png,0\n", CSVConfig{}, []int{2, 0}, []string{"0", "1", "2"}},
		"header":    {"x;label;file\n1;dog;a.png\n2;dog;b.png\n", CSVConfig{Dir: filepath.Join(dir, "p"), Comma: ';', PathColumn: "file", LabelColumn: "label", Classes: []string{"cat", "dog"}}, []int{1, 1}, []string{"cat", "dog"}},
		"unlabeled": {"file\np/a.png\np/b.png\n", CSVConfig{PathColumn: "file"}, []int{-1, -1}, nil},
	} {
		f, err := CSV(write(t, []byte(c.text), dir, name+".csv"), c.cfg)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		defer f.Close()
		if !reflect.DeepEqual(f.labels, c.labels) || !reflect.DeepEqual(f.Classes(), c.classes) {
			t.Errorf("%s: labels %v of %v, want %v of %v", name, f.labels, f.Classes(), c.labels, c.classes)
		}
		for i := range f.Len() {
			if _, err := f.Get(i); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	for name, c := range map[string]struct {
		text, want string
		cfg        CSVConfig
	}{
		"out":      {"../x.png,1\n", "leads out", CSVConfig{}},
		"absolute": {"/etc/x.png,1\n", "leads out", CSVConfig{}},
		"short":    {"x.png\n", "columns", CSVConfig{}},
		"empty":    {"", "no rows", CSVConfig{}},
		"column":   {"a,b\n", `"file"`, CSVConfig{PathColumn: "file"}},
		"class":    {"x.png,cow\n", `"cow"`, CSVConfig{Classes: []string{"dog"}}},
	} {
		if _, err := CSV(write(t, []byte(c.text), dir, name+".csv"), c.cfg); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want one with %q", name, err, c.want)
		}
	}
}

func TestCIFAR(t *testing.T) {
	dir := t.TempDir()
	record := func(labels ...byte) []byte {
		b := append([]byte(nil), labels...)
		for i := range cifarPixels {
			b = append(b, byte(i/1024*80+i%32))
		}
		return b
	}
	for _, name := range []string{"data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin", "data_batch_4.bin", "data_batch_5.bin", "test_batch.bin"} {
		write(t, append(record(3), record(9)...), dir, name)
	}
	train, test, err := CIFAR10(dir)
	if err != nil {
		t.Fatal(err)
	}
	ex, err := train.Get(9)
	if err != nil || train.Len() != 10 || test.Len() != 2 || ex.Label != 9 || train.Name(9) != "data_batch_5.bin[1]" {
		t.Errorf("error %v, %d and %d pictures, label %d of %s", err, train.Len(), test.Len(), ex.Label, train.Name(9))
	}
	if r, g, b := rgb(ex.Image, 5, 7); r != 5 || g != 85 || b != 165 {
		t.Errorf("pixel %d %d %d, want 5 85 165", r, g, b)
	}
	write(t, []byte(strings.Repeat("x ", 100)), dir, "fine_label_names.txt")
	write(t, record(1, 42), dir, "train.bin")
	write(t, record(1, 100), dir, "test.bin")
	if _, _, err := CIFAR100(dir); err == nil || !strings.Contains(err.Error(), "label 100") {
		t.Errorf("label 100: error %v", err)
	}
	write(t, record(1, 99), dir, "test.bin")
	train, _, err = CIFAR100(dir)
	if err != nil || train.Label(0) != 42 {
		t.Errorf("error %v, label %d", err, train.Label(0))
	}
	write(t, make([]byte, 100), dir, "test_batch.bin")
	if _, _, err := CIFAR10(dir); err == nil || !strings.Contains(err.Error(), "multiple") {
		t.Errorf("a part of a record: error %v", err)
	}
}

func shard(t *testing.T, files ...any) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for i := 0; i < len(files); i += 2 {
		var content []byte
		switch c := files[i+1].(type) {
		case string:
			content = []byte(c)
		case []byte:
			content = c
		}
		if err := w.WriteHeader(&tar.Header{Name: files[i].(string), Mode: 0o644, Size: int64(len(content)), Typeflag: tar.TypeReg}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(content); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestTar(t *testing.T) {
	dir := t.TempDir()
	rgb, grey := picture(t, "rgb.png"), picture(t, "grey.jpg")
	a := write(t, shard(t, "d/000.png", rgb, "d/000.cls", "2\n", "d/001.cls", "0", "d/001.seg.txt", "?", "d/001.jpg", grey, strings.Repeat("long", 60)+".png", rgb), dir, "a.tar")
	b := write(t, shard(t, "../evil.json", `{"label": 1}`, "../evil.ppm", picture(t, "rgb.ppm"), "meta.json", "{}"), dir, "b.tar")
	ds, err := OpenTar([]string{"x", "y", "z"}, a, b)
	if err != nil {
		t.Fatal(err)
	}
	defer ds.Close()
	want := []int{2, 0, -1, 1}
	if labels, err := Labels(ds); err != nil || !reflect.DeepEqual(labels, want) {
		t.Errorf("error %v, labels %v, want %v", err, labels, want)
	}
	for i := range ds.Len() {
		if ex, err := ds.Get(i); err != nil || ex.Image.Bounds().Dx() != 12 {
			t.Errorf("%s: %v", ds.Name(i), err)
		}
	}
	if !strings.HasSuffix(ds.Name(3), "b.tar:../evil") {
		t.Errorf("name %q", ds.Name(3))
	}

	// The same in order, compressed.
	var z bytes.Buffer
	w := gzip.NewWriter(&z)
	plain, err := os.ReadFile(b)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(plain); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	s := With(TarStream(4, nil, DecodeConfig{}, a, write(t, z.Bytes(), dir, "b.tar.gz")), Pixels{Channels: 1, Height: 8, Width: 12})
	l, err := NewLoader(s, LoaderConfig{Batch: 3})
	if err != nil {
		t.Fatal(err)
	}
	var labels []int
	for batch, err := range l.Epoch(context.Background(), 0, 0) {
		if err != nil {
			t.Fatal(err)
		}
		labels = append(labels, batch.Labels...)
	}
	if !reflect.DeepEqual(labels, want) {
		t.Errorf("stream: labels %v, want %v", labels, want)
	}

	for name, c := range map[string]struct {
		content []byte
		want    string
	}{
		"label":     {shard(t, "a.png", rgb, "a.cls", "dog"), "whole number"},
		"class":     {shard(t, "a.png", rgb, "a.cls", "3"), "want 0 to 2"},
		"json":      {shard(t, "a.png", rgb, "a.json", "{"), "JSON"},
		"two":       {shard(t, "a.png", rgb, "a.jpg", rgb), "two pictures"},
		"truncated": {shard(t, "a.png", rgb)[:560], ""},
		"none":      {shard(t, "a.txt", "x"), "without pictures"},
		"garbage":   {bytes.Repeat([]byte("x"), 1024), "tar"},
	} {
		if _, err := OpenTar([]string{"x", "y", "z"}, write(t, c.content, dir, "bad.tar")); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want one with %q", name, err, c.want)
		}
	}
}

func FuzzTar(f *testing.F) {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, name := range []string{"a.png", "a.cls", "b.json", "b.jpg"} {
		if err := w.WriteHeader(&tar.Header{Name: name, Size: 1, Typeflag: tar.TypeReg}); err != nil {
			f.Fatal(err)
		}
		if _, err := w.Write([]byte("1")); err != nil {
			f.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		f.Fatal(err)
	}
	f.Add(b.Bytes())
	f.Fuzz(func(t *testing.T, b []byte) {
		for g, err := range members(bytes.NewReader(b), true) {
			if err == nil && int64(len(g.picture)) != g.size {
				t.Errorf("%d bytes, want %d", len(g.picture), g.size)
			}
		}
		for g, err := range members(bytes.NewReader(b), false) {
			if err == nil && g.offset < 512 {
				t.Errorf("a picture at %d, before its header", g.offset)
			}
		}
	})
}

// numbered is a stream of n pictures whose labels are their places.
func numbered(t *testing.T, n, size, buffer int) Dataset {
	img := picture(t, "grey.png")
	s := &Stream{Size: size, Buffer: buffer, Seed: 5, Open: func(context.Context, int) iter.Seq2[Pending, error] {
		return func(yield func(Pending, error) bool) {
			for i := range n {
				if !yield(func() (Example, error) {
					g, err := Decode(img, DecodeConfig{})
					return Example{Image: g, Label: i}, err
				}, nil) {
					return
				}
			}
		}
	}}
	return With(s, Pixels{Channels: 1, Height: 8, Width: 12})
}

func TestStream(t *testing.T) {
	read := func(ds Dataset, epoch, first, workers int) (labels []int, err error) {
		t.Helper()
		l, err := NewLoader(ds, LoaderConfig{Batch: 4, Workers: workers})
		if err != nil {
			t.Fatal(err)
		}
		for b, err := range l.Epoch(context.Background(), epoch, first) {
			if err != nil {
				return labels, err
			}
			labels = append(labels, b.Labels...)
		}
		return labels, nil
	}
	whole, err := read(numbered(t, 50, 30, 0), 0, 0, 3)
	if err != nil || len(whole) != 30 || whole[29] != 29 {
		t.Fatalf("error %v, labels %v", err, whole)
	}
	a, err := read(numbered(t, 50, 30, 8), 1, 0, 1)
	if err != nil || len(a) != 30 || reflect.DeepEqual(a, whole) {
		t.Fatalf("error %v, shuffled %v", err, a)
	}
	b, err := read(numbered(t, 50, 30, 8), 1, 3, 4)
	if err != nil || !reflect.DeepEqual(b, a[12:]) {
		t.Errorf("error %v, from batch 3 on: %v, want %v", err, b, a[12:])
	}
	if c, _ := read(numbered(t, 50, 30, 8), 2, 0, 1); reflect.DeepEqual(a, c) {
		t.Error("two epochs have one order")
	}
	if _, err := read(numbered(t, 20, 30, 0), 0, 0, 2); err == nil || !strings.Contains(err.Error(), "after 20") {
		t.Errorf("a stream that is too short: error %v", err)
	}
	if _, err := NewLoader(numbered(t, 20, 20, 0), LoaderConfig{Shuffle: true}); err == nil {
		t.Error("no error for a stream that is to be shuffled")
	}
	bad := errors.New("the line is cut")
	s := &Stream{Size: 8, Open: func(context.Context, int) iter.Seq2[Pending, error] {
		return func(yield func(Pending, error) bool) { yield(nil, bad) }
	}}
	if _, err := read(With(s, Pixels{Channels: 1, Height: 8, Width: 12}), 0, 0, 1); !errors.Is(err, bad) {
		t.Errorf("error %v, want the stream's", err)
	}
}

func TestBalance(t *testing.T) {
	m := &Images{labels: []byte{0, 0, 0, 0, 0, 0, 0, 0, 0, 1}}
	m.pictures = append(m.pictures, make([]image.Gray, 10)...)
	w, err := Balance(With(m, nil))
	if err != nil || w[0] != 1./9 || w[9] != 1 {
		t.Fatalf("error %v, weights %v", err, w)
	}
	sums, err := cumulate(LoaderConfig{Weights: w, Shuffle: true}, m)
	if err != nil {
		t.Fatal(err)
	}
	rare, draws := 0, 0
	for epoch := range uint64(400) {
		for _, i := range drawn(nil, sums, 3, epoch) {
			draws++
			if i == 9 {
				rare++
			}
		}
	}
	// A fair coin, 4000 times: the deviation is 32, and 5 of them are allowed.
	if rare < 2000-160 || rare > 2000+160 {
		t.Errorf("the rare class came %d times of %d, want half", rare, draws)
	}
	w[0], w[9] = 0, 0
	sums, err = cumulate(LoaderConfig{Weights: w, Shuffle: true}, m)
	if err != nil {
		t.Fatal(err)
	}
	for epoch := range uint64(100) {
		for _, i := range drawn(nil, sums, 3, epoch) {
			if i == 0 || i == 9 {
				t.Fatal("an example of weight 0 was drawn")
			}
		}
	}
	for _, bad := range [][]float64{{1}, make([]float64, 10), {-1, 1, 1, 1, 1, 1, 1, 1, 1, 1}} {
		if _, err := cumulate(LoaderConfig{Weights: bad, Shuffle: true}, m); err == nil {
			t.Errorf("%v: no error", bad)
		}
	}
	a, b, err := SplitClasses(m, 0.5, 1)
	if err != nil {
		t.Fatal(err)
	}
	la, _ := Labels(a)
	lb, _ := Labels(b)
	if len(la) != 4 || len(lb) != 6 || lb[5] != 1 { // 4.5 and 0.5 are rounded up
		t.Errorf("split into %v and %v", la, lb)
	}
	a, b, err = SplitCount(m, 1, 1)
	if err != nil {
		t.Fatal(err)
	}
	la, _ = Labels(a)
	lb, _ = Labels(b)
	if !reflect.DeepEqual(lb, []int{0, 1}) || len(la) != 8 {
		t.Errorf("one of each class: split into %v and %v", la, lb)
	}
	if _, _, err := SplitCount(m, 2, 1); err == nil || !strings.Contains(err.Error(), "has 1 examples") {
		t.Errorf("two of a class of one: error %v", err)
	}
	if _, _, err := SplitCount(m, -1, 1); err == nil {
		t.Error("no error for a negative number")
	}
}

func TestSkipList(t *testing.T) {
	var l SkipList
	for _, n := range []string{"b", "a", "b"} {
		l.Skip(n, errors.New(n))
	}
	if !reflect.DeepEqual(l.Names, []string{"b", "a"}) || len(l.Errs) != 2 {
		t.Errorf("%v, %v", l.Names, l.Errs)
	}
}
