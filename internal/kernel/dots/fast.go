//go:build amd64 && !noasm

package dots

import "github.com/stheno-ml/stheno/internal/kernel/cpu"

func fast(road cpu.Road, rows *[rowsA + rowsB]*float32, n int, sums *[rowsA * rowsB]float64) {
	if road == cpu.AVX512 {
		blockAVX512(&rows[0], n, &sums[0])
	} else {
		blockAVX2(&rows[0], n, &sums[0])
	}
}
