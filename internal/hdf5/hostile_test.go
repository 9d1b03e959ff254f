package hdf5

import (
	"bytes"
	"io"
	"math/rand/v2"
	"runtime"
	"testing"
)

// everything reads whatever there is to read.
func everything(r io.ReaderAt, size int64, unchecked bool) error {
	f, err := open(r, size, unchecked)
	if err != nil {
		return err
	}
	g, err := f.Root()
	if err != nil {
		return err
	}
	first := error(nil)
	note := func(err error) {
		if first == nil {
			first = err
		}
	}
	for _, name := range []string{"layer_names", "fixed", "variable_array", "attribute7"} {
		_, _, err := g.Strings(name)
		note(err)
		for _, sub := range g.Names() {
			if sub, err := g.Group(sub); err == nil {
				_, _, err := sub.Strings(name)
				note(err)
			}
		}
	}
	note(g.Walk(func(d *Dataset) error {
		if d.Size() > 1<<22 {
			return nil // zoo/weights bounds the sum
		}
		b, err := d.Bytes()
		note(err)
		if err == nil && int64(len(b)) != d.Size() {
			panic("another number of bytes than Size says")
		}
		_, _, err = d.Strings("dtype")
		note(err)
		return nil
	}))
	return first
}

// TestDamage changes bytes of files and cuts them off: nothing panics or takes much memory. Where the format has
// checksums, they tell.
func TestDamage(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for name, b := range files(t) {
		for i := range 200 {
			damaged := bytes.Clone(b)
			for range 1 + i%4 {
				damaged[rng.IntN(len(damaged))] = byte(rng.Uint32())
			}
			if i%10 == 0 {
				damaged = damaged[:rng.IntN(len(damaged))]
				if err := everything(bytes.NewReader(damaged), int64(len(damaged)), false); err == nil {
					t.Errorf("%s: no error though cut off after %d bytes", name, len(damaged))
				}
			}
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_ = everything(bytes.NewReader(damaged), int64(len(damaged)), i%2 == 0)
			runtime.ReadMemStats(&after)
			// All that was allocated, not only at once: the bound of metadata and its lists.
			if got := after.TotalAlloc - before.TotalAlloc; got > 1<<30 {
				t.Errorf("%s: %d bytes allocated for a file of %d", name, got, len(b))
			}
		}
	}
}

func FuzzOpen(f *testing.F) {
	for _, b := range files(f) {
		f.Add(b)
	}
	f.Fuzz(func(_ *testing.T, b []byte) {
		_ = everything(bytes.NewReader(b), int64(len(b)), true)
	})
}
