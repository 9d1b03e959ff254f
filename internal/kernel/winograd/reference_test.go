package winograd

import (
	"math"
	"math/rand/v2"
)

func (s *Shape) xLen() int { return s.N * s.H * s.W * s.C }
func (s *Shape) yLen() int { return s.N * s.P * s.Q * s.K }
func (s *Shape) wLen() int { return s.K * s.C * 9 }

// flops counts a direct convolution, as every pass is reported.
func (s *Shape) flops() float64 { return 2 * float64(s.yLen()) * float64(s.C) * 9 }

// square is a square picture with equal padding on all sides.
func square(n, h, c, k, pad int) Shape {
	return Shape{N: n, H: h, W: h, C: c, K: k, P: h + 2*pad - 2, Q: h + 2*pad - 2, PadTop: pad, PadLeft: pad}
}

func normal(r *rand.Rand, n int, scale float64) []float32 {
	v := make([]float32, n)
	for i := range v {
		v[i] = float32(r.NormFloat64() * scale)
	}
	return v
}

// taps calls f for every product of the convolution: y[iy] += x[ix]·w[iw] for all channels, where ix, iy
// point at channel 0 of a pixel and tap is the filter's position.
func (s *Shape) taps(f func(iy, ix, tap int)) {
	for n := range s.N {
		for p := range s.P {
			for q := range s.Q {
				for t := range 9 {
					h, w := p-s.PadTop+t/3, q-s.PadLeft+t%3
					if h >= 0 && h < s.H && w >= 0 && w < s.W {
						f(((n*s.P+p)*s.Q+q)*s.K, ((n*s.H+h)*s.W+w)*s.C, t)
					}
				}
			}
		}
	}
}

// The three passes in float64, straight from the definition.

func (s *Shape) refForward(x, w []float32) []float64 {
	y := make([]float64, s.yLen())
	s.taps(func(iy, ix, tap int) {
		for k := range s.K {
			var a float64
			for c := range s.C {
				a += float64(x[ix+c]) * float64(w[(k*s.C+c)*9+tap])
			}
			y[iy+k] += a
		}
	})
	return y
}

func (s *Shape) refInputGrad(dy, w []float32) []float64 {
	dx := make([]float64, s.xLen())
	s.taps(func(iy, ix, tap int) {
		for k := range s.K {
			d := float64(dy[iy+k])
			for c := range s.C {
				dx[ix+c] += d * float64(w[(k*s.C+c)*9+tap])
			}
		}
	})
	return dx
}

func (s *Shape) refWeightGrad(dy, x []float32) []float64 {
	dw := make([]float64, s.wLen())
	s.taps(func(iy, ix, tap int) {
		for k := range s.K {
			d := float64(dy[iy+k])
			for c := range s.C {
				dw[(k*s.C+c)*9+tap] += d * float64(x[ix+c])
			}
		}
	})
	return dw
}

// errors gives the largest and the root mean square difference, relative to the rms of want.
func errors(got []float32, want []float64) (largest, rms float64) {
	var e2, w2 float64
	for i, v := range want {
		e := math.Abs(float64(got[i]) - v)
		if !(e <= largest) {
			largest = e
		}
		e2 += e * e
		w2 += v * v
	}
	scale := math.Sqrt(w2 / float64(len(want)))
	return largest / scale, math.Sqrt(e2/float64(len(want))) / scale
}
