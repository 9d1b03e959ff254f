package winograd

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stheno-ml/stheno/internal/kernel/cpu"
)

// shapes are odd on purpose: pictures smaller than a tile, one pixel more than tiles, channels beside 16
// and 32, uneven padding, more tiles than one block, and both orders of work.
func shapes() []Shape {
	return []Shape{
		square(1, 1, 1, 1, 1),
		square(1, 3, 1, 1, 0),
		square(2, 5, 3, 5, 1),
		square(1, 4, 16, 16, 1),
		square(1, 7, 17, 33, 1),
		square(3, 13, 20, 48, 0),
		square(2, 6, 31, 18, 2),
		square(1, 17, 64, 40, 1),
		square(1, 9, 80, 16, 1),
		square(9, 18, 16, 32, 1),
		square(6, 23, 24, 19, 1),
		square(2, 7, 130, 96, 1),
		{N: 2, H: 5, W: 11, C: 6, K: 7, P: 4, Q: 12, PadTop: 1, PadLeft: 2},
		{N: 1, H: 12, W: 3, C: 18, K: 35, P: 13, Q: 1, PadTop: 2, PadLeft: 0},
		{N: 3, H: 2, W: 30, C: 33, K: 16, P: 2, Q: 29, PadTop: 0, PadLeft: 1},
	}
}

// everyRoad runs f on each road that the processor has.
func everyRoad(t *testing.T, f func(t *testing.T)) {
	for _, r := range cpu.Roads() {
		t.Run(r.String(), func(t *testing.T) {
			defer cpu.Force(cpu.Force(r))
			f(t)
		})
	}
}

// The largest error of a pass against float64, relative to the rms of the result, on N(0, 1) pixels or
// gradients and He-scaled filters. See the package documentation for where it comes from.
const bound = 2e-5

func check(t *testing.T, what string, s Shape, got []float32, want []float64) {
	t.Helper()
	largest, rms := errors(got, want)
	if !(largest <= bound) {
		t.Errorf("%s %v: largest error %.2e, rms %.2e of the result's rms; want at most %.0e", what, s, largest, rms, bound)
	}
}

type tensors struct{ x, w, dy []float32 }

func inputs(s *Shape, seed uint64) tensors {
	r := rand.New(rand.NewPCG(seed, 1))
	return tensors{normal(r, s.xLen(), 1), normal(r, s.wLen(), math.Sqrt(2/float64(9*s.C))), normal(r, s.yLen(), 1)}
}

func TestForward(t *testing.T) {
	everyRoad(t, func(t *testing.T) {
		for i, s := range shapes() {
			in := inputs(&s, uint64(i))
			y, ws := make([]float32, s.yLen()), make([]float32, Workspace(&s, PassForward))
			want := s.refForward(in.x, in.w)
			Forward(&s, y, in.x, in.w, nil, ws)
			check(t, "forward", s, y, want)
		}
	})
}

func TestInputGrad(t *testing.T) {
	everyRoad(t, func(t *testing.T) {
		for i, s := range shapes() {
			in := inputs(&s, uint64(i))
			dx, ws := make([]float32, s.xLen()), make([]float32, Workspace(&s, PassInputGrad))
			InputGrad(&s, dx, in.dy, in.w, ws)
			check(t, "input gradient", s, dx, s.refInputGrad(in.dy, in.w))
		}
	})
}

func TestWeightGrad(t *testing.T) {
	everyRoad(t, func(t *testing.T) {
		for i, s := range shapes() {
			in := inputs(&s, uint64(i))
			dw, ws := make([]float32, s.wLen()), make([]float32, Workspace(&s, PassWeightGrad))
			WeightGrad(&s, dw, in.dy, in.x, ws)
			check(t, "weight gradient", s, dw, s.refWeightGrad(in.dy, in.x))
		}
	})
}
