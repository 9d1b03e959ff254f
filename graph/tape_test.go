package graph

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/internal/exec"
	"github.com/stheno-ml/stheno/ops"
)

// wantError requires an error that says all of these things.
func wantError(t *testing.T, err error, parts ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want one with %q", parts)
	}
	for _, p := range parts {
		if !strings.Contains(err.Error(), p) {
			t.Errorf("error %q does not say %q", err, p)
		}
	}
}

func TestCancelInMidRun(t *testing.T) {
	g := gorgonia.NewGraph()
	x, state := input(g, "x", 8), input(g, "state", 8)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var runs atomic.Int64
	h := x
	for i := range 6 {
		p := probe{label: fmt.Sprint("step", i), inplace: []int{0}, runs: &runs}
		if i == 2 {
			p.fails = func() error { cancel(); return nil }
		}
		h = p.add(t, h)
	}
	tape := mustCompile(t, Options{Assign: []Assign{{To: state, From: h}}}, h)
	before := append([]float64(nil), state.Value().Data().([]float64)...)
	_, err := tape.Value(h)
	wantError(t, err, "has not run")
	err = tape.Run(ctx)
	if !errors.Is(err, context.Canceled) || runs.Load() != 3 {
		t.Errorf("error %v after %d ops, want %v after 3", err, runs.Load(), context.Canceled)
	}
	_, err = tape.Value(h)
	wantError(t, err, "not complete")
	for i, v := range state.Value().Data().([]float64) {
		if v != before[i] {
			t.Fatal("a run that was stopped made an assignment")
		}
	}
	if err := tape.Run(ctx); !errors.Is(err, context.Canceled) || runs.Load() != 3 {
		t.Errorf("error %v after %d ops from a context that had ended", err, runs.Load())
	}
	late, stop := context.WithDeadline(context.Background(), time.Now().Add(-time.Second))
	defer stop()
	if err := tape.Run(late); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error %v, want %v", err, context.DeadlineExceeded)
	}
	mustRun(t, tape)
	wantReference(t, tape, h)
	for i, v := range state.Value().Data().([]float64) {
		if v != h.Value().Data().([]float64)[i] {
			t.Fatal("a complete run did not make the assignment")
		}
	}
}

func TestAssignmentsSeeTheOldState(t *testing.T) {
	g := gorgonia.NewGraph()
	a, b := input(g, "a", 3), input(g, "bb", 3)
	wasA, wasB := floatsOf(t, a.Value()), floatsOf(t, b.Value())
	nextA := probe{label: "next a"}.add(t, b)
	nextB := probe{label: "next b"}.add(t, a)
	tape := mustCompile(t, Options{Assign: []Assign{{a, nextA}, {b, nextB}}})
	mustRun(t, tape)
	for i := range wasA {
		if floatsOf(t, a.Value())[i] != wasB[i] || floatsOf(t, b.Value())[i] != wasA[i] {
			t.Fatalf("a %v, b %v; were %v, %v", a.Value(), b.Value(), wasA, wasB)
		}
	}
}

func floatsOf(t testing.TB, v gorgonia.Value) []float64 {
	t.Helper()
	a, err := exec.FromValue(v)
	if err != nil {
		t.Fatal(err)
	}
	return append([]float64(nil), exec.Data[float64](&a)...)
}

func TestErrorsAndPanicsNameTheOp(t *testing.T) {
	g := gorgonia.NewGraph()
	x := input(g, "x", 8)
	fail := func() error { panic("index out of range [8] with length 8") }
	h := probe{label: "first"}.add(t, x)
	h = probe{label: "crop", fails: func() error { return fail() }}.add(t, h)
	gorgonia.WithName("stem.crop")(h)
	tape := mustCompile(t, Options{}, h)
	wantError(t, tape.RunAll(), "crop at stem.crop", "index out of range")
	fail = func() error { return errors.New("window larger than picture") }
	wantError(t, tape.RunAll(), "crop at stem.crop", "window larger than picture")
	fail = func() error { return nil }
	mustRun(t, tape)
	wantReference(t, tape, h)
}

