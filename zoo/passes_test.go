package zoo_test

import (
	"math"
	"os"
	"runtime/debug"
	"slices"
	"strings"
	"testing"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/ops"
	"github.com/stheno-ml/stheno/zoo"
)

// plain is every pass switched off.
var plain = graph.Options{NoMerge: true, NoFuse: true, NoLayout: true, NoSchedule: true, NoInPlace: true, NoJoin: true, NoCut: true, NoPair: true, RepeatOver: -1}

// passes are all passes on, each switched off alone, and those on that change values alone.
var passes = map[string]graph.Options{
	"all passes":   {},
	"repeat":       {RepeatOver: 1},
	"no merge":     {NoMerge: true},
	"no fuse":      {NoFuse: true},
	"no layout":    {NoLayout: true},
	"no schedule":  {NoSchedule: true},
	"no in place":  {NoInPlace: true},
	"no join":      {NoJoin: true},
	"no cut":       {NoCut: true},
	"no pair":      {NoPair: true},
	"fuse alone":   {NoMerge: true, NoLayout: true, NoSchedule: true, NoInPlace: true, NoJoin: true, NoCut: true, NoPair: true, RepeatOver: -1},
	"layout alone": {NoMerge: true, NoFuse: true, NoSchedule: true, NoInPlace: true, NoJoin: true, NoCut: true, NoPair: true, RepeatOver: -1},
	"pair alone":   {NoMerge: true, NoFuse: true, NoLayout: true, NoSchedule: true, NoInPlace: true, NoJoin: true, NoCut: true, RepeatOver: -1},
}

// families are one network of each row type and kind of block. True: in full tests through every pass, the others
// through those that compute in another order; all of them in float64 too.
var families = map[string]bool{
	"resnet18": false, "resnet50": false, "resnext50_32x4d": false, "resnetv2_50": false, "cifar_resnet20": true,
	"googlenet": false, "googlenet_bvlc": false, "bn_inception": false, "inception_v3": false, "inception_v4": false,
	"inception_resnet_v2": false, "xception": false, "dcgan_generator_32": true, "dcgan_discriminator_32": true,
	"vgg11": false, "squeezenet1_1": true, "mobilenet_v1": true, "mobilenet_v2": true,
}

// program is a network with what a test looks at.
type program struct {
	outputs gorgonia.Nodes
	names   []string
}

// run compiles and runs the program and copies its results.
func (p *program) run(t *testing.T, o graph.Options) [][]float64 {
	t.Helper()
	tape, err := graph.Compile(p.outputs, o)
	if err != nil {
		t.Fatalf("%+v", err)
	}
	defer tape.Close()
	if err := tape.RunAll(); err != nil {
		t.Fatalf("%+v", err)
	}
	var all [][]float64
	for _, n := range p.outputs {
		v, err := tape.Value(n)
		if err != nil {
			t.Fatal(err)
		}
		d, ok := v.(*tensor.Dense)
		if !ok {
			d = tensor.New(tensor.FromScalar(v.Data()))
		}
		all = append(all, values(d))
	}
	return all
}

// training is forward pass, loss, gradients and new running statistics of a batch of two, and its input.
func training(t *testing.T, m *zoo.Model) (*program, *graph.Node) {
	t.Helper()
	b := must(m.Build(graph.Train, 2, &ops.RNG{}))(t)
	bind(t, b.Input)
	var loss *graph.Node
	if strings.HasPrefix(m.Info.Name, "dcgan") {
		loss = must(sumWithNoise(b.Graph, b.Output, nil))(t)
	} else {
		labels := b.Graph.Labels("labels", 2)
		if err := gorgonia.Let(labels, tensor.New(tensor.WithBacking([]int{1, 2}))); err != nil {
			t.Fatal(err)
		}
		loss = must(m.Loss(b.Graph, b.Output, labels))(t)
	}
	vars, leaves := b.Graph.Trainable()
	p := &program{outputs: gorgonia.Nodes{b.Output, loss}, names: []string{"output", "loss"}}
	for i, g := range must(graph.Differentiate(loss, leaves...))(t) {
		p.outputs, p.names = append(p.outputs, g), append(p.names, "gradient of "+vars[i].Name)
	}
	for _, a := range b.Graph.Assigns() {
		p.outputs, p.names = append(p.outputs, a.From), append(p.names, a.To.Name())
	}
	return p, b.Input
}

func must[T any](v T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatalf("%+v", err)
		}
		return v
	}
}

func bind(t *testing.T, input *graph.Node) {
	t.Helper()
	x := tensor.New(tensor.Of(input.Dtype()), tensor.WithShape(input.Shape()...))
	set(x, func(i int) float64 { return 2*u01(inputNumber, uint64(i)) - 1 })
	if err := gorgonia.Let(input, x); err != nil {
		t.Fatal(err)
	}
}

