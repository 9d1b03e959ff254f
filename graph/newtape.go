package graph

import (
	"fmt"
	"reflect"

	"github.com/pkg/errors"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/internal/exec"
)

// NewTape makes a tape that does for a graph what gorgonia.NewTapeMachine(g) does, so that one can be put in
// the other's place: it computes every forward node of the graph and every gradient of a leaf and leaves the
// values on their nodes, serves gorgonia.Read statements, and binds the gradients that gorgonia.Grad made to
// their leaves, so that node.Grad() and Gorgonia's solvers work. With gorgonia.BindDualValues gradients add up
// over runs until a solver zeroes them, as on the stock machine; without it they are those of the last run.
//
// It differs in two ways. Gradients of values that are not leaves are overwritten during a run unless
// gorgonia.TraceExec asks for them. And the tensors on nodes are the tape's own: the next run writes over
// them, where the stock machine makes new ones after a Reset. A result that is fed back by Let or Set is safe.
//
// The stock machine's options work, but for WithLogger, WithWatchlist and WithEngine. An option that does not
// and a graph that cannot be compiled are reported by RunAll.
func NewTape(g *gorgonia.ExprGraph, opts ...gorgonia.VMOpt) *Tape {
	t := &Tape{}
	t.err = t.compileGraph(g, opts)
	return t
}

func (t *Tape) compileGraph(g *gorgonia.ExprGraph, opts []gorgonia.VMOpt) error {
	o, err := readOptions(opts)
	if err != nil {
		return err
	}
	if g == nil {
		return errors.New("tape: the graph is nil")
	}
	t.watch = o.watch
	t.stock = &stockTape{}
	reads := statements(g)
	if err := t.compile(results(g, o.trace, reads)); err != nil {
		return err
	}
	for _, r := range reads {
		t.stock.reads = append(t.stock.reads, read{r.node, t.prog.of[r.node], r.into})
	}
	for _, n := range g.AllNodes() {
		if m, ok := n.Op().(gorgonia.TrainModeOp); ok {
			if err := m.SetTraining(!o.eval); err != nil {
				return errors.Wrapf(err, "tape: %s", n.Name())
			}
		}
		if n.Op() != nil || n.Deriv() == nil {
			continue
		}
		if v := t.prog.of[n.Deriv()]; v != nil {
			adds := o.bind && (len(o.only) == 0 || o.only.Contains(n))
			t.stock.duals = append(t.stock.duals, dual{leaf: n, grad: v, adds: adds})
		}
	}
	return nil
}

// results is the nodes of a graph that a stock program may look at after a run.
func results(g *gorgonia.ExprGraph, trace bool, reads []statement) gorgonia.Nodes {
	gradient := make(map[*Node]bool) // gradients, and what is computed from them
	used := make(map[*Node]bool)
	for _, n := range g.AllNodes() {
		gradient[n] = len(n.DerivOf()) > 0
		for _, c := range children(n) {
			gradient[n] = gradient[n] || gradient[c]
			used[c] = true
		}
	}
	var out gorgonia.Nodes
	for _, n := range g.AllNodes() {
		if isStatement(n) || isLeaf(n) && len(n.DerivOf()) == 0 {
			continue
		}
		if trace || !gradient[n] || !used[n] || derivesLeaf(n) {
			out = append(out, n)
		}
	}
	for _, r := range reads {
		out = append(out, r.node)
	}
	return out
}

func derivesLeaf(n *Node) bool {
	for _, of := range n.DerivOf() {
		if of.Op() == nil {
			return true
		}
	}
	return false
}

// stockTape is what a tape does beyond its own outputs when it stands in for the stock machine.
type stockTape struct {
	reads []read
	duals []dual
}

func (s *stockTape) store() error {
	for k := range s.reads {
		if err := s.reads[k].store(); err != nil {
			return errors.Wrapf(err, "tape: reading %s", s.reads[k].node.Name())
		}
	}
	for k := range s.duals {
		if err := s.duals[k].store(); err != nil {
			return errors.Wrapf(err, "tape: gradient of %s", s.duals[k].leaf.Name())
		}
	}
	return nil
}

// statement is a gorgonia.Read: after a run, the node's value is copied to where into points.
type statement struct {
	node *Node
	into *gorgonia.Value
}

type read struct {
	node  *Node
	value *value
	into  *gorgonia.Value
}

