//go:build amd64 && !noasm

package bench

import "github.com/stheno-ml/stheno/internal/kernel/cpu"

func runFMA(road cpu.Road, n int) {
	if road == cpu.AVX512 {
		fmaAVX512(n)
	} else {
		fmaAVX2(n)
	}
}
