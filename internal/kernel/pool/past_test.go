package pool

import (
	"testing"

	"github.com/stheno-ml/stheno/internal/kernel/cpu"
	"github.com/stheno-ml/stheno/internal/kernel/layout"
)

// A gradient so large that its rows go past the cache is that of its pictures one by one, to the bit.
func TestPastTheCache(t *testing.T) {
	one := Shape{N: 1, H: 113, W: 112, C: 64, R: 3, S: 3, P: 57, Q: 56, StrideH: 2, StrideW: 2, PadTop: 1, PadLeft: 1, DilationH: 1, DilationW: 1}
	s := one
	s.N = 6
	in, out := one.inputSize(), one.outputSize()
	if s.inputSize() < layout.Past || in >= layout.Past {
		t.Fatal("the shape does not show anything")
	}
	dy, arg := make([]float32, s.outputSize()), make([]uint8, s.outputSize())
	for i := range dy {
		dy[i], arg[i] = float32(i%97)-48, uint8(i*7%9)
	}
	const guard = 16
	for _, r := range cpu.Roads() {
		t.Run(r.String(), func(t *testing.T) {
			defer cpu.Force(cpu.Force(r))
			all, want := make([]float32, s.inputSize()+2*guard), make([]float32, in)
			for i := range all {
				all[i] = -7
			}
			got := all[guard : len(all)-guard]
			MaxBackward(got, dy, arg, s)
			for n := range s.N {
				MaxBackward(want, dy[n*out:(n+1)*out], arg[n*out:(n+1)*out], one)
				for i, v := range want {
					if got[n*in+i] != v {
						t.Fatalf("picture %d, element %d is %v, want %v", n, i, got[n*in+i], v)
					}
				}
			}
			for i := range guard {
				if all[i] != -7 || all[len(all)-1-i] != -7 {
					t.Fatal("something was written outside")
				}
			}
		})
	}
}
