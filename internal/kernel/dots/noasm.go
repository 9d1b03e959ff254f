//go:build !amd64 || noasm

package dots

import "github.com/stheno-ml/stheno/internal/kernel/cpu"

func fast(cpu.Road, *[rowsA + rowsB]*float32, int, *[rowsA * rowsB]float64) {}
