package graph

import (
	"hash/fnv"
	"math/rand/v2"
	"strings"
	"sync"

	"github.com/pkg/errors"
	"gorgonia.org/tensor"
)

// Role is what a variable is for.
type Role uint8

const (
	Parameter Role = iota // trained
	Statistic             // kept by the network itself, such as a running mean; it gets no gradient
)

// Variable is a named array that outlives the graphs that use it.
type Variable struct {
	Name   string // path and name, such as "stem.conv.weight"
	Role   Role
	Frozen bool // gets no gradient; a frozen batch norm also keeps its statistics still
	Value  *tensor.Dense
}

// Trainable says whether an optimiser should move the variable.
func (v *Variable) Trainable() bool { return v.Role == Parameter && !v.Frozen }

// Init fills a new variable. dst holds shape in row-major order.
type Init interface {
	Fill(dst []float64, shape []int, rng *rand.Rand)
}

// Store keeps variables by name. Graphs for training, for evaluation and for every batch size share one
// store, and so share weights. The zero value is not usable; call NewStore.
type Store struct {
	mu     sync.RWMutex
	dtype  tensor.Dtype
	seed   uint64
	blank  bool
	byName map[string]*Variable
	order  []*Variable
}

// NewStore makes an empty store of float32 or float64 variables. A variable's first value depends on the seed
// and on its name only, not on what else the store holds.
func NewStore(dt tensor.Dtype, seed uint64) (*Store, error) {
	if dt != tensor.Float32 && dt != tensor.Float64 {
		return nil, errors.Errorf("store: type %v, want float32 or float64", dt)
	}
	return newStore(dt, seed), nil
}

func newStore(dt tensor.Dtype, seed uint64) *Store {
	return &Store{dtype: dt, seed: seed, byName: make(map[string]*Variable)}
}

// Blank makes variables begin at 0 from now on, whatever their initialisers say: for weights that are about to
// be read from a file, and for counting.
func (s *Store) Blank() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.blank = true
}

// Dtype is the type of all variables.
func (s *Store) Dtype() tensor.Dtype { return s.dtype }

// Get is the variable of a name, nil if there is none.
func (s *Store) Get(name string) *Variable {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.byName[name]
}

// Variables lists all variables in the order in which they were made.
func (s *Store) Variables() []*Variable {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return append([]*Variable(nil), s.order...)
}

// Trainable lists the variables that an optimiser should move.
func (s *Store) Trainable() []*Variable {
	var vs []*Variable
	for _, v := range s.Variables() {
		if v.Trainable() {
			vs = append(vs, v)
		}
	}
	return vs
}

// Freeze freezes every variable under the given paths ("layer1" freezes "layer1.0.conv1.weight"); the empty
// path freezes all. Graphs that exist already are not changed. A path without variables is an error.
func (s *Store) Freeze(paths ...string) error { return s.setFrozen(true, paths) }

// Unfreeze undoes Freeze.
func (s *Store) Unfreeze(paths ...string) error { return s.setFrozen(false, paths) }

func (s *Store) setFrozen(frozen bool, paths []string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range paths {
		found := false
		for _, v := range s.order {
			if under(v.Name, p) {
				v.Frozen = frozen
				found = true
			}
		}
		if !found {
			return errors.Errorf("store: no variable under %q", p)
		}
	}
	return nil
}

func under(name, path string) bool {
	return path == "" || name == path || strings.HasPrefix(name, path+".")
}

// get returns the variable of a name, made by init if there was none. One of another shape is an error.
func (s *Store) get(name string, role Role, shape []int, init Init) (*Variable, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if v := s.byName[name]; v != nil {
		if !sameShape(v.Value.Shape(), shape) {
			return nil, errors.Errorf("variable %s has shape %v, want %v", name, v.Value.Shape(), shape)
		}
		return v, nil
	}
	if len(shape) == 0 {
		return nil, errors.Errorf("variable %s: no shape", name)
	}
	n := 1
	for i, d := range shape {
		if d <= 0 {
			return nil, errors.Errorf("variable %s: axis %d of shape %v has size %d", name, i, shape, d)
		}
		n *= d
	}
	v := &Variable{Name: name, Role: role}
	if s.blank {
		v.Value = tensor.New(tensor.Of(s.dtype), tensor.WithShape(shape...))
	} else {
		h := fnv.New64a()
		h.Write([]byte(name))
		values := make([]float64, n)
		init.Fill(values, shape, rand.New(rand.NewPCG(s.seed, h.Sum64())))
		v.Value = dense(s.dtype, values, shape)
	}
	s.byName[name] = v
	s.order = append(s.order, v)
	return v, nil
}

func dense(dt tensor.Dtype, values []float64, shape []int) *tensor.Dense {
	if dt == tensor.Float64 {
		return tensor.New(tensor.WithShape(shape...), tensor.WithBacking(values))
	}
	narrow := make([]float32, len(values))
	for i, v := range values {
		narrow[i] = float32(v)
	}
	return tensor.New(tensor.WithShape(shape...), tensor.WithBacking(narrow))
}

// constantInit fills with one number.
type constantInit float64

func (c constantInit) Fill(dst []float64, _ []int, _ *rand.Rand) {
	for i := range dst {
		dst[i] = float64(c)
	}
}
