package norm

import "testing"

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
