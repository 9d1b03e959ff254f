package optim_test

import (
	"fmt"

	"github.com/stheno-ml/stheno/train/optim"
	"gorgonia.org/tensor"
)

// A parabola's minimum, with a gradient that is written by hand.
func Example() {
	x := tensor.New(tensor.WithShape(1), tensor.WithBacking([]float64{0}))
	grad := tensor.New(tensor.WithShape(1), tensor.WithBacking([]float64{0}))
	state, err := optim.New(optim.Config{Optimizer: optim.SGD{Momentum: 0.5}},
		[]optim.Param{{Name: "x", Value: x, Grad: grad}})
	if err != nil {
		fmt.Println(err)
		return
	}
	for range 50 {
		grad.Float64s()[0] = 2 * (x.Float64s()[0] - 3) // of (x − 3)²
		if _, err := state.Step(0.1); err != nil {
			fmt.Println(err)
			return
		}
	}
	fmt.Printf("%.4f\n", x.Float64s()[0])
	// Output: 3.0000
}
