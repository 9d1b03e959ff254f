package graph_test

import (
	"hash"
	"math"
	"strings"
	"testing"

	"github.com/chewxy/hm"
	"github.com/pkg/errors"
	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/ops"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("%+v", err)
	}
}

// valuesOf compiles and runs.
func valuesOf(t *testing.T, nodes ...*G.Node) [][]float64 {
	t.Helper()
	tape, err := graph.Compile(nodes, graph.Options{})
	must(t, err)
	must(t, tape.RunAll())
	var out [][]float64
	for _, n := range nodes {
		v, err := tape.Value(n)
		must(t, err)
		out = append(out, floats(t, v))
	}
	return out
}

func wantClose(t *testing.T, name string, got, want []float64, tol float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d elements, want %d", name, len(got), len(want))
	}
	for i := range want {
		if e := math.Abs(got[i] - want[i]); !(e <= tol*(1+math.Abs(want[i]))) {
			t.Fatalf("%s: element %d is %v, want %v", name, i, got[i], want[i])
		}
	}
}

// stockNetwork is a convolution, a pooling, a dense layer with biases, and a softmax loss, of stock ops.
func stockNetwork(g *G.ExprGraph) (cost *G.Node, learnables G.Nodes) {
	x := G.NodeFromAny(g, normal64(1, 1, 3, 2, 6, 6), G.WithName("x"))
	y := G.NodeFromAny(g, oneHot64(3, 4), G.WithName("y"))
	w0 := G.NodeFromAny(g, normal64(2, 0.3, 5, 2, 3, 3), G.WithName("w0"))
	w1 := G.NodeFromAny(g, normal64(3, 0.2, 5*3*3, 4), G.WithName("w1"))
	b1 := G.NodeFromAny(g, normal64(4, 0.1, 1, 4), G.WithName("b1"))
	h := G.Must(G.Conv2d(x, w0, tensor.Shape{3, 3}, []int{1, 1}, []int{1, 1}, []int{1, 1}))
	h = G.Must(G.MaxPool2D(G.Must(G.Tanh(h)), tensor.Shape{2, 2}, []int{0, 0}, []int{2, 2}))
	h = G.Must(G.Reshape(h, tensor.Shape{3, 5 * 3 * 3}))
	h = G.Must(G.BroadcastAdd(G.Must(G.Mul(h, w1)), b1, nil, []byte{0}))
	p := G.Must(G.SoftMax(h))
	cost = G.Must(G.Neg(G.Must(G.Mean(G.Must(G.HadamardProd(G.Must(G.Log(p)), y))))))
	return cost, G.Nodes{w0, w1, b1}
}

func TestDifferentiateEqualsStockGrad(t *testing.T) {
	cost, learnables := stockNetwork(G.NewGraph())
	stock, err := G.Grad(cost, learnables...)
	must(t, err)
	want := valuesOf(t, append(G.Nodes{cost}, stock...)...)

	cost, learnables = stockNetwork(G.NewGraph())
	ours, err := graph.Differentiate(cost, learnables...)
	must(t, err)
	got := valuesOf(t, append(G.Nodes{cost}, ours...)...)
	for i := range want {
		// The same ops; only the order of additions where gradients meet differs.
		wantClose(t, []string{"cost", "w0", "w1", "b1"}[i], got[i], want[i], 1e-12)
	}
}

func TestSeveralCostsInOneGraph(t *testing.T) {
	g := G.NewGraph()
	a := G.NodeFromAny(g, normal64(1, 1, 4), G.WithName("a"))
	b := G.NodeFromAny(g, normal64(2, 1, 4), G.WithName("b"))
	product := G.Must(G.HadamardProd(a, b))
	cost1 := G.Must(G.Sum(product))
	cost2 := G.Must(G.Sum(G.Must(G.Square(product))))
	d1, err := graph.Differentiate(cost1, a, b)
	must(t, err)
	d2, err := graph.Differentiate(cost2, b, a)
	must(t, err)
	v := valuesOf(t, d1[0], d1[1], d2[0], d2[1])
	x, y := floats(t, a.Value()), floats(t, b.Value())
	for i := range x {
		want := []float64{y[i], x[i], 2 * x[i] * x[i] * y[i], 2 * x[i] * y[i] * y[i]}
		for k := range want {
			wantClose(t, "gradient", v[k][i:i+1], want[k:k+1], 1e-14)
		}
	}
	for _, n := range g.AllNodes() {
		if n.Deriv() != nil || len(n.DerivOf()) > 0 {
			t.Errorf("%s is marked: a second cost would add to the first", n.Name())
		}
	}
}

