package graph

import (
	"slices"

	"github.com/stheno-ml/stheno/internal/exec"
)

// pair lets an op compute the result of another one that reads the same along with its own, in one instruction with
// two results: max pooling and the places of what is largest, a loss and its gradient for the logits, the gradients
// of filters and of the bias. The pair stands where the first of the two stood; what else the second one needs is
// moved before it, unless that waits for the first one's result.
func (p *program) pair() {
	_, by := p.readers()
	gone := make(map[*instr]bool)
	for _, i := range slices.Clone(p.instrs) {
		op, ok := i.run.(exec.Pairer)
		if !ok || gone[i] {
			continue
		}
		if other, made := i.partner(op, by, gone); other != nil && p.meet(i, other) {
			for k, place := range shared(i, other) {
				if place < 0 {
					i.in = append(i.in, other.in[k])
				}
			}
			i.second = other.out
			i.become(made)
			gone[other] = true
			p.paired++
		}
	}
}

// partner is a reader of the same that an op can compute along with its own result, and the op that does both.
func (i *instr) partner(op exec.Pairer, by map[*value][]*instr, gone map[*instr]bool) (*instr, any) {
	for _, v := range i.in {
		for _, other := range by[v] {
			if other == i || other.run == nil || other.second != nil || gone[other] {
				continue
			}
			if made, ok := op.Pair(other.run, len(i.in), shared(i, other)); ok {
				return other, made
			}
		}
	}
	return nil, nil
}

// shared tells for each input of another instruction where it stands among this one's, −1 if nowhere.
func shared(i, other *instr) []int {
	places := make([]int, len(other.in))
	for k, v := range other.in {
		places[k] = placeOf(i.in, v)
	}
	return places
}

// meet takes the other instruction out of the program and puts this one where the first of the two stands, behind
// what both need. It does nothing and says no if one of them waits for the other's result, or for what must stay
// where it is.
func (p *program) meet(i, other *instr) bool {
	first, last := slices.Index(p.instrs, i), slices.Index(p.instrs, other)
	if first > last {
		first, last = last, first
	}
	needed := make(map[*value]bool)
	for _, v := range p.instrs[last].in {
		needed[v] = true
	}
	var before, behind []*instr
	for k := last - 1; k > first; k-- {
		between := p.instrs[k]
		if !slices.ContainsFunc(between.results(), func(v *value) bool { return needed[v] }) {
			behind = append(behind, between)
			continue
		}
		if !pure(between) {
			return false
		}
		for _, v := range between.in {
			needed[v] = true
		}
		before = append(before, between)
	}
	if needed[p.instrs[first].out] {
		return false
	}
	slices.Reverse(before)
	slices.Reverse(behind)
	copy(p.instrs[first:], slices.Concat(before, []*instr{i}, behind))
	p.instrs = slices.Delete(p.instrs, last, last+1)
	return true
}
