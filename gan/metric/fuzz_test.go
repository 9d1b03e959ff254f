package metric_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stheno-ml/stheno/gan/metric"
)

// No file makes Load panic, and what it takes, the figures take or refuse.
func FuzzLoad(f *testing.F) {
	c := metric.NewCollector(metric.Network{Name: "net"})
	if err := c.Add(rows(made(1, 5, 3, ""), 3), rows([]float32{1, 1, 1, 1, 1}, 1)); err != nil {
		f.Fatal(err)
	}
	s, err := c.Stats()
	if err != nil {
		f.Fatal(err)
	}
	path := filepath.Join(f.TempDir(), "s")
	if err := s.Save(path); err != nil {
		f.Fatal(err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		path := filepath.Join(t.TempDir(), "s")
		if err := os.WriteFile(path, b, 0o644); err != nil {
			t.Fatal(err)
		}
		s, err := metric.Load(path)
		if err != nil {
			return
		}
		metric.FID(s, s)
		metric.KID(s, s, metric.KIDConfig{Subsets: 1})
		metric.PrecisionRecall(s, s, 1)
		metric.InceptionScore(s, 1)
	})
}
