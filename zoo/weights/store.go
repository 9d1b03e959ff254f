package weights

import (
	"fmt"
	"slices"
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

// LoadStore reads the variables of a store from a file. Unless names and shapes agree it changes nothing and
// returns a *Mismatch. Floating-point types are converted. PyTorch's counters of batches, which no network
// here has a use for, are passed over.
func LoadStore(path string, s *graph.Store, options ...Option) error {
	f, err := Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	return f.LoadStore(s, options...)
}

// LoadStore is the function of the same name for an open file.
func (f *File) LoadStore(s *graph.Store, options ...Option) error {
	var l loading
	for _, o := range options {
		o(&l)
	}
	source, err := l.names(f)
	if err != nil {
		return errors.WithMessage(err, f.name)
	}
	variables := s.Variables()
	if l.head {
		var all []string
		for _, v := range variables {
			all = append(all, v.Name)
		}
		for name := range source {
			all = append(all, name)
		}
		scopes := headScopes(all)
		if len(scopes) == 0 {
			return errors.Errorf("%s: the network has no head by a known name; name it with Skip", f.name)
		}
		l.skip = append(l.skip, scopes...)
	}
	m := &Mismatch{File: f.name}
	wanted := make(map[string]bool)
	var matched []*graph.Variable
	for _, v := range variables {
		wanted[v.Name] = true
		info, ok := source[v.Name]
		if ok && l.keras != nil && sameButOnes(info.Shape, v.Value.Shape()) {
			info.Shape = v.Value.Shape().Clone()
			source[v.Name] = info
		}
		switch {
		case l.skips(v.Name):
		case !ok:
			m.Missing = append(m.Missing, v.Name)
		case !sameShape(info.Shape, v.Value.Shape()):
			m.Shapes = append(m.Shapes, fmt.Sprintf("%s: file %v, network %v", v.Name, info.Shape, v.Value.Shape()))
		default:
			matched = append(matched, v)
		}
	}
	for name := range source {
		if !wanted[name] && !l.skips(name) && !strings.HasSuffix(name, ".num_batches_tracked") {
			m.Surplus = append(m.Surplus, name)
		}
	}
	slices.Sort(m.Surplus)
	if len(m.Shapes) > 0 || !l.partial && len(m.Missing)+len(m.Surplus) > 0 {
		return m
	}
	if len(matched) == 0 {
		return errors.Errorf("%s: nothing of it has the name of a variable of the network that is not skipped", f.name)
	}
	// Everything is read before anything is changed: a file may still be damaged further on.
	read := make([]*tensor.Dense, len(matched))
	for i, v := range matched {
		if read[i], err = f.tensor(source[v.Name], s.Dtype()); err != nil {
			return err
		}
	}
	for i, v := range matched {
		if err := tensor.Copy(v.Value, read[i]); err != nil {
			return errors.Wrapf(err, "%s: %s", f.name, v.Name)
		}
	}
	return nil
}

// names gives the file's tensors their names and places in the network.
func (l *loading) names(f *File) (map[string]Info, error) {
	infos := f.infos
	if l.keras != nil {
		var err error
		if infos, err = fromKeras(infos, l.keras); err != nil {
			return nil, err
		}
	}
	source := make(map[string]Info, len(infos))
	for _, info := range infos {
		name := info.Name
		for _, rename := range l.rename {
			name = rename(name)
		}
		if name == "" {
			continue
		}
		if _, ok := source[name]; ok {
			return nil, errors.Errorf("two tensors are renamed to %q", name)
		}
		source[name] = info
	}
	return source, nil
}
