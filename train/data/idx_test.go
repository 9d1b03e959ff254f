package data

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// idxFile lays out an idx file by hand.
func idxFile(magic uint32, dims []uint32, data []byte) []byte {
	b := binary.BigEndian.AppendUint32(nil, magic)
	for _, d := range dims {
		b = binary.BigEndian.AppendUint32(b, d)
	}
	return append(b, data...)
}

func zipped(t testing.TB, b []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	if _, err := z.Write(b); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestIDXPlainAndZipped(t *testing.T) {
	data := []byte{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}
	plain := idxFile(0x803, []uint32{2, 3, 2}, data)
	for name, b := range map[string][]byte{"plain": plain, "gzip": zipped(t, plain)} {
		x, err := parseIDX(bytes.NewReader(b), int64(len(b)), 3)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if !slices.Equal(x.dims, []int{2, 3, 2}) || !bytes.Equal(x.data, data) {
			t.Errorf("%s: %v %v", name, x.dims, x.data)
		}
	}
}

func TestIDXHostile(t *testing.T) {
	good := idxFile(0x803, []uint32{1, 2, 2}, make([]byte, 4))
	badSum := zipped(t, good)
	badSum[len(badSum)-8] ^= 1 // the checksum stands before the length
	cut := zipped(t, idxFile(0x803, []uint32{1, 100, 100}, bytes.Repeat([]byte{1, 2, 3, 4, 5}, 2000)))
	for name, c := range map[string]struct {
		b    []byte
		want string
	}{
		"empty":             {nil, "truncated"},
		"header cut":        {good[:9], "truncated"},
		"labels' magic":     {idxFile(0x801, []uint32{4, 1, 1}, make([]byte, 4)), "magic number 0x00000801"},
		"float elements":    {idxFile(0xd03, []uint32{1, 2, 2}, make([]byte, 16)), "magic number"},
		"other endian":      {idxFile(0x03080000, []uint32{1, 2, 2}, make([]byte, 4)), "magic number"},
		"a PNG":             {[]byte("\x89PNG\r\n\x1a\n0000000000"), "magic number"},
		"no pictures":       {idxFile(0x803, []uint32{0, 28, 28}, nil), "axis 0 of 0"},
		"absurd":            {idxFile(0x803, []uint32{math.MaxUint32, math.MaxUint32, math.MaxUint32}, nil), "axis 0 of 4294967295"},
		"product overflows": {idxFile(0x803, []uint32{1<<31 - 1, 1<<31 - 1, 5}, nil), "axis 1 of"},
		"larger than file":  {idxFile(0x803, []uint32{60000, 28, 28}, make([]byte, 28)), "cannot hold"},
		"larger than gzip":  {zipped(t, idxFile(0x803, []uint32{60000, 280, 28}, nil)), "cannot hold"},
		"gzip lies":         {zipped(t, idxFile(0x803, []uint32{10, 28, 28}, nil)), "truncated: 0 are there"},
		"gzip cut":          {cut[:len(cut)-30], "promised"},
		"gzip checksum":     {badSum, "checksum"},
		"gzip header alone": {[]byte{0x1f, 0x8b}, "gzip"},
		"data cut":          {good[:len(good)-1], "cannot hold"},
		"data left":         {append(slices.Clone(good), 0), "bytes follow"},
		"gzip bomb":         {zipped(t, append(slices.Clone(good), make([]byte, 1<<24)...)), "bytes follow"},
	} {
		if _, err := parseIDX(bytes.NewReader(c.b), int64(len(c.b)), 3); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want one with %q", name, err, c.want)
		}
	}
}

func TestIDXPairErrors(t *testing.T) {
	dir := t.TempDir()
	write := func(name string, b []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, b, 0o666); err != nil {
			t.Fatal(err)
		}
		return path
	}
	pictures := write("p", idxFile(0x803, []uint32{2, 1, 1}, []byte{5, 6}))
	for _, c := range []struct {
		labels []byte
		want   string
	}{
		{[]byte{0}, "2 pictures"},
		{[]byte{0, 10}, "label 10 of picture 1, want 0 to 9"},
	} {
		labels := write("l", idxFile(0x801, []uint32{uint32(len(c.labels))}, c.labels))
		if _, err := IDX(pictures, labels, Digits); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("error %v, want one with %q", err, c.want)
		}
	}
	labels := write("l", idxFile(0x801, []uint32{2}, []byte{0, 9}))
	m, err := IDX(pictures, labels, Digits)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.Get(2); err == nil {
		t.Error("no error for a picture past the end")
	}
	if _, _, err := MNIST(dir); err == nil || !strings.Contains(err.Error(), "train-images-idx3-ubyte") {
		t.Errorf("MNIST in a folder without it: error %v", err)
	}
}

