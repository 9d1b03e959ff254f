package winograd

import (
	"math"
	"math/rand/v2"
	"testing"
)

// A pitched result has the bits of a dense one, and nothing between or around its pixels is written.
func TestPitch(t *testing.T) {
	const guard = 37 // odd, so that nothing happens to be aligned
	everyRoad(t, func(t *testing.T) {
		for _, s := range shapes() {
			in := inputs(&s, 5)
			r := rand.New(rand.NewPCG(1, 2))
			ws := make([]float32, Workspace(&s, PassForward))
			dense := make([]float32, s.yLen())
			scale, shift := normal(r, s.K, 1), normal(r, s.K, 1)
			for _, ep := range []*Epilogue{nil, {Scale: scale, Shift: shift, Activation: ReLU}} {
				Forward(&s, dense, in.x, in.w, ep, ws)
				for _, more := range []int{1, 48} {
					pitched := s
					pitched.Pitch = s.K + more
					n := (s.N*s.P*s.Q-1)*pitched.Pitch + s.K
					all := make([]float32, n+2*guard)
					for i := range all {
						all[i] = float32(math.NaN())
					}
					Forward(&pitched, all[guard:guard+n:guard+n], in.x, in.w, ep, ws)
					for k, v := range all {
						at := k - guard
						if at < 0 || at >= n || at%pitched.Pitch >= s.K {
							if v == v {
								t.Fatalf("%+v: element %d, which is nobody's, was written", pitched, at)
							}
						} else if want := dense[at/pitched.Pitch*s.K+at%pitched.Pitch]; v != want {
							t.Fatalf("%+v: element %d is %v, want %v", pitched, at, v, want)
						}
					}
				}
			}
		}
	})
}
