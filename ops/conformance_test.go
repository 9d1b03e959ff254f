package ops_test

import (
	"bytes"
	"flag"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"testing"

	"github.com/pkg/errors"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/internal/exec"
	"github.com/stheno-ml/stheno/internal/onnxtest"
)

var update = flag.Bool("update", false, "write docs/conformance.md anew")

// conformanceTolerance is what issue and table promise: |got − want| ≤ 1e-5·(1 + |want|). The vectors are
// mostly float32, made by NumPy; 1e-5 is a hundred units in the last place.
const conformanceTolerance = 1e-5

// debianTests is the number of node tests in libonnx-testdata 1.12, of which the table is made.
const debianTests = 932

// fewestPasses is what must pass, whatever the table says.
const fewestPasses = 300

// call is one node of a test's graph, with the values of its inputs.
type call struct {
	onnxtest.Node
	opset  int
	g      *gorgonia.ExprGraph
	values []*onnxtest.Tensor // nil for an input that is left out
	nodes  map[int]*gorgonia.Node
}

// notOffered is the reason why a test cannot be expressed in our ops.
type notOffered string

func (n notOffered) Error() string { return string(n) }

// refuse ends a mapping: the form is not offered.
func refuse(format string, args ...any) { panic(notOffered(fmt.Sprintf(format, args...))) }

// failure is an error of an op that should have taken its inputs.
type failure struct{ err error }

// must ends a mapping when an op reports an error: the test fails.
func must(n *gorgonia.Node, err error) *gorgonia.Node {
	if err != nil {
		panic(failure{err})
	}
	return n
}

func (c *call) has(i int) bool { return i < len(c.values) && c.values[i] != nil }

// any is input i as a node.
func (c *call) any(i int) *gorgonia.Node {
	if n := c.nodes[i]; n != nil {
		return n
	}
	if !c.has(i) {
		panic(failure{errors.Errorf("input %d is missing", i)})
	}
	n := nodeOf(c.g, fmt.Sprintf("input%d", i), c.values[i])
	c.nodes[i] = n
	return n
}

// float is input i as a node of floats.
func (c *call) float(i int) *gorgonia.Node {
	if c.has(i) && c.values[i].Type != onnxtest.Float32 && c.values[i].Type != onnxtest.Float64 {
		refuse("of %v: ops compute in float32 and float64", c.values[i].Type)
	}
	return c.any(i)
}

// maybe is input i as a node of floats, nil if it is left out.
func (c *call) maybe(i int) *gorgonia.Node {
	if !c.has(i) {
		return nil
	}
	return c.float(i)
}

// label is input i as integers of type int.
func (c *call) label(i int) *gorgonia.Node {
	t := *c.values[i]
	t.Type = onnxtest.Int64
	n := nodeOf(c.g, fmt.Sprintf("labels%d", i), &t)
	return n
}

func (c *call) shape(i int) []int { return c.values[i].Shape }

func (c *call) int(name string, otherwise int) int {
	if a, ok := c.Attrs[name]; ok {
		return a.Int
	}
	return otherwise
}

func (c *call) num(name string, otherwise float64) float64 {
	if a, ok := c.Attrs[name]; ok {
		return a.Float
	}
	return otherwise
}

func (c *call) text(name, otherwise string) string {
	if a, ok := c.Attrs[name]; ok {
		return a.Text
	}
	return otherwise
}

// list is an attribute, or, as newer versions of operators have it, input i.
func (c *call) list(name string, i int) ([]int, bool) {
	if a, ok := c.Attrs[name]; ok {
		return a.Ints, true
	}
	if i >= 0 && c.has(i) {
		return c.values[i].Ints, true
	}
	return nil, false
}

// scalar is the one element of input i.
func (c *call) scalar(i int) float64 {
	t := c.values[i]
	if len(t.Floats) > 0 {
		return t.Floats[0]
	}
	return float64(t.Ints[0])
}

// nodeOf binds a tensor of a test to a node.
func nodeOf(g *gorgonia.ExprGraph, name string, t *onnxtest.Tensor) *gorgonia.Node {
	var n *gorgonia.Node
	switch t.Type {
	case onnxtest.Float32:
		n = bind[float32](g, name, t, t.Floats)
	case onnxtest.Float64:
		n = bind[float64](g, name, t, t.Floats)
	case onnxtest.Int64:
		n = bind[int](g, name, t, nil)
	case onnxtest.Int32:
		n = bind[int32](g, name, t, nil)
	case onnxtest.Uint8:
		n = bind[uint8](g, name, t, nil)
	case onnxtest.Bool:
		v := make([]bool, len(t.Ints))
		for i, e := range t.Ints {
			v[i] = e != 0
		}
		n = bindSlice(g, name, t.Shape, v)
	default:
		refuse("of %v, which Gorgonia's tensors do not hold", t.Type)
	}
	return n
}

