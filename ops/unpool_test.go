package ops_test

import (
	"strings"
	"testing"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/internal/gradtest"
	"github.com/stheno-ml/stheno/ops"
)

// Windows that overlap point to one pixel more than once; the last one wins and has the gradient.
func TestMaxUnpool2DGradient(t *testing.T) {
	for _, indices := range [][]int{
		{0, 3, 8, 6, 1, 2, 5, 7}, // all different
		{4, 4, 4, 6, 0, 8, 8, 0}, // shared
	} {
		i := tensor.New(tensor.WithShape(1, 2, 2, 2), tensor.WithBacking(indices))
		gradtest.Check(t, func(in []*gorgonia.Node) (*gorgonia.Node, error) {
			y, err := ops.MaxUnpool2D(in[0], in[1], [2]int{3, 3})
			if err != nil {
				return nil, err
			}
			return derivative(y, in[0])
		}, []*tensor.Dense{gradtest.Random(1, 0, 1, 2, 2, 2), i}, gradtest.Config{Order: 2})
	}
}

// Unpooling what was pooled puts every largest value back where it was.
func TestMaxUnpool2DUndoesPooling(t *testing.T) {
	a := ops.Pool{Kernel: [2]int{2, 3}}
	g := gorgonia.NewGraph()
	v := gradtest.Random(1, 0, 2, 3, 4, 6)
	x := gorgonia.NodeFromAny(g, v, gorgonia.WithName("x"))
	y, err := ops.MaxPool2D(x, a)
	if err != nil {
		t.Fatal(err)
	}
	i, err := ops.MaxPoolIndices(x, a)
	if err != nil {
		t.Fatal(err)
	}
	back, err := ops.MaxUnpool2D(y, i, [2]int{4, 6})
	if err != nil {
		t.Fatal(err)
	}
	runTape(t, y, back)
	kept := 0
	for k, b := range gradtest.Floats(t, back.Value()) {
		switch b {
		case 0:
		case v.Float64s()[k]:
			kept++
		default:
			t.Errorf("element %d is %g, want 0 or %g", k, b, v.Float64s()[k])
		}
	}
	if want := y.Shape().TotalSize(); kept != want {
		t.Errorf("%d values were put back, want %d", kept, want)
	}
}

func TestMaxUnpool2DIndexOutsidePicture(t *testing.T) {
	for _, bad := range []int{-1, 9} {
		g := gorgonia.NewGraph()
		x := gorgonia.NodeFromAny(g, gradtest.Random(1, 0, 1, 1, 1, 2), gorgonia.WithName("x"))
		i := gorgonia.NodeFromAny(g, tensor.New(tensor.WithShape(1, 1, 1, 2), tensor.WithBacking([]int{0, bad})), gorgonia.WithName("i"))
		y, err := ops.MaxUnpool2D(x, i, [2]int{3, 3})
		if err != nil {
			t.Fatal(err)
		}
		dx, err := graph.VectorJacobian(gorgonia.Nodes{y}, gorgonia.Nodes{y}, x)
		if err != nil {
			t.Fatal(err)
		}
		tape, err := graph.Compile(dx, graph.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if err := tape.RunAll(); err == nil || !strings.Contains(err.Error(), "want 0 to 8") {
			t.Errorf("index %d in a picture of 9 pixels: error %v", bad, err)
		}
	}
}
