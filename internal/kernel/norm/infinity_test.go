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

// Behind a ReLU that let nothing through, a gradient is 0, whatever it was; a leaky ReLU scales it.
func TestGradientOfInfinity(t *testing.T) {
	inf, nan := float32(math.Inf(1)), float32(math.NaN())
	for _, road := range cpu.Roads() {
		old := cpu.Force(road)
		for _, c := range []int{4, 64} { // plain Go, and vectors
			n := 4 * c
			x, y, dy, dx, one := make([]float32, n), make([]float32, n), make([]float32, n), make([]float32, n), make([]float32, c)
			for i := range n {
				x[i], y[i], dy[i] = -1, -1, []float32{-inf, nan, inf, 3}[i%4]
			}
			for i := range one {
				one[i] = 1
			}
			zero, sumG, sumGX := make([]float32, c), make([]float32, c), make([]float32, c)
			for slope, want := range map[float32][4]float32{0: {0, 0, 0, 0}, 0.5: {-inf, nan, inf, 1.5}} {
				for name, mask := range map[string]Mask[float32]{
					"from y": {Y: y, Slope: slope},
					"from x": {FromX: true, Gamma: one, Beta: zero, Slope: slope},
				} {
					InputGrad(dx, nil, dy, x, zero, one, nil, nil, nil, 0, mask, Shape{4, c, 1})
					for i, v := range dx {
						if w := want[i%4]; v != w && !(v != v && w != w) {
							t.Errorf("%v, %d channels, slope %v, %s: element %d is %v, want %v", road, c, slope, name, i, v, w)
							break
						}
					}
					GradStats(sumG, sumGX, dy, x, zero, one, 0, mask, Shape{4, c, 1})
					if slope == 0 && (sumG[1] != 0 || sumGX[2] != 0) {
						t.Errorf("%v, %d channels, %s: sums are %v and %v, want 0", road, c, name, sumG[1], sumGX[2])
					}
				}
			}
		}
		cpu.Force(old)
	}
}
