package graph_test

import (
	"bytes"
	"encoding/xml"
	"strings"
	"testing"

	"github.com/pkg/errors"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/nn"
	"github.com/stheno-ml/stheno/ops"
)

func newGraph(t *testing.T, mode graph.Mode) *graph.Graph {
	t.Helper()
	s, err := graph.NewStore(tensor.Float64, 1)
	if err != nil {
		t.Fatal(err)
	}
	return s.Graph(mode, nil)
}

func TestFirstErrorIsKeptWithItsPlace(t *testing.T) {
	g := newGraph(t, graph.Eval)
	x := g.Input("x", 2, 3, 8, 8)
	h := nn.Named{Name: "stem", Layer: nn.Conv2D{Name: "conv", Filters: 4, Kernel: 9}}.Apply(g, x) // the line that is named
	h = nn.ReLU{}.Apply(g, h)
	nn.Linear{Units: 3}.Apply(g, h)
	var e *graph.Error
	if !errors.As(g.Err(), &e) {
		t.Fatalf("error is %T: %v", g.Err(), g.Err())
	}
	if e.Layer != "stem.conv" || e.Kind != "conv2d" || len(e.Inputs) != 1 || !e.Inputs[0].Eq(tensor.Shape{2, 3, 8, 8}) {
		t.Errorf("layer %q, kind %q, inputs %v", e.Layer, e.Kind, e.Inputs)
	}
	if !strings.HasSuffix(e.File, "graph_test.go") || e.Line == 0 {
		t.Errorf("place is %s:%d, want a line of graph_test.go", e.File, e.Line)
	}
	if !strings.HasPrefix(e.Error(), "graph_test.go:") {
		t.Errorf("message %q does not begin with the place", e)
	}
}

func TestNamesAreUsedOnce(t *testing.T) {
	for name, build := range map[string]func(g *graph.Graph, x *graph.Node){
		"layer": func(g *graph.Graph, x *graph.Node) {
			nn.Conv2D{Name: "c", Filters: 3, Kernel: 1}.Apply(g, x)
			nn.Conv2D{Name: "c", Filters: 3, Kernel: 1}.Apply(g, x)
		},
		"scope":    func(g *graph.Graph, x *graph.Node) { g.Scope("a"); g.Scope("a") },
		"input":    func(g *graph.Graph, x *graph.Node) { g.Input("x", 1) },
		"variable": func(g *graph.Graph, x *graph.Node) { g.Statistic("v", 0, 3); g.Statistic("v", 0, 3) },
		"mark":     func(g *graph.Graph, x *graph.Node) { g.Mark("m", x); g.Mark("m", x) },
		"share":    func(g *graph.Graph, x *graph.Node) { g.Scope("a"); g.Share("a") },
	} {
		g := newGraph(t, graph.Eval)
		build(g, g.Input("x", 2, 3, 4, 4))
		if g.Err() == nil {
			t.Errorf("%s: a second use of a name is not an error", name)
		}
	}
}

func TestShareUsesTheSameWeights(t *testing.T) {
	g := newGraph(t, graph.Eval)
	a, b := g.Input("a", 2, 5), g.Input("b", 2, 5)
	d := nn.Sequential{nn.Linear{Units: 3}, nn.ReLU{}, nn.Linear{Units: 1}}
	d.Apply(g.Share("d"), a)
	d.Apply(g.Share("d"), b)
	if err := g.Err(); err != nil {
		t.Fatal(err)
	}
	if vs, _ := g.Variables(); len(vs) != 4 {
		t.Errorf("%d variables, want 4: two layers with weight and bias", len(vs))
	}
	if p := g.Total().Parameters; p != 5*3+3+3+1 {
		t.Errorf("%d parameters, want 22", p)
	}
}

func TestVariablesOutliveGraphs(t *testing.T) {
	s, err := graph.NewStore(tensor.Float32, 7)
	if err != nil {
		t.Fatal(err)
	}
	build := func(mode graph.Mode, batch int) *graph.Graph {
		g := s.Graph(mode, nil)
		nn.Linear{Name: "fc", Units: 4}.Apply(g, g.Input("x", batch, 3))
		if err := g.Err(); err != nil {
			t.Fatal(err)
		}
		return g
	}
	_, a := build(graph.Train, 8).Variables()
	_, b := build(graph.Eval, 1).Variables()
	if a[0].Value() != b[0].Value() {
		t.Error("two graphs over one store have two weights")
	}
	g := s.Graph(graph.Eval, nil)
	nn.Linear{Name: "fc", Units: 5}.Apply(g, g.Input("x", 1, 3))
	if g.Err() == nil || !strings.Contains(g.Err().Error(), "fc.weight") {
		t.Errorf("another shape for a variable that exists: %v", g.Err())
	}
}

