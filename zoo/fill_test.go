package zoo_test

import (
	"math"
	"strings"
	"testing"

	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph"
)

// u01 is value i of tensor t, in [0, 1): splitmix64, as the references were made with.
func u01(t, i uint64) float64 {
	z := (t<<40 + i) + 0x9E3779B97F4A7C15
	z ^= z >> 30
	z *= 0xBF58476D1CE4E5B9
	z ^= z >> 27
	z *= 0x94D049BB133111EB
	z ^= z >> 31
	return float64(z>>11) / (1 << 53)
}

// Tensors that are no variables have numbers of their own.
const (
	inputNumber = 1000003
	otherNumber = 1000033 // r of DCGAN's loss
)

// formula is what fills variable number t of a reference. calm says that the name ends a residual branch.
func formula(v *graph.Variable, t int, transposedStride int, calm bool) func(i int) float64 {
	u := func(i int) float64 { return u01(uint64(t), uint64(i)) }
	shape := v.Value.Shape()
	switch {
	case len(shape) > 1:
		fanIn := 1.0
		for _, d := range shape[1:] {
			fanIn *= float64(d)
		}
		if transposedStride > 0 {
			fanIn = float64(shape[0]*shape[2]*shape[3]) / float64(transposedStride*transposedStride)
		}
		limit := math.Sqrt(6 / fanIn)
		return func(i int) float64 { return (2*u(i) - 1) * limit }
	case strings.HasSuffix(v.Name, "running_var"):
		return func(i int) float64 { return 0.5 + u(i) }
	case strings.HasSuffix(v.Name, ".weight") && calm:
		return func(i int) float64 { return (0.5 + u(i)) * 0.2 }
	case strings.HasSuffix(v.Name, ".weight"):
		return func(i int) float64 { return 0.5 + u(i) }
	}
	return func(i int) float64 { return (2*u(i) - 1) * 0.1 }
}

// set fills a tensor of either float type.
func set(d *tensor.Dense, f func(i int) float64) {
	switch x := d.Data().(type) {
	case []float32:
		for i := range x {
			x[i] = float32(f(i))
		}
	case []float64:
		for i := range x {
			x[i] = f(i)
		}
	}
}

// values is a copy in float64.
func values(d *tensor.Dense) []float64 {
	switch x := d.Data().(type) {
	case []float32:
		wide := make([]float64, len(x))
		for i, v := range x {
			wide[i] = float64(v)
		}
		return wide
	case []float64:
		return append([]float64(nil), x...)
	case float32:
		return []float64{float64(x)}
	case float64:
		return []float64{x}
	}
	return nil
}

// closeTo wants every element within tolerance of the largest element of want.
func closeTo(t *testing.T, what string, got, want []float64, tolerance float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%s: %d values, want %d", what, len(got), len(want))
		return
	}
	scale, worst := 0.0, 0.0
	for i := range want {
		scale = math.Max(scale, math.Abs(want[i]))
		worst = math.Max(worst, math.Abs(got[i]-want[i]))
		if math.IsNaN(got[i]) {
			worst = math.Inf(1)
		}
	}
	if !(worst <= tolerance*scale) {
		t.Errorf("%s is off by %.3g where the largest value is %.3g, want %.1g of it", what, worst, scale, tolerance)
	}
}