func bind[T float32 | float64 | int | int32 | uint8](g *gorgonia.ExprGraph, name string, t *onnxtest.Tensor, floats []float64) *gorgonia.Node {
	var v []T
	for _, e := range floats {
		v = append(v, T(e))
	}
	for _, e := range t.Ints {
		v = append(v, T(e))
	}
	return bindSlice(g, name, t.Shape, v)
}

func bindSlice[T any](g *gorgonia.ExprGraph, name string, shape []int, v []T) *gorgonia.Node {
	if len(v) == 0 {
		refuse("empty tensors are an error")
	}
	if len(shape) == 0 {
		t := tensor.New(tensor.FromScalar(v[0]))
		return gorgonia.NewScalar(g, t.Dtype(), gorgonia.WithName(name), gorgonia.WithValue(any(v[0])))
	}
	return gorgonia.NodeFromAny(g, tensor.New(tensor.WithShape(shape...), tensor.WithBacking(v)), gorgonia.WithName(name))
}

// tensorOf copies what a node got.
func tensorOf(v gorgonia.Value) (*onnxtest.Tensor, error) {
	a, err := exec.FromValue(v)
	if err != nil {
		return nil, err
	}
	t := &onnxtest.Tensor{Shape: append([]int{}, a.Shape...)}
	switch a.Dtype {
	case tensor.Float32:
		t.Type, t.Floats = onnxtest.Float32, floatsOf[float32](&a)
	case tensor.Float64:
		t.Type, t.Floats = onnxtest.Float64, floatsOf[float64](&a)
	case tensor.Int:
		t.Type, t.Ints = onnxtest.Int64, intsOf[int](&a)
	case tensor.Int32:
		t.Type, t.Ints = onnxtest.Int32, intsOf[int32](&a)
	case tensor.Uint8:
		t.Type, t.Ints = onnxtest.Uint8, intsOf[uint8](&a)
	case tensor.Bool:
		t.Type = onnxtest.Bool
		for _, b := range exec.Data[bool](&a) {
			if b {
				t.Ints = append(t.Ints, 1)
			} else {
				t.Ints = append(t.Ints, 0)
			}
		}
	default:
		return nil, errors.Errorf("a result of type %v", a.Dtype)
	}
	return t, nil
}

func floatsOf[T exec.Float](a *exec.Array) (v []float64) {
	for _, e := range exec.Data[T](a) {
		v = append(v, float64(e))
	}
	return v
}

func intsOf[T int | int32 | uint8](a *exec.Array) (v []int) {
	for _, e := range exec.Data[T](a) {
		v = append(v, int(e))
	}
	return v
}

// evaluate computes one node. The error is a notOffered, or says what went wrong.
func evaluate(n onnxtest.Node, opset int, values []*onnxtest.Tensor) (results []*onnxtest.Tensor, err error) {
	defer func() {
		switch r := recover().(type) {
		case nil:
		case notOffered:
			err = r
		case failure:
			err = r.err
		default:
			panic(r)
		}
	}()
	c := &call{Node: n, opset: opset, g: gorgonia.NewGraph(), values: values, nodes: make(map[int]*gorgonia.Node)}
	if h, ok := glue[n.Op]; ok {
		if results = h(c); results != nil {
			return results, nil
		}
	}
	if u, ok := optimizers[n.Op]; ok {
		return u(c), nil
	}
	o, ok := operators[n.Op]
	if !ok {
		return nil, notOffered("operator " + n.Op + " is not offered")
	}
	outputs := o.build(c)
	tape, err := graph.Compile(outputs, graph.Options{})
	if err != nil {
		return nil, err
	}
	defer tape.Close()
	if err := tape.RunAll(); err != nil {
		return nil, err
	}
	for _, y := range outputs {
		t, err := tensorOf(y.Value())
		if err != nil {
			return nil, err
		}
		results = append(results, t)
	}
	return results, nil
}

