package bench

import (
	"math"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/stheno-ml/stheno/internal/kernel/conv2d"
	"github.com/stheno-ml/stheno/internal/kernel/cpu"
	"github.com/stheno-ml/stheno/internal/kernel/gemm"
	"github.com/stheno-ml/stheno/internal/kernel/norm"
	"github.com/stheno-ml/stheno/internal/kernel/pool"
	"github.com/stheno-ml/stheno/internal/memory"
)

// Convolution is a shape that is measured. With Transposed, the layer maps [N, K, P, Q] to [N, C, H, W]: its
// forward pass is the input gradient of the convolution described here.
type Convolution struct {
	Name       string `json:"name"`
	N          int    `json:"n"`
	C          int    `json:"c"`
	H          int    `json:"h"` // height and width
	K          int    `json:"k"`
	R          int    `json:"r"`
	S          int    `json:"s"`
	Stride     int    `json:"stride"`
	PadH       int    `json:"pad_h"`
	PadW       int    `json:"pad_w"`
	Groups     int    `json:"groups"`
	Transposed bool   `json:"transposed"`
}

// Convolutions are the shapes of docs/bench, all with square pictures; peers measure the same list.
var Convolutions = []Convolution{
	{"conv3x3_64_56", 8, 64, 56, 64, 3, 3, 1, 1, 1, 1, false},
	{"conv3x3_128_28", 8, 128, 28, 128, 3, 3, 1, 1, 1, 1, false},
	{"conv3x3_256_14", 8, 256, 14, 256, 3, 3, 1, 1, 1, 1, false},
	{"conv3x3_512_7", 8, 512, 7, 512, 3, 3, 1, 1, 1, 1, false},
	{"conv3x3_192_17", 8, 192, 17, 192, 3, 3, 1, 1, 1, 1, false},
	{"conv3x3_96_35", 8, 96, 35, 96, 3, 3, 1, 1, 1, 1, false},
	{"conv1x1_256_64_56", 8, 256, 56, 64, 1, 1, 1, 0, 0, 1, false},
	{"conv1x1_64_256_56", 8, 64, 56, 256, 1, 1, 1, 0, 0, 1, false},
	{"conv7x7s2_3_64_224", 8, 3, 224, 64, 7, 7, 2, 3, 3, 1, false},
	{"conv1x7_192_17", 8, 192, 17, 192, 1, 7, 1, 0, 3, 1, false},
	{"conv7x1_192_17", 8, 192, 17, 192, 7, 1, 1, 3, 0, 1, false},
	{"conv3x3s2_128_56", 8, 128, 56, 128, 3, 3, 2, 1, 1, 1, false},
	{"conv3x3s2_288_384_35", 8, 288, 35, 384, 3, 3, 2, 0, 0, 1, false},
	{"conv3x3_g32_128_56", 8, 128, 56, 128, 3, 3, 1, 1, 1, 32, false},
	{"convT4x4s2_512_256_4", 64, 256, 8, 512, 4, 4, 2, 1, 1, 1, true},
	{"convT4x4s2_256_128_8", 64, 128, 16, 256, 4, 4, 2, 1, 1, 1, true},
	{"convT4x4s2_128_64_16", 64, 64, 32, 128, 4, 4, 2, 1, 1, 1, true},
	{"convT4x4s2_64_3_32", 64, 3, 64, 64, 4, 4, 2, 1, 1, 1, true},
	{"convT4x4s2_512_256_8", 64, 256, 16, 512, 4, 4, 2, 1, 1, 1, true},
	{"dw3x3_728_19", 8, 728, 19, 728, 3, 3, 1, 1, 1, 728, false},
	{"dw3x3_728_37", 8, 728, 37, 728, 3, 3, 1, 1, 1, 728, false},
	{"dw3x3_256_74", 8, 256, 74, 256, 3, 3, 1, 1, 1, 256, false},
}

// Row is one measurement.
type Row struct {
	Name   string  `json:"name"`
	Pass   string  `json:"pass"`
	Ms     float64 `json:"ms"`      // median
	BestMs float64 `json:"best_ms"` // fastest sample
	CPUMs  float64 `json:"cpu_ms"`  // processor time of all threads, of the sample that took least
	Gflops float64 `json:"gflops"`  // of a direct computation, whatever the road really does; 0 where bytes count
	GBs    float64 `json:"gbs"`     // operands read and results written, once each
	Road   string  `json:"road"`
	Clean  int     `json:"clean"` // undisturbed samples, of
	All    int     `json:"all"`
}

