package graph_test

import (
	"io"
	"log"
	"strings"
	"testing"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph"
)

// TestSharedBiasGradient is a trap of the stock machine: in x+b1+b2 both biases have one gradient node. Without
// BindDualValues a solver that zeroes the gradient of the first zeroes that of the second as well, which
// then stands still. Ours moves both, with or without it, and by the same amount.
func TestSharedBiasGradient(t *testing.T) {
	train := func(newMachine constructor, opts ...G.VMOpt) (b1, b2 float64) {
		g := G.NewGraph()
		x := G.NodeFromAny(g, normal64(1, 1, 6), G.WithName("x"))
		n1 := G.NodeFromAny(g, normal64(2, 0, 6), G.WithName("b1"))
		n2 := G.NodeFromAny(g, normal64(2, 0, 6), G.WithName("b2"))
		y := G.Must(G.Add(G.Must(G.Add(x, n1)), n2))
		cost := G.Must(G.Sum(y))
		if _, err := G.Grad(cost, n1, n2); err != nil {
			t.Fatal(err)
		}
		vm := newMachine(g, opts...)
		defer vm.Close()
		solver := G.NewVanillaSolver(G.WithLearnRate(0.5))
		for range 3 {
			if err := vm.RunAll(); err != nil {
				t.Fatal(err)
			}
			if err := solver.Step([]G.ValueGrad{n1, n2}); err != nil {
				t.Fatal(err)
			}
			vm.Reset()
		}
		return floats(t, n1.Value())[0], floats(t, n2.Value())[0]
	}
	if b1, b2 := train(stockMachine); b1 != -1.5 || b2 != 0 {
		t.Errorf("the stock machine's trap has changed: biases %v and %v, they were -1.5 and 0", b1, b2)
	}
	if b1, b2 := train(ourTape); b1 != -1.5 || b2 != -1.5 {
		t.Errorf("biases %v and %v after three steps of 0.5, want -1.5 for both", b1, b2)
	}
	if b1, b2 := train(ourTape, G.BindDualValues()); b1 != -1.5 || b2 != -1.5 {
		t.Errorf("with BindDualValues: biases %v and %v after three steps of 0.5, want -1.5 for both", b1, b2)
	}
}

func TestStockOptionsThatDoNotWork(t *testing.T) {
	g := G.NewGraph()
	x := G.NodeFromAny(g, normal64(1, 1, 6), G.WithName("x"))
	G.Must(G.Square(x))
	for name, opt := range map[string]G.VMOpt{
		"WithLogger":    G.WithLogger(log.New(io.Discard, "", 0)),
		"WithWatchlist": G.WithWatchlist(x),
		"WithEngine":    G.WithEngine(tensor.Float64Engine{}),
		"LogFwdOnly":    G.LogFwd(), // the stock tape machine panics
	} {
		err := graph.NewTape(g, opt).RunAll()
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: error %v", name, err)
		}
	}
	if err := graph.NewTape(nil).RunAll(); err == nil {
		t.Error("no error for a nil graph")
	}
	if err := graph.NewTape(g, G.UseCudaFor(), G.WithValueFmt("%v"), G.WithPointerWatch()).RunAll(); err != nil {
		t.Error(err)
	}
}

func TestStockWatchOptions(t *testing.T) {
	g := G.NewGraph()
	x := G.NodeFromAny(g, tensor.New(tensor.WithBacking([]float64{1, 0})), G.WithName("x"))
	y := G.Must(G.Log(x))
	G.WithName("y")(y)
	if err := graph.NewTape(g, G.WithNaNWatch()).RunAll(); err != nil {
		t.Errorf("an infinity is no NaN: %v", err)
	}
	err := graph.NewTape(g, G.WithInfWatch()).RunAll()
	if err == nil || !strings.Contains(err.Error(), "-Inf") || !strings.Contains(err.Error(), "at y") {
		t.Errorf("error %v", err)
	}
}

// TestBindDualValuesOfSomeNodes: gradients of the named nodes add up over runs, those of the others do not.
func TestBindDualValuesOfSomeNodes(t *testing.T) {
	run := func(newMachine constructor) (a, b float64) {
		g := G.NewGraph()
		n1 := G.NodeFromAny(g, normal64(1, 1, 4), G.WithName("a"))
		n2 := G.NodeFromAny(g, normal64(2, 1, 4), G.WithName("b"))
		cost := G.Must(G.Sum(G.Must(G.HadamardProd(n1, n2))))
		if _, err := G.Grad(cost, n1, n2); err != nil {
			t.Fatal(err)
		}
		vm := newMachine(g, G.BindDualValues(n1))
		for range 3 {
			if err := vm.RunAll(); err != nil {
				t.Fatal(err)
			}
			vm.Reset()
		}
		g1, err := n1.Grad()
		if err != nil {
			t.Fatal(err)
		}
		g2, err := n2.Grad()
		if err != nil {
			t.Fatal(err)
		}
		return floats(t, g1)[0], floats(t, g2)[0]
	}
	a, b := run(stockMachine)
	if a2, b2 := run(ourTape); a != a2 || b != b2 {
		t.Errorf("gradients %v and %v, the stock machine has %v and %v", a2, b2, a, b)
	}
}

// TestCostsCanBeKept: programs keep the values of scalars over runs to draw a curve.
func TestCostsCanBeKept(t *testing.T) {
	g := G.NewGraph()
	x := G.NewVector(g, G.Float64, G.WithShape(3), G.WithName("x"))
	cost := G.Must(G.Sum(G.Must(G.Square(x))))
	vm := graph.NewTape(g)
	defer vm.Close()
	var curve []G.Value
	for i := range 4 {
		if err := vm.Let(x, tensor.New(tensor.WithBacking([]float64{float64(i), 0, 1}))); err != nil {
			t.Fatal(err)
		}
		if err := vm.RunAll(); err != nil {
			t.Fatal(err)
		}
		curve = append(curve, cost.Value())
	}
	for i, v := range curve {
		if want := float64(i*i + 1); v.Data().(float64) != want {
			t.Errorf("cost %d is %v, want %v", i, v, want)
		}
	}
}

// TestRandomNodes: a stock random node draws anew at each run.
func TestRandomNodes(t *testing.T) {
	g := G.NewGraph()
	r := G.GaussianRandomNode(g, G.Float64, 0, 1, 50)
	cost := G.Must(G.Sum(r))
	vm := graph.NewTape(g)
	defer vm.Close()
	var seen []float64
	for range 2 {
		if err := vm.RunAll(); err != nil {
			t.Fatal(err)
		}
		seen = append(seen, cost.Value().Data().(float64))
	}
	if seen[0] == seen[1] || seen[0] == 0 {
		t.Errorf("sums of random numbers: %v", seen)
	}
}

func TestSetErrors(t *testing.T) {
	g := G.NewGraph()
	x := G.NodeFromAny(g, normal64(1, 1, 6), G.WithName("x"))
	y := G.Must(G.Square(x))
	vm := graph.NewTape(g)
	defer vm.Close()
	if err := vm.Set(x, y); err == nil || !strings.Contains(err.Error(), "no value") {
		t.Errorf("before a run: %v", err)
	}
	if err := vm.Set(nil, y); err == nil {
		t.Error("no error for a nil node")
	}
	if err := vm.RunAll(); err != nil {
		t.Fatal(err)
	}
	if err := vm.Set(y, x); err == nil {
		t.Error("no error for setting a computed node")
	}
	if err := vm.Set(x, G.Must(G.Sum(y))); err == nil {
		t.Error("no error for setting a vector to a scalar that was never computed")
	}
}