func TestWatchSaysWhereNaNWasBorn(t *testing.T) {
	g := gorgonia.NewGraph()
	x := input(g, "x", 2, 3, 4, 2)
	data := x.Value().Data().([]float64)
	for i := range data {
		data[i] += 2
	}
	layer := func(name string, n *Node, err error) *Node {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		gorgonia.WithName(name)(n)
		return n
	}
	h, err := gorgonia.Log(x)
	h = layer("stem.log", h, err)
	h, err = gorgonia.Sqrt(h)
	h = layer("layer1.sqrt", h, err)
	h, err = gorgonia.Sum(h)
	cost := layer("loss", h, err)
	grads, err := Differentiate(cost, x)
	if err != nil {
		t.Fatalf("%+v", err)
	}
	watching := mustCompile(t, Options{Watch: true}, cost, grads[0])
	plain := mustCompile(t, Options{}, cost, grads[0])
	for _, c := range []struct {
		name string
		x    float64
		want []string
	}{
		{"nothing", 3, nil},
		{"forward", 0.5, []string{"NaN", "layer1.sqrt", "sqrt"}}, // the logarithm is below 0
		{"infinity", 0, []string{"-Inf", "stem.log", "ln"}},
		{"gradient", 1, []string{"+Inf", "gradient of layer1.sqrt"}}, // the derivative of √ at 0
		{"input", math.NaN(), []string{"NaN", "bound to x"}},
		{"infinite input", math.Inf(1), []string{"+Inf", "bound to x"}},
		{"nothing again", 2, nil},
	} {
		data[5] = c.x
		if err := watching.RunAll(); c.want == nil {
			if err != nil {
				t.Errorf("%s: %v", c.name, err)
			}
		} else {
			wantError(t, err, c.want...)
		}
		mustRun(t, plain)
		if err := plain.Diagnose(context.Background()); c.want == nil {
			if err != nil {
				t.Errorf("%s: diagnose: %v", c.name, err)
			}
		} else {
			wantError(t, err, c.want...)
		}
	}
}

func TestProfile(t *testing.T) {
	g := gorgonia.NewGraph()
	x := input(g, "x", 2, 3, 4, 2)
	slow := func() error { time.Sleep(5 * time.Millisecond); return nil }
	a := probe{label: "slow", fails: slow}.add(t, x)
	b := probe{label: "quick"}.add(t, a, x)
	c := probe{label: "quick", bias: 1}.add(t, b)
	gorgonia.WithName("layer1.slow")(a)
	r, err := ops.ReLU(c)
	if err != nil {
		t.Fatal(err)
	}
	if rows := mustCompile(t, Options{}, r).Profile(); rows != nil {
		t.Errorf("a tape that does not measure has rows: %v", rows)
	}
	tape := mustCompile(t, Options{Profile: true}, r)
	for range 3 {
		mustRun(t, tape)
	}
	rows := tape.Profile()
	if len(rows) != 4 || rows[0].Op != "slow" || rows[0].Layer != "layer1.slow" || rows[0].Time < 5*time.Millisecond {
		t.Fatalf("rows: %+v", rows)
	}
	const bytes4d = 2 * 3 * 4 * 2 * 8
	if rows[1].Bytes != 3*bytes4d || rows[3].Flops != 2*3*4*2 || rows[0].Flops != 0 {
		t.Errorf("bytes and operations: %+v", rows)
	}
	kinds := ByOp(rows)
	if len(kinds) != 3 || kinds[0].Op != "slow" {
		t.Fatalf("kinds: %+v", kinds)
	}
	for _, k := range kinds {
		if k.Op == "quick" && (k.Calls != 2 || k.Bytes != 5*bytes4d || k.Time != rows[1].Time+rows[2].Time) {
			t.Errorf("quick: %+v of %+v", k, rows)
		}
	}
	var table bytes.Buffer
	if err := WriteProfile(&table, kinds); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(table.String()), "\n")
	if len(lines) != 5 || !strings.Contains(lines[1], "slow") || !strings.Contains(lines[4], "total") || !strings.Contains(lines[0], "GFLOP/s") {
		t.Errorf("table:\n%s", table.String())
	}
}

