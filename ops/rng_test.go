package ops

import (
	"math"
	"testing"
)

func TestSincos(t *testing.T) {
	s := sequence(1)
	for i := range 100_000 {
		u := s.uniform(i)
		if i < 17 {
			u = float64(i) / 16
		}
		sin, cos := sincos(u)
		wantSin, wantCos := math.Sincos(2 * math.Pi * u)
		// The series is good to 1e-16; 2πu, which math.Sincos gets, is rounded at up to 4e-16.
		if math.Abs(sin-wantSin) > 1e-15 || math.Abs(cos-wantCos) > 1e-15 {
			t.Fatalf("of %g turns: %g, %g, want %g, %g", u, sin, cos, wantSin, wantCos)
		}
	}
}

// The first numbers of SplitMix64 from state 0, as in the authors' splitmix64.c.
func TestSequenceIsSplitMix64(t *testing.T) {
	for i, want := range []uint64{0xe220a8397b1dcdaf, 0x6e789e6aa1b965f4, 0x06c45d188009454f} {
		if got := sequence(0).bits(i); got != want {
			t.Errorf("number %d is %#x, want %#x", i, got, want)
		}
	}
}
