package metric

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/pkg/errors"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/internal/atomicfile"
	"github.com/stheno-ml/stheno/train/checkpoint"
	"github.com/stheno-ml/stheno/zoo/weights"
)

// saved is what a file of statistics says beside its tensors.
type saved struct {
	Format  string `json:"format"`
	Network string `json:"network"`
	N       int    `json:"n"`
	D       int    `json:"d"`
	Classes int    `json:"classes,omitempty"`
}

const savedFormat = "stheno statistics 1"

// Save writes statistics to a safetensors file that replaces path only when it is whole.
func (s *Stats) Save(path string) error {
	if err := s.check(); err != nil {
		return errors.WithMessage(err, "metric: save")
	}
	state, err := json.Marshal(saved{savedFormat, s.Network, s.N, s.D, s.Classes})
	if err != nil {
		return errors.Wrap(err, "metric: save")
	}
	c := &checkpoint.Checkpoint{State: state}
	add := func(name string, backing any, shape ...int) {
		c.Tensors = append(c.Tensors, weights.Named{Name: name, Value: tensor.New(tensor.WithShape(shape...), tensor.WithBacking(backing))})
	}
	add("mean", s.Mean, s.D)
	add("cov", s.Cov, s.D, s.D)
	if s.Features != nil {
		add("features", s.Features, s.N, s.D)
	}
	if s.Probs != nil {
		add("probabilities", s.Probs, s.N, s.Classes)
	}
	return atomicfile.Write(path, func(w io.Writer) error { return checkpoint.Write(w, c) })
}

// Load reads what Save wrote. A file that is damaged, or whose numbers cannot be statistics, is an error.
func Load(path string) (*Stats, error) {
	c, err := checkpoint.Load(path)
	if err != nil {
		return nil, errors.WithMessage(err, "metric")
	}
	s, err := fromCheckpoint(c)
	return s, errors.WithMessagef(err, "metric: %s", path)
}

func fromCheckpoint(c *checkpoint.Checkpoint) (*Stats, error) {
	var head saved
	if err := json.Unmarshal(c.State, &head); err != nil {
		return nil, errors.Wrap(err, "heading")
	}
	if head.Format != savedFormat {
		return nil, errors.Errorf("format %q, want %q", head.Format, savedFormat)
	}
	s := &Stats{Network: head.Network, N: head.N, D: head.D, Classes: head.Classes}
	for _, t := range c.Tensors {
		v := t.Value
		wide := v.Dtype() == tensor.Float64
		switch {
		case t.Name == "mean" && wide:
			s.Mean = v.Float64s()
		case t.Name == "cov" && wide:
			s.Cov = v.Float64s()
		case t.Name == "features" && v.Dtype() == tensor.Float32:
			s.Features = v.Float32s()
		case t.Name == "probabilities" && v.Dtype() == tensor.Float32:
			s.Probs = v.Float32s()
		default:
			return nil, errors.Errorf("tensor %s of %v is not one of statistics", t.Name, v.Dtype())
		}
	}
	if err := s.check(); err != nil {
		return nil, err
	}
	for i, v := range s.Features {
		if !finite(float64(v)) {
			return nil, errors.Errorf("feature %d of picture %d is %v", i%s.D, i/s.D, v)
		}
	}
	if s.Probs == nil {
		return s, nil
	}
	p := make([]float64, len(s.Probs))
	for i, v := range s.Probs {
		p[i] = float64(v)
	}
	return s, distributions(p, s.Classes, 0)
}

// Cache keeps statistics of sets of pictures in files, so that real ones need not be computed for each run.
type Cache struct {
	Dir      string // made if need be
	MeanOnly bool   // as Collector has it
	Note     func(format string, a ...any)
}

// Get gives the statistics of n pictures of a set, of what a network makes of them. They are computed by collect, which
// must hand exactly n pictures to the collector, unless the file of an earlier call with the same set, network and n
// is there. A damaged file is computed again; Note, if there is one, is told. Names of sets must tell them apart:
// the split and, where pictures are chosen, the seed.
func (c Cache) Get(set string, network Network, n int, collect func(*Collector) error) (*Stats, error) {
	path := c.path(set, network.Name, n)
	s, err := Load(path)
	switch {
	case err == nil && s.Network == network.Name && s.N == n && (c.MeanOnly || s.Features != nil):
		return s, nil
	case err == nil && s.Features == nil && !c.MeanOnly:
		err = errors.Errorf("metric: %s has mean and covariance alone", path)
	case err == nil:
		err = errors.Errorf("metric: %s holds %d pictures of %s, want %d of %s", path, s.N, s.Network, n, network.Name)
	}
	if _, missing := os.Stat(path); c.Note != nil && !os.IsNotExist(missing) {
		c.Note("computing statistics again: %v", err)
	}
	fresh := NewCollector(network)
	fresh.MeanOnly = c.MeanOnly
	if err := collect(fresh); err != nil {
		return nil, err
	}
	if fresh.Len() != n {
		return nil, errors.Errorf("metric: %d pictures of %s were collected, want %d", fresh.Len(), set, n)
	}
	if s, err = fresh.Stats(); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(c.Dir, 0o755); err != nil {
		return nil, errors.Wrap(err, "metric: cache")
	}
	return s, s.Save(path)
}

// path is the file for a set: its name is a sum, since names of sets and networks may hold anything.
func (c Cache) path(set, network string, n int) string {
	h := sha256.New()
	fmt.Fprintf(h, "%q %q %d", set, network, n)
	return filepath.Join(c.Dir, fmt.Sprintf("%s-%d.safetensors", shortSum(h), n))
}
