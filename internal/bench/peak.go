package bench

//go:generate sh -c "cd ../kernel/gen && go run ./peak -out ../../bench/peak_amd64.s -stubs ../../bench/peak_amd64.go -pkg bench"

import (
	"time"

	"github.com/stheno-ml/stheno/internal/kernel/cpu"
	"github.com/stheno-ml/stheno/internal/kernel/par"
)

// Peak is the processor's measured limit on the road in force: GFLOP/s of fused multiply-adds of float32 that
// touch no memory, on as many cores as kernels use. It is 0 on the generic road.
func Peak() float64 {
	lanes := map[cpu.Road]int{cpu.AVX2: 8, cpu.AVX512: 16}[cpu.Current()]
	if lanes == 0 {
		return 0
	}
	const loops = 2 << 20
	best := 0.0
	for range 20 {
		start := time.Now()
		par.For(par.Workers(), 1, peakTask{cpu.Current(), loops})
		flops := 2 * 12 * float64(lanes) * loops * float64(par.Workers())
		best = max(best, flops/time.Since(start).Seconds()/1e9)
	}
	return best
}

type peakTask struct {
	road  cpu.Road
	loops int
}

func (t *peakTask) Run(lo, hi int) {
	for range hi - lo {
		runFMA(t.road, t.loops)
	}
}
