package graph

import (
	"testing"

	"gorgonia.org/gorgonia"

	"github.com/stheno-ml/stheno/internal/exec"
)

func TestJoinTakesWhatOnlyTheConcatReads(t *testing.T) {
	g := gorgonia.NewGraph()
	x := input(g, "x", 2, 3, 4, 2)
	last := func(label string, in ...*Node) *Node {
		return probe{label: label, flow: exec.Last, out: exec.Last, pitched: true, inplace: []int{0}}.add(t, in...)
	}
	first := last("conv", x)
	alone := last("alone", first)
	over := last("over an input that dies", first)
	readTwice := last("read twice", x)
	output := last("output", x)
	unable := probe{label: "unable", flow: exec.Last, out: exec.Last}.add(t, x)
	plain := probe{label: "row-major"}.add(t, x)
	cat := probe{label: "join", flow: exec.Last, out: exec.Last, joins: true}.add(t, x, alone, readTwice, output, unable, plain, over)
	behind := probe{label: "over the concat", flow: exec.Last, out: exec.Last, inplace: []int{0}}.add(t, cat)
	also := last("also", readTwice)
	twice := last("twice in one concat", x)
	cat2 := probe{label: "join", flow: exec.Last, out: exec.Last, joins: true}.add(t, twice, twice)
	outputs := gorgonia.Nodes{behind, also, output, cat2}
	for _, noInPlace := range []bool{false, true} {
		tape := mustCompile(t, Options{NoInPlace: noInPlace}, outputs...)
		for range 2 {
			mustRun(t, tape)
			wantReference(t, tape, outputs...)
		}
		checkMemory(t, tape)
		for _, i := range tape.prog.instrs {
			want := i.out.node == alone || i.out.node == over
			if (i.out.joined != nil) != want {
				t.Errorf("%s joined: %v, want %v", i.name(), i.out.joined != nil, want)
			}
		}
		if p := tape.Plan(); p.Joined != 2 {
			t.Errorf("plan: %v", p)
		}
		// Watching looks at a joined value's own pixels only: its neighbours' memory may hold anything.
		if err := tape.Diagnose(t.Context()); err != nil {
			t.Error(err)
		}
	}
}

// The small branch of a concat is there early, the large one late, and what lies between needs much memory: the
// room for the whole result must not be taken all that time.
func TestJoinLeavesConcatsThatWouldTakeMemory(t *testing.T) {
	g := gorgonia.NewGraph()
	small, large := input(g, "small", 1, 2, 8, 8), input(g, "large", 1, 60, 8, 8)
	op := func(label string, in *Node) *Node {
		return probe{label: label, flow: exec.Last, out: exec.Last, pitched: true}.add(t, in)
	}
	early := op("early", small)
	h := op("large 1", large)
	h = op("large 2", h)
	late := op("late", h)
	cat := probe{label: "join", flow: exec.Last, out: exec.Last, joins: true}.add(t, early, late)
	end := probe{label: "sum", flow: exec.Last, whole: true}.add(t, cat)
	// Another concat costs nothing.
	other := probe{label: "join", flow: exec.Last, out: exec.Last, joins: true}.add(t, op("a", small), op("b", small))
	otherEnd := probe{label: "sum", flow: exec.Last, whole: true}.add(t, other)

	tape := mustCompile(t, Options{NoSchedule: true}, end, otherEnd)
	mustRun(t, tape)
	wantReference(t, tape, end, otherEnd)
	checkMemory(t, tape)
	without := mustCompile(t, Options{NoSchedule: true, NoJoin: true}, end, otherEnd)
	if p, q := tape.Plan(), without.Plan(); p.Live > q.Live+q.Live/fuller {
		t.Errorf("joined %v, without %v", p, q)
	}
	for _, i := range tape.prog.instrs {
		if n := i.out.node; (n == early || n == late) && i.out.joined != nil || (i.name() == "a" || i.name() == "b") && i.out.joined == nil {
			t.Errorf("%s joined: %v", i.name(), i.out.joined != nil)
		}
	}
}

// The check that the tests of passes rely on sees plans that are wrong.
func TestMemoryFaultsShow(t *testing.T) {
	g := gorgonia.NewGraph()
	x := input(g, "x", 2, 3, 4, 2)
	op := func(label string, in *Node) *Node {
		return probe{label: label, flow: exec.Last, out: exec.Last, pitched: true}.add(t, in)
	}
	a, b := op("a", x), op("b", x)
	cat := probe{label: "join", flow: exec.Last, out: exec.Last, joins: true}.add(t, a, b)
	program := func() (*program, *value, *value) {
		p := mustCompile(t, Options{}, cat).prog
		if p.of[a].joined == nil || p.of[b].joined == nil {
			t.Fatal("nothing was joined")
		}
		return p, p.of[a], p.of[b]
	}
	if p, _, _ := program(); len(memoryFaults(p)) > 0 {
		t.Errorf("faults of a plan that is right: %v", memoryFaults(p))
	}
	for name, spoil := range map[string]func(a, b *value){
		"parts over one another":   func(a, b *value) { b.at = a.at },
		"one channel too far left": func(_, b *value) { b.at -= 8 },
		"dense where it is a part": func(_, b *value) { b.joined, b.at = nil, 0 },
	} {
		p, a, b := program()
		spoil(a, b)
		if len(memoryFaults(p)) == 0 {
			t.Errorf("%s: no fault found", name)
		}
	}
}
