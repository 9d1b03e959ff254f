package graph_test

import (
	"testing"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/internal/gradtest"
	"github.com/stheno-ml/stheno/ops"
)

// Constant variables give the same results, with filters packed and statistics joined once.
func TestConstantVariables(t *testing.T) {
	for name, c := range chains {
		t.Run(name, func(t *testing.T) {
			g := G.NewGraph()
			seed := uint64(1)
			var constants []*G.Node
			variable := func(shape ...int) *G.Node {
				seed++
				v := gradtest.Random(seed, 0, shape...)
				for i, x := range v.Float64s() {
					v.Float64s()[i] = x*x + 0.3
				}
				n := G.NodeFromAny(g, v, G.WithName(string(rune('a'+seed))))
				constants = append(constants, n)
				return n
			}
			x := G.NodeFromAny(g, gradtest.Random(99, 0, 2, 6, 5, 7), G.WithName("x"))
			y, err := c.build(x, variable)
			must(t, err)
			plain, err := graph.Compile(G.Nodes{y}, graph.Options{Private: true})
			must(t, err)
			frozen, err := graph.Compile(G.Nodes{y}, graph.Options{Private: true, Constant: constants})
			must(t, err)
			run := func(tape *graph.Tape, at *tensor.Dense) []float64 {
				must(t, tape.Let(x, at))
				must(t, tape.RunAll())
				v, err := tape.Value(y)
				must(t, err)
				return floats(t, v)
			}
			for _, at := range []*tensor.Dense{gradtest.Random(5, 0, 2, 6, 5, 7), gradtest.Random(6, 0, 2, 6, 5, 7)} {
				want, got := run(plain, at), run(frozen, at)
				for i := range got {
					if got[i] != want[i] { // the same kernels on the same numbers
						t.Fatalf("element %d is %v with constants, %v without", i, got[i], want[i])
					}
				}
			}
		})
	}
}

func TestConstantsAreNotComputedAgain(t *testing.T) {
	g := G.NewGraph()
	w := G.NodeFromAny(g, tensor.New(tensor.WithBacking([]float64{1, 2, 3})), G.WithName("w"))
	x := G.NodeFromAny(g, tensor.New(tensor.WithBacking([]float64{1, 1, 1})), G.WithName("x"))
	twice, err := ops.Sum(w, w)
	must(t, err)
	y, err := ops.Sum(x, twice)
	must(t, err)
	tape, err := graph.Compile(G.Nodes{y, twice}, graph.Options{Constant: []*G.Node{w}})
	must(t, err)
	if n := tape.Plan().Instructions; n != 1 {
		t.Errorf("%d instructions, want 1: the sum of constants is computed beforehand", n)
	}
	for _, change := range []float64{0, 100} {
		w.Value().(*tensor.Dense).Float64s()[0] += change
		must(t, tape.RunAll())
		if got := floats(t, y.Value()); got[0] != 3 || got[1] != 5 || got[2] != 7 {
			t.Errorf("after adding %v to a constant: %v, want [3 5 7]", change, got)
		}
		if got := floats(t, twice.Value()); got[2] != 6 {
			t.Errorf("a result of constants alone: %v", got)
		}
	}
	if _, err := graph.Compile(G.Nodes{y}, graph.Options{Constant: []*G.Node{y}}); err == nil {
		t.Error("a computed node as a constant is not an error")
	}
}
