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
