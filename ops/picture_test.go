package ops_test

import (
	"fmt"
	"math"
	"runtime"
	"strings"
	"testing"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/internal/gradtest"
	"github.com/stheno-ml/stheno/ops"
)

// behindPool lets our tape run an op on channels-last arrays, while the stock machine runs it on row-major
// ones: average pooling with a 1×1 window copies, and leaves its result channels-last.
func behindPool(build gradtest.Build) gradtest.Build {
	return func(in []*gorgonia.Node) (*gorgonia.Node, error) {
		x, err := ops.AvgPool2D(in[0], ops.Pool{Kernel: [2]int{1, 1}})
		if err != nil {
			return nil, err
		}
		return build(append([]*gorgonia.Node{x}, in[1:]...))
	}
}

func TestChannelsLastPicturesGiveTheSame(t *testing.T) {
	type nodes = []*gorgonia.Node
	weight := func(shape ...int) []*tensor.Dense { return []*tensor.Dense{gradtest.Random(7, 0, shape...)} }
	perChannel := []*tensor.Dense{gradtest.Random(8, 0, 4), gradtest.Random(9, 0, 4)}
	window := ops.Pool{Kernel: [2]int{3, 2}, Stride: [2]int{2, 1}, Pad: [4]int{1, 0, 0, 1}}
	for _, c := range []struct {
		name  string
		more  []*tensor.Dense
		build gradtest.Build
		c     gradtest.Config
	}{
		{"conv2d", weight(6, 2, 3, 3), func(in nodes) (*gorgonia.Node, error) {
			return ops.Conv2D(in[0], in[1], nil, ops.Conv{Groups: 2})
		}, gradtest.Config{Order: 2}},
		{"transposed conv2d", weight(4, 3, 2, 2), func(in nodes) (*gorgonia.Node, error) {
			return ops.TransposedConv2D(in[0], in[1], nil, ops.ConvTranspose{Stride: [2]int{2, 2}})
		}, gradtest.Config{Order: 2}},
		{"depthwise conv2d", weight(8, 1, 3, 3), func(in nodes) (*gorgonia.Node, error) {
			return ops.DepthwiseConv2D(in[0], in[1], nil, ops.Conv{Same: true})
		}, gradtest.Config{Order: 2}},
		{"add bias", perChannel[:1], func(in nodes) (*gorgonia.Node, error) {
			y, err := ops.AddBias(in[0], in[1])
			if err != nil {
				return nil, err
			}
			return ops.Square(y)
		}, gradtest.Config{Order: 2}},
		{"batch norm", perChannel, func(in nodes) (*gorgonia.Node, error) {
			y, _, err := ops.BatchNormTrain(in[0], in[1], in[2], ops.BatchNorm{})
			return y, err
		}, gradtest.Config{Order: 2}},
		{"frozen batch norm", perChannel, func(in nodes) (*gorgonia.Node, error) {
			mean, err := ops.Full(in[0].Graph(), tensor.Float64, 0.3, 4)
			if err != nil {
				return nil, err
			}
			return ops.BatchNormEval(in[0], in[1], in[2], mean, mean, ops.BatchNorm{})
		}, gradtest.Config{Order: 2}},
		{"max pool", nil, func(in nodes) (*gorgonia.Node, error) { return ops.MaxPool2D(in[0], window) }, gradtest.Config{Order: 2, Step: 1e-6}},
		{"average pool", nil, func(in nodes) (*gorgonia.Node, error) { return ops.AvgPool2D(in[0], window) }, gradtest.Config{Order: 2}},
		{"global average pool", nil, func(in nodes) (*gorgonia.Node, error) { return ops.GlobalAvgPool(in[0]) }, gradtest.Config{Order: 2}},
		{"global max pool", nil, func(in nodes) (*gorgonia.Node, error) { return ops.GlobalMaxPool(in[0]) }, gradtest.Config{Order: 2, Step: 1e-6}},
		{"adaptive average pool", nil, func(in nodes) (*gorgonia.Node, error) { return ops.AdaptiveAvgPool2D(in[0], [2]int{3, 2}) }, gradtest.Config{Order: 2}},
		{"group norm", perChannel, func(in nodes) (*gorgonia.Node, error) { return ops.GroupNorm(in[0], in[1], in[2], 2, 0) }, gradtest.Config{Order: 2}},
		{"local response norm", nil, func(in nodes) (*gorgonia.Node, error) {
			return ops.LocalResponseNorm(in[0], ops.LRN{Size: 3, Alpha: 0.5})
		}, gradtest.Config{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			gradtest.Check(t, behindPool(c.build), append([]*tensor.Dense{gradtest.Random(1, 0, 2, 4, 5, 7)}, c.more...), c.c)
		})
	}
}

