package weights

import (
	"fmt"
	"strings"

	"github.com/pkg/errors"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph"
)

// SaveStore writes all variables of a store, running statistics included, under their own names.
func SaveStore(path string, s *graph.Store, metadata map[string]string) error {
	var named []Named
	for _, v := range s.Variables() {
		named = append(named, Named{v.Name, v.Value})
	}
	return Save(path, named, metadata)
}

// Mismatch says how a file of weights differs from the variables it was to be read into.
type Mismatch struct {
	File    string
	Missing []string // variables that the file lacks
	Surplus []string // tensors that no variable has the name of
	Shapes  []string // "name: file (64, 3, 7, 7), network (64, 1, 7, 7)"
}

func (m *Mismatch) Error() string {
	var parts []string
	add := func(what string, names []string) {
		const shown = 8
		if len(names) == 0 {
			return
		}
		more := ""
		if len(names) > shown {
			more = fmt.Sprintf(" and %d more", len(names)-shown)
			names = names[:shown]
		}
		parts = append(parts, fmt.Sprintf("%s: %s%s", what, strings.Join(names, ", "), more))
	}
	add("the file lacks", m.Missing)
	add("the network lacks", m.Surplus)
	add("other shapes", m.Shapes)
	return fmt.Sprintf("%s does not fit the network; %s", m.File, strings.Join(parts, "; "))
}

// LoadStore reads all variables of a store from a file. Unless names and shapes agree it changes nothing and
// returns a *Mismatch. Floating-point types are converted. PyTorch's counters of batches, which no network
// here has a use for, are passed over.
func LoadStore(path string, s *graph.Store) error {
	f, err := Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	m := &Mismatch{File: path}
	wanted := make(map[string]bool)
	for _, v := range s.Variables() {
		wanted[v.Name] = true
		info, ok := f.Info(v.Name)
		switch {
		case !ok:
			m.Missing = append(m.Missing, v.Name)
		case !sameShape(info.Shape, v.Value.Shape()):
			m.Shapes = append(m.Shapes, fmt.Sprintf("%s: file %v, network %v", v.Name, info.Shape, v.Value.Shape()))
		}
	}
	for _, name := range f.Names() {
		if !wanted[name] && !strings.HasSuffix(name, ".num_batches_tracked") {
			m.Surplus = append(m.Surplus, name)
		}
	}
	if len(m.Missing)+len(m.Surplus)+len(m.Shapes) > 0 {
		return m
	}
	// Everything is read before anything is changed: a file may still be damaged further on.
	read := make([]*tensor.Dense, 0, len(wanted))
	for _, v := range s.Variables() {
		t, err := f.TensorAs(v.Name, s.Dtype())
		if err != nil {
			return err
		}
		read = append(read, t)
	}
	for i, v := range s.Variables() {
		if err := tensor.Copy(v.Value, read[i]); err != nil {
			return errors.Wrapf(err, "%s: %s", path, v.Name)
		}
	}
	return nil
}