func TestInitialValuesDependOnNameAndSeedOnly(t *testing.T) {
	value := func(seed uint64, others ...string) []float32 {
		s, err := graph.NewStore(tensor.Float32, seed)
		if err != nil {
			t.Fatal(err)
		}
		g := s.Graph(graph.Eval, nil)
		x := g.Input("x", 1, 4)
		for _, name := range append(others, "fc") {
			nn.Linear{Name: name, Units: 4}.Apply(g, x)
		}
		return s.Get("fc.weight").Value.Float32s()
	}
	same := func(a, b []float32) bool {
		for i := range a {
			if a[i] != b[i] {
				return false
			}
		}
		return true
	}
	a := value(1)
	if !same(a, value(1, "other", "another")) {
		t.Error("the value changes with what else the store holds")
	}
	if same(a, value(2)) {
		t.Error("the value does not change with the seed")
	}
}

func TestFreeze(t *testing.T) {
	g := newGraph(t, graph.Train)
	h := nn.Linear{Name: "fc1", Units: 3}.Apply(g, g.Input("x", 2, 4))
	nn.Linear{Name: "fc10", Units: 3}.Apply(g, h)
	if err := g.Store().Freeze("fc1"); err != nil {
		t.Fatal(err)
	}
	vs, _ := g.Trainable()
	if len(vs) != 2 || vs[0].Name != "fc10.weight" {
		t.Errorf("trainable: %v", vs)
	}
	if err := g.Store().Freeze("fc2"); err == nil {
		t.Error("freezing what is not there is not an error")
	}
}

// residual is a network with an edge that crosses rows.
func residual(g *graph.Graph) *graph.Node {
	h := nn.Conv2D{Name: "stem", Filters: 4, Kernel: 3, Pad: 1}.Apply(g, g.Input("x", 2, 3, 8, 8))
	h = nn.Residual{Name: "block", Body: nn.Sequential{
		nn.Conv2D{Name: "conv1", Filters: 4, Kernel: 3, Pad: 1, NoBias: true}, nn.ReLU{},
		nn.Conv2D{Name: "conv2", Filters: 4, Kernel: 3, Pad: 1, NoBias: true}}, After: nn.ReLU{}}.Apply(g, h)
	return nn.Linear{Name: "fc", Units: 10}.Apply(g, nn.Flatten{}.Apply(g, h))
}

func TestSummaryCounts(t *testing.T) {
	g := newGraph(t, graph.Eval)
	residual(g)
	var b bytes.Buffer
	if err := g.Summary(&b); err != nil {
		t.Fatal(err)
	}
	total := g.Total()
	if want := 4*27 + 4 + 2*4*36 + 10*256 + 10; total.Parameters != want {
		t.Errorf("%d parameters, want %d", total.Parameters, want)
	}
	if want := int64(2 * (64*4*27 + 2*64*4*36 + 2560)); total.MACs != want {
		t.Errorf("%d multiply-adds, want %d", total.MACs, want)
	}
	for _, want := range []string{"block.conv1", "conv2d", "(2, 4, 8, 8)", "2,970"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("the summary lacks %q:\n%s", want, &b)
		}
	}
}

func TestDrawings(t *testing.T) {
	g := newGraph(t, graph.Eval)
	residual(g)
	var dot, svg bytes.Buffer
	if err := g.WriteDOT(&dot); err != nil {
		t.Fatal(err)
	}
	if err := g.WriteSVG(&svg); err != nil {
		t.Fatal(err)
	}
	// x → stem → conv1 → relu → conv2 → sum → relu → flatten → fc, and stem → sum.
	if n := strings.Count(dot.String(), "->"); n != 9 {
		t.Errorf("%d edges, want 9:\n%s", n, &dot)
	}
	if err := xml.Unmarshal(svg.Bytes(), new(struct{ XMLName xml.Name })); err != nil {
		t.Errorf("the drawing is not XML: %v", err)
	}
	if n := strings.Count(svg.String(), "marker-end"); n != 9 {
		t.Errorf("%d arrows, want 9", n)
	}
}

func TestOpsErrorInsideALayerNamesIt(t *testing.T) {
	g := newGraph(t, graph.Eval)
	x := g.Input("x", 2, 3)
	g.Apply("sum", "add", func(*graph.Graph) (*graph.Node, error) { return ops.Sum(x, g.Input("y", 2, 4)) }, x)
	if g.Err() == nil || !strings.Contains(g.Err().Error(), "add: sum") {
		t.Errorf("error %v", g.Err())
	}
}

// An error says once what the layer is, even where layer, kind and op have one name.
func TestErrorNamesTheLayerOnce(t *testing.T) {
	g := graph.New(graph.Train)
	x := g.Input("x", 4, 3, 8, 8)
	g.Apply("conv2d", "", func(g *graph.Graph) (*graph.Node, error) { return nil, errors.New("conv2d: no room") }, x)
	g2 := graph.New(graph.Train)
	y := g2.Input("x", 2)
	g2.Apply("conv2d", "stem", func(g *graph.Graph) (*graph.Node, error) { return nil, errors.New("no room") }, y)
	for err, want := range map[error]string{
		g.Err():  "conv2d: no room (given [(4, 3, 8, 8)])",
		g2.Err(): "stem: conv2d: no room (given [(2)])",
	} {
		if _, got, _ := strings.Cut(err.Error(), ": "); got != want {
			t.Errorf("%q, want %q behind the line", got, want)
		}
	}
}
