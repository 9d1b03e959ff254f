package graph

import (
	"fmt"
	"math"
	"strings"
	"sync/atomic"
	"testing"

	"gorgonia.org/gorgonia"
)

// Two ops that read the same meet where the first of them stood; what only the second waits for comes before.
func TestPairMovesWhatItNeeds(t *testing.T) {
	g := gorgonia.NewGraph()
	x, y := input(g, "x", 4), input(g, "y", 4)
	var runs atomic.Int64
	first := probe{label: "first", pairs: true, runs: &runs}.add(t, x)
	reader := probe{label: "reader", runs: &runs}.add(t, first)
	other := probe{label: "other", bias: 1, runs: &runs}.add(t, y)
	second := probe{label: "second", runs: &runs}.add(t, other, x)
	after := probe{label: "after", runs: &runs}.add(t, reader, second)
	var dump strings.Builder
	tape := mustCompile(t, Options{Dump: &dump, NoSchedule: true}, after, second)
	for range 2 {
		mustRun(t, tape)
		wantReference(t, tape, after, second)
	}
	checkMemory(t, tape)
	var names []string
	for _, i := range tape.prog.instrs {
		names = append(names, i.name())
	}
	if want := "[other first, second reader after]"; fmt.Sprint(names) != want || tape.Plan().Paired != 1 {
		t.Errorf("program %v, want %s; plan %v", names, want, tape.Plan())
	}
	if runs.Load() != 2*5 {
		t.Errorf("%d runs of probes, want 10", runs.Load())
	}
	if line := fmt.Sprintf("%%%d float64(4), %%%d float64(4) = first, second [", first.ID(), second.ID()); !strings.Contains(dump.String(), line) {
		t.Errorf("the dump does not show %s:\n%s", line, dump.String())
	}
}

// An op that waits for another one's result cannot be computed along with it, however far away.
func TestPairKeepsApartWhatWaits(t *testing.T) {
	g := gorgonia.NewGraph()
	x := input(g, "x", 4)
	first := probe{label: "first", pairs: true}.add(t, x)
	between := probe{label: "between"}.add(t, first)
	second := probe{label: "second"}.add(t, between, x)
	tape := mustCompile(t, Options{}, second)
	mustRun(t, tape)
	wantReference(t, tape, second)
	if tape.Plan().Paired != 0 {
		t.Errorf("plan %v", tape.Plan())
	}
	// Nor can two pairs be made that would wait for one another.
	y := input(g, "y", 4)
	a, c := probe{label: "a", pairs: true}.add(t, x), probe{label: "c", pairs: true}.add(t, y)
	d, b := probe{label: "d"}.add(t, y, a), probe{label: "b"}.add(t, x, c)
	last := probe{label: "last"}.add(t, d, b)
	tape = mustCompile(t, Options{}, last)
	mustRun(t, tape)
	wantReference(t, tape, last)
	if tape.Plan().Paired != 1 {
		t.Errorf("plan %v, want one pair", tape.Plan())
	}
}

// A NaN in the second result is found, and named for its own node.
func TestPairIsWatched(t *testing.T) {
	g := gorgonia.NewGraph()
	x := input(g, "x", 4)
	good := probe{label: "good", pairs: true}.add(t, x)
	bad := probe{label: "bad", bias: math.NaN()}.add(t, x)
	tape := mustCompile(t, Options{Watch: true}, good, bad)
	if tape.Plan().Paired != 1 {
		t.Fatalf("plan %v", tape.Plan())
	}
	if err := tape.RunAll(); err == nil || !strings.Contains(err.Error(), "NaN first appears in the result of good, bad at "+bad.Name()) {
		t.Errorf("got %v", err)
	}
}
