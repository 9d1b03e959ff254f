package winograd

import "testing"

var benchShapes = []struct {
	name string
	s    Shape
}{
	{"conv3x3_64_56", square(8, 56, 64, 64, 1)},
	{"conv3x3_128_28", square(8, 28, 128, 128, 1)},
	{"conv3x3_256_14", square(8, 14, 256, 256, 1)},
	{"conv3x3_512_7", square(8, 7, 512, 512, 1)},
	{"conv3x3_192_17", square(8, 17, 192, 192, 1)},
	{"conv3x3_96_35", square(8, 35, 96, 96, 1)},
	{"conv3x3_512_7b32", square(32, 7, 512, 512, 1)},
	{"conv3x3_16_32", square(128, 32, 16, 16, 1)},
}

// BenchmarkConv reports effective GFLOP/s: the operations of a direct convolution over the time.
func BenchmarkConv(b *testing.B) {
	for _, c := range benchShapes {
		s := c.s
		in := inputs(&s, 1)
		y := make([]float32, s.yLen())
		dx, dw := make([]float32, s.xLen()), make([]float32, s.wLen())
		run := func(name string, pass Pass, f func(ws []float32)) {
			ws := make([]float32, Workspace(&s, pass))
			b.Run(c.name+"/"+name, func(b *testing.B) {
				for b.Loop() {
					f(ws)
				}
				b.ReportMetric(s.flops()*float64(b.N)/b.Elapsed().Seconds()/1e9, "GFLOP/s")
			})
		}
		run("fwd", PassForward, func(ws []float32) { Forward(&s, y, in.x, in.w, nil, ws) })
		packed := make([]float32, PackedSize(&s))
		PackForward(&s, packed, in.w)
		run("fwd_packed", PassForward, func(ws []float32) { ForwardPacked(&s, y, in.x, packed, nil, ws) })
		run("bwd_data", PassInputGrad, func(ws []float32) { InputGrad(&s, dx, in.dy, in.w, ws) })
		run("bwd_weight", PassWeightGrad, func(ws []float32) { WeightGrad(&s, dw, in.dy, in.x, ws) })
	}
}
