package pool

import (
	"math"
	"testing"
)

// A pitched result has the bits of a dense one, and nothing between or around its pixels is written.
func testPitch[T Float](t *testing.T) {
	for _, s := range shapes {
		x := random[T](3, s.inputSize())
		for name, forward := range map[string]func(y []T, s Shape){
			"max":     func(y []T, s Shape) { MaxForward[T, uint8](y, nil, x, s) },
			"average": func(y []T, s Shape) { AverageForward(y, x, s, Divisor{}) },
		} {
			dense := make([]T, s.outputSize())
			forward(dense, s)
			for _, more := range []int{1, 48} {
				pitched := s
				pitched.Pitch = s.C + more
				y := guarded[T](pitched.span())
				forward(y, pitched)
				checkGuards(t, pitched, y)
				for at, v := range y {
					if at%pitched.Pitch >= s.C {
						if v == v {
							t.Fatalf("%s %+v: element %d, which is nobody's, was written", name, pitched, at)
						}
					} else if want := dense[at/pitched.Pitch*s.C+at%pitched.Pitch]; !equal(v, want) {
						t.Fatalf("%s %+v: element %d is %v, want %v", name, pitched, at, v, want)
					}
				}
			}
		}
		testPitchedPlaces[T](t, s, x)
	}
}

// The places of the largest values are dense whatever the pitch of the values.
func testPitchedPlaces[T Float](t *testing.T, s Shape, x []T) {
	want, got := make([]uint8, s.outputSize()), make([]uint8, s.outputSize())
	MaxForward(make([]T, s.outputSize()), want, x, s)
	s.Pitch = s.C + 5
	MaxForward(make([]T, s.span()), got, x, s)
	for i := range want {
		if got[i] != want[i] {
			t.Fatalf("%+v: place %d is %d, want %d", s, i, got[i], want[i])
		}
	}
}

// A pitched gradient gives the bits of a dense one.
func testPitchedGradient[T Float](t *testing.T) {
	for _, s := range shapes {
		dense, arg := random[T](5, s.outputSize()), make([]uint8, s.outputSize())
		MaxForward(make([]T, s.outputSize()), arg, random[T](3, s.inputSize()), s)
		want := make([]T, s.inputSize())
		MaxBackward(want, dense, arg, s)
		s.Pitch = s.C + 5
		dy := make([]T, s.span())
		for at := range dy {
			dy[at] = T(math.NaN()) // between the pixels: nobody may read it
			if at%s.Pitch < s.C {
				dy[at] = dense[at/s.Pitch*s.C+at%s.Pitch]
			}
		}
		dx := guarded[T](s.inputSize())
		MaxBackward(dx, dy, arg, s)
		checkGuards(t, s, dx)
		for i := range want {
			if !equal(dx[i], want[i]) {
				t.Fatalf("%+v: element %d is %v, want %v", s, i, dx[i], want[i])
			}
		}
	}
}

func TestPitch(t *testing.T) {
	eachRoad(t, func(t *testing.T) {
		t.Run("float32", testPitch[float32])
		t.Run("float64", testPitch[float64])
		t.Run("gradient float32", testPitchedGradient[float32])
		t.Run("gradient float64", testPitchedGradient[float64])
	})
}
