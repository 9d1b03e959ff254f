package graph

import (
	"strconv"

	"github.com/pkg/errors"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/ops"
)

// Mode is what a graph is for.
type Mode uint8

const (
	Eval  Mode = iota // running statistics, no dropout
	Train             // batch statistics, dropout
)

func (m Mode) String() string {
	if m == Train {
		return "train"
	}
	return "eval"
}

// Graph builds an ordinary Gorgonia graph over a store of variables. It keeps the first error (as
// bufio.Scanner does): once something has gone wrong every call returns nil, and Err says what it was.
// A Graph is a place in the graph: Scope gives another one, further down.
type Graph struct {
	*builder
	path string
}

// builder is what all scopes of one graph share.
type builder struct {
	expr    *gorgonia.ExprGraph
	mode    Mode
	store   *Store
	rng     *ops.RNG
	err     *Error
	scopes  map[string]int      // how often a path has been used; −1 where it may be shared
	inputs  map[string]*Node    // by name
	leaves  map[*Variable]*Node // variables that are in the graph
	used    []*Variable         // the same, in order
	marks   map[string]*Node    // outputs by name
	names   []string            // of marks, in order
	assigns []Assign
	blocks  [][]*Node // see Checkpoint
	layers  []Layer
	layerOf map[*Node]int // index into layers
}

// New begins a graph of float32 with variables of its own, seed 1. Store.Graph begins one over variables that others
// share, of either type and any seed.
func New(mode Mode) *Graph {
	return newStore(tensor.Float32, 1).Graph(mode, nil)
}

// Graph begins a graph over the store's variables. rng drives dropout and noise; nil means one of its own, of the
// store's seed.
func (s *Store) Graph(mode Mode, rng *ops.RNG) *Graph {
	if rng == nil {
		rng = ops.NewRNG(s.seed)
	}
	return &Graph{builder: &builder{
		expr: gorgonia.NewGraph(), mode: mode, store: s, rng: rng,
		scopes: make(map[string]int), inputs: make(map[string]*Node), leaves: make(map[*Variable]*Node),
		marks: make(map[string]*Node), layerOf: make(map[*Node]int),
	}}
}

// Mode says what the graph is for.
func (g *Graph) Mode() Mode { return g.mode }

// Expr is the Gorgonia graph that is built.
func (g *Graph) Expr() *gorgonia.ExprGraph { return g.expr }

// Store is where the graph's variables live.
func (g *Graph) Store() *Store { return g.store }

// Dtype is the type that the graph computes in.
func (g *Graph) Dtype() tensor.Dtype { return g.store.dtype }

// RNG drives the graph's random ops.
func (g *Graph) RNG() *ops.RNG { return g.rng }

// Path is the scope, such as "layer1.0"; empty at the top.
func (g *Graph) Path() string { return g.path }

// Err is the first error, an *Error, or nil.
func (g *Graph) Err() error {
	if g.err == nil {
		return nil
	}
	return g.err
}

// Fail records an error unless there is one already. inputs are the nodes that were given.
func (g *Graph) Fail(kind string, cause error, inputs ...*Node) {
	if g.err != nil || cause == nil {
		return
	}
	var nested *Error
	if errors.As(cause, &nested) {
		g.err = nested
		return
	}
	e := &Error{Layer: g.path, Kind: kind, Cause: cause}
	for _, n := range inputs {
		if n != nil {
			e.Inputs = append(e.Inputs, n.Shape())
		}
	}
	e.File, e.Line = caller()
	g.err = e
}

// Scope is the graph one level down. A name may be used once in a scope: a second use is an error, so that
// weights are never shared by accident.
func (g *Graph) Scope(name string) *Graph {
	s := g.at(name)
	switch uses := g.scopes[s.path]; {
	case uses != 0:
		s.Fail("scope", errors.Errorf("the name is used twice in %q; call Share to use one set of weights twice", g.path))
	case name == "":
		s.Fail("scope", errors.New("empty name"))
	}
	g.scopes[s.path]++
	return s
}