// network is one layer of each kind, and its loss, in float32; small enough for odd corners, large enough that
// kernels cut their work up.
func network(t *testing.T) (x *gorgonia.Node, params gorgonia.Nodes, loss *gorgonia.Node) {
	t.Helper()
	g := gorgonia.NewGraph()
	seed := uint64(0)
	leaf := func(scale float64, shape ...int) *gorgonia.Node {
		seed++
		v := gradtest.Random(seed, 0, shape...).Float64s()
		f := make([]float32, len(v))
		for i := range v {
			f[i] = float32(scale * v[i])
		}
		return gorgonia.NodeFromAny(g, tensor.New(tensor.WithShape(shape...), tensor.WithBacking(f)), gorgonia.WithName(fmt.Sprintf("leaf%d", seed)))
	}
	parameter := func(scale float64, shape ...int) *gorgonia.Node {
		p := leaf(scale, shape...)
		params = append(params, p)
		return p
	}
	must := func(n *gorgonia.Node, err error) *gorgonia.Node {
		t.Helper()
		if err != nil {
			t.Fatalf("%+v", err)
		}
		return n
	}
	x = leaf(1, 4, 3, 33, 31)
	y := must(ops.Conv2D(x, parameter(0.2, 24, 3, 3, 3), nil, ops.Conv{Same: true, Stride: [2]int{1, 2}}))
	y, _, err := ops.BatchNormTrain(y, parameter(1, 24), parameter(1, 24), ops.BatchNorm{})
	y = must(y, err)
	y = must(ops.MaxPool2D(y, ops.Pool{Kernel: [2]int{3, 3}, Stride: [2]int{2, 2}, Ceil: true}))
	y = must(ops.SeparableConv2D(y, parameter(0.3, 48, 1, 3, 3), parameter(0.2, 16, 48, 1, 1), nil, ops.Conv{Same: true}))
	y = must(ops.InstanceNorm(y, parameter(1, 16), nil, 0))
	y = must(ops.TransposedConv2D(y, parameter(0.2, 16, 8, 4, 4), parameter(1, 8), ops.ConvTranspose{Stride: [2]int{2, 2}, Pad: [4]int{1, 1, 1, 1}}))
	y = must(ops.LocalResponseNorm(y, ops.LRN{Size: 5, Alpha: 0.1}))
	y = must(ops.AvgPool2D(y, ops.Pool{Kernel: [2]int{3, 3}, Stride: [2]int{2, 2}, Pad: [4]int{1, 1, 1, 1}, CountPad: true}))
	y = must(ops.AdaptiveAvgPool2D(y, [2]int{5, 3}))
	y = must(ops.GlobalAvgPool(y))
	y = must(ops.LayerNorm(y, parameter(1, 8), parameter(1, 8), 1, 0))
	w, _, _, err := ops.SpectralNorm(parameter(1, 5, 8), leaf(1, 5), ops.Spectral{})
	y = must(ops.Linear(y, must(w, err), nil))
	loss = must(ops.Mean(must(ops.Square(y)), ops.Over{}))
	return x, params, loss
}