func FuzzIDX(f *testing.F) {
	plain := idxFile(0x803, []uint32{2, 3, 2}, make([]byte, 12))
	f.Add(plain, 3)
	f.Add(zipped(f, plain), 3)
	f.Add(idxFile(0x801, []uint32{5}, make([]byte, 5)), 1)
	f.Fuzz(func(t *testing.T, b []byte, axes int) {
		if axes != 1 {
			axes = 3
		}
		x, err := parseIDX(bytes.NewReader(b), int64(len(b)), axes)
		if err != nil {
			return
		}
		n := 1
		for _, d := range x.dims {
			n *= d
		}
		if n != len(x.data) || n == 0 || len(x.dims) != axes {
			t.Errorf("dims %v with %d bytes", x.dims, len(x.data))
		}
	})
}

// TestMNIST finds the real files. First labels are those that LeCun's page shows, mean and deviation
// 0.1307 and 0.3081 are the figures that everyone normalises with.
func TestMNIST(t *testing.T) {
	train, test, err := MNIST("")
	if err != nil {
		t.Fatal(err)
	}
	if train.Len() != 60000 || test.Len() != 10000 {
		t.Fatalf("%d and %d pictures, want 60000 and 10000", train.Len(), test.Len())
	}
	for _, c := range []struct {
		set  *Images
		want []int
	}{{train, []int{5, 0, 4, 1, 9}}, {test, []int{7, 2, 1, 0, 4}}} {
		for i, want := range c.want {
			ex, err := c.set.Get(i)
			if err != nil {
				t.Fatal(err)
			}
			if ex.Label != want || ex.Image.Bounds().Dx() != 28 || ex.Image.Bounds().Dy() != 28 {
				t.Errorf("%s: label %d, want %d; bounds %v", c.set.Name(i), ex.Label, want, ex.Image.Bounds())
			}
		}
	}
	var sum, squares float64
	for i := range train.pictures {
		for _, v := range train.pictures[i].Pix {
			x := float64(v) / 255
			sum += x
			squares += x * x
		}
	}
	n := 60000. * 28 * 28
	mean := sum / n
	std := math.Sqrt(squares/n - mean*mean)
	if math.Abs(mean-0.1307) > 5e-5 || math.Abs(std-0.3081) > 5e-5 { // four published digits
		t.Errorf("mean %.5f deviation %.5f, want 0.1307 and 0.3081", mean, std)
	}
}

// TestMNISTWithoutGo finds the files in the module cache when there is no go command, and says what it
// tried when there is no cache either.
func TestMNISTWithoutGo(t *testing.T) {
	dir, err := findMNIST()
	if err != nil {
		t.Fatal(err)
	}
	// dir is CACHE/github.com/petar/!go!m!n!i!s!t@VERSION/data
	cache := filepath.Dir(filepath.Dir(filepath.Dir(filepath.Dir(dir))))
	t.Setenv("PATH", t.TempDir())
	t.Setenv("GOMODCACHE", cache)
	if got, err := findMNIST(); err != nil || got != dir {
		t.Errorf("%q %v, want %q", got, err, dir)
	}
	t.Setenv("GOMODCACHE", "")
	t.Setenv("GOPATH", t.TempDir())
	t.Setenv("HOME", t.TempDir())
	t.Setenv("USERPROFILE", t.TempDir())
	_, err = findMNIST()
	if err == nil {
		t.Fatal("no error where there is nothing to find")
	}
	for _, want := range []string{"-data", "go list -m", "pkg/mod", mnistFile} {
		if !strings.Contains(filepath.ToSlash(err.Error()), want) {
			t.Errorf("error %q does not speak of %q", err, want)
		}
	}
}
