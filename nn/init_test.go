package nn_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/nn"
)

func TestInitialisersHaveTheirMoments(t *testing.T) {
	shape := []int{64, 32, 3, 3} // fan in 288, fan out 576
	for _, c := range []struct {
		name  string
		init  graph.Init
		std   float64
		limit float64
	}{
		{"glorot uniform", nn.GlorotUniform{}, math.Sqrt(2.0 / 864), math.Sqrt(6.0 / 864)},
		{"glorot normal", nn.GlorotNormal{}, math.Sqrt(2.0 / 864), math.Inf(1)},
		{"he normal", nn.HeNormal{}, math.Sqrt(2.0 / 288), math.Inf(1)},
		{"he normal, fan out", nn.HeNormal{FanOut: true}, math.Sqrt(2.0 / 576), math.Inf(1)},
		{"he uniform", nn.HeUniform{}, math.Sqrt(2.0 / 288), math.Sqrt(6.0 / 288)},
		{"small normal", nn.Normal{Std: 0.02}, 0.02, math.Inf(1)},
		// A normal cut at two deviations has a deviation of 0.8796 of the whole one's.
		{"truncated normal", nn.TruncatedNormal{Std: 0.02}, 0.02 * 0.87962566, 0.04},
		{"torch", nn.TorchDefault{}, math.Sqrt(1.0 / 288 / 3), math.Sqrt(1.0 / 288)},
		{"orthogonal", nn.Orthogonal{}, math.Sqrt(1.0 / 288), math.Inf(1)},
	} {
		x := make([]float64, 64*32*9)
		c.init.Fill(x, shape, rand.New(rand.NewPCG(1, 2)))
		var sum, squares, largest float64
		for _, v := range x {
			sum += v
			squares += v * v
			largest = math.Max(largest, math.Abs(v))
		}
		n := float64(len(x))
		// Of 18,432 samples the mean is within 4.5/√n of a deviation, the deviation within 2.5 %.
		if mean := sum / n; math.Abs(mean) > 4.5*c.std/math.Sqrt(n) {
			t.Errorf("%s: mean %g", c.name, mean)
		}
		if std := math.Sqrt(squares / n); math.Abs(std/c.std-1) > 0.025 {
			t.Errorf("%s: deviation %g, want %g", c.name, std, c.std)
		}
		if largest > c.limit {
			t.Errorf("%s: %g is outside ±%g", c.name, largest, c.limit)
		}
	}
}

func TestOrthogonalIsOrthogonal(t *testing.T) {
	for _, shape := range [][]int{{4, 9}, {9, 4}, {5, 5}, {3, 2, 2, 2}} {
		rows, cols := shape[0], 1
		for _, d := range shape[1:] {
			cols *= d
		}
		x := make([]float64, rows*cols)
		nn.Orthogonal{Gain: 2}.Fill(x, shape, rand.New(rand.NewPCG(3, 4)))
		at := func(v, k int) float64 { return x[v*cols+k] }
		vectors, length := rows, cols
		if rows > cols {
			at = func(v, k int) float64 { return x[k*cols+v] }
			vectors, length = cols, rows
		}
		for a := range vectors {
			for b := range vectors {
				dot, want := 0.0, 0.0
				for k := range length {
					dot += at(a, k) * at(b, k)
				}
				if a == b {
					want = 4
				}
				if math.Abs(dot-want) > 1e-12 { // rounding of sums of at most 9 products
					t.Errorf("%v: vectors %d and %d have product %g, want %g", shape, a, b, dot, want)
				}
			}
		}
	}
}
