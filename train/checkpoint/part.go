package checkpoint

import (
	"strings"

	"github.com/pkg/errors"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/zoo/weights"
)

// Put adds tensors under the name of a part, such as "optim": theirs become "optim/…". They are not copied.
func (c *Checkpoint) Put(part string, tensors []weights.Named) {
	for _, t := range tensors {
		c.Tensors = append(c.Tensors, weights.Named{Name: part + "/" + t.Name, Value: t.Value})
	}
}

// PutStore is Put for all variables of a store.
func (c *Checkpoint) PutStore(part string, s *graph.Store) {
	for _, v := range s.Variables() {
		c.Tensors = append(c.Tensors, weights.Named{Name: part + "/" + v.Name, Value: v.Value})
	}
}

// Part is what was put under a name, in order.
func (c *Checkpoint) Part(part string) []weights.Named {
	var tensors []weights.Named
	for _, t := range c.Tensors {
		if name, ok := strings.CutPrefix(t.Name, part+"/"); ok {
			tensors = append(tensors, weights.Named{Name: name, Value: t.Value})
		}
	}
	return tensors
}

// MatchStore finds in a part the value of each variable of a store, and complains if one is missing, is of another
// shape or type, or is too many. The store stays as it is until load is called.
func (c *Checkpoint) MatchStore(part string, s *graph.Store) (load func() error, err error) {
	byName := make(map[string]*tensor.Dense)
	for _, t := range c.Part(part) {
		byName[t.Name] = t.Value
	}
	vs := s.Variables()
	for _, v := range vs {
		t := byName[v.Name]
		if t == nil {
			return nil, errors.Errorf("%s: variable %s is missing", part, v.Name)
		}
		if t.Dtype() != v.Value.Dtype() || !t.Shape().Eq(v.Value.Shape()) {
			return nil, errors.Errorf("%s: variable %s is %v %v, this run's %v %v", part, v.Name, t.Dtype(), t.Shape(), v.Value.Dtype(), v.Value.Shape())
		}
	}
	if len(byName) != len(vs) {
		return nil, errors.Errorf("%s: it has %d variables, this run has %d", part, len(byName), len(vs))
	}
	return func() error {
		for _, v := range vs {
			if err := tensor.Copy(v.Value, byName[v.Name]); err != nil {
				return errors.Wrap(err, v.Name)
			}
		}
		return nil
	}, nil
}
