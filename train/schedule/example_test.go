package schedule_test

import (
	"fmt"

	"github.com/stheno-ml/stheno/train/schedule"
)

func ExampleCosine() {
	s := schedule.Cosine{Peak: 0.1, Warmup: 5}
	for _, step := range []int{0, 4, 5, 30, 54} {
		fmt.Printf("step %2d  %.4f\n", step, s.Rate(schedule.At{Step: step, PerEpoch: 11, Epochs: 5}))
	}
	// Output:
	// step  0  0.0200
	// step  4  0.1000
	// step  5  0.1000
	// step 30  0.0500
	// step 54  0.0001
}

func ExamplePlateau() {
	p := &schedule.Plateau{Start: 0.1, Patience: 2}
	for _, loss := range []float64{1.0, 0.8, 0.81, 0.82, 0.80} {
		p.Observe(loss)
		fmt.Printf("%.2f → %.2f\n", loss, p.Rate(schedule.At{}))
	}
	// Output:
	// 1.00 → 0.10
	// 0.80 → 0.10
	// 0.81 → 0.10
	// 0.82 → 0.10
	// 0.80 → 0.01
}