// Share is Scope for weights that are meant to be used more than once: a discriminator that sees real and
// generated pictures, a siamese network. Inside, layers find the variables that they made the first time.
func (g *Graph) Share(name string) *Graph {
	s := g.at(name)
	if g.scopes[s.path] > 0 {
		s.Fail("scope", errors.Errorf("%s was opened by Scope before, which does not share", s.path))
		return s
	}
	for path := range g.scopes { // what is inside may be named again
		if path != s.path && under(path, s.path) {
			delete(g.scopes, path)
		}
	}
	g.scopes[s.path] = -1
	return s
}

func (g *Graph) at(name string) *Graph {
	path := name
	if g.path != "" {
		path = g.path + "." + name
	}
	return &Graph{builder: g.builder, path: path}
}

// Input adds an input of the graph's float type.
func (g *Graph) Input(name string, shape ...int) *Node {
	return g.input(name, g.Dtype(), shape)
}

// Labels adds an input of class indices, one a row: type int, shape [N].
func (g *Graph) Labels(name string, n int) *Node {
	return g.input(name, tensor.Int, []int{n})
}

func (g *Graph) input(name string, dt tensor.Dtype, shape []int) *Node {
	if g.err != nil {
		return nil
	}
	if _, twice := g.inputs[name]; twice || name == "" {
		g.Fail("input", errors.Errorf("%q is empty or used twice", name))
		return nil
	}
	for i, d := range shape {
		if d <= 0 {
			g.Fail("input", errors.Errorf("%s: axis %d of shape %v has size %d", name, i, shape, d))
			return nil
		}
	}
	label := gorgonia.WithName("input:" + name)
	var n *Node
	if len(shape) == 0 {
		n = gorgonia.NewScalar(g.expr, dt, label)
	} else {
		n = gorgonia.NewTensor(g.expr, dt, len(shape), gorgonia.WithShape(shape...), label)
	}
	g.inputs[name] = n
	return n
}

// Parameter is a trained variable of this scope: the store's, if it has one of that name, or a new one.
func (g *Graph) Parameter(name string, init Init, shape ...int) *Node {
	return g.variable(name, Parameter, init, shape)
}

// Statistic is a variable of this scope that the network keeps itself, such as a running mean.
func (g *Graph) Statistic(name string, first float64, shape ...int) *Node {
	return g.variable(name, Statistic, constantInit(first), shape)
}

// Buffer is Statistic with an initialiser, for what does not begin as one number.
func (g *Graph) Buffer(name string, init Init, shape ...int) *Node {
	return g.variable(name, Statistic, init, shape)
}

func (g *Graph) variable(name string, role Role, init Init, shape []int) *Node {
	if g.err != nil {
		return nil
	}
	path := g.at(name).path
	v, err := g.store.get(path, role, shape, init)
	if err != nil {
		g.Fail("variable", err)
		return nil
	}
	if n := g.leaves[v]; n != nil {
		if !g.shared() {
			g.Fail("variable", errors.Errorf("%s is used twice", path))
			return nil
		}
		return n
	}
	n := gorgonia.NewTensor(g.expr, g.Dtype(), len(shape), gorgonia.WithShape(shape...), gorgonia.WithName(path), gorgonia.WithValue(v.Value))
	g.leaves[v] = n
	g.used = append(g.used, v)
	return n
}

// shared says whether some scope that this one is in was opened by Share.
func (g *Graph) shared() bool {
	for path, uses := range g.scopes {
		if uses < 0 && under(g.path, path) {
			return true
		}
	}
	return false
}

// Frozen says whether the variable of a name in this scope is frozen.
func (g *Graph) Frozen(name string) bool {
	v := g.store.Get(g.at(name).path)
	return v != nil && v.Frozen
}

// Variables is what the graph uses of the store, in order of first use, and the leaf of each.
func (g *Graph) Variables() ([]*Variable, gorgonia.Nodes) {
	nodes := make(gorgonia.Nodes, len(g.used))
	for i, v := range g.used {
		nodes[i] = g.leaves[v]
	}
	return append([]*Variable(nil), g.used...), nodes
}

