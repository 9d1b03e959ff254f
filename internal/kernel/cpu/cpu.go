// Package cpu decides, once, which road the kernels take.
package cpu

import (
	"os"
	"sync/atomic"

	"golang.org/x/sys/cpu"
)

// Road is a set of instructions that kernels are written for.
type Road int32

const (
	Generic Road = iota // plain Go, every processor
	AVX2                // AVX2 and FMA, 16 registers of 8 floats
	AVX512              // AVX-512 F, BW, DQ, VL, 32 registers of 16 floats
)

func (r Road) String() string {
	switch r {
	case AVX512:
		return "avx512"
	case AVX2:
		return "avx2"
	}
	return "generic"
}

var current atomic.Int32

func init() {
	current.Store(int32(Best()))
	if s := os.Getenv("STHENO_ROAD"); s != "" {
		for _, r := range Roads() {
			if r.String() == s {
				current.Store(int32(r))
			}
		}
	}
}

// Best is the fastest road that this processor and this build have.
func Best() Road {
	switch {
	case !haveAssembly:
		return Generic
	case cpu.X86.HasAVX512F && cpu.X86.HasAVX512BW && cpu.X86.HasAVX512DQ && cpu.X86.HasAVX512VL && cpu.X86.HasAVX2 && cpu.X86.HasFMA:
		return AVX512
	case cpu.X86.HasAVX2 && cpu.X86.HasFMA:
		return AVX2
	}
	return Generic
}

// Roads lists every road this processor and this build can take, Generic first.
func Roads() []Road {
	var roads []Road
	for r := Generic; r <= Best(); r++ {
		roads = append(roads, r)
	}
	return roads
}

// Current is the road in force: the best one, unless Force or the environment variable STHENO_ROAD
// ("generic", "avx2", "avx512") chose another that this processor has.
func Current() Road { return Road(current.Load()) }

// Force takes another road from now on and returns the one taken before; a road that the processor lacks
// is lowered to the best it has. It is for tests and benchmarks.
func Force(r Road) Road {
	return Road(current.Swap(int32(min(r, Best()))))
}
