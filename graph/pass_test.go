package graph

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"gorgonia.org/gorgonia"

	"github.com/stheno-ml/stheno/internal/exec"
)

func mustCompile(t testing.TB, o Options, outputs ...*Node) *Tape {
	t.Helper()
	tape, err := Compile(outputs, o)
	if err != nil {
		t.Fatalf("%+v", err)
	}
	return tape
}

func mustRun(t testing.TB, tape *Tape) {
	t.Helper()
	if err := tape.RunAll(); err != nil {
		t.Fatalf("%+v", err)
	}
}

// wantReference requires that a tape's outputs are what the definition of the probes says, exactly.
func wantReference(t testing.TB, tape *Tape, outputs ...*Node) {
	t.Helper()
	known := make(map[*Node][]float64)
	for k, n := range outputs {
		v, err := tape.Value(n)
		if err != nil {
			t.Fatal(err)
		}
		a, err := exec.FromValue(v)
		if err != nil {
			t.Fatal(err)
		}
		got, want := exec.Data[float64](&a), reference(t, n, known)
		for i := range want {
			if len(got) != len(want) || got[i] != want[i] {
				t.Fatalf("output %d, %s: %v, want %v", k, n.Name(), got, want)
			}
		}
	}
}

// everyPass is each pass switched off alone, all of them, and none.
func everyPass() map[string]Options {
	return map[string]Options{
		"all passes":     {},
		"repeat":         {RepeatOver: 1},
		"repeat alone":   {RepeatOver: 1, NoMerge: true, NoLayout: true, NoSchedule: true, NoInPlace: true, NoJoin: true, NoCut: true, NoPair: true},
		"no merge":       {NoMerge: true},
		"no layout":      {NoLayout: true},
		"no schedule":    {NoSchedule: true},
		"no in place":    {NoInPlace: true},
		"no join":        {NoJoin: true},
		"no pair":        {NoPair: true},
		"no cut":         {NoCut: true},
		"pair alone":     {NoMerge: true, NoLayout: true, NoSchedule: true, NoInPlace: true, NoJoin: true, NoCut: true, RepeatOver: -1},
		"nothing at all": {NoMerge: true, NoLayout: true, NoSchedule: true, NoInPlace: true, NoJoin: true, NoCut: true, NoPair: true},
	}
}

func TestPassesKeepResultsOfRandomGraphs(t *testing.T) {
	seeds := uint64(300)
	if RaceDetector {
		seeds = 30
	}
	joined, paired, cut := 0, 0, 0
	for seed := range seeds {
		rng := rand.New(rand.NewPCG(seed, 3))
		_, outputs := randomGraph(t, rng, 5+rng.IntN(60))
		for name, o := range everyPass() {
			o.Dump = &strings.Builder{}
			tape := mustCompile(t, o, outputs...)
			for run := range 2 { // the second run finds the memory that the first one left
				mustRun(t, tape)
				wantReference(t, tape, outputs...)
				if t.Failed() {
					t.Fatalf("seed %d, %s, run %d", seed, name, run)
				}
			}
			checkMemory(t, tape)
			checkConversions(t, tape.prog)
			if t.Failed() {
				t.Fatalf("seed %d, %s\n%v", seed, name, o.Dump)
			}
			if o.NoJoin && tape.Plan().Joined > 0 {
				t.Fatalf("seed %d, %s: %v", seed, name, tape.Plan())
			}
			if o.NoPair && tape.Plan().Paired > 0 {
				t.Fatalf("seed %d, %s: %v", seed, name, tape.Plan())
			}
			if o.NoCut && tape.Plan().Cut > 0 {
				t.Fatalf("seed %d, %s: %v", seed, name, tape.Plan())
			}
			joined += tape.Plan().Joined
			cut += tape.Plan().Cut
			paired += tape.Plan().Paired
		}
	}
	if joined == 0 || paired == 0 || cut == 0 {
		t.Errorf("in all graphs, %d values were written in their places in a concat, %d slices were read in theirs and %d ops computed along with others, want some of each", joined, cut, paired)
	}
}