// TestGradientOfGradient: f = Σ x³/3·w, ∇f = x²·w, and the gradient of Σ (∇f)² = Σ x⁴w² is 4x³w².
func TestGradientOfGradient(t *testing.T) {
	g := G.NewGraph()
	x := G.NodeFromAny(g, normal64(1, 1, 4), G.WithName("x"))
	w := G.NodeFromAny(g, normal64(2, 1, 4), G.WithName("w"))
	cube := G.Must(G.HadamardProd(G.Must(G.Square(x)), x))
	f := G.Must(G.Sum(G.Must(G.HadamardProd(G.Must(G.Mul(cube, G.NewConstant(1.0/3))), w))))
	first, err := graph.Differentiate(f, x)
	must(t, err)
	penalty := G.Must(G.Sum(G.Must(G.Square(first[0]))))
	second, err := graph.Differentiate(penalty, x, w)
	must(t, err)
	v := valuesOf(t, first[0], second[0], second[1])
	for i, x := range floats(t, x.Value()) {
		w := floats(t, w.Value())[i]
		// a few roundings each
		wantClose(t, "first", v[0][i:i+1], []float64{x * x * w}, 1e-14)
		wantClose(t, "second, x", v[1][i:i+1], []float64{4 * x * x * x * w * w}, 1e-14)
		wantClose(t, "second, w", v[2][i:i+1], []float64{2 * x * x * x * x * w}, 1e-14)
	}
}

func TestUnusedNodesGetZeros(t *testing.T) {
	g := G.NewGraph()
	x := G.NodeFromAny(g, normal64(1, 1, 4), G.WithName("x"))
	unused := G.NodeFromAny(g, normal64(1, 1, 2, 3), G.WithName("unused"))
	scalar := G.NewScalar(g, G.Float64, G.WithName("scalar"), G.WithValue(3.0))
	cost := G.Must(G.Sum(G.Must(G.Square(x))))
	d, err := graph.Differentiate(cost, unused, x, scalar, cost)
	must(t, err)
	if s := d[0].Shape(); len(s) != 2 || s[0] != 2 || s[1] != 3 || len(d[2].Shape()) != 0 {
		t.Errorf("shapes %v and %v", s, d[2].Shape())
	}
	v := valuesOf(t, d...)
	wantClose(t, "unused", v[0], make([]float64, 6), 0)
	wantClose(t, "unused scalar", v[2], []float64{0}, 0)
	wantClose(t, "the cost itself", v[3], []float64{1}, 0)
}

// opaque is the square root without a derivative.
type opaque struct{}

func (opaque) Arity() int { return 1 }
func (opaque) Type() hm.Type {
	return hm.NewFnType(G.TensorType{Dims: 1, Of: tensor.Float64}, G.TensorType{Dims: 1, Of: tensor.Float64})
}
func (opaque) InferShape(in ...G.DimSizer) (tensor.Shape, error) {
	return in[0].(tensor.Shape).Clone(), nil
}
func (opaque) Do(in ...G.Value) (G.Value, error) { return G.CloneValue(in[0]) }
func (opaque) ReturnsPtr() bool                  { return false }
func (opaque) CallsExtern() bool                 { return false }
func (opaque) OverwritesInput() int              { return -1 }
func (o opaque) WriteHash(h hash.Hash)           { h.Write([]byte(o.String())) }
func (o opaque) Hashcode() uint32                { return 77 }
func (opaque) String() string                    { return "opaque" }

// failing has a derivative that cannot be built, or is missing.
type failing struct {
	opaque
	err error
}

func (failing) DiffWRT(n int) []bool { return []bool{true} }
func (f failing) SymDiff(in G.Nodes, out, grad *G.Node) (G.Nodes, error) {
	return G.Nodes{nil}, f.err
}
func (failing) String() string { return "failing" }