// runCase computes all nodes of a test, one after the other, and compares the graph's outputs.
func runCase(c onnxtest.Case) error {
	if c.Err != nil {
		return notOffered("sequences and optional values are no tensors")
	}
	for _, set := range c.Sets {
		values := make(map[string]*onnxtest.Tensor)
		for i := range c.Model.Graph.Constants {
			t := &c.Model.Graph.Constants[i]
			values[t.Name] = t
		}
		if len(set.Inputs) > len(c.Model.Graph.Inputs) || len(set.Outputs) > len(c.Model.Graph.Outputs) {
			return errors.Errorf("%d inputs and %d outputs given for a graph of %d and %d", len(set.Inputs), len(set.Outputs), len(c.Model.Graph.Inputs), len(c.Model.Graph.Outputs))
		}
		for i, t := range set.Inputs {
			values[c.Model.Graph.Inputs[i]] = t
		}
		for _, n := range c.Model.Graph.Nodes {
			in := make([]*onnxtest.Tensor, len(n.Inputs))
			for i, name := range n.Inputs {
				in[i] = values[name]
			}
			out, err := evaluate(n, c.Model.Opset[n.Domain], in)
			if err != nil {
				return err
			}
			if len(out) < len(n.Outputs) {
				return errors.Errorf("%s gave %d outputs, want %d", n.Op, len(out), len(n.Outputs))
			}
			for i, name := range n.Outputs {
				values[name] = out[i]
			}
		}
		for i, want := range set.Outputs {
			if err := compareTensors(values[c.Model.Graph.Outputs[i]], want); err != nil {
				return errors.Wrapf(err, "output %d", i)
			}
		}
	}
	return nil
}

func compareTensors(got, want *onnxtest.Tensor) error {
	switch {
	case got == nil:
		return errors.New("was not computed")
	case got.Type != want.Type:
		return errors.Errorf("is of %v, want %v", got.Type, want.Type)
	case fmt.Sprint(got.Shape) != fmt.Sprint(want.Shape) && len(got.Shape)+len(want.Shape) > 0:
		return errors.Errorf("has shape %v, want %v", got.Shape, want.Shape)
	}
	for i, w := range want.Ints {
		if got.Ints[i] != w {
			return errors.Errorf("element %d is %d, want %d", i, got.Ints[i], w)
		}
	}
	for i, w := range want.Floats {
		g := got.Floats[i]
		if g == w || math.IsNaN(g) && math.IsNaN(w) {
			continue
		}
		if !(math.Abs(g-w) <= conformanceTolerance*(1+math.Abs(w))) {
			return errors.Errorf("element %d is %g, want %g", i, g, w)
		}
	}
	return nil
}

// group is the tests of one operator, or of one folder.
type group struct {
	passed, graphs int // graphs: those of the passed that are graphs of several nodes
	all            int
	missing        map[string][]string // by reason
}

// add runs a test and counts it.
func (g *group) add(t *testing.T, c onnxtest.Case) {
	g.all++
	err := runCase(c)
	var reason notOffered
	switch {
	case err == nil:
		g.passed++
		if len(c.Model.Graph.Nodes) > 1 {
			g.graphs++
		}
	case errors.As(err, &reason):
		if g.missing == nil {
			g.missing = make(map[string][]string)
		}
		g.missing[string(reason)] = append(g.missing[string(reason)], c.Name)
	default:
		t.Errorf("%s: %v", c.Name, err)
	}
}

// reasons is what is missing, as one cell of a table.
func (g *group) reasons() string {
	var cells []string
	for _, r := range sorted(g.missing) {
		cells = append(cells, fmt.Sprintf("%s: %s", r, strings.Join(g.missing[r], ", ")))
	}
	return strings.Join(cells, "; ")
}

// exported is the folders of small models that PyTorch exported, with what they are.
var exported = map[string]string{
	"pytorch-converted": "layers of torch.nn",
	"pytorch-operator":  "operators and functions of torch",
}