// checkMemory requires that buffers in use at the same time have no byte in common, that a value is written
// over by nobody before its last reader, and that the plan's figures are true.
func checkMemory(t testing.TB, tape *Tape) {
	t.Helper()
	p := tape.prog
	for i, a := range p.buffers {
		if a.offset%exec.Align != 0 || a.offset+a.size > p.arena {
			t.Errorf("buffer at %d, %d bytes, in an arena of %d", a.offset, a.size, p.arena)
		}
		for _, b := range p.buffers[:i] {
			if a.first <= b.last && b.first <= a.last && a.offset < b.offset+b.size && b.offset < a.offset+a.size {
				t.Errorf("buffers of instructions %d–%d at %d (%d bytes) and %d–%d at %d (%d bytes) overlap", a.first, a.last, a.offset, a.size, b.first, b.last, b.offset, b.size)
			}
		}
	}
	for k, i := range p.instrs {
		for _, v := range i.results() {
			if v.def != k || v.last <= k && v.last != len(p.instrs) {
				t.Errorf("value %v of instruction %d lives from %d to %d", v, k, v.def, v.last)
			}
			if v.kind == planned && (v.buffer.first > k || v.buffer.last < v.last) {
				t.Errorf("value %v lives to %d, its buffer from %d to %d", v, v.last, v.buffer.first, v.buffer.last)
			}
		}
		for a, v := range i.in {
			if v.kind != planned || a == i.reuses {
				continue
			}
			if i.reuses >= 0 && v.buffer == i.out.buffer {
				t.Errorf("instruction %d writes over input %d, which it reads as input %d too", k, i.reuses, a)
			}
		}
		if i.reuses >= 0 && (i.in[i.reuses].kind != planned || i.in[i.reuses].last != k) {
			t.Errorf("instruction %d writes over %v, which is a leaf or is read again", k, i.in[i.reuses])
		}
	}
	for _, fault := range memoryFaults(p) {
		t.Error(fault)
	}
	plan := tape.Plan()
	if plan.Arena < plan.Live || plan.Live > plan.Unshared+scratchOf(p) || plan.Arena != p.arena {
		t.Errorf("plan: %v", plan)
	}
}

// memoryFaults follows every byte of the arena through a run, and says where a value is read that somebody has
// written over since, in whole or in part.
func memoryFaults(p *program) (faults []string) {
	owner := make([]*value, p.arena)
	scratch := &value{}
	made := make(map[*value]*instr)
	for k, i := range p.instrs {
		if i.scratch != nil {
			for b := range i.scratch.size {
				owner[i.scratch.offset+b] = scratch
			}
		}
		check := func(v *value, when string) {
			if v.kind != planned {
				return
			}
			whose := v
			if made[v].cuts() {
				whose = v.joined
			}
			eachByte(v, func(b int) bool {
				if owner[b] != whose {
					faults = append(faults, fmt.Sprintf("%s instruction %d, byte %d of %v is not its own", when, k, b, v))
					return false
				}
				return true
			})
		}
		for _, v := range i.in {
			check(v, "before")
		}
		for _, v := range i.results() {
			made[v] = i
			if v.kind == planned && !i.cuts() {
				eachByte(v, func(b int) bool {
					owner[b] = v
					return true
				})
			}
		}
		for a, v := range i.in {
			if a != i.reuses && v.joined != i.out {
				check(v, "by")
			}
		}
		if k == len(p.instrs)-1 {
			for _, v := range p.outputs {
				check(v, "after")
			}
		}
	}
	return faults
}

