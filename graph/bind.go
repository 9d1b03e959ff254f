package graph

import (
	"unsafe"

	"github.com/pkg/errors"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/internal/exec"
)

// Let binds a value to an input, as gorgonia.Let does; for a private tape it binds it in this tape only, and
// the value is a gorgonia.Value of the input's shape and type. The value is not copied.
func (t *Tape) Let(n *Node, be any) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := t.err; err != nil {
		return err
	}
	if n == nil {
		return errors.New("tape: let: the node is nil")
	}
	if !t.opts.Private {
		return errors.Wrapf(gorgonia.Let(n, be), "tape: let %s", n.Name())
	}
	if t.prog == nil {
		return errors.New("tape: closed")
	}
	v, ok := be.(gorgonia.Value)
	if !ok {
		return errors.Errorf("tape: let %s: got a %T, want a gorgonia.Value", n.Name(), be)
	}
	in := t.prog.of[n]
	if in == nil || in.kind != leaf || n.Op() != nil {
		return errors.Errorf("tape: let: %s is not an input of this tape", n.Name())
	}
	if _, err := in.accepts(v); err != nil {
		return err
	}
	in.local = v
	return nil
}

// Set gives input a the value that node b has now, as the stock machine's Set does.
func (t *Tape) Set(a, b *Node) error {
	if a == nil || b == nil {
		return errors.New("tape: set: a node is nil")
	}
	v := b.Value()
	if v == nil {
		return errors.Errorf("tape: set %s: %s has no value", a.Name(), b.Name())
	}
	c, err := gorgonia.CloneValue(v) // b's memory is written again by the next run
	if err != nil {
		return errors.Wrapf(err, "tape: set %s", a.Name())
	}
	return t.Let(a, c)
}

// accepts looks at a value that is to be bound to a leaf.
func (v *value) accepts(host gorgonia.Value) (exec.Array, error) {
	a, err := exec.FromValue(host)
	if err != nil {
		return a, errors.Wrapf(err, "tape: input %s", v.node.Name())
	}
	// Stock ops are loose about (n) and (n, 1); ours are not, and theirs do not mind.
	if a.Dtype != v.dtype || !sameShape(a.Shape, v.shape) && !(a.Shape.Eq(v.shape) && exec.Size(a.Shape) == exec.Size(v.shape)) {
		return a, errors.Errorf("tape: input %s is bound to %v%v, its node is %v%v", v.node.Name(), a.Dtype, a.Shape, v.dtype, v.shape)
	}
	a.Shape = v.shape
	return a, nil
}

// load looks at what is bound to the leaves now.
func (t *Tape) load() error {
	for _, v := range t.prog.leaves {
		host := v.local
		if host == nil {
			host = v.node.Value()
		}
		a, err := v.accepts(host)
		if err != nil {
			return err
		}
		if t.owns(&a) {
			// A result of the last run, fed back: this run would write over it before it is read.
			if host, err = gorgonia.CloneValue(host); err != nil {
				return errors.Wrapf(err, "tape: input %s", v.node.Name())
			}
			if v.local != nil {
				v.local = host
			} else if err = gorgonia.UnsafeLet(v.node, host); err != nil {
				return errors.Wrapf(err, "tape: input %s", v.node.Name())
			}
			if a, err = v.accepts(host); err != nil {
				return err
			}
		}
		v.host, v.array = host, a
	}
	return nil
}

// owns says whether an array lies in memory that a run writes to.
func (t *Tape) owns(a *exec.Array) bool {
	if len(t.arena) > 0 {
		first, p := uintptr(unsafe.Pointer(&t.arena[0])), uintptr(a.Pointer())
		if first <= p && p < first+uintptr(len(t.arena)) {
			return true
		}
	}
	if len(a.Shape) == 0 {
		for _, r := range t.results {
			if r.value.kind == own && r.value.array.Pointer() == a.Pointer() {
				return true
			}
		}
	}
	return false
}

// store makes the assignments and puts results where their readers look for them.
func (t *Tape) store() error {
	for _, a := range t.assigns {
		if err := copyValue(a.to.Value(), a.from.host); err != nil {
			return errors.Wrapf(err, "tape: assigning to %s", a.to.Name())
		}
	}
	if t.opts.Private {
		return nil
	}
	for _, r := range t.results {
		if r.value.kind == leaf {
			continue
		}
		host := r.value.host
		if t.stock != nil && r.value.kind == own {
			// Programs for the stock machine may keep the costs of many runs.
			var err error
			if host, err = gorgonia.CloneValue(host); err != nil {
				return errors.Wrapf(err, "tape: output %s", r.node.Name())
			}
		}
		if r.node.Value() == host {
			continue
		}
		if err := bindResult(r.node, host); err != nil {
			return errors.Wrapf(err, "tape: output %s", r.node.Name())
		}
	}
	if t.stock != nil {
		return t.stock.store()
	}
	return nil
}

// bindResult puts a value onto its node. Some stock ops make a result of another shape, but of the same size,
// than they announced; UnsafeLet is strict.
func bindResult(n *Node, v gorgonia.Value) error {
	shape := n.Shape()
	if t, ok := v.(*tensor.Dense); ok && !shape.Eq(t.Shape()) && exec.Size(shape) == exec.Size(t.Shape()) {
		t = t.ShallowClone()
		if err := t.Reshape(shape...); err != nil {
			return err
		}
		v = t
	}
	return gorgonia.UnsafeLet(n, v)
}

func copyValue(dst, src gorgonia.Value) error {
	to, err := exec.FromValue(dst)
	if err != nil {
		return err
	}
	return copyInto(&to, src)
}