func TestDumpShowsEachPass(t *testing.T) {
	g := gorgonia.NewGraph()
	x := input(g, "x", 2, 3, 4, 2)
	a := probe{label: "conv", flow: exec.Last, out: exec.Last}.add(t, x)
	b := probe{label: "relu", flow: exec.Follow, out: exec.Follow, inplace: []int{0}}.add(t, a)
	var out bytes.Buffer
	mustCompile(t, Options{Dump: &out}, b)
	for _, want := range []string{"after prune: 2 instructions", "after merge", "after orders: 4 instructions", "after schedule", "after liveness", "after in place", "after memory", "= conv", "= convert", "channels-last", "over input 0", "@0"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, out.String())
		}
	}
	out.Reset()
	mustCompile(t, Options{Dump: &out, NoLayout: true, NoMerge: true, NoInPlace: true, NoSchedule: true}, b)
	for _, unwanted := range []string{"after merge", "after orders", "after in place", "after schedule", "convert", "over input"} {
		if strings.Contains(out.String(), unwanted) {
			t.Errorf("%q in\n%s", unwanted, out.String())
		}
	}
	_, err := Compile(gorgonia.Nodes{b}, Options{Dump: full{}})
	wantError(t, err, "no space left")
}

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("no space left on device") }

func TestCloseAndUseAfterIt(t *testing.T) {
	g := gorgonia.NewGraph()
	x := input(g, "x", 3)
	y := probe{label: "p"}.add(t, x)
	tape := mustCompile(t, Options{Private: true}, y)
	mustRun(t, tape)
	for range 2 {
		if err := tape.Close(); err != nil {
			t.Error(err)
		}
	}
	wantError(t, tape.RunAll(), "closed")
	wantError(t, tape.Diagnose(context.Background()), "closed")
	wantError(t, tape.Let(x, x.Value()), "closed")
	_, err := tape.Value(y)
	wantError(t, err, "closed")
	if tape.Profile() != nil {
		t.Error("a closed tape has a profile")
	}
}

func TestWrongInputs(t *testing.T) {
	g := gorgonia.NewGraph()
	x := gorgonia.NewTensor(g, tensor.Float64, 4, gorgonia.WithShape(2, 3, 4, 2), gorgonia.WithName("images"))
	y := probe{label: "p"}.add(t, x)
	tape := mustCompile(t, Options{}, y)
	wantError(t, tape.RunAll(), "images", "no value is bound")
	// WithValue checks neither shape nor, for a node that has one, type beyond its rank.
	gorgonia.WithValue(tensor.New(tensor.Of(tensor.Float64), tensor.WithShape(2, 3, 2, 4)))(x)
	wantError(t, tape.RunAll(), "images", "(2, 3, 2, 4)", "(2, 3, 4, 2)")
	private := mustCompile(t, Options{Private: true}, y)
	wantError(t, private.Let(x, tensor.New(tensor.Of(tensor.Float32), tensor.WithShape(2, 3, 4, 2))), "images", "float32", "float64")
	wantError(t, private.Let(x, tensor.New(tensor.Of(tensor.Float64), tensor.WithShape(3, 3, 4, 2))), "images", "(3, 3, 4, 2)", "(2, 3, 4, 2)")
	wantError(t, private.Let(x, 3.0), "images", "float64", "gorgonia.Value")
	wantError(t, private.Let(y, x.Value()), "not an input")
	wantError(t, private.Let(nil, x.Value()), "nil")
	wantError(t, private.Let(x, nil), "images")
	if err := private.Let(x, input(gorgonia.NewGraph(), "other", 2, 3, 4, 2).Value()); err != nil {
		t.Error(err)
	}
	mustRun(t, private)
}

