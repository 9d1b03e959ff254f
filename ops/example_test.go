package ops_test

import (
	"fmt"
	"log"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/ops"
)

// An edge detector in a program that knows Gorgonia only: its graph, its gradient, its machine.
func ExampleConv2D() {
	g := gorgonia.NewGraph()
	picture := tensor.New(tensor.WithShape(1, 1, 3, 4), tensor.WithBacking([]float32{
		0, 0, 5, 5,
		0, 0, 5, 5,
		0, 0, 5, 5,
	}))
	filter := tensor.New(tensor.WithShape(1, 1, 1, 2), tensor.WithBacking([]float32{-1, 1}))
	x := gorgonia.NodeFromAny(g, picture, gorgonia.WithName("x")) // [N, C, H, W]
	w := gorgonia.NodeFromAny(g, filter, gorgonia.WithName("w"))  // [K, C, R, S]
	y, err := ops.Conv2D(x, w, nil, ops.Conv{})
	if err != nil {
		log.Fatal(err)
	}
	loss := gorgonia.Must(gorgonia.Sum(y))
	if _, err := gorgonia.Grad(loss, w); err != nil {
		log.Fatal(err)
	}
	vm := gorgonia.NewTapeMachine(g, gorgonia.BindDualValues(w))
	defer vm.Close()
	if err := vm.RunAll(); err != nil {
		log.Fatal(err)
	}
	dw, err := w.Grad()
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(y.Value().Data())
	fmt.Println(dw.Data())
	// Output:
	// [0 5 0 0 5 0 0 5 0]
	// [15 30]
}

// Running statistics belong to the caller: the new ones are nodes to be assigned after the step.
func ExampleRunningUpdate() {
	g := gorgonia.NewGraph()
	batch := tensor.New(tensor.WithShape(2, 2), tensor.WithBacking([]float64{1, 10, 3, 30}))
	x := gorgonia.NodeFromAny(g, batch, gorgonia.WithName("x")) // [N, C]
	mean := gorgonia.NewVector(g, tensor.Float64, gorgonia.WithName("mean"), gorgonia.WithShape(2), gorgonia.WithInit(gorgonia.Zeroes()))
	variance := gorgonia.NewVector(g, tensor.Float64, gorgonia.WithName("variance"), gorgonia.WithShape(2), gorgonia.WithInit(gorgonia.Ones()))
	_, stats, err := ops.BatchNormTrain(x, nil, nil, ops.BatchNorm{})
	if err != nil {
		log.Fatal(err)
	}
	newMean, newVariance, err := ops.RunningUpdate(mean, variance, stats, 2, ops.Running{Momentum: 0.5})
	if err != nil {
		log.Fatal(err)
	}
	vm := gorgonia.NewTapeMachine(g)
	defer vm.Close()
	if err := vm.RunAll(); err != nil {
		log.Fatal(err)
	}
	fmt.Println(newMean.Value().Data(), newVariance.Value().Data())
	// Output: [1 10] [1.5 100.5]
}
