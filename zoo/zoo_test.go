package zoo_test

import (
	"bufio"
	"context"
	"crypto/sha256"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/ops"
	"github.com/stheno-ml/stheno/train"
	"github.com/stheno-ml/stheno/zoo"
	"github.com/stheno-ml/stheno/zoo/weights"
)

// Every network has exactly as many parameters, running statistics and multiply-adds as its row says, and its
// row what was published.
func TestCounts(t *testing.T) {
	published := readPublished(t)
	for _, info := range zoo.Models() {
		m := build(t, info.Name, zoo.Config{Aux: true, Blank: true})
		c, err := m.Count()
		if err != nil {
			t.Fatalf("%s: %+v", info.Name, err)
		}
		if c.Params != info.Params || c.AuxParams != info.AuxParams || c.MACs != info.MACs {
			t.Errorf("%s has %+v, its row %+v", info.Name, c, info)
		}
		for _, p := range published[info.Name] {
			for what, got := range map[string]int64{"params": c.Params, "aux_params": c.AuxParams, "buffers": c.Buffers, "macs": c.MACs, "input": int64(info.Input)} {
				if want, ok := p[what]; ok && got != want {
					t.Errorf("%s: %d %s, published are %d", info.Name, got, what, want)
				}
			}
		}
		delete(published, info.Name)
	}
	for name := range published {
		t.Errorf("%s is published and not in the zoo", name)
	}
}

// readPublished is the rows of testdata/published.tsv by name; what is empty there is missing.
func readPublished(t *testing.T) map[string][]map[string]int64 {
	t.Helper()
	f, err := os.Open("testdata/published.tsv")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	all := make(map[string][]map[string]int64)
	lines := bufio.NewScanner(f)
	lines.Scan()
	columns := strings.Split(lines.Text(), "\t")
	for lines.Scan() {
		cells := strings.Split(lines.Text(), "\t")
		row := make(map[string]int64)
		for i, c := range cells[1 : len(cells)-1] {
			if c == "" {
				continue
			}
			if row[columns[i+1]], err = strconv.ParseInt(c, 10, 64); err != nil {
				t.Fatal(err)
			}
		}
		all[cells[0]] = append(all[cells[0]], row)
	}
	return all
}

// Torchvision's networks have the names and shapes of its state dicts, all of them and no others (names.py).
func TestTorchvisionNames(t *testing.T) {
	b, err := os.ReadFile("testdata/torchvision.tsv")
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range strings.Split(strings.TrimSpace(string(b)), "\n")[1:] {
		cells := strings.Split(line, "\t")
		var names []string
		for _, v := range build(t, cells[0], zoo.Config{Aux: true, Blank: true}).Store().Variables() {
			shape := strings.Trim(fmt.Sprint([]int(v.Value.Shape())), "[]")
			names = append(names, v.Name+" "+strings.ReplaceAll(shape, " ", "x"))
		}
		slices.Sort(names)
		sum := fmt.Sprintf("%x", sha256.Sum256([]byte(strings.Join(names, "\n"))))
		if strconv.Itoa(len(names)) != cells[1] || sum != cells[2] {
			t.Errorf("%s: %d tensors whose names and shapes sum up to %s, want torchvision's %s, %s", cells[0], len(names), sum, cells[1], cells[2])
		}
	}
}

func build(t *testing.T, name string, c zoo.Config) *zoo.Model {
	t.Helper()
	m, err := zoo.New(name, c)
	if err != nil {
		t.Fatalf("%s: %+v", name, err)
	}
	return m
}

// small is a size that a network can take with little work, odd and not square; 0, 0 where it has one size.
func small(info zoo.Info) [2]int {
	switch {
	case strings.HasPrefix(info.Name, "dcgan"):
		return [2]int{}
	case strings.HasPrefix(info.Name, "cifar"):
		return [2]int{15, 18}
	case info.Input > 224 || info.Name == "facenet":
		return [2]int{97, 107}
	}
	return [2]int{65, 50}
}

