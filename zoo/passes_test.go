package zoo_test

import (
	"fmt"
	"math"
	"os"
	"strings"
	"testing"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/ops"
	"github.com/stheno-ml/stheno/zoo"
)

// plain is every pass switched off.
var plain = graph.Options{NoMerge: true, NoFuse: true, NoLayout: true, NoSchedule: true, NoInPlace: true, NoJoin: true, NoPair: true, RepeatOver: -1}

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
	"no pair":      {NoPair: true},
	"fuse alone":   {NoMerge: true, NoLayout: true, NoSchedule: true, NoInPlace: true, NoJoin: true, NoPair: true, RepeatOver: -1},
	"layout alone": {NoMerge: true, NoFuse: true, NoSchedule: true, NoInPlace: true, NoJoin: true, NoPair: true, RepeatOver: -1},
	"pair alone":   {NoMerge: true, NoFuse: true, NoLayout: true, NoSchedule: true, NoInPlace: true, NoJoin: true, RepeatOver: -1},
}

// families are one network of each row type and kind of block. True: through all passes and in float64, whose
// kernels are plain Go; the others only through those that compute in another order, and float32. STHENO_ZOO=all runs
// everything, for every network.
var families = map[string]bool{
	"resnet18": false, "resnet50": false, "resnext50_32x4d": false, "resnetv2_50": false, "cifar_resnet20": true,
	"googlenet": false, "googlenet_bvlc": false, "bn_inception": false, "inception_v3": false, "inception_v4": false,
	"inception_resnet_v2": false, "xception": false, "dcgan_generator_32": true, "dcgan_discriminator_32": true,
	"squeezenet1_1": true, "mobilenet_v1": true, "mobilenet_v2": true,
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

// training is forward pass, loss, gradients and new running statistics of a batch of two.
func training(t *testing.T, m *zoo.Model) *program {
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
	return p
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
// op by op.
func TestPassesKeepResults(t *testing.T) {
	if testing.Short() {
		t.Skip("some twenty networks, ten times")
	}
	all := os.Getenv("STHENO_ZOO") == "all"
	for _, info := range zoo.Models() {
		thorough, ok := families[info.Name]
		if !ok && !all {
			continue
		}
		thorough = thorough || all
		t.Run(info.Name, func(t *testing.T) { // issue 5's tolerances
			comparePasses(t, info, tensor.Float32, 1e-5, thorough)
			if thorough {
				comparePasses(t, info, tensor.Float64, 1e-12, true)
			}
		})
	}
}

// reordering are the passes that compute in another order.
var reordering = map[string]bool{"all passes": true, "repeat": true, "no fuse": true, "no layout": true}

func comparePasses(t *testing.T, info zoo.Info, dt tensor.Dtype, tolerance float64, thorough bool) {
	m := smallest(t, info, dt)
	p := training(t, m)
	want := p.run(t, plain)
	largest := 0.0
	for k, g := range want {
		if p.gradient(k) {
			largest = max(largest, size(g))
		}
	}
	for name, o := range passes {
		if !thorough && !reordering[name] {
			continue
		}
		for k, got := range p.run(t, o) {
			what, off, own := fmt.Sprintf("%v, %s: %s", dt, name, p.names[k]), distance(got, want[k]), size(want[k])
			// Gradients may be sums that cancel, as those of biases before a batch norm do to 0. So the tolerance is
			// of the network's largest gradient, and a hundredfold of the variable's own unless it is next to nothing.
			if p.gradient(k) {
				if !(off <= tolerance*largest && off <= 100*tolerance*max(own, largest/1000)) {
					t.Errorf("%s is off by %.3g, its largest value is %.3g, the network's largest gradient %.3g", what, off, own, largest)
				}
			} else if !(off <= tolerance*max(own, 0.1)) { // a tenth of values around 1 is added to a running mean
				t.Errorf("%s is off by %.3g, its largest value is %.3g", what, off, own)
			}
		}
	}
	b := must(m.Build(graph.Eval, 2, nil))(t)
	bind(t, b.Input)
	_, weights := b.Graph.Variables()
	p = &program{outputs: gorgonia.Nodes{b.Output}}
	want = p.run(t, plain)
	for name, o := range passes {
		if !thorough && !reordering[name] {
			continue
		}
		o.Constant = weights
		closeTo(t, fmt.Sprintf("%v, %s: evaluation", dt, name), p.run(t, o)[0], want[0], tolerance)
	}
}

func (p *program) gradient(k int) bool { return strings.HasPrefix(p.names[k], "gradient of ") }

func size(x []float64) float64 { return distance(x, make([]float64, len(x))) }

// distance is the largest difference; infinite if there is a NaN.
func distance(x, y []float64) float64 {
	d := 0.0
	for i := range x {
		if math.IsNaN(x[i] - y[i]) {
			return math.Inf(1)
		}
		d = max(d, math.Abs(x[i]-y[i]))
	}
	return d
}

// smallest is the network at a size that is quick.
func smallest(t *testing.T, info zoo.Info, dt tensor.Dtype) *zoo.Model {
	t.Helper()
	c := zoo.Config{Classes: 7, InputSize: small(info), Aux: true, DropRate: -1, Dtype: dt}
	switch info.Name {
	case "inception_v3":
		c.Aux = false // its head needs pictures of 299×299
	case "googlenet_bvlc":
		c.InputSize = [2]int{97, 107}
	}
	return build(t, info.Name, c)
}
