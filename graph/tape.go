package graph

import (
	"context"
	"io"
	"sync"

	"github.com/pkg/errors"
	"gorgonia.org/gorgonia"

	"github.com/stheno-ml/stheno/internal/exec"
)

// Options choose what Compile does. The zero value is what one wants for speed; each pass can be left out.
type Options struct {
	NoMerge   bool // compute equal nodes as often as they stand in the graph
	NoLayout  bool // keep every picture in row-major order
	NoInPlace bool // never write a result over an input

	// Assign copies values into variables after a complete run: running statistics, for one.
	Assign []Assign
	// Watch stops a run at the first NaN or infinity, with an error that names the op and its layer.
	Watch bool
	// Profile measures each instruction; see Tape.Profile.
	Profile bool
	// Dump, if set, gets the program as it is after each pass.
	Dump io.Writer
}

// Assign says that a leaf of the graph takes the value of another node after each run.
type Assign struct{ To, From *Node }

// Tape runs a compiled graph. It is a gorgonia.VM.
//
// A run allocates nothing once the tape is compiled (stock ops of Gorgonia aside). Values of the nodes that
// were asked for stay until the next run; values of other nodes are overwritten during it.
// A tape serves one goroutine at a time; several tapes may run in parallel over the same variables.
type Tape struct {
	mu       sync.Mutex
	prog     *program
	arena    []byte
	opts     Options
	err      error // of the compilation, where NewTape could not return it
	plan     Plan
	bindings []binding
	assigns  []assignment
	reads    []read
	duals    []dual
	profile  *profile
}

var _ gorgonia.VM = &Tape{}

// binding puts the value of an output onto its node after a run.
type binding struct {
	node  *Node
	value *value
}

type assignment struct {
	to   *Node
	from *value
}

// dual is a leaf whose gradient solvers look for at the leaf itself.
type dual struct {
	leaf *Node
	grad *value
	host gorgonia.Value
	at   exec.Array
}

// Compile makes a tape that computes the outputs, and nothing that they do not need.
func Compile(outputs gorgonia.Nodes, o Options) (*Tape, error) {
	t := &Tape{opts: o}
	return t, t.compile(outputs)
}

// NewTape makes a tape that does for a graph what gorgonia.NewTapeMachine(g) does, so that one can be put in
// the other's place: it computes every node of the graph and leaves the forward values on their nodes, serves
// gorgonia.Read statements, and binds the gradients that gorgonia.Grad made to their leaves, so that
// node.Grad() and Gorgonia's solvers work with or without gorgonia.BindDualValues. Gradients are those of the
// last run; they do not add up over runs.
//
// Of the stock machine's options BindDualValues and UseCudaFor are accepted; the others, which panic on a
// foreign machine, are reported by RunAll. So is a graph that cannot be compiled.
func NewTape(g *gorgonia.ExprGraph, opts ...gorgonia.VMOpt) *Tape {
	t := &Tape{}
	if err := t.accept(opts); err != nil {
		t.err = err
		return t
	}
	var outputs gorgonia.Nodes
	gradient := make(map[*Node]bool) // gradients, and what is computed from them
	for _, n := range g.AllNodes() {
		if isStatement(n) {
			continue
		}
		gradient[n] = len(n.DerivOf()) > 0
		for _, c := range children(n) {
			gradient[n] = gradient[n] || gradient[c]
		}
		it := g.To(n.ID())
		if isLeaf(n) && len(n.DerivOf()) == 0 {
			continue
		}
		if !gradient[n] || it.Len() == 0 || derivesLeaf(n) {
			outputs = append(outputs, n)
		}
	}
	t.reads = statements(g)
	if t.err = t.compile(outputs); t.err != nil {
		return t
	}
	for _, n := range g.AllNodes() {
		if m, ok := n.Op().(gorgonia.TrainModeOp); ok {
			if err := m.SetTraining(true); err != nil {
				t.err = errors.Wrapf(err, "tape: %s", n.Name())
			}
		}
		if n.Op() != nil || n.Deriv() == nil {
			continue
		}
		if v := t.prog.of[n.Deriv()]; v != nil {
			t.duals = append(t.duals, dual{leaf: n, grad: v})
		}
	}
	return t
}

func derivesLeaf(n *Node) bool {
	for _, of := range n.DerivOf() {
		if of.Op() == nil {
			return true
		}
	}
	return false
}

func (t *Tape) accept(opts []gorgonia.VMOpt) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = errors.Errorf("tape: an option of Gorgonia's tape machine does not work here: %v", r)
		}
	}()
	for _, o := range opts {
		o(t)
	}
	return nil
}