// TestONNXConformance runs the ONNX project's operator tests whose operator we cover, and the small models
// that it has of PyTorch, and keeps the table in docs/conformance.md. Run it with -update to write the table.
func TestONNXConformance(t *testing.T) {
	dir, err := onnxtest.Dir()
	if err != nil {
		t.Skip(err)
	}
	cases, err := onnxtest.Load(dir, "node")
	if err != nil {
		t.Fatal(err)
	}
	operatorOf := make(map[string]string) // of tests with one node
	for _, c := range cases {
		if c.Err == nil && len(c.Model.Graph.Nodes) == 1 {
			operatorOf[c.Name] = c.Model.Graph.Nodes[0].Op
		}
	}
	r := report{all: len(cases), groups: make(map[string]*group), others: make(map[string]int), folders: make(map[string]*group)}
	for _, c := range cases {
		// A test "x_expanded" has the definition of test x's operator, a graph of simpler ones.
		operator := operatorOf[strings.TrimSuffix(c.Name, "_expanded")]
		switch {
		case c.Err != nil:
			operator = "sequences, optional values"
		case operator == "":
			operator = c.Model.Graph.Nodes[len(c.Model.Graph.Nodes)-1].Op
		}
		if !covered(operator) {
			r.others[operator]++
			continue
		}
		if r.groups[operator] == nil {
			r.groups[operator] = &group{}
		}
		r.groups[operator].add(t, c)
	}
	for folder := range exported {
		cases, err := onnxtest.Load(dir, folder)
		if err != nil {
			t.Fatal(err)
		}
		r.folders[folder] = &group{}
		for _, c := range cases {
			r.folders[folder].add(t, c)
		}
	}
	if passed := r.sum().passed; passed < fewestPasses {
		t.Errorf("%d tests pass, want at least %d", passed, fewestPasses)
	}
	if t.Failed() {
		return
	}
	if len(cases) != debianTests {
		t.Logf("%d tests instead of %d: another version than the table is of", len(cases), debianTests)
		return
	}
	checkTable(t, r.table())
}

func covered(operator string) bool {
	_, ok := operators[operator]
	if !ok {
		_, ok = optimizers[operator]
	}
	return ok
}

// report is the outcome of all tests.
type report struct {
	all     int
	groups  map[string]*group // by operator
	others  map[string]int    // tests of operators that are not covered
	folders map[string]*group
}

// sum is all operators together.
func (r *report) sum() (s group) {
	for _, g := range r.groups {
		s.passed, s.graphs, s.all = s.passed+g.passed, s.graphs+g.graphs, s.all+g.all
	}
	return s
}

func (r *report) table() []byte {
	var b bytes.Buffer
	s := r.sum()
	fmt.Fprintf(&b, `# Conformance with ONNX

Written by `+"`go test ./ops -run ONNXConformance -update`"+`; the same test without the flag fails when a test stops
passing or this file is stale.

The vectors are the operator tests of the ONNX project (Debian's libonnx-testdata 1.12). A test passes when each
output has the type and the shape that is wanted and each element is within 1e-5·(1 + |wanted|); integers and
booleans must be equal. Nodes are run on our tape, each through the public functions named below; one spatial
axis is run as a picture of height 1.

Of %d tests, %d are of operators that the op catalogue covers. **%d pass**, %d of them graphs of several nodes
(ONNX's own definition of an operator by simpler ones). The rest is listed with its reason.

| operator | ours | pass | of | not offered |
|---|---|---:|---:|---|
`, r.all, s.all, s.passed, s.graphs)
	for _, name := range sorted(r.groups) {
		g := r.groups[name]
		ours := "train/optim"
		if o, ok := operators[name]; ok {
			ours = o.ours
		}
		fmt.Fprintf(&b, "| %s | %s | %d | %d | %s |\n", name, ours, g.passed, g.all, g.reasons())
	}
	var rest []string
	for _, name := range sorted(r.others) {
		rest = append(rest, fmt.Sprintf("%s (%d)", name, r.others[name]))
	}
	fmt.Fprintf(&b, "\nOperators outside the catalogue, with the number of their tests: %s.\n", strings.Join(rest, ", "))
	fmt.Fprint(&b, `
## Small models exported by PyTorch

The same data holds models of one to some nodes, with PyTorch's outputs.

| folder | what | pass | of | not offered |
|---|---|---:|---:|---|
`)
	for _, name := range sorted(r.folders) {
		g := r.folders[name]
		fmt.Fprintf(&b, "| %s | %s | %d | %d | %s |\n", name, exported[name], g.passed, g.all, g.reasons())
	}
	return b.Bytes()
}

func sorted[V any](m map[string]V) []string {
	var names []string
	for n := range m {
		names = append(names, n)
	}
	sort.Strings(names)
	return names
}

// checkTable compares the table with the file, or writes it.
func checkTable(t *testing.T, want []byte) {
	t.Helper()
	path := filepath.Join("..", "docs", "conformance.md")
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, want, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v: run this test with -update", err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("docs/conformance.md is stale: run this test with -update and look at what changed")
	}
}