func TestCompileErrors(t *testing.T) {
	g, g2 := gorgonia.NewGraph(), gorgonia.NewGraph()
	x := input(g, "x", 3)
	y := probe{label: "p"}.add(t, x)
	other := probe{label: "p"}.add(t, input(g2, "x", 3))
	var into gorgonia.Value
	read := gorgonia.Read(y, &into)
	for _, c := range []struct {
		outputs gorgonia.Nodes
		o       Options
		want    string
	}{
		{gorgonia.Nodes{y, nil}, Options{}, "output 1 is nil"},
		{gorgonia.Nodes{y, other}, Options{}, "output 1 is of another graph"},
		{gorgonia.Nodes{read}, Options{}, "statement"},
		{gorgonia.Nodes{y}, Options{Assign: []Assign{{To: y, From: y}}}, "assignment 0"},
		{gorgonia.Nodes{y}, Options{Assign: []Assign{{To: nil, From: y}}}, "assignment 0"},
		{gorgonia.Nodes{y}, Options{Assign: []Assign{{To: x}}}, "assignment 0"},
		{gorgonia.Nodes{y}, Options{Assign: []Assign{{To: input(g, "long", 4), From: y}}}, "long is float64(4)"},
		{gorgonia.Nodes{y}, Options{Private: true, Assign: []Assign{{To: x, From: y}}}, "private"},
	} {
		_, err := Compile(c.outputs, c.o)
		wantError(t, err, c.want)
	}
	tape := mustCompile(t, Options{}, y)
	mustRun(t, tape)
	_, err := tape.Value(probe{label: "unasked"}.add(t, y))
	wantError(t, err, "not an output")
	empty := mustCompile(t, Options{})
	mustRun(t, empty)
}

// network is some layers of our ops on pictures, float32.
func network(t testing.TB, g *gorgonia.ExprGraph, x *Node, w ...*Node) *Node {
	t.Helper()
	h := x
	for _, n := range w {
		s, err := ops.Sum(h, n)
		if err != nil {
			t.Fatal(err)
		}
		if h, err = ops.ReLU(s); err != nil {
			t.Fatal(err)
		}
	}
	return h
}

func pictures(seed int, shape ...int) *tensor.Dense {
	x := make([]float32, tensor.Shape(shape).TotalSize())
	for i := range x {
		x[i] = float32((i*31+seed*17)%101-50) / 16
	}
	return tensor.New(tensor.WithShape(shape...), tensor.WithBacking(x))
}

func TestRunAllocatesNothing(t *testing.T) {
	g := gorgonia.NewGraph()
	shape := []int{4, 8, 32, 32}
	x := gorgonia.NodeFromAny(g, pictures(1, shape...), gorgonia.WithName("x"))
	var weights []*Node
	for i := range 4 {
		weights = append(weights, gorgonia.NodeFromAny(g, pictures(i+2, shape...), gorgonia.WithName(fmt.Sprint("w", i))))
	}
	y := network(t, g, x, weights...)
	seed := gorgonia.NodeFromAny(g, pictures(9, shape...), gorgonia.WithName("seed"))
	grads, err := VectorJacobian(gorgonia.Nodes{y}, gorgonia.Nodes{seed}, weights...)
	if err != nil {
		t.Fatal(err)
	}
	state := gorgonia.NodeFromAny(g, pictures(9, shape...), gorgonia.WithName("state"))
	tape := mustCompile(t, Options{Profile: true, Assign: []Assign{{state, y}}}, append(gorgonia.Nodes{y}, grads...)...)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	step := func() {
		if err := tape.Run(ctx); err != nil {
			t.Fatal(err)
		}
	}
	step()
	if RaceDetector {
		return
	}
	if n := testing.AllocsPerRun(20, step); n != 0 {
		t.Errorf("%v allocations a run, want none", n)
	}
}