// Every network builds, for evaluation and for training, in all the ways that it can be asked for; what comes
// out has the shape that was asked for.
func TestVariants(t *testing.T) {
	for _, info := range zoo.Models() {
		size := small(info)
		gan := strings.HasPrefix(info.Name, "dcgan")
		for what, c := range map[string]zoo.Config{
			"odd, not square":     {InputSize: size},
			"one channel":         {InputSize: size, Channels: 1},
			"four channels":       {InputSize: size, Channels: 4},
			"headless":            {InputSize: size, Headless: true},
			"seven classes":       {InputSize: size, Classes: 7},
			"its own size, heads": {Aux: true},
		} {
			c.Blank = true
			m := build(t, info.Name, c)
			b, err := m.Build(graph.Train, 2, &ops.RNG{})
			if err != nil {
				t.Errorf("%s, %s: %+v", info.Name, what, err)
				continue
			}
			s := b.Output.Shape()
			want := m.Config.Classes
			if strings.Contains(info.Name, "generator") {
				want = m.Config.Channels
			}
			if s[0] != 2 || !c.Headless && s[1] != want || !gan && len(s) != 2 {
				t.Errorf("%s, %s: the result is %v", info.Name, what, s)
			}
			if in := m.Input; !strings.Contains(info.Name, "generator") && in[0] != m.Config.Channels {
				t.Errorf("%s, %s: the input is %v", info.Name, what, in)
			}
		}
	}
}

// heavy are networks with so many weights that their training steps are left to STHENO_ZOO=all: others of the
// same row type run.
func heavy(info zoo.Info) bool {
	return info.Params > 40e6 && os.Getenv("STHENO_ZOO") != "all"
}

// A training step at a small size gives every parameter a gradient that is finite and not all 0.
func TestEveryParameterGetsAGradient(t *testing.T) {
	if testing.Short() {
		t.Skip("some fifty networks")
	}
	for _, info := range zoo.Models() {
		if heavy(info) {
			continue
		}
		c := zoo.Config{Classes: 7, InputSize: small(info), Aux: true}
		labels, loss := []int{1, 2}, (*zoo.Model).Loss
		switch {
		case strings.HasPrefix(info.Name, "dcgan"):
			loss = func(_ *zoo.Model, g *graph.Graph, output, labels *graph.Node) (*graph.Node, error) {
				return sumWithNoise(g, output, labels)
			}
		case info.Name == "inception_v3":
			c.Aux = false // its head needs pictures of 299×299, as the reference test has them
		case info.Name == "googlenet_bvlc":
			c.InputSize = [2]int{97, 107}
		}
		m := build(t, info.Name, c)
		x := tensor.New(tensor.Of(tensor.Float32), tensor.WithShape(append([]int{2}, m.Input...)...))
		set(x, func(i int) float64 { return 2*u01(inputNumber, uint64(i)) - 1 })
		r, err := step(m, x, labels, func(g *graph.Graph, o, l *graph.Node) (*graph.Node, error) { return loss(m, g, o, l) }, nil)
		if err != nil {
			t.Errorf("%s: %+v", info.Name, err)
			continue
		}
		for _, v := range m.Store().Trainable() {
			sum := 0.0
			for _, g := range r.grads[v.Name] {
				sum += math.Abs(g)
			}
			if !(sum > 0) || math.IsInf(sum, 0) {
				t.Errorf("%s: the gradient of %s sums up to %g", info.Name, v.Name, sum)
			}
		}
	}
}

