package vec

import (
	"math"
	"testing"
)

func TestReductions(t *testing.T) {
	eachRoad(t, func(t *testing.T) {
		t.Run("float32", testReductions[float32])
		t.Run("float64", testReductions[float64])
	})
}

func testReductions[T Float](t *testing.T) {
	for _, n := range append(sizes, maxParts*grainMemory+77) {
		a, b := random[T](1, min(n, 1<<16)), random[T](2, min(n, 1<<16))
		for len(a) < n { // the same values over and over: making new ones takes longest
			k := min(n-len(a), len(a))
			a, b = append(a, a[:k]...), append(b, b[:k]...)
		}
		var sum, size, squares, dot, dotSize float64
		largest := math.Inf(-1)
		at := -1
		for i := range a {
			u, v := float64(a[i]), float64(b[i])
			sum += u
			size += math.Abs(u)
			squares += u * u
			dot += u * v
			dotSize += math.Abs(u * v)
			if u > largest {
				largest, at = u, i
			}
		}
		// Both sides add in float64; what is off is this one, that adds up to 8 million terms of one sign one by one.
		const tol = 1e-11
		if got := Sum(a); math.Abs(got-sum) > tol*size {
			t.Errorf("n %d: sum is %v, want %v", n, got, sum)
		}
		if got := SumSquares(a); math.Abs(got-squares) > tol*squares {
			t.Errorf("n %d: sum of squares is %v, want %v", n, got, squares)
		}
		if got := Dot(a, b); math.Abs(got-dot) > tol*dotSize {
			t.Errorf("n %d: dot product is %v, want %v", n, got, dot)
		}
		if got := Max(a); float64(got) != largest {
			t.Errorf("n %d: maximum is %v, want %v", n, got, largest)
		}
		if got := ArgMax(a); got != at {
			t.Errorf("n %d: place of the maximum is %v, want %v", n, got, at)
		}
		if HasNaNInf(a) {
			t.Errorf("n %d: finite values are said not to be", n)
		}
	}
}

// One value that is not finite is seen wherever it stands.
func TestNotFiniteIsSeen(t *testing.T) {
	eachRoad(t, func(t *testing.T) {
		for _, n := range []int{1, 7, 40, 200, 70001} {
			x := random[float32](1, n)
			for at := 0; at < n; at += max(1, n/97) {
				for _, v := range []float64{math.NaN(), math.Inf(1), math.Inf(-1), math.MaxFloat32, 1e-45, 0} {
					x[at] = float32(v) // 0 comes last and stays
					if got, want := HasNaNInf(x), v-v != 0; got != want {
						t.Fatalf("n %d: %v at %d: %v", n, v, at, got)
					}
					if got := Max(x); v != v != (got != got) {
						t.Fatalf("n %d: %v at %d: maximum is %v", n, v, at, got)
					}
					if got := Sum(x); v-v != 0 != (got-got != 0) {
						t.Fatalf("n %d: %v at %d: sum is %v", n, v, at, got)
					}
				}
			}
		}
	})
}

// The sum of many equal numbers is where float32 accumulators stall.
func TestSumKeepsPrecision(t *testing.T) {
	eachRoad(t, func(t *testing.T) {
		x := make([]float32, 1<<22)
		Fill(x, 0.1)
		want := float64(float32(0.1)) * float64(len(x))
		if got := Sum(x); math.Abs(got-want) > 1e-12*want {
			t.Fatalf("sum is %v, want %v", got, want)
		}
	})
}
