package conv2d

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stheno-ml/stheno/internal/kernel/conv"
	"github.com/stheno-ml/stheno/internal/kernel/cpu"
)

var shapes = map[string]Shape{
	"winograd":             {N: 2, H: 17, W: 19, C: 32, K: 48, R: 3, S: 3, P: 17, Q: 19, StrideH: 1, StrideW: 1, PadTop: 1, PadLeft: 1, DilationH: 1, DilationW: 1, Groups: 1},
	"winograd, valid":      {N: 1, H: 16, W: 16, C: 64, K: 64, R: 3, S: 3, P: 14, Q: 14, StrideH: 1, StrideW: 1, DilationH: 1, DilationW: 1, Groups: 1},
	"much padding":         {N: 1, H: 4, W: 4, C: 32, K: 32, R: 3, S: 3, P: 8, Q: 8, StrideH: 1, StrideW: 1, PadTop: 3, PadLeft: 3, DilationH: 1, DilationW: 1, Groups: 1},
	"stride":               {N: 2, H: 13, W: 11, C: 16, K: 24, R: 3, S: 3, P: 7, Q: 6, StrideH: 2, StrideW: 2, PadTop: 1, PadLeft: 1, DilationH: 1, DilationW: 1, Groups: 1},
	"depthwise":            {N: 2, H: 9, W: 8, C: 24, K: 24, R: 3, S: 3, P: 9, Q: 8, StrideH: 1, StrideW: 1, PadTop: 1, PadLeft: 1, DilationH: 1, DilationW: 1, Groups: 24},
	"depth multiplier":     {N: 1, H: 6, W: 7, C: 5, K: 15, R: 3, S: 3, P: 4, Q: 5, StrideH: 1, StrideW: 1, DilationH: 1, DilationW: 1, Groups: 5},
	"groups":               {N: 1, H: 8, W: 8, C: 32, K: 32, R: 3, S: 3, P: 8, Q: 8, StrideH: 1, StrideW: 1, PadTop: 1, PadLeft: 1, DilationH: 1, DilationW: 1, Groups: 4},
	"stride, one by one":   {N: 2, H: 13, W: 11, C: 16, K: 24, R: 1, S: 1, P: 7, Q: 6, StrideH: 2, StrideW: 2, DilationH: 1, DilationW: 1, Groups: 1},
	"stride, deep":         {N: 1, H: 8, W: 8, C: 40, K: 520, R: 3, S: 3, P: 4, Q: 4, StrideH: 2, StrideW: 2, PadTop: 1, PadLeft: 1, DilationH: 1, DilationW: 1, Groups: 1},
	"one by one":           {N: 2, H: 5, W: 5, C: 32, K: 16, R: 1, S: 1, P: 5, Q: 5, StrideH: 1, StrideW: 1, DilationH: 1, DilationW: 1, Groups: 1},
	"dilation":             {N: 1, H: 9, W: 9, C: 16, K: 16, R: 3, S: 3, P: 5, Q: 5, StrideH: 1, StrideW: 1, DilationH: 2, DilationW: 2, Groups: 1},
	"careful":              {N: 2, H: 17, W: 19, C: 32, K: 48, R: 3, S: 3, P: 17, Q: 19, StrideH: 1, StrideW: 1, PadTop: 1, PadLeft: 1, DilationH: 1, DilationW: 1, Groups: 1, Careful: true},
	"careful, one by one":  {N: 1, H: 9, W: 7, C: 150, K: 40, R: 1, S: 1, P: 9, Q: 7, StrideH: 1, StrideW: 1, DilationH: 1, DilationW: 1, Groups: 1, Careful: true},
	"one channel, 1 group": {N: 1, H: 9, W: 9, C: 1, K: 16, R: 3, S: 3, P: 9, Q: 9, StrideH: 1, StrideW: 1, PadTop: 1, PadLeft: 1, DilationH: 1, DilationW: 1, Groups: 1},
}

func normal[T Float](n int, seed uint64) []T {
	rng := rand.New(rand.NewPCG(seed, 3))
	x := make([]T, n)
	for i := range x {
		x[i] = T(rng.NormFloat64())
	}
	return x
}