// eachByte calls f with the place of each byte of a value in the arena until f says no.
func eachByte(v *value, f func(b int) bool) {
	at, run := v.buffer.offset+v.at, v.bytes()
	next := run
	if v.joined != nil {
		run, next = v.shape[1]*int(v.dtype.Size()), v.joined.shape[1]*int(v.dtype.Size())
	}
	for n := v.bytes(); n > 0; n, at = n-run, at+next {
		for b := range run {
			if !f(at + b) {
				return
			}
		}
	}
}

func scratchOf(p *program) int {
	n := exec.Align * len(p.instrs) // what rounding adds
	for _, i := range p.instrs {
		if i.scratch != nil {
			n += i.scratch.size
		}
	}
	return n
}

// checkConversions requires that no value is converted twice, and none back.
func checkConversions(t testing.TB, p *program) {
	t.Helper()
	converted := make(map[*value]bool)
	for _, i := range p.instrs {
		if i.op != nil {
			continue
		}
		if converted[i.in[0]] || converted[i.out] {
			t.Errorf("%v is converted twice, or back", i.in[0])
		}
		converted[i.in[0]], converted[i.out] = true, true
	}
}

func TestPruneRunsWhatWasAskedForOnly(t *testing.T) {
	g := gorgonia.NewGraph()
	x := input(g, "x", 4)
	var wanted, unwanted atomic.Int64
	a := probe{label: "a", runs: &wanted}.add(t, x)
	b := probe{label: "b", runs: &wanted}.add(t, a)
	c := probe{label: "c", runs: &unwanted}.add(t, a)
	probe{label: "d", runs: &unwanted}.add(t, c, b)
	tape := mustCompile(t, Options{}, b)
	for range 3 {
		mustRun(t, tape)
	}
	wantReference(t, tape, b)
	if wanted.Load() != 6 || unwanted.Load() != 0 {
		t.Errorf("%d runs of what is needed, want 6; %d of what is not", wanted.Load(), unwanted.Load())
	}
	if p := tape.Plan(); p.Dead != 2 || p.Instructions != 2 {
		t.Errorf("plan: %v", p)
	}
}

func TestMergeComparesAttributesNotHashes(t *testing.T) {
	g := gorgonia.NewGraph()
	x, y := input(g, "x", 4), input(g, "y", 4)
	var runs atomic.Int64
	// All hash alike.
	first := probe{label: "p", bias: 1, runs: &runs}.add(t, x)
	same := probe{label: "p", bias: 1, runs: &runs}.add(t, x)
	otherAttribute := probe{label: "p", bias: 2, runs: &runs}.add(t, x)
	otherInput := probe{label: "p", bias: 1, runs: &runs}.add(t, y)
	otherArity := probe{label: "p", bias: 1, runs: &runs}.add(t, x, y)
	otherPlace := probe{label: "p", bias: 1, runs: &runs}.add(t, y, x)
	random := probe{label: "p", bias: 1, runs: &runs, serial: 1}.add(t, x)
	random2 := probe{label: "p", bias: 1, runs: &runs, serial: 2}.add(t, x)
	onFirst := probe{label: "q", runs: &runs}.add(t, first, same)
	onSame := probe{label: "q", runs: &runs}.add(t, same, first) // equal once first and same are
	outputs := gorgonia.Nodes{first, same, otherAttribute, otherInput, otherArity, otherPlace, random, random2, onFirst, onSame}
	tape := mustCompile(t, Options{}, outputs...)
	mustRun(t, tape)
	wantReference(t, tape, outputs...)
	if runs.Load() != 8 || tape.Plan().Merged != 2 {
		t.Errorf("%d runs, want 8: %d merged", runs.Load(), tape.Plan().Merged)
	}
	runs.Store(0)
	tape = mustCompile(t, Options{NoMerge: true}, outputs...)
	mustRun(t, tape)
	wantReference(t, tape, outputs...)
	if runs.Load() != 10 {
		t.Errorf("%d runs without merging, want 10", runs.Load())
	}
}