// TestPlainGorgoniaProgram trains the network as a program without our tape would, and compares its gradients
// with those of our tape.
func TestPlainGorgoniaProgram(t *testing.T) {
	_, params, loss := network(t)
	grads, err := gorgonia.Grad(loss, params...)
	if err != nil {
		t.Fatalf("%+v", err)
	}
	runTape(t, append(gorgonia.Nodes{loss}, grads...)...)
	var want [][]float32
	for _, d := range grads {
		want = append(want, append([]float32(nil), d.Value().Data().([]float32)...))
	}
	before := loss.Value().Data().(float32)

	vm := gorgonia.NewTapeMachine(loss.Graph(), gorgonia.BindDualValues(params...))
	defer vm.Close()
	solver := gorgonia.NewVanillaSolver(gorgonia.WithLearnRate(0.01))
	for step := range 5 {
		if err := vm.RunAll(); err != nil {
			t.Fatalf("%+v", err)
		}
		if step == 0 {
			for k, p := range params {
				d, err := p.Grad()
				if err != nil {
					t.Fatal(err)
				}
				compareFloat32(t, p.Name(), d.Data().([]float32), want[k])
			}
		}
		if err := solver.Step(gorgonia.NodesToValueGrads(params)); err != nil {
			t.Fatal(err)
		}
		vm.Reset()
	}
	if after := loss.Value().Data().(float32); !(after < before) {
		t.Errorf("the loss is %g after five steps, %g before", after, before)
	}
}

// compareFloat32 allows for sums in another order: pictures lie row-major in one machine, channels-last in the
// other, and ten layers lie between a parameter and the loss.
func compareFloat32(t *testing.T, name string, got, want []float32) {
	t.Helper()
	scale := 0.0
	for _, v := range want {
		scale = math.Max(scale, math.Abs(float64(v)))
	}
	if scale == 0 {
		t.Errorf("%s: the gradient is 0", name)
	}
	for i := range want {
		if e := math.Abs(float64(got[i] - want[i])); !(e <= 1e-4*scale) {
			t.Errorf("%s: element %d is %g, want %g", name, i, got[i], want[i])
			return
		}
	}
}