// work is something to measure.
type work struct {
	name, pass, road string
	flops, bytes     float64
	run              func()
}

// Ops measures every op whose name begins with only (all, if it is empty) and hands each row to each.
func Ops(s Sampling, only string, each func(Row) error) error {
	for _, group := range groups() {
		if !strings.HasPrefix(group.name, only) {
			continue
		}
		for _, w := range group.make() {
			t := s.Measure(w.run)
			if err := each(w.row(t)); err != nil {
				return err
			}
		}
	}
	return nil
}

// Compare measures the ops whose names begin with only on two roads, a sample of each in turn.
func Compare(s Sampling, only string, roads [2]cpu.Road, each func(a, b Row) error) error {
	defer cpu.Force(cpu.Current())
	for _, group := range groups() {
		if !strings.HasPrefix(group.name, only) {
			continue
		}
		cpu.Force(roads[0])
		for _, w := range group.make() { // both roads compute with the same memory, whose place has some influence
			t := s.Alternate(w.on(roads[0]), w.on(roads[1]))
			if err := each(w.row(t[0]), w.row(t[1])); err != nil {
				return err
			}
		}
	}
	return nil
}

// on runs the work on a road.
func (w work) on(road cpu.Road) func() {
	return func() {
		cpu.Force(road)
		w.run()
	}
}

func (w work) row(t Timing) Row {
	sec := t.Median.Seconds()
	round := func(v float64) float64 { return math.Round(v*10) / 10 }
	ms := func(d time.Duration) float64 { return math.Round(d.Seconds()*1e6) / 1e3 }
	return Row{Name: w.name, Pass: w.pass, Ms: ms(t.Median), BestMs: ms(t.Best), CPUMs: ms(t.BestCPU), Gflops: round(w.flops / sec / 1e9),
		GBs: round(w.bytes / sec / 1e9), Road: w.road, Clean: t.Clean, All: t.All}
}

// group makes its buffers only when it is measured.
type group struct {
	name string
	make func() []work
}

func groups() []group {
	gs := []group{
		{"sgemm1024", func() []work { return products("sgemm1024", 1024, 1024, 1024) }},
		{"sgemm4096x64x576", func() []work { return products("sgemm4096x64x576", 4096, 64, 576) }},
	}
	for _, c := range Convolutions {
		gs = append(gs, group{c.Name, c.passes})
	}
	return append(gs, group{"bn_64_56", func() []work { return batchNorms(false) }},
		group{"bn_relu_64_56", func() []work { return batchNorms(true) }}, group{"maxpool3s2_64_112", maxPools})
}

func numbers(n int) []float32 {
	rng := rand.New(rand.NewPCG(1, uint64(n)))
	x := memory.Slice[float32](n) // as the tape has its arena
	for i := range x {
		x[i] = float32(rng.NormFloat64())
	}
	return x
}

func products(name string, m, n, k int) []work {
	a, b, c := numbers(m*k), numbers(k*n), memory.Slice[float32](m*n)
	flops, bytes := 2*float64(m)*float64(n)*float64(k), 4*float64(m*k+k*n+m*n)
	road := cpu.Current().String()
	return []work{
		{name, "mm", road, flops, bytes, func() { gemm.Gemm(false, false, m, n, k, 1, a, k, b, n, 0, c, n) }},
		{name, "mm_nt", road, flops, bytes, func() { gemm.Gemm(false, true, m, n, k, 1, a, k, b, k, 0, c, n) }},
	}
}

// outSize is the output's height and width; convolutions here keep the picture square unless the kernel is
// flat, and then padding keeps it.
func (c Convolution) outSize() (p, q int) {
	return (c.H+2*c.PadH-c.R)/c.Stride + 1, (c.H+2*c.PadW-c.S)/c.Stride + 1
}

// passNames names the three computations in the words of torch_bench.py.
func (c Convolution) passNames() (forward, inputGrad string) {
	if c.Transposed {
		return "bwd_data", "fwd"
	}
	return "fwd", "bwd_data"
}