// TestPassesKeepResults: whatever passes are on, forward pass and gradients are those of the program that runs
// op by op, for every network. Short tests run a network a family, with all passes; STHENO_ZOO=all runs every pass
// and both types for every network, STHENO_ZOO=usual all passes and both types on pictures of the usual size.
func TestPassesKeepResults(t *testing.T) {
	everything := os.Getenv("STHENO_ZOO") == "all" || usualSize()
	for _, info := range zoo.Models() {
		thorough, family := families[info.Name]
		var names []string
		for name := range passes {
			if name == "all passes" || !usualSize() && !testing.Short() && (everything || thorough || family && reordering[name]) {
				names = append(names, name)
			}
		}
		if testing.Short() && !family {
			continue
		}
		t.Run(info.Name, func(t *testing.T) {
			t.Cleanup(debug.FreeOSMemory) // a dozen tapes
			comparePasses(t, info, tensor.Float32, names)
			if everything || family && !testing.Short() {
				if !thorough && !everything {
					names = []string{"all passes"} // float64 is plain Go, and slow
				}
				comparePasses(t, info, tensor.Float64, names)
			}
		})
	}
}

// reordering are the passes that compute in another order.
var reordering = map[string]bool{"all passes": true, "repeat": true, "no fuse": true, "no layout": true}

// Issue 5's tolerances, of the norm of what is compared.
var passTolerance = map[tensor.Dtype]float64{tensor.Float32: 1e-5, tensor.Float64: 1e-12}

// More is allowed only where the program that runs op by op moves as far by itself: where a last bit more or less in
// the pixels of its input moves a result by more than the tolerance, no other order of sums can keep it. So it is for
// gradients that are sums which cancel (those of biases before a batch norm do to 0), and for deep networks
// of untrained weights, with batch norms over the few pixels that small pictures leave: measured in float64, one
// program against the other, inception_v4 8e-10, inception_v3 1e-10, resnet152 1e-11, and on pictures of the usual
// size 5e-11, 5e-12 and 2e-11; in float32 MobileNet's first batch norms 2.4e-4 (3e-4), where either program is as far
// from float64. The pixels are rounded once, but each of some hundred ops rounds anew, at
// random: that may do √100 times as much and more (measured: 7.5).
const roundings = 16

func comparePasses(t *testing.T, info zoo.Info, dt tensor.Dtype, names []string) {
	p, input := training(t, smallest(t, info, dt))
	compareRuns(t, p, input, dt, names, nil)
	b := must(smallest(t, info, dt).Build(graph.Eval, 2, nil))(t)
	bind(t, b.Input)
	_, weights := b.Graph.Variables()
	compareRuns(t, &program{gorgonia.Nodes{b.Output}, []string{"evaluation"}}, b.Input, dt, names, weights)
}

func compareRuns(t *testing.T, p *program, input *graph.Node, dt tensor.Dtype, names []string, constant []*graph.Node) {
	want := p.run(t, plain)
	var moved [][]float64 // by a last bit in the input
	for _, name := range names {
		o := passes[name]
		o.Constant = constant
		for k, got := range p.run(t, o) {
			off, tolerance := apart(got, want[k]), passTolerance[dt]*p.scale(k, want)
			if off <= tolerance {
				continue
			}
			if moved == nil {
				moved = p.runMoved(t, input)
			}
			t.Logf("%v, %s: %s is off by %.2g of its norm", dt, name, p.names[k], off/norm(want[k]))
			if limit := roundings * apart(moved[k], want[k]); !(off <= limit) {
				t.Errorf("%v, %s: %s is off by %.3g, its norm is %.3g, want at most %.3g, or %.3g for its condition", dt, name, p.names[k], off, norm(want[k]), tolerance, limit)
			}
		}
	}
}

// scale is what result k is measured by: its norm. A running mean is a mean of numbers of either sign, rounded each,
// and is measured by their size if that is more.
func (p *program) scale(k int, want [][]float64) float64 {
	scale := norm(want[k])
	if layer, ok := strings.CutSuffix(p.names[k], ".running_mean"); ok {
		if v := slices.Index(p.names, layer+".running_var"); v >= 0 {
			scale = max(scale, norm(want[v]))
		}
	}
	return scale
}

// runMoved is the program op by op on pixels of which a third each are a last bit more, less, and as they were.
func (p *program) runMoved(t *testing.T, input *graph.Node) [][]float64 {
	t.Helper()
	pixels := input.Value().(*tensor.Dense)
	kept := pixels.Clone().(*tensor.Dense)
	bit := 0x1p-23
	if pixels.Dtype() == tensor.Float64 {
		bit = 0x1p-52
	}
	x := values(kept)
	set(pixels, func(i int) float64 { return x[i] * (1 + bit*float64(i%3-1)) })
	moved := p.run(t, plain)
	set(pixels, func(i int) float64 { return x[i] })
	return moved
}

func norm(x []float64) float64 { return apart(x, make([]float64, len(x))) }

// apart is the Euclidean distance; NaN if there is one.
func apart(x, y []float64) float64 {
	d := 0.0
	for i := range x {
		d += (x[i] - y[i]) * (x[i] - y[i])
	}
	return math.Sqrt(d)
}

func usualSize() bool { return os.Getenv("STHENO_ZOO") == "usual" }

// smallest is the network at a size that is quick.
func smallest(t *testing.T, info zoo.Info, dt tensor.Dtype) *zoo.Model {
	t.Helper()
	c := zoo.Config{Classes: 7, InputSize: small(info), Aux: true, DropRate: -1, Dtype: dt}
	if usualSize() {
		c.InputSize = [2]int{}
		return build(t, info.Name, c)
	}
	switch info.Name {
	case "inception_v3":
		c.Aux = false // its head needs pictures of 299×299
	case "googlenet_bvlc":
		c.InputSize = [2]int{97, 107}
	}
	return build(t, info.Name, c)
}