func TestDifferentiateErrors(t *testing.T) {
	g := G.NewGraph()
	x := G.NodeFromAny(g, normal64(1, 1, 4), G.WithName("x"))
	other := G.NodeFromAny(G.NewGraph(), normal64(1, 1, 4), G.WithName("x"))
	vector := G.Must(G.Square(x))
	cost := G.Must(G.Sum(vector))
	labels := G.NodeFromAny(g, tensor.New(tensor.WithBacking([]int{1, 2})), G.WithName("labels"))
	seed := func(n *G.Node, err error) *G.Node { must(t, err); return n }
	missing := G.Must(G.Sum(seed(G.ApplyOp(failing{}, x))))
	broken := G.Must(G.Sum(seed(G.ApplyOp(failing{err: errors.New("needs a square matrix")}, vector))))
	one := seed(ops.Full(g, tensor.Float64, 1))
	for name, c := range map[string]struct {
		run  func() (G.Nodes, error)
		want []string
	}{
		"nil cost":         {func() (G.Nodes, error) { return graph.Differentiate(nil, x) }, []string{"cost is nil"}},
		"vector cost":      {func() (G.Nodes, error) { return graph.Differentiate(vector, x) }, []string{"shape (4)", "scalar"}},
		"nil wrt":          {func() (G.Nodes, error) { return graph.Differentiate(cost, x, nil) }, []string{"node 1", "nil"}},
		"other graph":      {func() (G.Nodes, error) { return graph.Differentiate(cost, other) }, []string{"node 0", "another graph"}},
		"labels":           {func() (G.Nodes, error) { return graph.Differentiate(cost, labels) }, []string{"labels", "int"}},
		"missing gradient": {func() (G.Nodes, error) { return graph.Differentiate(missing, x) }, []string{"failing", "input 0"}},
		"broken gradient":  {func() (G.Nodes, error) { return graph.Differentiate(broken, x) }, []string{"failing", "square matrix"}},
		"no outputs":       {func() (G.Nodes, error) { return graph.VectorJacobian(nil, nil, x) }, []string{"0 outputs"}},
		"seeds":            {func() (G.Nodes, error) { return graph.VectorJacobian(G.Nodes{vector}, nil, x) }, []string{"1 outputs and 0 seeds"}},
		"seed shape":       {func() (G.Nodes, error) { return graph.VectorJacobian(G.Nodes{vector}, G.Nodes{one}, x) }, []string{"seed 0", "()", "(4)"}},
		"nil seed":         {func() (G.Nodes, error) { return graph.VectorJacobian(G.Nodes{vector}, G.Nodes{nil}, x) }, []string{"seed 0", "nil"}},
		"nil output":       {func() (G.Nodes, error) { return graph.VectorJacobian(G.Nodes{nil}, G.Nodes{one}, x) }, []string{"output 0", "nil"}},
	} {
		_, err := c.run()
		if err == nil {
			t.Errorf("%s: no error", name)
			continue
		}
		for _, w := range c.want {
			if !strings.Contains(err.Error(), w) {
				t.Errorf("%s: error %q does not say %q", name, err, w)
			}
		}
	}
}

// TestOpsWithoutDerivative: where such an op stands between x and the cost, an answer of zeros would be
// wrong without a word. A comparison is a step: its derivative is 0 wherever it has one.
func TestOpsWithoutDerivative(t *testing.T) {
	g := G.NewGraph()
	x := G.NodeFromAny(g, normal64(1, 1, 4), G.WithName("x"))
	hidden, err := G.ApplyOp(opaque{}, x)
	must(t, err)
	_, err = graph.Differentiate(G.Must(G.Sum(hidden)), x)
	if err == nil || !strings.Contains(err.Error(), "opaque") || !strings.Contains(err.Error(), "derivative") {
		t.Errorf("error %v", err)
	}
	// Beside the way from x to the cost it does not matter.
	y := G.NodeFromAny(g, normal64(2, 1, 4), G.WithName("y"))
	hidden, err = G.ApplyOp(opaque{}, y)
	must(t, err)
	d, err := graph.Differentiate(G.Must(G.Sum(G.Must(G.HadamardProd(x, hidden)))), x)
	must(t, err)
	wantClose(t, "gradient", valuesOf(t, d...)[0], floats(t, y.Value()), 0)

	step := G.Must(G.Gt(x, G.NewConstant(0.0), true))
	d, err = graph.Differentiate(G.Must(G.Sum(G.Must(G.HadamardProd(x, step)))), x)
	must(t, err)
	wantClose(t, "gated", valuesOf(t, d...)[0], valuesOf(t, step)[0], 0)
	d, err = graph.Differentiate(G.Must(G.Sum(step)), x)
	must(t, err)
	wantClose(t, "step", valuesOf(t, d...)[0], make([]float64, 4), 0)
}

func TestGradientNodesAreNamedForTheirLayer(t *testing.T) {
	g := G.NewGraph()
	x := G.NodeFromAny(g, normal64(1, 1, 4), G.WithName("x"))
	half := G.NewConstant(0.5, G.WithName("half"))
	a := G.Must(G.Square(x))
	G.WithName("layer1/square")(a)
	b := G.Must(G.Mul(a, half))
	G.WithName("layer2/scale")(b)
	c := G.Must(G.Add(a, b))
	G.WithName("layer3/add")(c)
	cost := G.Must(G.Sum(c))
	G.WithName("loss")(cost)
	before := len(g.AllNodes())
	_, err := graph.Differentiate(cost, x)
	must(t, err)
	for _, n := range g.AllNodes()[before:] {
		_, constant := n.Op().(interface{ Value() G.Value })
		if n.Op() == nil || constant {
			if strings.HasPrefix(n.Name(), "gradient of") {
				t.Errorf("a constant or leaf was renamed %q", n.Name())
			}
			continue
		}
		if !strings.HasPrefix(n.Name(), "gradient of l") {
			t.Errorf("%v is named %q", n.Op(), n.Name())
		}
	}
	if half.Name() != "half" || x.Name() != "x" {
		t.Errorf("leaves are named %q, %q", half.Name(), x.Name())
	}
}
