package norm

import (
	"math"
	"slices"
	"testing"
)

// A pitched result has the bits of a dense one, and nothing between or around its rows is written.
func testPitch[T Float](t *testing.T) {
	for _, s := range shapes {
		if s.Inner > 1 {
			continue
		}
		for _, add := range []bool{false, true} {
			for _, act := range []bool{false, true} {
				p := newProblem[T](s, 1)
				post := Post[T]{Act: act}
				if add {
					post.Add = p.add
				}
				Stats(p.mean, p.variance, p.x, s)
				Normalize(p.y, p.x, p.mean, p.variance, p.gamma, p.beta, p.eps, post, s)
				for _, more := range []int{1, 32} {
					post.Pitch = s.C + more
					y := guarded[T](post.size(s))
					Normalize(y, p.x, p.mean, p.variance, p.gamma, p.beta, p.eps, post, s)
					checkGuards(t, "y", y)
					for at, v := range y {
						if at%post.Pitch >= s.C {
							if v == v {
								t.Fatalf("%+v, pitch %d: element %d, which is nobody's, was written", s, post.Pitch, at)
							}
						} else if want := p.y[at/post.Pitch*s.C+at%post.Pitch]; v != want {
							t.Fatalf("%+v, pitch %d: element %d is %v, want %v", s, post.Pitch, at, v, want)
						}
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

// Gradients whose rows lie apart give the bits of dense ones.
func testPitchedGradient[T Float](t *testing.T) {
	for _, s := range shapes {
		if s.Inner > 1 {
			continue
		}
		p := newProblem[T](s, 2)
		Stats(p.mean, p.variance, p.x, s)
		Normalize(p.y, p.x, p.mean, p.variance, p.gamma, p.beta, p.eps, Post[T]{Act: true}, s)
		for name, mask := range map[string]Mask[T]{"no mask": {}, "y": {Y: p.y}, "x": {FromX: true, Gamma: p.gamma, Beta: p.beta}} {
			run := func(dy []T, mask Mask[T], frozen bool) (sumG, sumGX, dx []T) {
				sumG, sumGX, dx = make([]T, s.C), make([]T, s.C), guarded[T](s.size())
				GradStats(sumG, sumGX, dy, p.x, p.mean, p.variance, p.eps, mask, s)
				if frozen {
					InputGrad(dx, nil, dy, p.x, p.mean, p.variance, p.gamma, nil, nil, p.eps, mask, s)
				} else {
					InputGrad(dx, nil, dy, p.x, p.mean, p.variance, p.gamma, sumG, sumGX, p.eps, mask, s)
				}
				checkGuards(t, "dx", dx)
				return sumG, sumGX, dx
			}
			for _, frozen := range []bool{false, true} {
				sumG, sumGX, dx := run(p.dy, mask, frozen)
				pitched := mask
				pitched.Pitch = s.C + 5
				dy := make([]T, pitched.size(s))
				for at := range dy {
					dy[at] = T(math.NaN()) // between the rows: nobody may read it
					if at%pitched.Pitch < s.C {
						dy[at] = p.dy[at/pitched.Pitch*s.C+at%pitched.Pitch]
					}
				}
				g, gx, d := run(dy, pitched, frozen)
				if !slices.Equal(g, sumG) || !slices.Equal(gx, sumGX) || !slices.Equal(d, dx) {
					t.Fatalf("%+v, mask of %s, frozen %v: a pitched gradient has other bits", s, name, frozen)
				}
			}
		}
	}
}

func TestPitchedGradient(t *testing.T) {
	eachRoad(t, func(t *testing.T) {
		t.Run("float32", testPitchedGradient[float32])
		t.Run("float64", testPitchedGradient[float64])
	})
}
