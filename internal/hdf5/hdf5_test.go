package hdf5

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// wanted is what h5py reads of a file, see testdata/gen.py.
type wanted struct {
	Data map[string]struct {
		Type, SHA256 string
		Shape        []int
	}
	Attributes map[string]map[string][]string
}

// files are the files of testdata, unpacked.
func files(t testing.TB) map[string][]byte {
	t.Helper()
	names, err := filepath.Glob("testdata/*.h5.gz")
	if err != nil || len(names) == 0 {
		t.Fatal(names, err)
	}
	all := make(map[string][]byte)
	for _, name := range names {
		packed, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		defer packed.Close()
		r, err := gzip.NewReader(packed)
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		all[strings.TrimSuffix(filepath.Base(name), ".gz")] = b
	}
	return all
}

func root(t testing.TB, b []byte) *Group {
	t.Helper()
	f, err := Open(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	g, err := f.Root()
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func digest(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])[:16]
}

// notRead are the datasets that are an error, and what it says.
var notRead = map[string]string{"/lzf": "LZF"}

func TestFiles(t *testing.T) {
	text, err := os.ReadFile("testdata/want.json")
	if err != nil {
		t.Fatal(err)
	}
	var want map[string]wanted
	if err := json.Unmarshal(text, &want); err != nil {
		t.Fatal(err)
	}
	all := files(t)
	if len(all) != len(want) {
		t.Errorf("%d files, want %d", len(all), len(want))
	}
	for name, b := range all {
		t.Run(name, func(t *testing.T) {
			g := root(t, b)
			for path, w := range want[name].Data {
				d, err := g.Dataset(path[1:])
				if text, ok := notRead[path]; ok {
					if err == nil || !strings.Contains(err.Error(), text) || !strings.Contains(err.Error(), path) {
						t.Errorf("%s: error %v, want one with %q", path, err, text)
					}
					continue
				}
				if err != nil {
					t.Error(err)
					continue
				}
				if got := strings.TrimSuffix(d.Type().String(), ", big-endian"); got != w.Type && !strings.HasPrefix(w.Type, "other") {
					t.Errorf("%s: type %s, want %s", path, got, w.Type)
				}
				if !slices.Equal(d.Shape(), w.Shape) {
					t.Errorf("%s: shape %v, want %v", path, d.Shape(), w.Shape)
				}
				got, err := d.Bytes()
				if err != nil {
					t.Error(err)
					continue
				}
				if w.SHA256 != digest(got) {
					t.Errorf("%s: %d bytes that differ: % x", path, len(got), got[:min(len(got), 32)])
				}
				if at, ok := d.Place(); ok && !bytes.Equal(b[at:at+d.Size()], got) {
					t.Errorf("%s: other bytes at its place", path)
				}
			}
			for path, list := range want[name].Attributes {
				for k, w := range list {
					var got []string
					var ok bool
					o, err := find(g, path)
					if err == nil {
						got, ok, err = o.Strings(k)
					}
					if err != nil {
						t.Error(err)
					}
					if len(got) > 10 {
						got = []string{fmt.Sprint(len(got)), digest([]byte(strings.Join(got, "\n") + "\n"))}
					}
					if !ok || !slices.Equal(got, w) {
						t.Errorf("%s: attribute %s: %q, want %q", path, k, got, w)
					}
				}
			}
			if _, ok, err := g.Strings("nothing"); ok || err != nil {
				t.Errorf("an attribute that is not there: %v, error %v", ok, err)
			}
		})
	}
}

// find is a group or a dataset.
func find(g *Group, path string) (interface {
	Strings(string) ([]string, bool, error)
}, error) {
	if path == "/" {
		return g, nil
	}
	if sub, err := g.Group(path[1:]); err == nil {
		return sub, nil
	}
	return g.Dataset(path[1:])
}

