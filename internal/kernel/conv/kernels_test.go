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