// TestTapesInParallelOverTheSameVariables is what a server with one graph for each batch size does.
func TestTapesInParallelOverTheSameVariables(t *testing.T) {
	shared := []*tensor.Dense{pictures(2, 2, 3, 8, 8), pictures(3, 2, 3, 8, 8)}
	build := func() (*Node, *Node) {
		g := gorgonia.NewGraph()
		x := gorgonia.NewTensor(g, tensor.Float32, 4, gorgonia.WithShape(2, 3, 8, 8), gorgonia.WithName("x"))
		var w []*Node
		for i, v := range shared {
			w = append(w, gorgonia.NodeFromAny(g, v, gorgonia.WithName(fmt.Sprint("w", i))))
		}
		return x, network(t, g, x, w...)
	}
	var wg sync.WaitGroup
	for k := range 4 {
		x, y := build()
		tape := mustCompile(t, Options{}, y)
		wg.Go(func() {
			for i := range 20 {
				in := pictures(10*k+i, 2, 3, 8, 8)
				if err := gorgonia.Let(x, in); err != nil {
					t.Error(err)
				}
				if err := tape.RunAll(); err != nil {
					t.Error(err)
				}
				wantNetwork(t, y.Value(), in, shared)
			}
		})
	}
	wg.Wait()
}

// TestPrivateTapesOfOneGraph is what a server with one graph does: tapes are compiled and run at the same
// time, each with inputs and results of its own.
func TestPrivateTapesOfOneGraph(t *testing.T) {
	g := gorgonia.NewGraph()
	shared := []*tensor.Dense{pictures(2, 2, 3, 8, 8), pictures(3, 2, 3, 8, 8)}
	x := gorgonia.NewTensor(g, tensor.Float32, 4, gorgonia.WithShape(2, 3, 8, 8), gorgonia.WithName("x"))
	var w []*Node
	for i, v := range shared {
		w = append(w, gorgonia.NodeFromAny(g, v, gorgonia.WithName(fmt.Sprint("w", i))))
	}
	y := network(t, g, x, w...)
	var wg sync.WaitGroup
	for k := range 4 {
		wg.Go(func() {
			tape, err := Compile(gorgonia.Nodes{y}, Options{Private: true})
			if err != nil {
				t.Error(err)
				return
			}
			defer tape.Close()
			for i := range 20 {
				in := pictures(10*k+i, 2, 3, 8, 8)
				if err := tape.Let(x, in); err != nil {
					t.Error(err)
				}
				if err := tape.RunAll(); err != nil {
					t.Error(err)
				}
				v, err := tape.Value(y)
				if err != nil {
					t.Error(err)
				}
				wantNetwork(t, v, in, shared)
			}
		})
	}
	wg.Wait()
	if x.Value() != nil || y.Value() != nil {
		t.Error("a private tape bound a value to a node of the graph")
	}
}

func wantNetwork(t *testing.T, got gorgonia.Value, x *tensor.Dense, w []*tensor.Dense) {
	for i, v := range got.(*tensor.Dense).Float32s() {
		want := x.Float32s()[i]
		for _, n := range w {
			want = max(want+n.Float32s()[i], 0)
		}
		if v != want {
			t.Errorf("element %d is %v, want %v", i, v, want)
			return
		}
	}
}

func TestOneTapeServesOneGoroutineAtATime(t *testing.T) {
	g := gorgonia.NewGraph()
	x := input(g, "x", 2, 3, 4, 2)
	y := probe{label: "p", inplace: []int{0}}.add(t, probe{label: "q"}.add(t, x))
	tape := mustCompile(t, Options{}, y)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 20 {
				if err := tape.RunAll(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	wantReference(t, tape, y)
}

func TestResultFedBackToAPrivateTape(t *testing.T) {
	g := gorgonia.NewGraph()
	h := input(g, "h", 6)
	next := probe{label: "next", bias: 1}.add(t, probe{label: "half"}.add(t, h))
	check := probe{label: "check"}.add(t, next, h)
	tape := mustCompile(t, Options{Private: true}, next, check)
	want := floatsOf(t, h.Value())
	for range 5 {
		mustRun(t, tape)
		v, err := tape.Value(next)
		if err != nil {
			t.Fatal(err)
		}
		sum, err := tape.Value(check)
		if err != nil {
			t.Fatal(err)
		}
		for i, x := range want {
			if floatsOf(t, sum)[i] != x+1+2*x {
				t.Fatalf("%v, want 3·%v + 1", sum, want)
			}
			want[i]++
		}
		if err := tape.Let(h, v); err != nil {
			t.Fatal(err)
		}
	}
}
