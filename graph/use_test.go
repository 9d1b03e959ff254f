package graph_test

import (
	"math"
	"strings"
	"testing"

	"github.com/pkg/errors"
	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph"
)

// Gradients that are used as they come are those that are kept otherwise, and take less memory.
func TestUseInsteadOfKeeping(t *testing.T) {
	b, cost := resnet20(t, tensor.Float32, 2)
	b.bind()
	grads, err := graph.Differentiate(cost, b.params...)
	must(t, err)
	kept, err := graph.Compile(append(G.Nodes{cost}, grads...), graph.Options{})
	must(t, err)
	must(t, kept.RunAll())
	var want [][]float64
	for _, n := range grads {
		want = append(want, floats(t, n.Value()))
	}
	guarded, used := 0, make([]int, len(grads))
	o := graph.Options{Guard: &graph.Use{Node: cost, Func: func(v G.Value) error {
		guarded++
		if v.Data().(float32) != kept32(t, kept, cost) {
			t.Errorf("the guard sees cost %v", v)
		}
		return nil
	}}}
	for k, n := range grads {
		o.Use = append(o.Use, graph.Use{Node: n, Func: func(v G.Value) error {
			if guarded == 0 {
				t.Errorf("gradient %d comes before the guard", k)
			}
			used[k]++
			for i, x := range floats(t, v) {
				if x != want[k][i] {
					t.Fatalf("gradient %d, element %d: %v used, %v kept", k, i, x, want[k][i])
				}
			}
			v.(*tensor.Dense).Zero() // nobody else reads it
			return nil
		}})
	}
	tape, err := graph.Compile(G.Nodes{cost}, o)
	must(t, err)
	must(t, tape.RunAll())
	must(t, tape.RunAll())
	for k, n := range used {
		if n != 2 {
			t.Errorf("gradient %d was used %d times in two runs", k, n)
		}
	}
}

// A function may change a parameter: nothing reads it any more in this run, and the gradients that are still to
// come are as if it had not changed.
func TestUseWrites(t *testing.T) {
	b, cost := resnet20(t, tensor.Float32, 2)
	b.bind()
	grads, err := graph.Differentiate(cost, b.params...)
	must(t, err)
	kept, err := graph.Compile(append(G.Nodes{cost}, grads...), graph.Options{})
	must(t, err)
	must(t, kept.RunAll())
	var want [][]float64
	for _, n := range grads {
		want = append(want, floats(t, n.Value()))
	}
	var o graph.Options
	for k, n := range grads {
		o.Use = append(o.Use, graph.Use{Node: n, Writes: b.params[k], Func: func(v G.Value) error {
			for i, x := range floats(t, v) {
				if x != want[k][i] {
					t.Fatalf("gradient %d, element %d: %v, want %v", k, i, x, want[k][i])
				}
			}
			return b.params[k].Value().(*tensor.Dense).Memset(float32(math.NaN()))
		}})
	}
	tape, err := graph.Compile(G.Nodes{cost}, o)
	must(t, err)
	must(t, tape.RunAll())
	for k, n := range b.params {
		if v := floats(t, n.Value())[0]; !math.IsNaN(v) {
			t.Errorf("parameter %d was not changed: %v", k, v)
		}
	}
	o.Use[0].Writes = cost
	if _, err := graph.Compile(G.Nodes{cost}, o); err == nil {
		t.Error("writing to what is computed is not an error")
	}
}

// TestUseSavesMemory plans a batch at whose size activations weigh more than what single ops need for scratch.
func TestUseSavesMemory(t *testing.T) {
	b, cost := resnet20(t, tensor.Float32, 64)
	grads, err := graph.Differentiate(cost, b.params...)
	must(t, err)
	kept, err := graph.Compile(append(G.Nodes{cost}, grads...), graph.Options{})
	must(t, err)
	var o graph.Options
	for _, n := range grads {
		o.Use = append(o.Use, graph.Use{Node: n, Func: func(G.Value) error { return nil }})
	}
	used, err := graph.Compile(G.Nodes{cost}, o)
	must(t, err)
	if a, b := used.Plan().Arena, kept.Plan().Arena; a >= b {
		t.Errorf("arena %d bytes, with gradients kept %d", a, b)
	}
}

func kept32(t *testing.T, tape *graph.Tape, n *G.Node) float32 {
	t.Helper()
	v, err := tape.Value(n)
	must(t, err)
	return v.Data().(float32)
}

func TestGuardEndsTheRun(t *testing.T) {
	b, cost := resnet20(t, tensor.Float32, 2)
	b.bind()
	grads, err := graph.Differentiate(cost, b.params...)
	must(t, err)
	used := 0
	o := graph.Options{Guard: &graph.Use{Node: cost, Func: func(G.Value) error { return errors.New("enough") }}}
	for _, n := range grads {
		o.Use = append(o.Use, graph.Use{Node: n, Func: func(G.Value) error { used++; return nil }})
	}
	tape, err := graph.Compile(G.Nodes{cost}, o)
	must(t, err)
	if err := tape.RunAll(); err == nil || !strings.Contains(err.Error(), "enough") || used != 0 {
		t.Errorf("error %v after %d uses", err, used)
	}
	for _, o := range []graph.Options{{Use: []graph.Use{{Node: b.params[0], Func: func(G.Value) error { return nil }}}}, {Use: []graph.Use{{Node: cost}}}} {
		if _, err := graph.Compile(G.Nodes{cost}, o); err == nil {
			t.Error("using an input, or without a function, is not an error")
		}
	}
}
