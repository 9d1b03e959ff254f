package gan

import (
	"github.com/pkg/errors"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/nn"
	"github.com/stheno-ml/stheno/train/optim"
	"github.com/stheno-ml/stheno/train/schedule"
)

// learner updates one of the two networks.
type learner struct {
	side  Side
	state *optim.State
	index map[string]int // place of a variable in state
	steps int            // updates so far
	rate  float64        // of the last
}

func newLearner(m *nn.Model, s Side) (*learner, error) {
	l := &learner{side: s, index: make(map[string]int)}
	var params []optim.Param
	for _, v := range m.Store().Variables() {
		if v.Role == graph.Parameter {
			l.index[v.Name] = len(params)
			params = append(params, optim.Param{Name: v.Name, Value: v.Value})
		}
	}
	var err error
	l.state, err = optim.New(s.Updates, params)
	return l, err
}

// update makes one step with the gradients of vars; other parameters are left alone.
func (l *learner) update(vars []*graph.Variable, gradient func(i int) *tensor.Dense, epoch, epochs, perEpoch int) error {
	params := l.state.Params()
	for _, p := range params {
		p.Grad = nil
	}
	for i, v := range vars {
		params[l.index[v.Name]].Grad = gradient(i)
	}
	for i, p := range params {
		if p.Grad == nil && !l.state.Frozen(i) {
			if err := l.state.Freeze(true, p.Name); err != nil {
				return err
			}
		}
	}
	l.rate = l.side.Schedule.Rate(schedule.At{Epoch: epoch, Step: l.steps, PerEpoch: perEpoch, Epochs: epochs})
	if _, err := l.state.Step(l.rate); err != nil {
		return errors.WithMessage(err, "update")
	}
	l.steps++
	return nil
}

// frozen lists the parameters that are left alone.
func (l *learner) frozen() []string {
	var names []string
	for i, p := range l.state.Params() {
		if l.state.Frozen(i) {
			names = append(names, p.Name)
		}
	}
	return names
}
