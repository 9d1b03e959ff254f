package norm

import (
	"math"
	"testing"

	"github.com/stheno-ml/stheno/internal/kernel/cpu"
)

// ReLU of −Inf is 0, and leaky ReLU of it −Inf; NaN stays, on every road.
func TestActivationOfInfinity(t *testing.T) {
	inf, nan := float32(math.Inf(1)), float32(math.NaN())
	for _, road := range cpu.Roads() {
		old := cpu.Force(road)
		for _, c := range []int{4, 64} { // plain Go, and vectors
			x, y := make([]float32, 4*c), make([]float32, 4*c)
			for i := range x {
				x[i] = []float32{-inf, nan, inf, -1}[i%4]
			}
			mean, variance := make([]float32, c), make([]float32, c)
			for i := range variance {
				variance[i] = 1
			}
			for slope, want := range map[float32][4]float32{0: {0, nan, inf, 0}, 0.5: {-inf, nan, inf, -0.5}} {
				Normalize(y, x, mean, variance, nil, nil, 0, Post[float32]{Act: true, Slope: slope}, Shape{4, c, 1})
				for i, v := range y {
					if w := want[i%4]; v != w && !(v != v && w != w) {
						t.Errorf("%v, %d channels, slope %v: element %d is %v, want %v", road, c, slope, i, v, w)
						break
					}
				}
			}
		}
		cpu.Force(old)
	}
}