// statements finds the Read statements of a graph. Their op is not exported, nor is the pointer it holds;
// a Set statement does nothing on the stock tape machine, and nothing here.
func statements(g *gorgonia.ExprGraph) []statement {
	var reads []statement
	for _, n := range g.AllNodes() {
		if n.Op() == nil || fmt.Sprintf("%T", n.Op()) != "gorgonia.readOp" {
			continue
		}
		if f := reflect.ValueOf(n.Op()).FieldByName("into"); f.IsValid() && f.Kind() == reflect.Pointer {
			reads = append(reads, statement{node: children(n)[0], into: (*gorgonia.Value)(f.UnsafePointer())})
		}
	}
	return reads
}

func isStatement(n *Node) bool { return n.Op() != nil && n.Type() == nil }

func (r *read) store() error {
	v := r.value.host
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

// dual is a leaf whose gradient solvers look for at the leaf itself.
type dual struct {
	leaf *Node
	grad *value
	adds bool // over runs
}

// store gives the leaf a gradient of its own: two leaves may share one gradient node (the biases of x+b1+b2),
// and a solver that zeroes the first one's must not touch the second's.
func (d *dual) store() error {
	shape := d.leaf.Value().Shape()
	now, err := d.leaf.Grad()
	if err == nil && now != nil && now != d.leaf.Deriv().Value() && now.Dtype() == d.grad.dtype && sameShape(now.Shape(), shape) {
		to, err := exec.FromValue(now)
		if err != nil {
			return err
		}
		if d.adds {
			return addInto(&to, d.grad.host)
		}
		return copyInto(&to, d.grad.host)
	}
	host, at, err := exec.NewValue(shape, d.grad.dtype)
	if err != nil {
		return err
	}
	if err := copyInto(&at, d.grad.host); err != nil {
		return err
	}
	gorgonia.WithGrad(host)(d.leaf)
	return nil
}

func addInto(out *exec.Array, v gorgonia.Value) error {
	a, err := exec.FromValue(v)
	if err != nil {
		return err
	}
	if a.Dtype != out.Dtype || a.Len() != out.Len() {
		return errors.Errorf("value is %v%v, want %v%v", a.Dtype, a.Shape, out.Dtype, out.Shape)
	}
	if a.Dtype == tensor.Float32 {
		add(exec.Data[float32](out), exec.Data[float32](&a))
	} else {
		add(exec.Data[float64](out), exec.Data[float64](&a))
	}
	return nil
}

func add[T exec.Float](to, x []T) {
	for i, v := range x {
		to[i] += v
	}
}

// stockOptions is what options of the stock tape machine ask for.
type stockOptions struct {
	bind  bool           // BindDualValues
	only  gorgonia.Nodes // its nodes, if it names some
	eval  bool           // EvalMode
	trace bool           // TraceExec
	watch finding        // WithNaNWatch, WithInfWatch
}

// The bits of the stock machine's runFlags (gorgonia's vm.go).
const (
	stockWatchNaN = 1 << 2
	stockWatchInf = 1 << 3
	stockTrace    = 1 << 6
	stockBindDV   = 1 << 7
)

// readOptions applies the options to a stock machine that will never run, and looks at what they changed:
// options are functions that know only Gorgonia's own machines, whose fields are not exported.
func readOptions(opts []gorgonia.VMOpt) (o stockOptions, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = errors.Errorf("tape: an option does not work on a tape machine: %v", r)
		}
	}()
	vm := reflect.New(reflect.TypeOf(gorgonia.NewTapeMachine).Out(0).Elem())
	for _, opt := range opts {
		opt(vm.Interface().(gorgonia.VM))
	}
	m := vm.Elem()
	flags := m.FieldByName("runFlags").Uint()
	o.bind = flags&stockBindDV != 0
	o.trace = flags&stockTrace != 0
	o.eval = m.FieldByName("evalMode").Bool()
	if flags&stockWatchNaN != 0 {
		o.watch |= anyNaN
	}
	if flags&stockWatchInf != 0 {
		o.watch |= anyInf
	}
	only := m.FieldByName("bindNodesDV")
	for i := range only.Len() {
		o.only = append(o.only, (*Node)(only.Index(i).UnsafePointer()))
	}
	switch {
	case !m.FieldByName("logger").IsNil(), m.FieldByName("watchNodes").Len()+m.FieldByName("watchRegs").Len()+m.FieldByName("watchNodeIDs").Len() > 0:
		return o, errors.New("tape: gorgonia.WithLogger and gorgonia.WithWatchlist do not work here; graph.Options has Dump, Watch and Profile")
	case !m.FieldByName("Engine").IsNil():
		return o, errors.New("tape: gorgonia.WithEngine does not work here")
	}
	return o, nil
}
