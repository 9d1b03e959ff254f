//go:build unix

package gemm

import (
	"math"
	"syscall"
	"testing"
	"time"
)

func BenchmarkGemm(b *testing.B) {
	for _, d := range []struct {
		name           string
		m, n, k        int
		transA, transB bool
	}{
		{"sgemm1024", 1024, 1024, 1024, false, false}, {"sgemm1024nt", 1024, 1024, 1024, false, true}, {"sgemm1024tn", 1024, 1024, 1024, true, false},
		{"sgemm4096x64x576", 4096, 64, 576, false, false}, {"sgemm8x1000x2048nt", 8, 1000, 2048, false, true}, {"sgemm64x64x64", 64, 64, 64, false, false},
	} {
		b.Run(d.name, func(b *testing.B) {
			x, y, z := make([]float32, d.m*d.k), make([]float32, d.k*d.n), make([]float32, d.m*d.n)
			lda, ldb := d.k, d.n
			if d.transA {
				lda = d.m
			}
			if d.transB {
				ldb = d.k
			}
			measure(b, 2*float64(d.m)*float64(d.n)*float64(d.k), func() {
				Gemm(d.transA, d.transB, d.m, d.n, d.k, 1, x, lda, y, ldb, 0, z, d.n)
			})
		})
	}
}

// measure reports the mean by wall clock and, since the machine may be shared, the best of all iterations by
// wall clock and by the processor time of the process, which other processes disturb less. The latter means
// something with one thread only (-cpu 1).
func measure(b *testing.B, flops float64, f func()) {
	wall, cpu := time.Duration(math.MaxInt64), time.Duration(math.MaxInt64)
	for b.Loop() {
		start, spent := time.Now(), processTime()
		f()
		wall, cpu = min(wall, time.Since(start)), min(cpu, processTime()-spent)
	}
	b.ReportMetric(flops*float64(b.N)/b.Elapsed().Seconds()/1e9, "GFLOP/s")
	b.ReportMetric(flops/wall.Seconds()/1e9, "best-GFLOP/s")
	b.ReportMetric(flops/cpu.Seconds()/1e9, "cpu-GFLOP/s")
}

func processTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
