//go:build unix

package conv

import (
	"math"
	"math/rand"
	"syscall"
	"testing"
	"time"
)

// cases has the names and shapes of the PyTorch benchmark that results are compared with, and more.
var cases = []struct {
	name string
	s    Shape
}{
	{"conv3x3_64_56", shape(8, 56, 56, 64, 64, 3, 3, 1, 1, 1, 1)},
	{"conv3x3_128_28", shape(8, 28, 28, 128, 128, 3, 3, 1, 1, 1, 1)},
	{"conv3x3_256_14", shape(8, 14, 14, 256, 256, 3, 3, 1, 1, 1, 1)},
	{"conv3x3_512_7", shape(8, 7, 7, 512, 512, 3, 3, 1, 1, 1, 1)},
	{"conv1x1_256_64_56", shape(8, 56, 56, 256, 64, 1, 1, 1, 0, 1, 1)},
	{"conv1x1_64_256_56", shape(8, 56, 56, 64, 256, 1, 1, 1, 0, 1, 1)},
	{"conv1x1_1024_256_14", shape(8, 14, 14, 1024, 256, 1, 1, 1, 0, 1, 1)},
	{"conv1x1_728_728_19", shape(8, 19, 19, 728, 728, 1, 1, 1, 0, 1, 1)},
	{"conv1x1s2_256_512_56", shape(8, 56, 56, 256, 512, 1, 1, 2, 0, 1, 1)},
	{"conv7x7s2_3_64_224", shape(8, 224, 224, 3, 64, 7, 7, 2, 3, 1, 1)},
	{"conv3x3s2_128_56", shape(8, 56, 56, 128, 128, 3, 3, 2, 1, 1, 1)},
	{"conv3x3_192_17", shape(8, 17, 17, 192, 192, 3, 3, 1, 1, 1, 1)},
	{"conv3x3_96_35", shape(8, 35, 35, 96, 96, 3, 3, 1, 1, 1, 1)},
	{"conv1x7_192_17", Shape{N: 8, H: 17, W: 17, C: 192, K: 192, R: 1, S: 7, P: 17, Q: 17, StrideH: 1, StrideW: 1, PadLeft: 3, DilationH: 1, DilationW: 1, Groups: 1}},
	{"conv7x1_192_17", Shape{N: 8, H: 17, W: 17, C: 192, K: 192, R: 7, S: 1, P: 17, Q: 17, StrideH: 1, StrideW: 1, PadTop: 3, DilationH: 1, DilationW: 1, Groups: 1}},
	{"conv3x3_16_32_b64", shape(64, 32, 32, 16, 16, 3, 3, 1, 1, 1, 1)},
	{"conv3x3_128_g32_56", shape(8, 56, 56, 128, 128, 3, 3, 1, 1, 1, 32)},
	{"conv3x3_256_g32_28", shape(8, 28, 28, 256, 256, 3, 3, 1, 1, 1, 32)},
	{"conv3x3_512_g32_14", shape(8, 14, 14, 512, 512, 3, 3, 1, 1, 1, 32)},
	{"convT4x4s2_512_256_8", shape(64, 16, 16, 256, 512, 4, 4, 2, 1, 1, 1)},
	{"convT4x4s2_1024_512_4", shape(64, 8, 8, 512, 1024, 4, 4, 2, 1, 1, 1)},
	{"convT4x4s2_64_3_32", shape(64, 64, 64, 3, 64, 4, 4, 2, 1, 1, 1)},
}

// For the transposed convolutions, fwd is the input gradient and bwd_data the forward pass.
func BenchmarkConv(b *testing.B) {
	for _, c := range cases {
		s := &c.s
		in := newBuffers[float32](s, rand.New(rand.NewSource(1)))
		x, w, y := in.x.data, in.w.data, in.y.data
		ws := make([]float32, max(Workspace[float32](s, PassForward), Workspace[float32](s, PassInputGrad), Workspace[float32](s, PassWeightGrad)))
		forward, back := "fwd", "bwd_data"
		if c.name[:5] == "convT" {
			forward, back = back, forward
		}
		for _, pass := range []struct {
			name string
			f    func()
		}{
			{forward, func() { Forward(s, y, x, w, nil, ws) }},
			{back, func() { InputGrad(s, x, y, w, ws) }},
			{"bwd_weight", func() { WeightGrad(s, w, y, x, ws) }},
		} {
			b.Run(c.name+"/"+pass.name, func(b *testing.B) {
				measure(b, s.Flops(), pass.f)
			})
		}
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