// Trainable is the variables that are to be moved, and the leaf of each.
func (g *Graph) Trainable() ([]*Variable, gorgonia.Nodes) {
	var vs []*Variable
	var nodes gorgonia.Nodes
	for _, v := range g.used {
		if v.Trainable() {
			vs = append(vs, v)
			nodes = append(nodes, g.leaves[v])
		}
	}
	return vs, nodes
}

// Assign makes a variable take the value of a node after each run.
func (g *Graph) Assign(to, from *Node) {
	if g.err == nil {
		g.assigns = append(g.assigns, Assign{to, from})
	}
}

// Assigns lists what Assign was told: Options.Assign wants it.
func (g *Graph) Assigns() []Assign { return append([]Assign(nil), g.assigns...) }

// Mark names a node, so that it can be asked for: a stage's features, an auxiliary output.
// A name may be used once.
func (g *Graph) Mark(name string, n *Node) *Node {
	if g.err != nil {
		return nil
	}
	if _, twice := g.marks[name]; twice {
		g.Fail("mark", errors.Errorf("%q is used twice", name))
		return nil
	}
	g.marks[name] = n
	g.names = append(g.names, name)
	return n
}

// Marked is the node of a name, nil if there is none.
func (g *Graph) Marked(name string) *Node { return g.marks[name] }

// Marks lists the names given, in order.
func (g *Graph) Marks() []string { return append([]string(nil), g.names...) }

// Apply builds one layer: it opens the scope, runs f in it, keeps f's error with the layer's path, the shapes
// it was given and the user's line, and notes the layer for Summary and drawings. An empty name becomes the
// kind and a number. After an error, or for a nil input, it returns nil and does not call f.
func (g *Graph) Apply(kind, name string, f func(g *Graph) (*Node, error), in ...*Node) *Node {
	if g.err != nil {
		return nil
	}
	if name == "" {
		name = g.free(kind)
	}
	s := g.Scope(name)
	if g.err != nil {
		return nil
	}
	for i, n := range in {
		if n == nil {
			s.Fail(kind, errors.Errorf("input %d is nil", i))
			return nil
		}
	}
	first := len(g.expr.AllNodes())
	vars := len(g.used)
	index := len(g.layers)
	g.layers = append(g.layers, Layer{Path: s.path, Kind: kind})
	out, err := f(s)
	if err != nil {
		s.Fail(kind, err, in...)
	}
	if g.err != nil {
		return nil
	}
	if out == nil {
		s.Fail(kind, errors.New("the layer gave no result"), in...)
		return nil
	}
	for _, n := range g.expr.AllNodes()[first:] {
		if _, named := g.layerOf[n]; !named && n.Op() != nil {
			g.layerOf[n] = index
			gorgonia.WithName(s.path + "/" + n.Op().String())(n)
		}
	}
	g.layers[index].finish(g, index, in, out, first, vars)
	return out
}

// Checkpoint builds a block whose inner values are computed again in the backward pass instead of being kept.
// It matters in training only: Options.Recompute wants what Checkpoints lists.
func (g *Graph) Checkpoint(f func() *Node) *Node {
	first := len(g.expr.AllNodes())
	out := f()
	if g.err != nil || out == nil {
		return nil
	}
	var block []*Node
	for _, n := range g.expr.AllNodes()[first:] {
		if n.Op() != nil && n != out {
			block = append(block, n)
		}
	}
	g.blocks = append(g.blocks, append(block, out))
	return out
}

// Checkpoints lists the blocks that Checkpoint built.
func (g *Graph) Checkpoints() [][]*Node { return append([][]*Node(nil), g.blocks...) }

// free is the first of "conv", "conv2", "conv3", … that the scope has not used.
func (g *Graph) free(kind string) string {
	for k := 1; ; k++ {
		name := kind
		if k > 1 {
			name += strconv.Itoa(k)
		}
		if g.scopes[g.at(name).path] == 0 {
			return name
		}
	}
}