func TestInPlaceSparesWhatIsStillNeeded(t *testing.T) {
	g := gorgonia.NewGraph()
	x := input(g, "x", 50)
	over := probe{label: "over", inplace: []int{0, 1}}
	leafKept := over.add(t, x) // a leaf is the user's
	again := over.add(t, leafKept)
	usedAgain := over.add(t, leafKept) // leafKept dies here, but not one instruction earlier
	twice := over.add(t, again, again) // an input that is read twice by the op itself
	output := over.add(t, twice)       // asked for
	last := over.add(t, output, usedAgain)
	tape := mustCompile(t, Options{NoSchedule: true, NoMerge: true}, output, last)
	before := append([]float64(nil), x.Value().Data().([]float64)...)
	for range 2 {
		mustRun(t, tape)
		wantReference(t, tape, output, last)
	}
	for i, v := range x.Value().Data().([]float64) {
		if v != before[i] {
			t.Fatal("the input was written to")
		}
	}
	reuses := make([]int, 0, 6)
	for _, i := range tape.prog.instrs {
		reuses = append(reuses, i.reuses)
	}
	// leafKept, again (leafKept is read by usedAgain), usedAgain, twice, output (over twice), last (over usedAgain)
	if want := fmt.Sprint([]int{-1, -1, 0, -1, 0, 1}); fmt.Sprint(reuses) != want {
		t.Errorf("inputs written over: %v, want %v", reuses, want)
	}
}

func TestOrdersConvertAtTheEdgesOnly(t *testing.T) {
	g := gorgonia.NewGraph()
	x := input(g, "x", 2, 3, 4, 2)
	h := x
	for range 5 {
		h = probe{label: "conv", flow: exec.Last, out: exec.Last, indexed: true}.add(t, h)
		h = probe{label: "relu", flow: exec.Follow, out: exec.Follow}.add(t, h)
	}
	plain := probe{label: "flatten", indexed: true}.add(t, h)
	plain2 := probe{label: "flatten too", indexed: true}.add(t, h)
	tape := mustCompile(t, Options{}, h, plain, plain2)
	mustRun(t, tape)
	wantReference(t, tape, h, plain, plain2)
	conversions := 0
	for _, i := range tape.prog.instrs {
		if i.op == nil {
			conversions++
		}
	}
	if conversions != 2 {
		t.Errorf("%d conversions, want 2: the picture on its way in, the last result for whoever reads it", conversions)
	}
}

func TestAskedForTwiceAndLeavesAsOutputs(t *testing.T) {
	g := gorgonia.NewGraph()
	x := input(g, "x", 2, 3, 4, 2)
	y := probe{label: "conv", flow: exec.Last, out: exec.Last}.add(t, x)
	tape := mustCompile(t, Options{}, y, x, y)
	mustRun(t, tape)
	wantReference(t, tape, y, x, y)
}

func TestCompileOfLargeGraphsIsQuick(t *testing.T) {
	if RaceDetector {
		t.Skip("the race detector is in the program: times mean nothing")
	}
	g := gorgonia.NewGraph()
	h := input(g, "x", 2, 3, 4, 2)
	kept := gorgonia.Nodes{h}
	for i := range 5000 {
		p := probe{label: fmt.Sprint(i), flow: exec.Last, out: exec.Last, inplace: []int{0}, scratch: 10}
		h = p.add(t, h, kept[max(0, len(kept)-1-i%200)])
		if i%3 == 0 {
			kept = append(kept, h)
		}
	}
	took := time.Hour
	for range 5 { // other programs take the processor away; the quickest of some tries is ours
		start := time.Now()
		tape := mustCompile(t, Options{}, h)
		took = min(took, time.Since(start))
		if tape.Plan().Instructions < 5000 {
			t.Fatalf("plan: %v", tape.Plan())
		}
	}
	// A second is what issue 5 allows for the largest network. This takes 50 ms.
	if took > time.Second {
		t.Errorf("compiling 5,000 nodes took %v", took)
	}
}
