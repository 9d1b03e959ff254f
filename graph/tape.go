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
	NoMerge    bool // compute equal nodes as often as they stand in the graph
	NoFuse     bool // leave every op an instruction of its own
	NoLayout   bool // keep every picture in row-major order
	NoSchedule bool // run ops in the order in which they were added to the graph
	NoInPlace  bool // never write a result over an input
	NoJoin     bool // copy the inputs of every concat
	NoCut      bool // copy every slice of channels
	NoPair     bool // compute every result in an instruction of its own

	// RepeatOver is how many bytes of memory a program must need before cheap results are computed again for the
	// backward pass instead of being kept. 0 means 256 MiB; less, that nothing is.
	RepeatOver int

	// Assign copies values into variables after a complete run: running statistics, for one.
	Assign []Assign
	// Use hands values to functions during the run; Guard does so before any of Use gets its value, so that it
	// can end a run whose loss is not finite before an optimiser has moved anything.
	Use   []Use
	Guard *Use
	// Recompute lists blocks of forward nodes, each with its result last, whose inner values are computed again
	// for the backward pass instead of being kept: more time, less memory. See Graph.Checkpoint.
	Recompute [][]*Node
	// Constant lists inputs and variables whose values stay as they are at the first run: the weights of a
	// network in use. What is computed from them alone is computed once, and filters are packed once.
	Constant []*Node
	// Private keeps inputs and results in the tape: Let binds an input for this tape alone, and results are
	// read with Tape.Value and not from their nodes. Any number of private tapes of one graph, or of graphs
	// that share variables, can then run at the same time, each in a goroutine of its own, as long as nobody
	// writes to the variables and the ops are ours: stock ops keep state of their own. A private tape
	// assigns nothing.
	Private bool
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
// A tape serves one goroutine at a time, others wait; several tapes may run in parallel over the same
// variables (see Options.Private for several tapes of one graph).
type Tape struct {
	mu      sync.Mutex
	prog    *program
	arena   []byte
	opts    Options
	err     error // of the compilation, where NewTape could not return it
	plan    Plan
	settled bool    // what Options.Constant allows has been done
	watch   finding // what stops a run
	valid   bool    // the last run was complete
	profile *profile

	results []result
	assigns []assignment
	stock   *stockTape // of NewTape
}

var _ gorgonia.VM = &Tape{}

// result is a node that was asked for.
type result struct {
	node  *Node
	value *value
}

type assignment struct {
	to   *Node
	from *value
}

// Compile makes a tape that computes the outputs, and nothing that they do not need.
func Compile(outputs gorgonia.Nodes, o Options) (*Tape, error) {
	t := &Tape{opts: o}
	if o.Watch {
		t.watch = anyNaN | anyInf
	}
	if o.Private && len(o.Assign) > 0 {
		return nil, errors.Errorf("tape: a private tape makes no assignments, got %d", len(o.Assign))
	}
	if err := t.compile(outputs); err != nil {
		return nil, err
	}
	return t, nil
}

func (t *Tape) compile(outputs gorgonia.Nodes) error {
	wanted := append(gorgonia.Nodes(nil), outputs...)
	for k, a := range t.opts.Assign {
		if a.From == nil || a.To == nil || a.To.Op() != nil {
			return errors.Errorf("tape: assignment %d: want an input or a variable that takes the value of a node, got %v from %v", k, a.To, a.From)
		}
		wanted = append(wanted, a.From)
	}
	results := len(wanted)
	for _, u := range t.opts.Use {
		wanted = append(wanted, u.Node)
	}
	if t.opts.Guard != nil {
		wanted = append(wanted, t.opts.Guard.Node)
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
		return errors.Wrap(err, "tape")
	}
	p.outputs = p.outputs[:results]
	if err := p.addUses(t.opts.Guard, t.opts.Use); err != nil {
		return err
	}
	if err := p.setAside(t.opts.Constant); err != nil {
		return err
	}
	inPlace := !t.opts.NoInPlace
	passes := []struct {
		name string
		skip bool
		run  func()
	}{
		{"prune", false, func() {}},
		{"merge", t.opts.NoMerge, p.merge},
		{"recompute", len(t.opts.Recompute) == 0, func() { p.recompute(t.opts.Recompute) }},
		{"fuse", t.opts.NoFuse, p.fuse},
		{"orders", t.opts.NoLayout, p.chooseOrders},
		{"pair", t.opts.NoPair, p.pair},
		{"scratch", false, p.prepare},
		{"schedule", t.opts.NoSchedule, func() { p.schedule(inPlace) }},
		{"repeat", t.opts.RepeatOver < 0, func() { p.repeat(t.opts.RepeatOver, inPlace) }},
		{"hold back", len(t.opts.Use) == 0, p.holdBack},
		{"join", t.opts.NoJoin, func() { p.join(inPlace) }},
		{"cut", t.opts.NoCut, func() { p.cut(inPlace) }},
		{"liveness", false, p.liveness},
		{"in place", !inPlace, p.takeOver},
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
		t.results = append(t.results, result{n, p.outputs[k]})
		p.of[n] = p.outputs[k]
	}
	for k, a := range t.opts.Assign {
		from := p.outputs[len(outputs)+k]
		if !sameShape(a.To.Shape(), from.shape) || a.To.Dtype() != from.dtype {
			return errors.Errorf("tape: %s is %v%v, the value assigned to it %v%v", a.To.Name(), a.To.Dtype(), a.To.Shape(), from.dtype, from.shape)
		}
		t.assigns = append(t.assigns, assignment{a.To, from})
	}
	return nil
}

