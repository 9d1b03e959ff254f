package window

import "testing"

// Every position's taps, listed one by one, are what At and Segments say, both ways.
func TestAgainstDefinition(t *testing.T) {
	for size := 1; size < 9; size++ {
		for taps := 1; taps < 5; taps++ {
			for stride := 1; stride < 5; stride++ {
				for dilation := 1; dilation < 4; dilation++ {
					for pad := 0; pad < 4; pad++ {
						for outputs := 1; outputs < 7; outputs++ {
							check(t, Axis{outputs, size, taps, stride, pad, dilation, false})
							check(t, Axis{size, outputs, taps, stride, pad, dilation, true})
						}
					}
				}
			}
		}
	}
}

func check(t *testing.T, a Axis) {
	t.Helper()
	type pair struct{ tap, src int }
	want := make([][]pair, a.Size)
	outputs, inputs := a.Size, a.Sources
	if a.Backward {
		outputs, inputs = inputs, outputs
	}
	for tap := range a.Taps {
		for o := range outputs {
			in := o*a.Stride - a.Pad + tap*a.Dilation
			switch {
			case in < 0 || in >= inputs:
			case a.Backward:
				want[in] = append(want[in], pair{tap, o})
			default:
				want[o] = append(want[o], pair{tap, in})
			}
		}
	}
	seen := make([]int, a.Size)
	for _, s := range a.Segments(nil) {
		for i := range s.N {
			at := s.Dst + i*a.DstStep()
			seen[at]++
			r := a.At(at)
			if r.Tap != s.Tap || r.N != s.Taps || r.N > 0 && r.Src != s.Src+i*a.Advance() {
				t.Fatalf("%+v: position %d reads %+v, but its segment %+v", a, at, r, s)
			}
			var got []pair
			for j := range r.N {
				got = append(got, pair{r.Tap + j*a.TapStep(), r.Src + j*a.SrcStep()})
			}
			if len(got) != len(want[at]) {
				t.Fatalf("%+v: position %d reads %v, want %v", a, at, got, want[at])
			}
			for j := range got {
				if got[j] != want[at][j] {
					t.Fatalf("%+v: position %d reads %v, want %v", a, at, got, want[at])
				}
			}
		}
	}
	for i, n := range seen {
		if n != 1 {
			t.Fatalf("%+v: position %d is in %d segments", a, i, n)
		}
	}
}