func (c Convolution) passes() []work {
	p, q := c.outSize()
	s := conv2d.Shape{N: c.N, H: c.H, W: c.H, C: c.C, K: c.K, R: c.R, S: c.S, P: p, Q: q, StrideH: c.Stride, StrideW: c.Stride,
		PadTop: c.PadH, PadLeft: c.PadW, DilationH: 1, DilationW: 1, Groups: c.Groups}
	x, y := numbers(c.N*c.H*c.H*c.C), numbers(c.N*p*q*c.K)
	w := numbers(c.K * c.C / c.Groups * c.R * c.S)
	dx, dy, dw := memory.Slice[float32](len(x)), memory.Slice[float32](len(y)), memory.Slice[float32](len(w))
	bytes := 4 * float64(len(x)+len(y)+len(w))
	forward, inputGrad := c.passNames()
	ws := func(pass conv2d.Pass) []float32 {
		return memory.Slice[float32](largest(func() int { return conv2d.Workspace[float32](&s, pass) }))
	}
	f, g, h := ws(conv2d.PassForward), ws(conv2d.PassInputGrad), ws(conv2d.PassWeightGrad)
	return []work{
		{c.Name, forward, conv2d.RoadName[float32](&s, conv2d.PassForward), s.Flops(), bytes, func() { conv2d.Forward(&s, dy, x, w, nil, f) }},
		{c.Name, inputGrad, conv2d.RoadName[float32](&s, conv2d.PassInputGrad), s.Flops(), bytes, func() { conv2d.InputGrad(&s, dx, y, w, g) }},
		{c.Name, "bwd_weight", conv2d.RoadName[float32](&s, conv2d.PassWeightGrad), s.Flops(), bytes, func() { conv2d.WeightGrad(&s, dw, y, x, h) }},
	}
}

// largest is what size returns on the road where that is most.
func largest(size func() int) int {
	defer cpu.Force(cpu.Current())
	most := 0
	for _, r := range cpu.Roads() {
		cpu.Force(r)
		most = max(most, size())
	}
	return most
}

// batchNorms measures batch norm in training on [8, 64, 56, 56], alone or with ReLU.
func batchNorms(relu bool) []work {
	const c, rows = 64, 8 * 56 * 56
	s := norm.Shape{Outer: rows, C: c, Inner: 1}
	x, dy := numbers(rows*c), numbers(rows*c)
	y, dx := memory.Slice[float32](rows*c), memory.Slice[float32](rows*c)
	gamma, beta := numbers(c), numbers(c)
	mean, variance, sumG, sumGX := make([]float32, c), make([]float32, c), make([]float32, c), make([]float32, c)
	name, post, mask := "bn_64_56", norm.Post[float32]{}, norm.Mask[float32]{}
	if relu {
		name, post, mask = "bn_relu_64_56", norm.Post[float32]{Act: true}, norm.Mask[float32]{FromX: true, Gamma: gamma, Beta: beta}
	}
	forward := func() {
		norm.Stats(mean, variance, x, s)
		norm.Normalize(y, x, mean, variance, gamma, beta, 1e-5, post, s)
	}
	backward := func() {
		norm.GradStats(sumG, sumGX, dy, x, mean, variance, 1e-5, mask, s)
		norm.InputGrad(dx, nil, dy, x, mean, variance, gamma, sumG, sumGX, 1e-5, mask, s)
	}
	forward() // backward reads its result
	road, size := cpu.Current().String(), float64(4*rows*c)
	return []work{{name, "fwd_train", road, 0, 3 * size, forward}, {name, "bwd", road, 0, 5 * size, backward}}
}

func maxPools() []work {
	s := pool.Shape{N: 8, H: 112, W: 112, C: 64, R: 3, S: 3, P: 56, Q: 56, StrideH: 2, StrideW: 2, PadTop: 1, PadLeft: 1, DilationH: 1, DilationW: 1}
	x := numbers(8 * 112 * 112 * 64)
	n := 8 * 56 * 56 * 64
	y, dy, arg := memory.Slice[float32](n), numbers(n), memory.Slice[uint8](n)
	dx := memory.Slice[float32](len(x))
	size := float64(4 * len(x))
	pool.MaxForward(y, arg, x, s)
	road := cpu.Current().String()
	return []work{
		{"maxpool3s2_64_112", "fwd", road, 0, 1.25 * size, func() { pool.MaxForward[float32, uint8](y, nil, x, s) }},
		{"maxpool3s2_64_112", "fwd_idx", road, 0, 1.3125 * size, func() { pool.MaxForward(y, arg, x, s) }},
		{"maxpool3s2_64_112", "bwd", road, 0, 1.3125 * size, func() { pool.MaxBackward(dx, dy, arg, s) }},
	}
}
