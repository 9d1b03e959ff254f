//go:build !amd64 || noasm

package bench

import "github.com/stheno-ml/stheno/internal/kernel/cpu"

func runFMA(cpu.Road, int) {}