// What was saved and loaded into a model with other weights predicts the same bits.
func TestSaveAndLoad(t *testing.T) {
	ctx := context.Background()
	for _, info := range zoo.Models() {
		if heavy(info) || testing.Short() && info.Params > 5e6 {
			continue
		}
		c := zoo.Config{Classes: 3, InputSize: small(info), Seed: 1}
		m := build(t, info.Name, c)
		c.Blank = true
		other := build(t, info.Name, c)
		x := tensor.New(tensor.Of(tensor.Float32), tensor.WithShape(append([]int{1}, m.Input...)...))
		set(x, func(i int) float64 { return 2*u01(inputNumber, uint64(i)) - 1 })
		want, err := m.Model.Predict(ctx, x)
		if err != nil {
			t.Fatalf("%s: %+v", info.Name, err)
		}
		path := filepath.Join(t.TempDir(), "w.safetensors")
		if err := weights.SaveStore(path, m.Store(), nil); err != nil {
			t.Fatalf("%s: %+v", info.Name, err)
		}
		if err := weights.LoadStore(path, other.Store()); err != nil {
			t.Fatalf("%s: %+v", info.Name, err)
		}
		got, err := other.Model.Predict(ctx, x)
		if err != nil {
			t.Fatalf("%s: %+v", info.Name, err)
		}
		if !slices.Equal(got.Float32s(), want.Float32s()) {
			t.Errorf("%s: the loaded model predicts something else", info.Name)
		}
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
}

// Frozen stages get no gradients, and keep their running statistics still; the others do not.
func TestFreeze(t *testing.T) {
	m := build(t, "resnet18", zoo.Config{Classes: 4, InputSize: [2]int{48, 40}})
	if err := m.Freeze("conv1", "bn1", "layer1", "layer2.0"); err != nil {
		t.Fatal(err)
	}
	before := make(map[string][]float64)
	for _, v := range m.Store().Variables() {
		before[v.Name] = values(v.Value)
	}
	s, err := train.NewStep(m.Model, 3, m.Loss, &ops.RNG{})
	if err != nil {
		t.Fatalf("%+v", err)
	}
	x := tensor.New(tensor.Of(tensor.Float32), tensor.WithShape(3, 3, 48, 40))
	set(x, func(i int) float64 { return u01(inputNumber, uint64(i)) })
	if _, err := s.Run(context.Background(), x, []int{0, 3, 1}); err != nil {
		t.Fatalf("%+v", err)
	}
	moved := make(map[string]bool) // parameters that an optimiser is given, statistics that changed
	vars, _ := s.Gradients()
	for _, v := range vars {
		moved[v.Name] = true
	}
	for _, v := range m.Store().Variables() {
		if v.Role == graph.Statistic {
			moved[v.Name] = !slices.Equal(before[v.Name], values(v.Value))
		}
		frozen := strings.HasPrefix(v.Name, "conv1") || strings.HasPrefix(v.Name, "bn1") || strings.HasPrefix(v.Name, "layer1") || strings.HasPrefix(v.Name, "layer2.0")
		if moved[v.Name] == frozen {
			t.Errorf("%s: frozen %v, moves %v", v.Name, frozen, moved[v.Name])
		}
	}
}

// Stages can be asked for by name, and headless models give their pooled features.
func TestStages(t *testing.T) {
	ctx := context.Background()
	m := build(t, "resnet50", zoo.Config{InputSize: [2]int{64, 96}})
	stages, err := m.Stages()
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"stem", "layer1", "layer2", "layer3", "layer4", "features", "pooled"}; !slices.Equal(stages, want) {
		t.Errorf("stages %v, want %v", stages, want)
	}
	x := tensor.New(tensor.Of(tensor.Float32), tensor.WithShape(1, 3, 64, 96))
	set(x, func(i int) float64 { return u01(inputNumber, uint64(i)) })
	out, err := m.Outputs(ctx, x, "layer2", "pooled")
	if err != nil {
		t.Fatalf("%+v", err)
	}
	if !slices.Equal(out[0].Shape(), tensor.Shape{1, 512, 8, 12}) {
		t.Errorf("layer2 has shape %v", out[0].Shape())
	}
	headless := build(t, "resnet50", zoo.Config{InputSize: [2]int{64, 96}, Headless: true})
	pooled, err := headless.Model.Predict(ctx, x)
	if err != nil {
		t.Fatalf("%+v", err)
	}
	// The same weights under the same names; float32 fused over other neighbours.
	closeTo(t, "pooled features", values(pooled), values(out[1]), 1e-5)
	for _, info := range zoo.Models() {
		m := build(t, info.Name, zoo.Config{InputSize: small(info), Blank: true})
		if s, err := m.Stages(); err != nil || len(s) == 0 {
			t.Errorf("%s: stages %v: %v", info.Name, s, err)
		}
	}
}

func TestMistakes(t *testing.T) {
	for _, c := range []struct {
		name   string
		config zoo.Config
		says   string
	}{
		{"resnet51", zoo.Config{}, "resnet50"},
		{"resnet50", zoo.Config{Classes: -1}, "Classes -1"},
		{"resnet50", zoo.Config{InputSize: [2]int{224, 0}}, "[224 0]"},
		{"resnet50", zoo.Config{DropRate: 1}, "DropRate 1"},
		{"inception_v3", zoo.Config{InputSize: [2]int{40, 40}}, "Mixed_6a"},
	} {
		if _, err := zoo.New(c.name, c.config); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s %+v: error %v, want one that says %q", c.name, c.config, err, c.says)
		}
	}
}

// Names are unique, and rows complete.
func TestTable(t *testing.T) {
	seen := make(map[string]bool)
	for _, i := range zoo.Models() {
		if seen[i.Name] || i.Params <= 0 || i.MACs <= 0 || i.Input <= 0 || i.Paper == "" {
			t.Errorf("row %+v", i)
		}
		seen[i.Name] = true
	}
}
