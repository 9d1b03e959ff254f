package graph

import (
	"github.com/pkg/errors"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/internal/exec"
)

// Use hands the value of a node to a function during a run, as soon as it is there. The value's memory is free
// for others after that, unless the node is also an output: an optimiser that takes gradients this way need
// not keep them. The function must not keep the value; its error ends the run.
type Use struct {
	Node *Node
	Func func(v gorgonia.Value) error
}

// addUses puts an instruction behind each value that is to be used. Those of uses wait for the guard's.
func (p *program) addUses(guard *Use, uses []Use) error {
	var guarded *value
	behind := make(map[*value][]*instr)
	add := func(u Use) (*value, error) {
		v := p.of[u.Node]
		if v == nil || v.kind == leaf || u.Func == nil {
			return nil, errors.Errorf("tape: Options.Use and Guard want a node that is computed, and a function; got %v", u.Node)
		}
		i := &instr{in: []*value{v}, reuses: -1, out: &value{node: u.Node, kind: own, dtype: tensor.Float32, def: -1}}
		i.run = &useRunner{u.Func, i}
		if guarded != nil {
			i.in = append(i.in, guarded)
		}
		behind[v] = append(behind[v], i)
		return i.out, nil
	}
	var err error
	if guard != nil {
		if guarded, err = add(*guard); err != nil {
			return err
		}
	}
	for _, u := range uses {
		if _, err := add(u); err != nil {
			return err
		}
	}
	var instrs, waiting []*instr // waiting for the guard
	ready := guarded == nil
	for _, i := range p.instrs {
		instrs = append(instrs, i)
		for _, u := range behind[i.out] {
			switch {
			case u.out == guarded:
				instrs = append(append(instrs, u), waiting...)
				ready = true
			case ready:
				instrs = append(instrs, u)
			default:
				waiting = append(waiting, u)
			}
		}
	}
	p.instrs = instrs
	return nil
}

// useRunner calls the function with the value that its instruction reads.
type useRunner struct {
	f  func(gorgonia.Value) error
	at *instr
}

func (u *useRunner) Run(*exec.Call) error { return u.f(u.at.in[0].host) }