// Every road gives what the matrix product gives in float64.
func TestRoadsAgree(t *testing.T) {
	seen := make(map[road]bool)
	for name, s := range shapes {
		t.Run(name, func(t *testing.T) {
			for pass := range Pass(3) {
				seen[choose[float32](&s, pass, false)] = true
			}
			x, w := normal[float64](s.N*s.H*s.W*s.C, 1), normal[float64](s.K*s.C/s.Groups*s.R*s.S, 2)
			dy, add := normal[float64](s.N*s.P*s.Q*s.K, 4), normal[float64](s.N*s.P*s.Q*s.K, 5)
			scale, shift := normal[float64](s.K, 6), normal[float64](s.K, 7)
			plain := make([]float64, len(dy))
			conv.Forward(&s, plain, x, w, nil, make([]float64, conv.Workspace[float64](&s, PassForward)))
			for _, act := range []conv.Activation{conv.Identity, conv.ReLU, conv.LeakyReLU, conv.Clamp} {
				ep := Epilogue[float64]{Scale: scale, Shift: shift, Add: add, Activation: act, Slope: 0.1, Lo: -2, Hi: 3}
				want := make([]float64, len(dy))
				conv.Forward(&s, want, x, w, &ep, make([]float64, conv.Workspace[float64](&s, PassForward)))
				ep32 := Epilogue[float32]{Scale: to32(scale), Shift: to32(shift), Add: to32(add), Activation: act, Slope: 0.1, Lo: -2, Hi: 3}
				y := make([]float32, len(dy))
				Forward(&s, y, to32(x), to32(w), &ep32, make([]float32, Workspace[float32](&s, PassForward)))
				near(t, "forward", y, want, 3*largest(plain))
				packed := make([]float32, PackedSize[float32](&s))
				PackForward(&s, packed, to32(w))
				clear(y)
				ForwardPacked(&s, y, to32(x), packed, &ep32, make([]float32, PackedWorkspace[float32](&s)))
				near(t, "forward, packed", y, want, 3*largest(plain))
			}
			wantX, wantW := make([]float64, len(x)), make([]float64, len(w))
			conv.InputGrad(&s, wantX, dy, w, make([]float64, conv.Workspace[float64](&s, PassInputGrad)))
			conv.WeightGrad(&s, wantW, dy, x, make([]float64, conv.Workspace[float64](&s, PassWeightGrad)))
			dx, dw := make([]float32, len(x)), make([]float32, len(w))
			InputGrad(&s, dx, to32(dy), to32(w), make([]float32, Workspace[float32](&s, PassInputGrad)))
			near(t, "input gradient", dx, wantX, largest(wantX))
			if CanAddInputGrad[float32](&s) {
				sum, want := to32(x), make([]float64, len(x))
				for i := range want {
					want[i] = x[i] + wantX[i]
				}
				AddInputGrad(&s, sum, to32(dy), to32(w), make([]float32, Workspace[float32](&s, PassInputGrad)))
				near(t, "input gradient, added", sum, want, largest(want))
			}
			WeightGrad(&s, dw, to32(dy), to32(x), make([]float32, Workspace[float32](&s, PassWeightGrad)))
			near(t, "weight gradient", dw, wantW, largest(wantW))
			db, wantB := make([]float32, s.K), make([]float64, s.K)
			for i, v := range dy {
				wantB[i%s.K] += v
			}
			clear(dw)
			WeightBiasGrad(&s, dw, db, to32(dy), to32(x), make([]float32, Workspace[float32](&s, PassWeightGrad)))
			near(t, "weight gradient beside the bias's", dw, wantW, largest(wantW))
			near(t, "bias gradient", db, wantB, largest(wantB))
		})
	}
	if len(seen) != 3 && cpu.Best() == cpu.AVX512 {
		t.Errorf("the shapes take %d roads, want all 3", len(seen))
	}
}

// Careful is worth what it costs: on ReLU's results its error is less than a quarter of Winograd's, and less than half
// of that of sums in one accumulator.
func TestCarefulRoundsLess(t *testing.T) {
	for name, most := range map[string]float64{"winograd": 0.25, "stride": 0.5} {
		s := shapes[name]
		s.C, s.K = 64, 64
		x, w := normal[float64](s.N*s.H*s.W*s.C, 1), normal[float64](s.K*s.C*9, 2)
		for i, v := range to32(x) {
			x[i] = max(float64(v), 0)
		}
		for i, v := range to32(w) {
			w[i] = float64(v)
		}
		want := make([]float64, s.N*s.P*s.Q*s.K)
		conv.Forward(&s, want, x, w, nil, make([]float64, conv.Workspace[float64](&s, PassForward)))
		var squares [2]float64
		for i := range squares {
			s.Careful = i == 1
			y := make([]float32, len(want))
			Forward(&s, y, to32(x), to32(w), nil, make([]float32, Workspace[float32](&s, PassForward)))
			for j, v := range y {
				squares[i] += (float64(v) - want[j]) * (float64(v) - want[j])
			}
		}
		ratio := math.Sqrt(squares[1] / squares[0])
		t.Logf("%s: %.2f", name, ratio)
		if !(ratio < most) {
			t.Errorf("%s: careful is off by %.2f of what it is otherwise, want less than %.2f", name, ratio, most)
		}
	}
}

func to32(x []float64) []float32 {
	y := make([]float32, len(x))
	for i, v := range x {
		y[i] = float32(v)
	}
	return y
}

// near allows 3e-5 of the largest value: Winograd's transforms lose up to eight bits of float32's 24 (package
// winograd states and tests its bound); the other roads are far below. Scales of up to 3 follow the forward pass.
func near(t *testing.T, what string, got []float32, want []float64, size float64) {
	t.Helper()
	worst := 0.0
	for i, v := range want {
		worst = math.Max(worst, math.Abs(v-float64(got[i])))
	}
	if !(worst <= 3e-5*size) {
		t.Errorf("%s: off by %g where the largest value is %g", what, worst, size)
	}
}

func largest(x []float64) float64 {
	size := 0.0
	for _, v := range x {
		size = math.Max(size, math.Abs(v))
	}
	return size
}

func TestChoosingAllocatesNothing(t *testing.T) {
	s := shapes["winograd"]
	x, w, y := normal[float32](s.N*s.H*s.W*s.C, 1), normal[float32](s.K*s.C*9, 2), make([]float32, s.N*s.P*s.Q*s.K)
	ep := Epilogue[float32]{Activation: conv.ReLU}
	ws := make([]float32, Workspace[float32](&s, PassForward))
	run := func() { Forward(&s, y, x, w, &ep, ws) }
	run()
	if n := testing.AllocsPerRun(20, run); n >= 1 {
		t.Errorf("%v allocations a call", n)
	}
}
