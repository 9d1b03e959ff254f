//go:build !amd64 || noasm

package gemm

import "github.com/stheno-ml/stheno/internal/kernel/cpu"

func (t *Tile[T]) runAsm(cpu.Road) { t.RunGeneric() }