func TestPictureOpsSameBitsForAnyWorkers(t *testing.T) {
	x, params, loss := network(t)
	grads, err := graph.Differentiate(loss, append(params, x)...)
	if err != nil {
		t.Fatal(err)
	}
	outputs := append(gorgonia.Nodes{loss}, grads...)
	tape, err := graph.Compile(outputs, graph.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	var first [][]float32
	for _, workers := range []int{1, 2, 3, 8} {
		runtime.GOMAXPROCS(workers)
		if err := tape.RunAll(); err != nil {
			t.Fatal(err)
		}
		for k, n := range grads {
			v := n.Value().Data().([]float32)
			if workers == 1 {
				first = append(first, append([]float32(nil), v...))
				continue
			}
			for i := range v {
				if math.Float32bits(v[i]) != math.Float32bits(first[k][i]) {
					t.Errorf("%d workers: element %d of gradient %d is %g, with one worker %g", workers, i, k, v[i], first[k][i])
					break
				}
			}
		}
	}
}

func TestPictureOpsAllocateNothing(t *testing.T) {
	x, params, loss := network(t)
	grads, err := graph.Differentiate(loss, append(params, x)...)
	if err != nil {
		t.Fatal(err)
	}
	tape, err := graph.Compile(grads, graph.Options{})
	if err != nil {
		t.Fatal(err)
	}
	allocs := testing.AllocsPerRun(10, func() {
		if err := tape.RunAll(); err != nil {
			t.Fatal(err)
		}
	})
	// What is bound to the leaves is looked at anew in each run; the 70 and more instructions add nothing.
	if allocs > 2 {
		t.Errorf("a run of the tape allocates %g times", allocs)
	}
}

// Ops that differ in one attribute, on the same inputs, are not the same op; equal ones are computed once.
func TestPictureOpsMergeOnlyWhenEqual(t *testing.T) {
	g := gorgonia.NewGraph()
	x := gorgonia.NodeFromAny(g, gradtest.Random(1, 0, 2, 4, 6, 6), gorgonia.WithName("x"))
	w := gorgonia.NodeFromAny(g, gradtest.Random(2, 0, 4, 4, 3, 3), gorgonia.WithName("w"))
	one := [4]int{1, 1, 1, 1}
	groups := map[string][]func() (*gorgonia.Node, error){
		"conv": {
			func() (*gorgonia.Node, error) { return ops.Conv2D(x, w, nil, ops.Conv{Pad: one}) },
			func() (*gorgonia.Node, error) { return ops.Conv2D(x, w, nil, ops.Conv{Pad: [4]int{2, 0, 1, 1}}) },
			func() (*gorgonia.Node, error) {
				return ops.Conv2D(x, w, nil, ops.Conv{Pad: [4]int{2, 2, 2, 2}, Dilation: [2]int{2, 2}})
			},
			func() (*gorgonia.Node, error) { return ops.TransposedConv2D(x, w, nil, ops.ConvTranspose{Pad: one}) },
		},
		"pool": {
			func() (*gorgonia.Node, error) {
				return ops.MaxPool2D(x, ops.Pool{Kernel: [2]int{3, 3}, Stride: [2]int{1, 1}, Pad: one})
			},
			func() (*gorgonia.Node, error) {
				return ops.AvgPool2D(x, ops.Pool{Kernel: [2]int{3, 3}, Stride: [2]int{1, 1}, Pad: one})
			},
			func() (*gorgonia.Node, error) {
				return ops.AvgPool2D(x, ops.Pool{Kernel: [2]int{3, 3}, Stride: [2]int{1, 1}, Pad: one, CountPad: true})
			},
			func() (*gorgonia.Node, error) {
				return ops.MaxPool2D(x, ops.Pool{Kernel: [2]int{3, 3}, Stride: [2]int{1, 1}, Pad: [4]int{2, 0, 1, 1}})
			},
		},
		"norm": {
			func() (*gorgonia.Node, error) {
				y, _, err := ops.BatchNormTrain(x, nil, nil, ops.BatchNorm{})
				return y, err
			},
			func() (*gorgonia.Node, error) {
				y, _, err := ops.BatchNormTrain(x, nil, nil, ops.BatchNorm{Eps: 1e-3})
				return y, err
			},
			func() (*gorgonia.Node, error) { return ops.GroupNorm(x, nil, nil, 2, 0) },
			func() (*gorgonia.Node, error) { return ops.GroupNorm(x, nil, nil, 1, 0) },
			func() (*gorgonia.Node, error) { return ops.InstanceNorm(x, nil, nil, 0) },
			func() (*gorgonia.Node, error) { return ops.LocalResponseNorm(x, ops.LRN{Size: 3}) },
			func() (*gorgonia.Node, error) { return ops.LocalResponseNorm(x, ops.LRN{Size: 4}) },
			func() (*gorgonia.Node, error) { return ops.LocalResponseNorm(x, ops.LRN{Size: 4, Up: true}) },
		},
	}
	var outputs gorgonia.Nodes
	for name, group := range groups {
		var nodes gorgonia.Nodes
		for _, build := range group {
			for range 2 {
				y, err := build()
				if err != nil {
					t.Fatalf("%s: %+v", name, err)
				}
				nodes = append(nodes, y)
			}
		}
		outputs = append(outputs, nodes...)
	}
	tape, err := graph.Compile(outputs, graph.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := tape.RunAll(); err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(outputs); i += 2 {
		for j := 0; j < i; j += 2 {
			if sameValues(t, outputs[i], outputs[j]) {
				t.Errorf("outputs %d and %d (%v, %v) are equal", j, i, outputs[j].Op(), outputs[i].Op())
			}
		}
		if !sameValues(t, outputs[i], outputs[i+1]) {
			t.Errorf("output %d (%v) is not what the same call gave before", i+1, outputs[i].Op())
		}
	}
	// Each second call, and the statistics that both batch norms share with each other and their twins.
	if merged := tape.Plan().Merged; merged < len(outputs)/2 {
		t.Errorf("%d nodes were merged, want at least the %d that are asked for twice", merged, len(outputs)/2)
	}

	stock := gorgonia.NewTapeMachine(g)
	defer stock.Close()
	ours := make([][]float64, len(outputs))
	for i, n := range outputs {
		ours[i] = append([]float64(nil), gradtest.Floats(t, n.Value())...)
	}
	if err := stock.RunAll(); err != nil {
		t.Fatal(err)
	}
	for i, n := range outputs {
		for k, v := range gradtest.Floats(t, n.Value()) {
			// Sums of at most 36 terms in another order.
			if !near(v, ours[i][k], 1e-12) {
				t.Errorf("output %d (%v): the stock machine gives %g, ours %g", i, n.Op(), v, ours[i][k])
				break
			}
		}
	}
}

func sameValues(t *testing.T, a, b *gorgonia.Node) bool {
	x, y := gradtest.Floats(t, a.Value()), gradtest.Floats(t, b.Value())
	for i := range x {
		if i >= len(y) || x[i] != y[i] {
			return false
		}
	}
	return true
}

// The stock max pool takes the padding of the far sides for that of the near ones.
func TestStockMaxPoolPadding(t *testing.T) {
	g := gorgonia.NewGraph()
	v := tensor.New(tensor.WithShape(1, 1, 3, 1), tensor.WithBacking([]float64{3, 2, 1}))
	x := gorgonia.NodeFromAny(g, v, gorgonia.WithName("x"))
	y, err := ops.MaxPool2D(x, ops.Pool{Kernel: [2]int{2, 1}, Stride: [2]int{1, 1}, Pad: [4]int{1, 0, 0, 0}})
	if err != nil {
		t.Fatal(err)
	}
	stock, err := gorgonia.MaxPool2D(x, tensor.Shape{2, 1}, []int{1, 0, 0, 0}, []int{1, 1})
	if err != nil {
		t.Fatal(err)
	}
	runTape(t, y, stock)
	want := []float64{3, 3, 2}
	if got := gradtest.Floats(t, y.Value()); !equalFloats(got, want) {
		t.Errorf("our max pool with a row above gives %v, want %v", got, want)
	}
	if got := gradtest.Floats(t, stock.Value()); equalFloats(got, want) {
		t.Errorf("the stock max pool gives %v too: this test no longer shows a trap", got)
	}
}

func equalFloats(a, b []float64) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

func TestPictureOpErrors(t *testing.T) {
	g := gorgonia.NewGraph()
	count := 0
	leaf := func(shape ...int) *gorgonia.Node {
		count++
		return gorgonia.NewTensor(g, tensor.Float64, len(shape), gorgonia.WithShape(shape...), gorgonia.WithName(fmt.Sprintf("leaf%d", count)))
	}
	x, v := leaf(2, 6, 5, 7), leaf(6)
	w := leaf(4, 6, 3, 3)
	float32w := gorgonia.NewTensor(g, tensor.Float32, 4, gorgonia.WithShape(4, 6, 3, 3), gorgonia.WithName("float32"))
	indices := gorgonia.NewTensor(g, tensor.Int, 4, gorgonia.WithShape(2, 6, 5, 6), gorgonia.WithName("indices"))
	conv := func(x, w, b *gorgonia.Node, a ops.Conv) func() error {
		return func() error { _, err := ops.Conv2D(x, w, b, a); return err }
	}
	transposed := func(x, w, b *gorgonia.Node, a ops.ConvTranspose) func() error {
		return func() error { _, err := ops.TransposedConv2D(x, w, b, a); return err }
	}
	depthwise := func(x, w *gorgonia.Node, a ops.Conv) func() error {
		return func() error { _, err := ops.DepthwiseConv2D(x, w, nil, a); return err }
	}
	maxPool := func(x *gorgonia.Node, a ops.Pool) func() error {
		return func() error { _, err := ops.MaxPool2D(x, a); return err }
	}
	train := func(x, gamma, beta *gorgonia.Node, a ops.BatchNorm) func() error {
		return func() error { _, _, err := ops.BatchNormTrain(x, gamma, beta, a); return err }
	}
	eval := func(x, mean, variance *gorgonia.Node) func() error {
		return func() error { _, err := ops.BatchNormEval(x, nil, nil, mean, variance, ops.BatchNorm{}); return err }
	}
	running := func(mean, stats *gorgonia.Node, count int, a ops.Running) func() error {
		return func() error { _, _, err := ops.RunningUpdate(mean, mean, stats, count, a); return err }
	}
	spectral := func(w, u *gorgonia.Node, a ops.Spectral) func() error {
		return func() error { _, _, _, err := ops.SpectralNorm(w, u, a); return err }
	}
	two := [2]int{2, 2}
	for _, c := range []struct {
		name string
		call func() error
		want []string // what the error must name
	}{
		{"conv: nil", conv(nil, w, nil, ops.Conv{}), []string{"conv2d", "nil"}},
		{"conv: rank of x", conv(v, w, nil, ops.Conv{}), []string{"conv2d", "(6)", "[N, C, H, W]"}},
		{"conv: rank of w", conv(x, v, nil, ops.Conv{}), []string{"conv2d", "(6)"}},
		{"conv: channels", conv(x, leaf(4, 5, 3, 3), nil, ops.Conv{}), []string{"(2, 6, 5, 7)", "(4, 5, 3, 3)"}},
		{"conv: groups", conv(x, leaf(4, 2, 3, 3), nil, ops.Conv{Groups: 3}), []string{"(4, 2, 3, 3)", "Groups is 3"}},
		{"conv: negative groups", conv(x, w, nil, ops.Conv{Groups: -1}), []string{"groups [-1]"}},
		{"conv: negative stride", conv(x, w, nil, ops.Conv{Stride: [2]int{1, -2}}), []string{"[1 -2]"}},
		{"conv: negative padding", conv(x, w, nil, ops.Conv{Pad: [4]int{0, 0, -1, 0}}), []string{"[0 0 -1 0]"}},
		{"conv: overflow", conv(x, w, nil, ops.Conv{Dilation: [2]int{1 << 62, 1}}), []string{"dilation [4611686018427387904 1]"}},
		{"conv: empty filters", conv(x, leaf(4, 6, 0, 3), nil, ops.Conv{}), []string{"(4, 6, 0, 3)"}},
		{"conv: same and padding", conv(x, w, nil, ops.Conv{Same: true, Pad: [4]int{1, 0, 0, 0}}), []string{"Same", "[1 0 0 0]"}},
		{"conv: empty result", conv(x, w, nil, ops.Conv{Dilation: [2]int{3, 1}}), []string{"7 pixels", "has 5"}},
		{"conv: bias", conv(x, w, v, ops.Conv{}), []string{"(6)", "(4)"}},
		{"conv: types", conv(x, float32w, nil, ops.Conv{}), []string{"float32", "float64"}},
		{"transposed: channels", transposed(x, w, nil, ops.ConvTranspose{}), []string{"transposed", "(2, 6, 5, 7)", "(4, 6, 3, 3)"}},
		{"transposed: groups", transposed(x, leaf(6, 2, 3, 3), nil, ops.ConvTranspose{Groups: 4}), []string{"Groups is 4"}},
		{"transposed: output padding", transposed(x, leaf(6, 2, 3, 3), nil, ops.ConvTranspose{Stride: two, OutputPad: two}), []string{"output padding [2 2]"}},
		{"transposed: empty result", transposed(leaf(1, 6, 1, 1), leaf(6, 2, 3, 3), nil, ops.ConvTranspose{Pad: [4]int{2, 1, 0, 0}}), []string{"leaves 0 pixels"}},
		{"transposed: bias", transposed(x, leaf(6, 2, 3, 3), v, ops.ConvTranspose{}), []string{"(6)", "(2)"}},
		{"depthwise: filters", depthwise(x, leaf(6, 2, 3, 3), ops.Conv{}), []string{"depthwise", "(6, 2, 3, 3)"}},
		{"depthwise: multiplier", depthwise(x, leaf(8, 1, 3, 3), ops.Conv{}), []string{"(8, 1, 3, 3)", "C = 6"}},
		{"depthwise: groups", depthwise(x, leaf(6, 1, 3, 3), ops.Conv{Groups: 2}), []string{"Groups is 2"}},
		{"separable: pointwise", func() error {
			_, err := ops.SeparableConv2D(x, leaf(6, 1, 3, 3), leaf(4, 6, 2, 1), nil, ops.Conv{})
			return err
		}, []string{"(4, 6, 2, 1)"}},
		{"bias: rank", func() error { _, err := ops.AddBias(v, v); return err }, []string{"(6)", "[N, C]"}},
		{"pool: no kernel", maxPool(x, ops.Pool{}), []string{"[0 0]"}},
		{"pool: empty picture", maxPool(leaf(1, 2, 0, 4), ops.Pool{Kernel: two, Pad: [4]int{1, 1, 0, 0}}), []string{"(1, 2, 0, 4)"}},
		{"pool: overflow", maxPool(x, ops.Pool{Kernel: [2]int{1 << 40, 1}}), []string{"kernel [1099511627776 1]"}},
		{"pool: rank", maxPool(v, ops.Pool{Kernel: two}), []string{"(6)"}},
		{"pool: padding", maxPool(x, ops.Pool{Kernel: two, Pad: [4]int{0, 2, 0, 0}}), []string{"[0 2 0 0]", "reach, 2"}},
		{"pool: window", maxPool(x, ops.Pool{Kernel: [2]int{6, 2}}), []string{"6 pixels", "has 5"}},
		{"pool: stride", maxPool(x, ops.Pool{Kernel: two, Stride: [2]int{-1, 1}}), []string{"[-1 1]"}},
		{"pool: same and ceil", maxPool(x, ops.Pool{Kernel: two, Same: true, Ceil: true}), []string{"Same"}},
		{"average pool: nil", func() error { _, err := ops.AvgPool2D(nil, ops.Pool{Kernel: two}); return err }, []string{"nil"}},
		{"adaptive pool: size", func() error { _, err := ops.AdaptiveAvgPool2D(x, [2]int{0, 1}); return err }, []string{"[0 1]"}},
		{"global pool: rank", func() error { _, err := ops.GlobalAvgPool(v); return err }, []string{"(6)"}},
		{"unpool: type", func() error { _, err := ops.MaxUnpool2D(x, x, two); return err }, []string{"float64", "int"}},
		{"unpool: shape", func() error { _, err := ops.MaxUnpool2D(x, indices, two); return err }, []string{"(2, 6, 5, 7)", "(2, 6, 5, 6)"}},
		{"batch norm: rank", train(v, nil, nil, ops.BatchNorm{}), []string{"(6)"}},
		{"batch norm: gamma", train(x, leaf(5), nil, ops.BatchNorm{}), []string{"gamma", "(5)", "(6)"}},
		{"batch norm: beta", train(x, nil, leaf(5), ops.BatchNorm{}), []string{"beta", "(5)", "(6)"}},
		{"batch norm: eps", train(x, nil, nil, ops.BatchNorm{Eps: -1}), []string{"-1"}},
		{"batch norm: statistics", eval(x, v, leaf(7)), []string{"(7)", "(6)"}},
		{"running: both", running(v, leaf(2, 6), 4, ops.Running{Momentum: 0.1, Decay: 0.9}), []string{"0.1", "0.9"}},
		{"running: momentum", running(v, leaf(2, 6), 4, ops.Running{Momentum: 1.5}), []string{"1.5"}},
		{"running: count", running(v, leaf(2, 6), 0, ops.Running{}), []string{"count is 0"}},
		{"running: shape", running(v, leaf(2, 5), 4, ops.Running{}), []string{"(6)", "(5)"}},
		{"layer norm: axes", func() error { _, err := ops.LayerNorm(x, nil, nil, 5, 0); return err }, []string{"5 axes", "(2, 6, 5, 7)"}},
		{"layer norm: gamma", func() error { _, err := ops.LayerNorm(x, v, nil, 1, 0); return err }, []string{"gamma", "(6)", "(7)"}},
		{"group norm: groups", func() error { _, err := ops.GroupNorm(x, nil, nil, 4, 0); return err }, []string{"4 groups", "(2, 6, 5, 7)"}},
		{"group norm: beta", func() error { _, err := ops.GroupNorm(x, nil, leaf(3), 2, 0); return err }, []string{"beta", "(3)"}},
		{"instance norm: rank", func() error { _, err := ops.InstanceNorm(v, nil, nil, 0); return err }, []string{"(6)"}},
		{"lrn: size", func() error { _, err := ops.LocalResponseNorm(x, ops.LRN{}); return err }, []string{"Size 0"}},
		{"spectral norm: axis", spectral(w, leaf(4), ops.Spectral{Axis: 4}), []string{"Axis is 4"}},
		{"spectral norm: u", spectral(w, v, ops.Spectral{}), []string{"(6)", "(4)"}},
		{"spectral norm: iterations", spectral(w, leaf(4), ops.Spectral{Iterations: -1}), []string{"-1"}},
	} {
		err := c.call()
		if err == nil {
			t.Errorf("%s: no error", c.name)
			continue
		}
		for _, w := range c.want {
			if !strings.Contains(err.Error(), w) {
				t.Errorf("%s: the error does not name %q: %v", c.name, w, err)
			}
		}
	}
}
