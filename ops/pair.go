package ops

import "github.com/stheno-ml/stheno/internal/exec"

// pairer is a rule that can compute the result of another one along with its own; see exec.Pairer. Such a pair fills
// Out and Second of its call. Like other fused rules it stands on tapes only.
type pairer interface {
	pair(other rule, inputs int, shared []int) (rule, bool)
}

var _ exec.Pairer = &op{}

func (o *op) Pair(other any, inputs int, shared []int) (any, bool) {
	p, ok := o.rule.(pairer)
	second, ours := other.(*op)
	if !ok || !ours {
		return nil, false
	}
	r, ok := p.pair(second.rule, inputs, shared)
	if !ok {
		return nil, false
	}
	return o.with(r), true
}
