package conv

import (
	"fmt"
	"math"
	"math/rand"
	"testing"
)

func same[T Float](t *testing.T, name string, got, want guarded[T]) {
	t.Helper()
	for i := range want.all {
		a, b := got.all[i], want.all[i]
		if a != b && (a == a || b == b) {
			t.Fatalf("%s: element %d (with guard zone) is %v, twin %v", name, i-guard, a, b)
		}
	}
}

func copied[T Float](g guarded[T]) guarded[T] {
	c := guarded[T]{all: append([]T(nil), g.all...)}
	c.data = c.all[guard : len(c.all)-guard]
	return c
}

// The kernel multiplies and adds in the twin's order: they agree to the bit.
func TestFinishAgainstTwin(t *testing.T) {
	eachRoad(t, func(t *testing.T) {
		rng := rand.New(rand.NewSource(8))
		for cols := 1; cols <= 35; cols++ {
			rows, stride := 1+rng.Intn(3), cols+rng.Intn(4)
			n := (rows-1)*stride + cols
			y, add := newGuarded[float32](n, rng), newGuarded[float32](n, rng)
			scale, shift := newGuarded[float32](cols, rng), newGuarded[float32](cols, rng)
			for i, v := range []float64{math.NaN(), math.Inf(1), math.Inf(-1), math.Copysign(0, -1)} {
				if i < cols {
					y.data[i] = float32(v)
				}
			}
			for form := range 8 {
				a, s, h := add.data, scale.data, shift.data
				if form&1 != 0 {
					a = nil
				}
				if form&2 != 0 {
					s = nil
				}
				if form&4 != 0 {
					h = nil
				}
				for _, l := range [][3]float32{{1, 0, float32(math.Inf(1))}, {0.25, float32(math.Inf(-1)), float32(math.Inf(1))}, {1, -0.5, 0.5}} {
					got, want := copied(y), copied(y)
					finish(got.data, a, stride, rows, cols, s, h, l[0], l[1], l[2])
					finishGeneric(want.data, a, stride, rows, cols, s, h, l[0], l[1], l[2])
					same(t, fmt.Sprintf("%d columns, form %d, %v", cols, form, l), got, want)
				}
			}
		}
	})
}

func TestLanesAgainstTwins(t *testing.T) {
	eachRoad(t, func(t *testing.T) {
		rng := rand.New(rand.NewSource(9))
		for _, group := range []int{4, 8} {
			for pixels := 1; pixels <= 19; pixels++ {
				for runs := range 4 {
					name := fmt.Sprintf("groups of %d, %d pixels, %d runs", group, pixels, runs)
					tile := laneTile[float32]{group: group, pixels: pixels, stepX: 16 + rng.Intn(9), stepY: 16 + rng.Intn(9)}
					for r := range runs {
						tile.offs = append(tile.offs, 5*r)
					}
					x := newGuarded[float32]((pixels-1)*tile.stepX+16+5*max(0, runs-1), rng)
					w := newGuarded[float32](max(1, runs)*group*16, rng)
					y := newGuarded[float32]((max(1, runs)*pixels-1)*tile.stepY+16, rng)
					// The kernels fuse product and sum, the twins do not; and the gradient adds in another order:
					// 1e-6 for each of the terms, which are of size 1.
					close := func(what string, got, want guarded[float32], terms int) {
						t.Helper()
						for i, v := range want.all {
							g := got.all[i]
							if v == v != (g == g) || math.Abs(float64(g-v)) > 1e-6*float64(terms) {
								t.Fatalf("%s, %s: element %d (with guard zone) is %v, twin %v", what, name, i-guard, g, v)
							}
						}
					}
					got, want := copied(y), copied(y)
					tile.x, tile.w = x.data, w.data
					tile.y = got.data
					tile.forward()
					tile.y = want.data
					tile.forwardGeneric()
					close("forward", got, want, 4*(1+runs*group))
					for _, add := range []bool{false, true} {
						got, want := copied(w), copied(w)
						tile.y, tile.add = y.data, add
						tile.w = got.data
						tile.grad()
						tile.w = want.data
						tile.gradGeneric()
						close("gradient", got, want, 4*(1+runs*pixels))
					}
				}
			}
		}
	})
}
