package ops_test

import (
	"testing"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/ops"
)

// BenchmarkConvBesideGorgonia is a forward pass of ours on our tape and of Gorgonia's own convolution on its machine,
// both in public order. With -tags noasm both are Go alone.
func BenchmarkConvBesideGorgonia(b *testing.B) {
	const batch = 2
	for _, c := range []struct {
		name                             string
		size, in, out, kernel, stride, p int
	}{
		{"3x3_64_56", 56, 64, 64, 3, 1, 1},
		{"3x3_256_14", 14, 256, 256, 3, 1, 1},
		{"1x1_256_64_56", 56, 256, 64, 1, 1, 0},
		{"7x7s2_3_64_224", 224, 3, 64, 7, 2, 3},
	} {
		out := (c.size+2*c.p-c.kernel)/c.stride + 1
		flops := 2 * float64(batch*out*out*c.out) * float64(c.in*c.kernel*c.kernel)
		build := func() (x, w *gorgonia.Node) {
			g := gorgonia.NewGraph()
			x = gorgonia.NewTensor(g, tensor.Float32, 4, gorgonia.WithShape(batch, c.in, c.size, c.size), gorgonia.WithInit(gorgonia.Gaussian(0, 1)), gorgonia.WithName("x"))
			w = gorgonia.NewTensor(g, tensor.Float32, 4, gorgonia.WithShape(c.out, c.in, c.kernel, c.kernel), gorgonia.WithInit(gorgonia.Gaussian(0, 1)), gorgonia.WithName("w"))
			return x, w
		}
		measure := func(b *testing.B, run func() error) {
			for b.Loop() {
				if err := run(); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(flops*float64(b.N)/b.Elapsed().Seconds()/1e9, "GFLOP/s")
		}
		b.Run(c.name+"/stheno", func(b *testing.B) {
			x, w := build()
			y, err := ops.Conv2D(x, w, nil, ops.Conv{Stride: [2]int{c.stride, c.stride}, Pad: [4]int{c.p, c.p, c.p, c.p}})
			if err != nil {
				b.Fatal(err)
			}
			tape, err := graph.Compile(gorgonia.Nodes{y}, graph.Options{})
			if err != nil {
				b.Fatal(err)
			}
			measure(b, tape.RunAll)
		})
		b.Run(c.name+"/gorgonia", func(b *testing.B) {
			x, w := build()
			if _, err := gorgonia.Conv2d(x, w, tensor.Shape{c.kernel, c.kernel}, []int{c.p, c.p}, []int{c.stride, c.stride}, []int{1, 1}); err != nil {
				b.Fatal(err)
			}
			machine := gorgonia.NewTapeMachine(x.Graph())
			defer machine.Close()
			measure(b, func() error {
				defer machine.Reset()
				return machine.RunAll()
			})
		})
	}
}
