package graph

import (
	"context"

	"github.com/pkg/errors"

	"github.com/stheno-ml/stheno/internal/exec"
	"github.com/stheno-ml/stheno/internal/memory"
)

// setAside takes out of the program what is computed from constants alone: it is run once, before the first
// run of the rest, and its results are kept beside the arena.
func (p *program) setAside(constants []*Node) error {
	fixed := make(map[*value]bool)
	for _, n := range constants {
		v := p.of[n]
		switch {
		case n == nil || n.Op() != nil:
			return errors.Errorf("tape: Options.Constant has %v, want inputs and variables", n)
		case v != nil:
			fixed[v] = true
		}
	}
	kept := p.instrs[:0]
	for _, i := range p.instrs {
		all := i.run != nil && len(i.in) > 0
		for _, v := range i.in {
			all = all && fixed[v]
		}
		if e, ok := i.op.(exec.Equaler); !all || !ok || !e.EqualOp(i.op) { // an op that is not equal to itself has a state
			kept = append(kept, i)
			continue
		}
		fixed[i.out] = true
		i.out.kind = own
		p.aside = append(p.aside, i)
	}
	clear(p.instrs[len(kept):])
	p.instrs = kept
	p.fixed = fixed
	return nil
}

// settle runs what was set aside, and lets ops prepare for the inputs that stay as they are.
func (t *Tape) settle(ctx context.Context) error {
	if t.settled || len(t.opts.Constant) == 0 {
		return nil
	}
	for _, i := range t.prog.aside {
		i.call.Scratch = memory.Slice[byte](i.needs)
		if err := i.exec(); err != nil {
			return errors.Wrapf(err, "tape: %s", i.where())
		}
		i.call.Scratch = nil
		if ctx.Err() != nil {
			return errors.Wrap(ctx.Err(), "tape: stopped")
		}
	}
	for _, i := range t.prog.instrs {
		f, ok := i.run.(exec.Freezer)
		if !ok {
			continue
		}
		constant := make([]bool, len(i.in))
		for j, v := range i.in {
			constant[j] = t.prog.fixed[v]
			if v.kind == leaf || v.kind == own {
				i.call.In[j] = v.array
			}
		}
		if r, ok := f.Freeze(&i.call, constant); ok {
			i.run = r
		}
	}
	t.settled = true
	return nil
}
