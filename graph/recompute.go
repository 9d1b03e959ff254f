package graph

import "github.com/stheno-ml/stheno/internal/exec"

// worthKeeping is the bytes below which a value is kept rather than computed again: batch statistics.
const worthKeeping = 64 << 10

// recompute makes what blocks of the forward pass compute between their inputs and their results be computed
// again where it is read later, so that it need not be kept until then (Chen et al. 2016, "Training Deep Nets
// with Sublinear Memory Cost"). Each block lists its nodes, its result last.
func (p *program) recompute(blocks [][]*Node) {
	for _, nodes := range blocks {
		if len(nodes) == 0 {
			continue
		}
		inside := make(map[*value]bool, len(nodes))
		for _, n := range nodes {
			if v := p.of[n]; v != nil && v.kind != leaf {
				inside[v] = true
			}
		}
		p.again(inside, p.of[nodes[len(nodes)-1]])
	}
}

func (p *program) again(inside map[*value]bool, result *value) {
	maker := make(map[*value]*instr)
	for _, i := range p.instrs {
		if inside[i.out] {
			maker[i.out] = i
		}
	}
	copies := make(map[*value]*value)
	var made []*instr
	// second is the value to be read instead of v.
	var second func(v *value) *value
	second = func(v *value) *value {
		m := maker[v]
		if m == nil || v == result || v.kind != planned || v.bytes() < worthKeeping || !pure(m) {
			return v
		}
		if c := copies[v]; c != nil {
			return c
		}
		c := *v
		copies[v] = &c
		i := &instr{op: m.op, run: m.run, out: &c, reuses: -1}
		for _, in := range m.in {
			i.in = append(i.in, second(in))
		}
		made = append(made, i)
		return &c
	}
	var instrs []*instr
	for _, i := range p.instrs {
		if !inside[i.out] {
			for k, v := range i.in {
				i.in[k] = second(v)
			}
			instrs = append(instrs, made...) // before their first reader
			made = nil
		}
		instrs = append(instrs, i)
	}
	p.instrs = instrs
	p.repeated += len(copies)
}

// pure says whether an instruction computes the same again: one that draws random numbers is not asked to.
func pure(i *instr) bool {
	e, ok := i.op.(exec.Equaler)
	return ok && i.run != nil && e.EqualOp(i.op)
}
