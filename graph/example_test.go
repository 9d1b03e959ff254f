package graph_test

import (
	"fmt"
	"log"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/ops"
)

// A gradient penalty differentiates twice.
func ExampleDifferentiate() {
	g := gorgonia.NewGraph()
	x := gorgonia.NodeFromAny(g, tensor.New(tensor.WithBacking([]float64{1, 2, 3})), gorgonia.WithName("x"))
	cube, err := ops.PowScalar(x, 3)
	if err != nil {
		log.Fatal(err)
	}
	cost, err := ops.SumAxes(cube, ops.Over{})
	if err != nil {
		log.Fatal(err)
	}
	first, err := graph.Differentiate(cost, x)
	if err != nil {
		log.Fatal(err)
	}
	slope, err := ops.SumAxes(first[0], ops.Over{})
	if err != nil {
		log.Fatal(err)
	}
	second, err := graph.Differentiate(slope, x)
	if err != nil {
		log.Fatal(err)
	}
	tape, err := graph.Compile(gorgonia.Nodes{cost, first[0], second[0]}, graph.Options{})
	if err != nil {
		log.Fatal(err)
	}
	if err := tape.RunAll(); err != nil {
		log.Fatal(err)
	}
	fmt.Println(cost.Value(), first[0].Value(), second[0].Value())
	// Output: 36 [ 3  12  27] [ 6  12  18]
}