// TestSuperblock1 makes version 1 of version 0, which is four bytes shorter; addresses then count from 4 on.
func TestSuperblock1(t *testing.T) {
	old := files(t)["small_earliest.h5"]
	b := slices.Concat(old[:24], []byte{32, 0, 0, 0}, old[24:])
	b[8] = 1
	le.PutUint32(b[28:], 4)              // base address
	le.PutUint32(b[36:], uint32(len(b))) // end of file
	for _, name := range []string{"x", "chunks"} {
		var got [2][]byte
		for i, g := range []*Group{root(t, old), root(t, b)} {
			d, err := g.Dataset(name)
			if err != nil {
				t.Fatal(err)
			}
			if got[i], err = d.Bytes(); err != nil {
				t.Fatal(err)
			}
			if at, ok := d.Place(); ok && i == 1 && !bytes.Equal(b[at:at+d.Size()], got[i]) {
				t.Errorf("%s: other bytes at its place", name)
			}
		}
		if len(got[0]) == 0 || !bytes.Equal(got[0], got[1]) {
			t.Errorf("%s: % x, want % x", name, got[1], got[0])
		}
	}
}

func TestWalk(t *testing.T) {
	all := files(t)
	for name, want := range map[string]int{"plain_earliest.h5": 26, "plain_latest.h5": 26, "groups_earliest.h5": 704, "groups_latest.h5": 704} {
		seen := map[string]bool{}
		err := root(t, all[name]).Walk(func(d *Dataset) error {
			seen[d.Path()] = true
			return nil
		})
		if err != nil || len(seen) != want || strings.HasPrefix(name, "plain") && !seen["/a/b/c/d/e/deep"] {
			t.Errorf("%s: %d datasets, error %v, want %d", name, len(seen), err, want)
		}
	}
}

// TestErrors: what is not there or not read says where.
func TestErrors(t *testing.T) {
	all := files(t)
	g := root(t, all["plain_latest.h5"])
	for name, want := range map[string]string{
		"soft": "/soft: HDF5: soft", "external": "/external: HDF5: soft and external", "nothing": `/ has no "nothing"`,
		"a/b/nothing": `/a/b has no "nothing"`, "a": "/a: HDF5: not a dataset", "scalar/x": "/scalar: HDF5: not a group",
	} {
		if _, err := g.Dataset(name); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want one with %q", name, err, want)
		}
	}
	if _, _, err := root(t, all["attributes_latest.h5"]).Strings("number"); err == nil || !strings.Contains(err.Error(), "int64, want strings") {
		t.Errorf("a number: error %v", err)
	}
	for _, name := range []string{"plain_latest.h5", "plain_v108.h5", "chunks_latest.h5"} {
		b := bytes.Clone(all[name])
		at := bytes.Index(b, []byte("OHDR"))
		b[at+7]++
		f, err := Open(bytes.NewReader(b), int64(len(b)))
		if err == nil {
			_, err = f.Root()
		}
		if err == nil || !strings.Contains(err.Error(), "checksum") {
			t.Errorf("%s: error %v, want one about the checksum", name, err)
		}
	}
	b := bytes.Clone(all["chunks_earliest.h5"])
	d, err := root(t, b).Dataset("fletcher")
	if err != nil {
		t.Fatal(err)
	}
	intact, err := d.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	b[bytes.Index(b, intact[:8])]++ // no other filter: the elements are in the file as they are
	if _, err := d.Bytes(); err == nil || !strings.Contains(err.Error(), "/fletcher: chunk [0 0]: HDF5: chunk with checksum") {
		t.Errorf("a chunk was changed: error %v", err)
	}
	b = all["plain_earliest.h5"]
	if _, err := Open(bytes.NewReader(b), int64(len(b))-1); err == nil || !strings.Contains(err.Error(), fmt.Sprintf("has %d bytes, want %d", len(b)-1, len(b))) {
		t.Errorf("cut off: error %v", err)
	}
}
