package optim

import (
	"github.com/pkg/errors"
	"github.com/stheno-ml/stheno/internal/kernel/vec"
	"github.com/stheno-ml/stheno/zoo/weights"
	"gorgonia.org/tensor"
)

// EMA keeps an exponential moving average of tensors, which for weights often generalises better than the
// last ones do (Polyak and Juditsky 1992; Tarvainen and Valpola 2017). Give it the running statistics of
// batch norm too: they belong to the weights.
type EMA struct {
	decay   float64
	warmup  bool
	updates int
	live    []weights.Named
	average []*tensor.Dense
}

// NewEMA starts an average at what the tensors hold now. decay is the share that an update keeps, such as
// 0.999. With warmup it starts lower, at (1 + n)/(10 + n) after n updates, so that the first weights, which
// are bad, are soon forgotten.
func NewEMA(decay float64, warmup bool, live []weights.Named) (*EMA, error) {
	if err := fraction("decay", decay); err != nil {
		return nil, errors.WithMessage(err, "EMA")
	}
	e := &EMA{decay: decay, warmup: warmup, live: live}
	for _, t := range live {
		if t.Value == nil || t.Value.Dtype() != tensor.Float32 && t.Value.Dtype() != tensor.Float64 {
			return nil, errors.Errorf("EMA: %q is not of float32 or float64", t.Name)
		}
		e.average = append(e.average, t.Value.Clone().(*tensor.Dense))
	}
	return e, nil
}

// Update takes the tensors as they are now into the average.
func (e *EMA) Update() {
	decay := e.decay
	if e.warmup {
		decay = min(decay, float64(1+e.updates)/float64(10+e.updates))
	}
	e.updates++
	for i, t := range e.live {
		if t.Value.Dtype() == tensor.Float32 {
			a := e.average[i].Float32s()
			vec.Scale(a, a, float32(decay))
			vec.Axpy(a, float32(1-decay), t.Value.Float32s())
		} else {
			a := e.average[i].Float64s()
			vec.Scale(a, a, decay)
			vec.Axpy(a, 1-decay, t.Value.Float64s())
		}
	}
}

// Swap exchanges the tensors' contents with the average: once before an evaluation, and once after.
func (e *EMA) Swap() {
	for i, t := range e.live {
		if t.Value.Dtype() == tensor.Float32 {
			swap(t.Value.Float32s(), e.average[i].Float32s())
		} else {
			swap(t.Value.Float64s(), e.average[i].Float64s())
		}
	}
}

func swap[T vec.Float](a, b []T) {
	for i := range a {
		a[i], b[i] = b[i], a[i]
	}
}

// Export lists the averages as ema/NAME, and ema_updates. They are the EMA's own: write them before the next
// update.
func (e *EMA) Export() []weights.Named {
	out := []weights.Named{{Name: "ema_updates", Value: tensor.New(tensor.FromScalar(int64(e.updates)))}}
	for i, t := range e.live {
		out = append(out, weights.Named{Name: "ema/" + t.Name, Value: e.average[i]})
	}
	return out
}

// Import takes back what Export gave. What does not fit is listed, and then nothing is changed.
func (e *EMA) Import(tensors []weights.Named) error {
	in := newImporter(tensors)
	updates := in.count("ema_updates")
	average := make([]*tensor.Dense, len(e.live))
	for i, t := range e.live {
		average[i] = t.Value.Clone().(*tensor.Dense)
		in.copy("ema/"+t.Name, average[i])
	}
	if err := in.finish("EMA"); err != nil {
		return err
	}
	e.updates, e.average = updates, average
	return nil
}
