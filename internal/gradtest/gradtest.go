// Package gradtest compares symbolic gradients with differences of the function itself, in float64.
//
// An op's result y is made a number by a fixed random weighting, f = Σ r·y, and the inputs are moved along a
// random direction d. The derivative of f along d, by a five-point difference, must equal Σ ∇f·d. For the
// second order the same is done to h = Σ s·∇f. This is JAX's check_grads with a better stencil.
package gradtest

import (
	"math"
	"math/rand/v2"
	"testing"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/internal/exec"
)

// Build adds what is tested to the graph of its inputs.
type Build func(in []*gorgonia.Node) (*gorgonia.Node, error)

// Config says how to check. The zero value is first order at the usual tolerance.
type Config struct {
	Order int     // 2 checks the gradient's gradient as well
	Tol   float64 // largest error relative to the size of the terms; 0 means 1e-8
	Step  float64 // of the difference; 0 means 1e-4. Keep inputs farther than twice that from a kink.
	Seed  uint64
}

// tolerance: the five-point stencil at step 1e-4 errs by about 1e-16 in the function's fifth derivative and
// by 1e-16/1e-4 = 1e-12 in rounding; sums of some thousand terms take that to 1e-9.
const tolerance = 1e-8

// Check fails t where the gradient that graph.Differentiate builds is not the derivative. Inputs that are
// not float64 (labels, indices) are held fixed. It also requires that our tape and Gorgonia's own tape
// machine agree on the result and on every gradient.
func Check(t *testing.T, build Build, inputs []*tensor.Dense, c Config) {
	t.Helper()
	if c.Tol == 0 {
		c.Tol = tolerance
	}
	if c.Step == 0 {
		c.Step = 1e-4
	}
	rng := rand.New(rand.NewPCG(c.Seed, 7))
	m := newModel(t, build, inputs, rng, c.Order)
	if m == nil {
		return
	}
	m.compareMachines(t)
	direction := make([][]float64, len(inputs))
	for i, x := range inputs {
		if x.Dtype() == tensor.Float64 {
			direction[i] = Normal(rng, x.Shape().TotalSize())
		}
	}
	m.compare(t, "first", direction, m.y, m.r, m.grads, c)
	if c.Order >= 2 {
		m.compare(t, "second", direction, m.grads, m.s, m.second, c)
	}
}

type model struct {
	g      *gorgonia.ExprGraph
	in     gorgonia.Nodes
	values []*tensor.Dense
	wrt    gorgonia.Nodes
	y      gorgonia.Nodes
	r, s   gorgonia.Nodes // weights of the result, and of the gradients
	grads  gorgonia.Nodes
	second gorgonia.Nodes
	tape   *graph.Tape
}

func newModel(t *testing.T, build Build, inputs []*tensor.Dense, rng *rand.Rand, order int) *model {
	t.Helper()
	m := &model{g: gorgonia.NewGraph()}
	for i, x := range inputs {
		v := x.Clone().(*tensor.Dense)
		n := gorgonia.NodeFromAny(m.g, v, gorgonia.WithName("x"+string(rune('0'+i))))
		m.in = append(m.in, n)
		m.values = append(m.values, v)
		if x.Dtype() == tensor.Float64 {
			m.wrt = append(m.wrt, n)
		}
	}
	y, err := build(m.in)
	if err != nil {
		t.Errorf("building: %+v", err)
		return nil
	}
	m.y = gorgonia.Nodes{y}
	m.r = m.weights(rng, "r", m.y)
	if m.grads, err = graph.VectorJacobian(m.y, m.r, m.wrt...); err != nil {
		t.Errorf("differentiating: %+v", err)
		return nil
	}
	outputs := append(append(gorgonia.Nodes(nil), m.y...), m.grads...)
	if order >= 2 {
		m.s = m.weights(rng, "s", m.grads)
		if m.second, err = graph.VectorJacobian(m.grads, m.s, m.wrt...); err != nil {
			t.Errorf("differentiating twice: %+v", err)
			return nil
		}
		outputs = append(outputs, m.second...)
	}
	if m.tape, err = graph.Compile(outputs, graph.Options{}); err != nil {
		t.Errorf("compiling: %+v", err)
		return nil
	}
	return m
}

