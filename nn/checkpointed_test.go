package nn_test

import (
	"testing"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/internal/gradtest"
	"github.com/stheno-ml/stheno/nn"
	"github.com/stheno-ml/stheno/ops"
)

// Recomputed blocks give the same bits, running statistics included, in less memory.
func TestCheckpointedSavesMemory(t *testing.T) {
	block := func(name string) nn.Layer {
		conv := func(name string) nn.Layer {
			return nn.Sequential{nn.Conv2D{Name: name, Filters: 16, Kernel: 3, Pad: 1, NoBias: true}, nn.BatchNorm{Name: name + "_bn"}, nn.ReLU{}, nn.Dropout{Name: name + "_drop", P: 0.1}}
		}
		return nn.Residual{Name: name, Body: nn.Sequential{conv("a"), conv("b"), conv("c")}, After: nn.ReLU{}}
	}
	var kept []float64
	var arena int
	for _, again := range []bool{false, true} {
		wrap := func(l nn.Layer) nn.Layer {
			if again {
				return nn.Checkpointed{Layer: l}
			}
			return l
		}
		net := nn.Sequential{nn.Conv2D{Name: "stem", Filters: 16, Kernel: 3, Pad: 1}, wrap(block("1")), wrap(block("2")), wrap(block("3")), wrap(block("4")), nn.GlobalAvgPool{}, nn.Linear{Name: "fc", Units: 4}}
		m, err := nn.NewModel(net, []int{3, 24, 24}, nn.ModelConfig{Dtype: tensor.Float64, Seed: 1})
		if err != nil {
			t.Fatalf("%+v", err)
		}
		b, err := m.Build(graph.Train, 4, ops.NewRNG(5))
		if err != nil {
			t.Fatalf("%+v", err)
		}
		g := b.Graph
		labels := g.Labels("labels", 4)
		loss, err := ops.SoftmaxCrossEntropy(b.Output, labels)
		if err != nil {
			t.Fatal(err)
		}
		_, leaves := g.Trainable()
		grads, err := graph.Differentiate(loss, leaves...)
		if err != nil {
			t.Fatal(err)
		}
		tape, err := graph.Compile(append(gorgonia.Nodes{loss}, grads...), graph.Options{Assign: g.Assigns(), Recompute: g.Checkpoints()})
		if err != nil {
			t.Fatalf("%+v", err)
		}
		if err := gorgonia.Let(b.Input, gradtest.Random(1, 0, 4, 3, 24, 24)); err != nil {
			t.Fatal(err)
		}
		if err := gorgonia.Let(labels, tensor.New(tensor.WithBacking([]int{0, 1, 2, 3}))); err != nil {
			t.Fatal(err)
		}
		if err := tape.RunAll(); err != nil {
			t.Fatalf("%+v", err)
		}
		var all []float64
		for _, n := range append(gorgonia.Nodes{loss}, grads...) {
			all = append(all, gradtest.Floats(t, n.Value())...)
		}
		for _, v := range m.Store().Variables() {
			if v.Role == graph.Statistic {
				all = append(all, v.Value.Float64s()...)
			}
		}
		if !again {
			kept, arena = all, tape.Plan().Arena
			continue
		}
		for i := range all {
			if all[i] != kept[i] {
				t.Fatalf("number %d is %v recomputed, %v kept", i, all[i], kept[i])
			}
		}
		// Of each block's fifteen large values the input, and dropout's three masks, remain.
		if now := tape.Plan().Arena; now > arena*3/4 || tape.Plan().Repeated == 0 {
			t.Errorf("arena %d bytes recomputed (%v), %d kept", now, tape.Plan(), arena)
		}
	}
}
