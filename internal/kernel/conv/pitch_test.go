package conv

import (
	"math"
	"math/rand"
	"testing"
)

// A pitched result has the bits of a dense one, and nothing between or around its pixels is written.
func testPitch[T Float](t *testing.T) {
	for i, s := range shapes {
		rng := rand.New(rand.NewSource(int64(i)))
		b := newBuffers[T](&s, rng)
		ws := make([]T, Workspace[T](&s, PassForward))
		scale, shift := newGuarded[T](s.K, rng), newGuarded[T](s.K, rng)
		for _, ep := range []*Epilogue[T]{nil, {Scale: scale.data, Shift: shift.data, Activation: ReLU}} {
			Forward(&s, b.y.data, b.x.data, b.w.data, ep, ws)
			for _, more := range []int{1, 16, 35} {
				pitched := s
				pitched.Pitch = s.K + more
				pixels := s.N * s.P * s.Q
				y := newGuarded[T](max(0, (pixels-1)*pitched.Pitch+s.K), nil)
				Forward(&pitched, y.data, b.x.data, b.w.data, ep, ws)
				y.intact(t, "forward")
				for k, v := range y.data {
					pixel, c := k/pitched.Pitch, k%pitched.Pitch
					want := T(math.NaN())
					if c < s.K {
						want = b.y.data[pixel*s.K+c]
					}
					if v != want && (v == v || want == want) {
						t.Fatalf("%+v: pixel %d, channel %d is %v, want %v", pitched, pixel, c, v, want)
					}
				}
			}
		}
	}
}

func TestPitch(t *testing.T) {
	eachRoad(t, func(t *testing.T) {
		t.Run("float32", testPitch[float32])
		t.Run("float64", testPitch[float64])
	})
}