// Plan is the memory plan and the size of the program; it is known before the first run.
func (t *Tape) Plan() Plan { return t.plan }

// RunAll runs the whole tape.
func (t *Tape) RunAll() error { return t.Run(context.Background()) }

// Run runs the whole tape. When ctx ends it stops before the next instruction and returns an error that wraps
// ctx's; no assignment has been made then, and results are undefined until the next complete run.
func (t *Tape) Run(ctx context.Context) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := t.ready(); err != nil {
		return err
	}
	if err := t.exec(ctx, t.watch); err != nil {
		return err
	}
	return t.store()
}

// Diagnose runs the tape again on the same inputs and variables, watching for NaN and infinity, and returns
// an error that says where the first one is: in an input, or in the result of an op. It is nil if there is
// none. It makes no assignments.
func (t *Tape) Diagnose(ctx context.Context) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := t.ready(); err != nil {
		return err
	}
	return t.exec(ctx, anyNaN|anyInf)
}

func (t *Tape) ready() error {
	switch {
	case t.err != nil:
		return t.err
	case t.prog == nil:
		return errors.New("tape: closed")
	}
	return t.load()
}

func (t *Tape) exec(ctx context.Context, watch finding) (err error) {
	if watch != 0 {
		for _, v := range t.prog.leaves {
			if bad := find(&v.array, watch); bad != 0 {
				return errors.Errorf("tape: %v in the value bound to %s", bad, v.node.Name())
			}
		}
	}
	var at *instr // nil while constants are settled
	defer func() {
		if r := recover(); r != nil && at == nil {
			err = errors.Errorf("tape: preparing for constants: %v", r)
		} else if r != nil {
			err = errors.Errorf("tape: %s: %v", at.where(), r)
		}
		t.valid = err == nil
	}()
	if err := t.settle(ctx); err != nil {
		return err
	}
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
		if watch != 0 {
			if err := i.check(watch); err != nil {
				return err
			}
		}
	}
	return nil
}

func (i *instr) exec() error {
	if i.stock != nil {
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

// Value is the value of a node that was asked for, after a run; it is overwritten by the next one.
func (t *Tape) Value(n *Node) (gorgonia.Value, error) {
	switch {
	case t.prog == nil:
		return nil, errors.New("tape: closed")
	case n == nil:
		return nil, errors.New("tape: the node is nil")
	case !t.valid:
		return nil, errors.Errorf("tape: no value of %s: the tape has not run, or its last run was not complete", n.Name())
	}
	for _, r := range t.results {
		if r.node == n {
			return r.value.host, nil
		}
	}
	return nil, errors.Errorf("tape: %s is not an output of this tape", n.Name())
}

// Reset does nothing: a tape is always ready for its next run. It is there because gorgonia.VM has it.
func (t *Tape) Reset() {}

// Close gives the memory back, as soon as nobody holds the values of outputs any more; their nodes do.
func (t *Tape) Close() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.arena, t.prog, t.results, t.assigns, t.stock = nil, nil, nil, nil, nil
	return nil
}