func (t *Tape) compile(outputs gorgonia.Nodes) error {
	wanted := append(gorgonia.Nodes(nil), outputs...)
	for _, a := range t.opts.Assign {
		wanted = append(wanted, a.From)
	}
	for _, r := range t.reads {
		wanted = append(wanted, r.node)
	}
	for i, n := range wanted {
		if n == nil {
			return errors.Errorf("tape: output %d is nil", i)
		}
		if n.Graph() != wanted[0].Graph() {
			return errors.Errorf("tape: output %d is of another graph than output 0", i)
		}
	}
	p, err := build(wanted)
	if err != nil {
		return err
	}
	passes := []struct {
		name string
		skip bool
		run  func()
	}{
		{"prune", false, func() {}},
		{"merge", t.opts.NoMerge, p.merge},
		{"orders", t.opts.NoLayout, p.chooseOrders},
		{"liveness", false, p.liveness},
		{"in place", t.opts.NoInPlace, p.takeOver},
		{"memory", false, p.place},
	}
	for _, pass := range passes {
		if pass.skip {
			continue
		}
		pass.run()
		if t.opts.Dump != nil {
			if err := p.dump(t.opts.Dump, "after "+pass.name); err != nil {
				return err
			}
		}
	}
	if t.arena, err = p.bind(); err != nil {
		return errors.Wrap(err, "tape")
	}
	t.prog, t.plan = p, p.plan()
	if t.opts.Profile {
		t.profile = newProfile(len(p.instrs))
	}
	for k, n := range outputs {
		t.bindings = append(t.bindings, binding{n, p.outputs[k]})
	}
	for k, a := range t.opts.Assign {
		from := p.outputs[len(outputs)+k]
		if a.To == nil || a.To.Op() != nil {
			return errors.Errorf("tape: assignment %d is to a node that is computed, want an input or a variable", k)
		}
		if !sameShape(a.To.Shape(), from.shape) || a.To.Dtype() != from.dtype {
			return errors.Errorf("tape: %s is %v%v, the value assigned to it %v%v", a.To.Name(), a.To.Dtype(), a.To.Shape(), from.dtype, from.shape)
		}
		t.assigns = append(t.assigns, assignment{a.To, from})
	}
	for k, r := range t.reads {
		p.of[r.node] = p.outputs[len(outputs)+len(t.assigns)+k]
	}
	for k, n := range outputs {
		p.of[n] = p.outputs[k]
	}
	return nil
}

// Plan is the memory plan and the size of the program; it is known before the first run.
func (t *Tape) Plan() Plan { return t.plan }

// RunAll runs the whole tape.
func (t *Tape) RunAll() error { return t.Run(context.Background()) }

// Run runs the whole tape. When ctx ends it stops before the next instruction and returns ctx's error;
// no assignment has been made then, and outputs are undefined.
func (t *Tape) Run(ctx context.Context) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.err != nil {
		return t.err
	}
	if t.prog == nil {
		return errors.New("tape: closed")
	}
	if err := t.load(); err != nil {
		return err
	}
	if err := t.exec(ctx, t.opts.Watch); err != nil {
		return err
	}
	return t.store()
}

// Diagnose runs the tape again on the same inputs and variables, watching for NaN and infinity, and returns
// an error that says which op made the first one; nil if none did. It makes no assignments.
func (t *Tape) Diagnose(ctx context.Context) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.err != nil {
		return t.err
	}
	if err := t.load(); err != nil {
		return err
	}
	for _, v := range t.prog.leaves {
		if bad := nonFinite(&v.array); bad != "" {
			return errors.Errorf("tape: %s in the value bound to %s", bad, v.node.Name())
		}
	}
	return t.exec(ctx, true)
}

// load looks at what is bound to the leaves now.
func (t *Tape) load() error {
	for _, v := range t.prog.leaves {
		host := v.node.Value()
		a, err := exec.FromValue(host)
		if err != nil {
			return errors.Wrapf(err, "tape: input %s", v.node.Name())
		}
		// Stock ops are loose about (n) and (n, 1); ours are not, and theirs do not mind.
		if a.Dtype != v.dtype || !sameShape(a.Shape, v.shape) && !(a.Shape.Eq(v.shape) && exec.Size(a.Shape) == exec.Size(v.shape)) {
			return errors.Errorf("tape: input %s is bound to %v%v, its node is %v%v", v.node.Name(), a.Dtype, a.Shape, v.dtype, v.shape)
		}
		a.Shape = v.shape
		v.host, v.array = host, a
	}
	return nil
}

