package gemm

import (
	"fmt"
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

// The kernels only move numbers, or add and multiply in the twin's order: they agree to the bit.
func TestScatterGatherAgainstTwins(t *testing.T) {
	eachRoad(t, func(t *testing.T) {
		rng := rand.New(rand.NewSource(7))
		for n := 1; n <= 40; n++ {
			for _, stride := range []int{n, n + 3} {
				name := fmt.Sprintf("%d columns, stride %d", n, stride)
				offs := make([]int, n)
				for i, p := range rng.Perm(n) {
					offs[i] = 11 * p
				}
				rows := newGuarded[float32](7*stride+n, rng)
				got := newGuarded[float32](11*n, rng)
				want := copied(got)
				Scatter(got.data, rows.data, stride, offs)
				scatterGeneric(want.data, rows.data, stride, offs)
				same(t, "scatter "+name, got, want)
				for parts := 1; parts <= 3; parts++ {
					src := newGuarded[float32](11*n*parts, rng)
					got, want := rows, copied(rows)
					Gather(got.data, stride, src.data, offs, parts, 11*n)
					gatherGeneric(want.data, stride, src.data, offs, parts, 11*n)
					same(t, "gather "+name, got, want)
				}
			}
		}
	})
}

func TestSplitAgainstTwin(t *testing.T) {
	eachRoad(t, func(t *testing.T) {
		rng := rand.New(rand.NewSource(8))
		for _, rows := range []int{1, 2, 7} {
			for _, pieces := range []int{1, 2, 5} {
				gap, stride := 16*rows+3, 16*pieces+5
				src := newGuarded[float32]((rows-1)*stride+16*pieces, rng)
				got := newGuarded[float32]((pieces-1)*gap+16*rows, rng)
				want := copied(got)
				Split(got.data, gap, src.data, stride, rows, pieces)
				splitGeneric(want.data, gap, src.data, stride, rows, pieces)
				same(t, fmt.Sprintf("%d rows of %d pieces", rows, pieces), got, want)
			}
		}
	})
}