func (m *model) weights(rng *rand.Rand, name string, of gorgonia.Nodes) gorgonia.Nodes {
	var w gorgonia.Nodes
	for i, n := range of {
		label := gorgonia.WithName(name + string(rune('0'+i)))
		if len(n.Shape()) == 0 {
			w = append(w, gorgonia.NewScalar(m.g, tensor.Float64, label, gorgonia.WithValue(rng.NormFloat64())))
			continue
		}
		v := tensor.New(tensor.WithShape(n.Shape()...), tensor.WithBacking(Normal(rng, n.Shape().TotalSize())))
		w = append(w, gorgonia.NodeFromAny(m.g, v, label))
	}
	return w
}

// compareMachines runs the graph on the stock tape machine and on ours.
func (m *model) compareMachines(t *testing.T) {
	t.Helper()
	nodes := append(append(gorgonia.Nodes(nil), m.y...), m.grads...)
	nodes = append(nodes, m.second...)
	if err := m.tape.RunAll(); err != nil {
		t.Fatalf("our tape: %+v", err)
	}
	var ours [][]float64
	for _, n := range nodes {
		ours = append(ours, append([]float64(nil), Floats(t, n.Value())...))
	}
	stock := gorgonia.NewTapeMachine(m.g)
	defer stock.Close()
	if err := stock.RunAll(); err != nil {
		t.Fatalf("stock tape machine: %+v", err)
	}
	for k, n := range nodes {
		theirs := Floats(t, n.Value())
		for i := range theirs {
			// The same kernels on the same numbers; only the memory order of pictures may differ, and with
			// it the order of sums.
			if e := math.Abs(theirs[i] - ours[k][i]); e > 1e-12*(1+math.Abs(theirs[i])) {
				t.Errorf("%s: element %d is %g on our tape, %g on the stock machine", n.Name(), i, ours[k][i], theirs[i])
				break
			}
		}
	}
}

// compare checks Σ weights·of against gradients, along direction.
func (m *model) compare(t *testing.T, order string, direction [][]float64, of, weights, gradients gorgonia.Nodes, c Config) {
	t.Helper()
	at := func(step float64) float64 {
		for i, d := range direction {
			x := m.values[i].Float64s
			if d == nil {
				continue
			}
			for k := range d {
				x()[k] += step * d[k]
			}
		}
		if err := m.tape.RunAll(); err != nil {
			t.Fatalf("%s order: %+v", order, err)
		}
		total := 0.0
		for i, n := range of {
			total += dot(Floats(t, n.Value()), Floats(t, weights[i].Value()))
		}
		for i, d := range direction {
			if d == nil {
				continue
			}
			x := m.values[i].Float64s()
			for k := range d {
				x[k] -= step * d[k]
			}
		}
		return total
	}
	h := c.Step
	want := (8*(at(h)-at(-h)) - (at(2*h) - at(-2*h))) / (12 * h)
	if err := m.tape.RunAll(); err != nil {
		t.Fatal(err)
	}
	got, size := 0.0, 1.0
	k := 0
	for _, d := range direction {
		if d == nil {
			continue
		}
		g := Floats(t, gradients[k].Value())
		got += dot(g, d)
		for i := range g {
			size += math.Abs(g[i] * d[i])
		}
		k++
	}
	if e := math.Abs(got-want) / size; !(e <= c.Tol) {
		t.Errorf("%s order: the gradient gives %.12g along the direction, the function %.12g (error %.2g of the terms, want at most %.2g)", order, got, want, e, c.Tol)
	}
}

func dot(a, b []float64) float64 {
	s := 0.0
	for i := range a {
		s += a[i] * b[i]
	}
	return s
}

// Floats is the elements of a float64 value in the order of its axes.
func Floats(t *testing.T, v gorgonia.Value) []float64 {
	t.Helper()
	a, err := exec.FromValue(v)
	if err != nil {
		t.Fatalf("%+v", err)
	}
	return exec.Data[float64](&a)
}

// Normal is n samples of the standard normal distribution.
func Normal(rng *rand.Rand, n int) []float64 {
	x := make([]float64, n)
	for i := range x {
		x[i] = rng.NormFloat64()
	}
	return x
}

// Random is a float64 tensor of normal samples. Those closer to zero than margin are pushed away from it,
// for functions with a kink there.
func Random(seed uint64, margin float64, shape ...int) *tensor.Dense {
	rng := rand.New(rand.NewPCG(seed, 1))
	x := Normal(rng, tensor.Shape(shape).TotalSize())
	for i, v := range x {
		if math.Abs(v) < margin {
			x[i] = math.Copysign(margin+math.Abs(v), v)
		}
	}
	return tensor.New(tensor.WithShape(shape...), tensor.WithBacking(x))
}