func (t *Tape) exec(ctx context.Context, watch bool) (err error) {
	var at *instr
	defer func() {
		if r := recover(); r != nil {
			err = errors.Errorf("tape: %s: %v", at.where(), r)
		}
	}()
	done := ctx.Done()
	for k, i := range t.prog.instrs {
		if done != nil {
			select {
			case <-done:
				return errors.Wrap(ctx.Err(), "tape: stopped")
			default:
			}
		}
		at = i
		start := t.profile.start()
		if err := i.exec(); err != nil {
			return errors.Wrapf(err, "tape: %s", i.where())
		}
		t.profile.stop(k, start)
		if watch {
			if err := i.check(); err != nil {
				return err
			}
		}
	}
	return nil
}

func (i *instr) exec() error {
	if i.stock != nil {
		for _, v := range i.in {
			if v.host == nil {
				return errors.Errorf("input %v has no value", v)
			}
		}
		return i.stock.run(i)
	}
	for j, v := range i.in {
		switch v.kind {
		case leaf:
			i.call.In[j] = v.array
		case dynamic:
			a, err := exec.FromValue(v.host)
			if err != nil {
				return err
			}
			if a.Dtype != v.dtype || a.Len() != exec.Size(v.shape) {
				return errors.Errorf("input %d is %v%v, want %v%v", j, a.Dtype, a.Shape, v.dtype, v.shape)
			}
			a.Shape = v.shape
			i.call.In[j] = a
		}
	}
	scratch := i.call.Scratch // ops cut pieces off it
	err := i.run.Run(&i.call)
	i.call.Scratch = scratch
	return err
}

// store makes the assignments and puts outputs where their readers look for them.
func (t *Tape) store() error {
	for _, a := range t.assigns {
		if err := copyValue(a.to.Value(), a.from.host); err != nil {
			return errors.Wrapf(err, "tape: assigning to %s", a.to.Name())
		}
	}
	for _, b := range t.bindings {
		if b.node.Op() == nil || b.node.Value() == b.value.host {
			continue
		}
		if err := gorgonia.UnsafeLet(b.node, b.value.host); err != nil {
			return errors.Wrapf(err, "tape: output %s", b.node.Name())
		}
	}
	for _, r := range t.reads {
		if err := r.store(t.prog.of[r.node].host); err != nil {
			return errors.Wrapf(err, "tape: reading %s", r.node.Name())
		}
	}
	for k := range t.duals {
		if err := t.duals[k].store(); err != nil {
			return errors.Wrapf(err, "tape: gradient of %s", t.duals[k].leaf.Name())
		}
	}
	return nil
}

func copyValue(dst, src gorgonia.Value) error {
	to, err := exec.FromValue(dst)
	if err != nil {
		return err
	}
	return copyInto(&to, src)
}

func (r *read) store(v gorgonia.Value) error {
	if *r.into != nil && (*r.into).Dtype() == v.Dtype() && (*r.into).Shape().Eq(v.Shape()) {
		return copyValue(*r.into, v)
	}
	c, err := gorgonia.CloneValue(v)
	if err != nil {
		return err
	}
	*r.into = c
	return nil
}

// store gives the leaf a gradient of its own: two leaves may share one gradient node (the biases of x+b1+b2),
// and a solver that zeroes the first one's must not touch the second's.
func (d *dual) store() error {
	shape := d.leaf.Shape()
	if d.host == nil || !sameShape(d.host.Shape(), shape) {
		var err error
		if d.host, d.at, err = exec.NewValue(shape, d.grad.dtype); err != nil {
			return err
		}
	}
	if err := copyInto(&d.at, d.grad.host); err != nil {
		return err
	}
	if g, err := d.leaf.Grad(); err == nil && g == d.host {
		return nil
	}
	gorgonia.WithGrad(d.host)(d.leaf)
	return nil
}

// Value is the value of a node that was asked for, after a run; it is overwritten by the next one.
func (t *Tape) Value(n *Node) (gorgonia.Value, error) {
	if t.prog != nil {
		if v := t.prog.of[n]; v != nil && v.host != nil && (v.kind != planned || v.last == len(t.prog.instrs)) {
			return v.host, nil
		}
	}
	return nil, errors.Errorf("tape: %s is not an output of this tape, or it has not run", n.Name())
}

// Reset does nothing: a tape is always ready for its next run. It is there because gorgonia.VM has it.
func (t *Tape) Reset() {}

// Close gives the arena back. The values of outputs must not be used any more.
func (t *Tape) Close() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.arena, t.prog = nil, nil
	return nil
}
