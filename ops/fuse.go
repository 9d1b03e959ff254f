package ops

import (
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/pkg/errors"

	"github.com/stheno-ml/stheno/internal/exec"
)

// What a rule may say about its neighbours on the tape; exec.Fuser, exec.Absorber, exec.Bypasser and
// exec.Freezer say more.
// Fused rules stand on tapes only, never in graphs, and have no gradient.
type (
	fuser interface {
		fuse(next rule, at, inputs int) (rule, bool)
	}
	absorber interface {
		absorb(producer rule, at int) (rule, bool)
	}
	bypasser interface {
		bypass(producer rule, at int, same func(own, producers int) bool) (r rule, take []int, ok bool)
	}
	freezer interface {
		freeze(c *exec.Call, constant []bool) (rule, bool)
	}
)

var (
	_ exec.Fuser    = &op{}
	_ exec.Absorber = &op{}
	_ exec.Bypasser = &op{}
	_ exec.Freezer  = &op{}
)

// with is the op with another rule.
func (o *op) with(r rule) *op {
	return &op{rule: r, serial: serials.Add(1), out: o.out, outDt: o.outDt}
}

func (o *op) Fuse(next any, at, inputs int) (any, bool) {
	f, ok := o.rule.(fuser)
	n, ours := next.(*op)
	if !ok || !ours {
		return nil, false
	}
	r, ok := f.fuse(n.rule, at, inputs)
	if !ok {
		return nil, false
	}
	return n.with(r), true
}

func (o *op) Absorb(producer any, at int) (any, bool) {
	a, ok := o.rule.(absorber)
	p, ours := producer.(*op)
	if !ok || !ours {
		return nil, false
	}
	r, ok := a.absorb(p.rule, at)
	if !ok {
		return nil, false
	}
	return o.with(r), true
}

func (o *op) Bypass(producer any, at int, same func(own, producers int) bool) (any, []int, bool) {
	b, ok := o.rule.(bypasser)
	p, ours := producer.(*op)
	if !ok || !ours {
		return nil, nil, false
	}
	r, take, ok := b.bypass(p.rule, at, same)
	if !ok {
		return nil, nil, false
	}
	return o.with(r), take, true
}

func (o *op) Freeze(c *exec.Call, constant []bool) (exec.Runner, bool) {
	f, ok := o.rule.(freezer)
	if !ok {
		return nil, false
	}
	r, ok := f.freeze(c, constant)
	if !ok {
		return nil, false
	}
	return o.with(r), true
}

// tapeOnly is what rules that stand on tapes only answer when a gradient is asked for.
func tapeOnly() (gorgonia.Nodes, error) {
	return nil, errors.New("a fused op has no gradient")
}

// activation is the function that ends a fused op: the identity, ReLU, or leaky ReLU.
type activation struct {
	on    bool
	slope float64
}

// activationOf is the activation that a rule is, if a fused op can end with it.
func activationOf(r rule) (activation, bool) {
	switch r := r.(type) {
	case relu:
		return activation{on: true}, true
	case leaky:
		return activation{on: true, slope: r.slope}, true
	}
	return activation{}, false
}

// activationGradOf is the activation that a rule is the gradient of; such a rule takes dy and y.
func activationGradOf(r rule) (slope float64, ok bool) {
	switch r := r.(type) {
	case reluGrad:
		return 0, true
	case leakyGrad:
		return r.slope, true
	}
	return 0, false
}

func (a activation) suffix() string {
	switch {
	case !a.on:
		return ""
	case a.slope == 0:
		return " + relu"
	}
	return " + leaky relu"
}

// isSum says whether a rule adds two inputs.
func isSum(r rule, inputs int) bool {
	_, ok := r.(sum)
	return ok && inputs == 2
}

// ends is what may follow a pass over the data within it: adding a residual, then an activation.
type ends struct {
	add bool // the last input is added
	act activation
}

// then is the ends with one more rule taken in.
func (e ends) then(next rule, inputs int) (ends, bool) {
	if e.act.on {
		return e, false
	}
	if !e.add && isSum(next, inputs) {
		e.add = true
		return e, true
	}
	var ok bool
	e.act, ok = activationOf(next)
	return e, ok
}

func (e ends) suffix() string {
	if e.add {
		return " + add" + e.act.suffix()
	}
	return e.act.suffix()
}

// plains is n operands that must be row-major.
func plains(n int) []exec.Flow { return make([]exec.Flow, n) }

func sameAsFirst(in []tensor.Shape) (tensor.Shape, error) { return in[0].Clone(), nil }
