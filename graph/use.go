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
	// Writes is an input or a variable whose value the function changes, such as the parameter of a gradient.
	// The function is then called when nothing in the run reads it any more. nil for none.
	Writes *Node
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
		if u.Writes != nil && u.Writes.Op() != nil {
			return nil, errors.Errorf("tape: Use.Writes wants an input or a variable, got %v", u.Writes)
		}
		i := &instr{in: []*value{v}, reuses: -1, out: &value{node: u.Node, kind: own, dtype: tensor.Float32, def: -1}}
		i.run = &useRunner{f: u.Func, at: i, writes: p.of[u.Writes]}
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

// holdBack moves each use that writes to a leaf behind the last instruction that reads it.
func (p *program) holdBack() {
	last := make(map[*value]int) // place of a leaf's last reader
	for k, i := range p.instrs {
		for _, v := range i.in {
			if v.kind == leaf {
				last[v] = k
			}
		}
	}
	behind := make(map[int][]*instr)
	var instrs []*instr
	for k, i := range p.instrs {
		if u, ok := i.run.(*useRunner); ok && u.writes != nil && last[u.writes] > k {
			at := last[u.writes]
			behind[at] = append(behind[at], i)
		} else {
			instrs = append(instrs, i)
		}
		instrs = append(instrs, behind[k]...)
	}
	p.instrs = instrs
}

// useRunner calls the function with the value that its instruction reads.
type useRunner struct {
	f      func(gorgonia.Value) error
	at     *instr
	writes *value // nil for none
}

func (u *useRunner) Run(*exec.Call) error { return u.f(u.at.in[0].host) }
