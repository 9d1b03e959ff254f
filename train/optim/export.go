package optim

import (
	"math"
	"slices"
	"strings"

	"github.com/pkg/errors"
	"github.com/stheno-ml/stheno/zoo/weights"
	"gorgonia.org/tensor"
)

// Names of what is exported beside the slots: NAME/PARAMETER, as for a slot.
const (
	stepsKey   = "step"    // updates so far, an int64
	sumKey     = "sum_of"  // accumulated gradients, when a step waits for more batches
	pendingKey = "pending" // how many batches are in the sum, an int64
)

// Export lists all that a resumed run needs besides the parameters' values, as tensors named SLOT/PARAMETER.
// The tensors of slots and sums are the State's own: write them before the next step.
func (s *State) Export() []weights.Named {
	var out []weights.Named
	for _, e := range s.params {
		put := func(key string, t *tensor.Dense) {
			out = append(out, weights.Named{Name: key + "/" + e.Name, Value: t})
		}
		put(stepsKey, tensor.New(tensor.FromScalar(int64(e.steps))))
		if e.steps > 0 {
			for i, slot := range s.slots {
				put(slot.Name, e.Slots[i])
			}
		}
		if e.pending > 0 {
			put(pendingKey, tensor.New(tensor.FromScalar(int64(e.pending))))
			put(sumKey, e.sum)
		}
	}
	return out
}

// Import puts a State, made with the same configuration and parameters, where Export left another. What does
// not fit is listed, and then nothing is changed.
func (s *State) Import(tensors []weights.Named) error {
	in := newImporter(tensors)
	restored := make([]entry, len(s.params))
	for i, e := range s.params {
		r := &restored[i]
		r.steps = in.count(stepsKey + "/" + e.Name)
		if r.steps > 0 {
			r.Slots = s.newSlots(e.Value)
			for j, slot := range s.slots {
				in.copy(slot.Name+"/"+e.Name, r.Slots[j])
			}
		}
		if _, waits := in.tensors[pendingKey+"/"+e.Name]; waits {
			r.pending = in.count(pendingKey + "/" + e.Name)
			r.sum = tensor.New(tensor.Of(e.Value.Dtype()), tensor.WithShape(elements(e.Value)))
			in.copy(sumKey+"/"+e.Name, r.sum)
			if r.pending < 1 || r.pending >= s.cfg.Accumulate {
				in.complain(pendingKey+"/"+e.Name, "more batches than are accumulated")
			}
		}
	}
	if err := in.finish("optim"); err != nil {
		return err
	}
	for i, e := range s.params {
		e.steps, e.Slots, e.pending, e.sum = restored[i].steps, restored[i].Slots, restored[i].pending, restored[i].sum
	}
	return nil
}

// importer takes tensors out of a list and gathers what is wrong with it.
type importer struct {
	tensors    map[string]*tensor.Dense
	complaints []string
}

func newImporter(tensors []weights.Named) *importer {
	in := &importer{tensors: make(map[string]*tensor.Dense, len(tensors))}
	for _, t := range tensors {
		in.tensors[t.Name] = t.Value
	}
	return in
}

// finish lists all that was wrong, the tensors that nobody took included.
func (in *importer) finish(who string) error {
	for name := range in.tensors {
		in.complain(name, "left over")
	}
	if len(in.complaints) == 0 {
		return nil
	}
	slices.Sort(in.complaints)
	return errors.Errorf("%s: the state does not fit:\n\t%s", who, strings.Join(in.complaints, "\n\t"))
}

func (in *importer) complain(name, what string) {
	in.complaints = append(in.complaints, name+": "+what)
}

func (in *importer) take(name string, want tensor.Dtype, size int) *tensor.Dense {
	t := in.tensors[name]
	delete(in.tensors, name)
	switch {
	case t == nil:
		in.complain(name, "missing")
	case t.Dtype() != want || elements(t) != size:
		in.complain(name, errors.Errorf("%v of shape %v, want %d %v", t.Dtype(), t.Shape(), size, want).Error())
	default:
		return t
	}
	return nil
}

func (in *importer) count(name string) int {
	t := in.take(name, tensor.Int64, 1)
	if t == nil {
		return 0
	}
	n := t.Int64s()[0]
	if n < 0 || n > math.MaxInt32 {
		in.complain(name, "not a number of updates")
		return 0
	}
	return int(n)
}

func (in *importer) copy(name string, dst *tensor.Dense) {
	src := in.take(name, dst.Dtype(), elements(dst))
	switch {
	case src == nil:
	case dst.Dtype() == tensor.Float32:
		copy(dst.Float32s(), src.Float32s())
	default:
		copy(dst.Float64s(), src.Float64s())
	}
}
