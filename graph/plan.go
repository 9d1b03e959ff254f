package graph

import (
	"fmt"
	"slices"
	"sort"
	"unsafe"

	"github.com/pkg/errors"

	"github.com/stheno-ml/stheno/internal/exec"
	"github.com/stheno-ml/stheno/internal/memory"
)

// buffer is a stretch of the arena that is in use from one instruction to another. Several values share one
// buffer: one after the other, where an op writes over its input, and side by side, as parts of a concat's result.
type buffer struct {
	size        int // bytes
	first, last int // instructions
	offset      int // bytes from the start of the arena
}

// liveness finds for each value the last instruction that reads it.
func (p *program) liveness() {
	for k, i := range p.instrs {
		for _, v := range i.results() {
			v.def, v.last = k, k
		}
		for _, v := range i.in {
			v.last = k
		}
	}
	for _, v := range p.outputs {
		v.last = len(p.instrs)
	}
	for _, i := range p.instrs {
		if i.cuts() {
			i.in[0].last = max(i.in[0].last, i.out.last)
		}
	}
}

// takeOver lets results lie in the memory of an input that dies there, where the op allows it.
func (p *program) takeOver() {
	for k, i := range p.instrs {
		i.reuses = -1
		r, ok := i.run.(exec.InPlacer)
		if !ok || i.out.kind != planned || i.out.joined != nil {
			continue
		}
		for _, a := range r.InPlace() {
			if a < len(i.in) && p.mayTake(k, i, a) {
				i.reuses = a
				break
			}
		}
	}
}

func (p *program) mayTake(k int, i *instr, a int) bool {
	v := i.in[a]
	if v.kind != planned || v.joined != nil || v.last != k || v.bytes() != i.out.bytes() || v.dtype != i.out.dtype || v.order != i.out.order {
		return false
	}
	for b, other := range i.in { // the same value twice, or a part of it: the op may read one after writing the other
		if b != a && (other == v || other.joined == v) {
			return false
		}
	}
	return true
}

// prepare makes the call of each instruction, without memory yet, and asks how much scratch it wants.
func (p *program) prepare() {
	for _, i := range append(p.aside[:len(p.aside):len(p.aside)], p.instrs...) {
		i.prepare()
	}
}

func (i *instr) prepare() {
	if i.run == nil {
		return
	}
	i.call.In = make([]exec.Array, len(i.in))
	for j, v := range i.in {
		i.call.In[j] = v.empty()
	}
	i.call.Out = i.out.empty()
	if i.second != nil {
		i.call.Second = i.second.empty()
	}
	if s, ok := i.run.(exec.Scratcher); ok {
		i.needs = s.ScratchBytes(&i.call)
	}
}

// share gives every planned value and every scratch a buffer, and values that lie over one another, or in one
// another, the same.
func (p *program) share() {
	p.buffers = nil
	for _, i := range p.instrs {
		for _, v := range i.results() {
			v.buffer = nil
		}
	}
	for k, i := range p.instrs {
		if i.out.kind == planned {
			switch {
			case i.reuses >= 0:
				i.out.buffer = i.in[i.reuses].buffer
				i.out.buffer.last = max(i.out.buffer.last, i.out.last)
			case i.cuts():
				i.out.buffer = i.in[0].buffer
			default:
				p.makeRoom(k, i.out)
			}
		}
		if i.second != nil && i.second.kind == planned {
			p.makeRoom(k, i.second)
		}
		if i.needs > 0 {
			i.scratch = p.newBuffer(i.needs, k, k)
		}
	}
}

// makeRoom gives the result of instruction k a buffer, if the first part of it that was computed has not had one.
func (p *program) makeRoom(k int, v *value) {
	whole := v
	if v.joined != nil {
		whole = v.joined
	}
	if whole.buffer == nil {
		whole.buffer = p.newBuffer(whole.bytes(), k, whole.last)
	}
	v.buffer = whole.buffer
}

// usage is the bytes in use at each instruction, and at the end.
func (p *program) usage() []int {
	use := make([]int, len(p.instrs)+2)
	for _, b := range p.buffers {
		use[b.first] += b.size
		use[b.last+1] -= b.size
	}
	for k := range use[1:] {
		use[k+1] += use[k]
	}
	return use
}

// fullest is the bytes in use at the fullest instruction.
func (p *program) fullest() int { return slices.Max(p.usage()) }

// place gives every buffer an offset: the largest first, each in the smallest gap that it fits between the
// buffers that are in use at the same time (best fit).
func (p *program) place() {
	p.share()
	order := append([]*buffer(nil), p.buffers...)
	sort.SliceStable(order, func(a, b int) bool { return order[a].size > order[b].size })
	var placed []*buffer // by offset
	for _, b := range order {
		b.offset = bestGap(placed, b)
		p.arena = max(p.arena, b.offset+b.size)
		at := sort.Search(len(placed), func(i int) bool { return placed[i].offset > b.offset })
		placed = append(placed, nil)
		copy(placed[at+1:], placed[at:])
		placed[at] = b
	}
}

func (v *value) empty() exec.Array {
	a := exec.Empty(v.shape, v.dtype)
	a.Order = v.order
	if v.joined != nil {
		a = a.Pitched(v.joined.shape[1])
	}
	return a
}

func (p *program) newBuffer(bytes, first, last int) *buffer {
	b := &buffer{size: (bytes + exec.Align - 1) &^ (exec.Align - 1), first: first, last: last}
	p.buffers = append(p.buffers, b)
	return b
}

func bestGap(placed []*buffer, b *buffer) int {
	best, bestSize := -1, 0
	end := 0 // of what lies below, as far as it is in use together with b
	for _, q := range placed {
		if q.last < b.first || b.last < q.first {
			continue
		}
		if gap := q.offset - end; gap >= b.size && (best < 0 || gap < bestSize) {
			best, bestSize = end, gap
		}
		end = max(end, q.offset+q.size)
	}
	if best < 0 {
		return end
	}
	return best
}

// bind allocates the arena and points every call at its memory.
func (p *program) bind() ([]byte, error) {
	arena := memory.Slice[byte](p.arena)
	all := append(p.aside[:len(p.aside):len(p.aside)], p.instrs...)
	for _, i := range all {
		for _, v := range i.results() {
			if err := v.bind(arena); err != nil {
				return nil, errors.Wrapf(err, "%s", i.where())
			}
		}
		if i.scratch != nil {
			o := i.scratch.offset
			i.call.Scratch = arena[o : o+i.scratch.size : o+i.scratch.size]
		}
	}
	for _, i := range all {
		if i.run != nil {
			for j, v := range i.in {
				if v.kind != leaf && v.kind != dynamic {
					i.call.In[j] = v.array
				}
			}
			i.call.Out = i.out.array
			if i.second != nil {
				i.call.Second = i.second.array
			}
		}
	}
	return arena, nil
}

// bind gives a computed value its memory.
func (v *value) bind(arena []byte) (err error) {
	switch v.kind {
	case planned:
		v.array = v.empty().At(unsafe.Pointer(&arena[v.buffer.offset+v.at]))
		if v.order == exec.RowMajor {
			v.host, err = hostOf(&v.array)
		}
	case own:
		v.host, v.array, err = exec.NewValue(v.shape, v.dtype)
	}
	return err
}

// Plan is what is known of a tape's memory before its first run.
type Plan struct {
	Instructions int
	Arena        int // bytes of the one block that holds all results, gradients and scratch
	Live         int // bytes in use at the fullest instruction: no plan can need less
	Unshared     int // bytes if every result had memory of its own
	Leaves       int // bytes of inputs and variables, kept outside the tape
	InPlace      int // results that lie over an input
	Joined       int // results that were written where a concat wants them
	Cut          int // slices that are read where they lie
	Merged       int // nodes computed once for several equal ones
	Fused        int // ops that are computed within another one
	Paired       int // ops that are computed along with another one
	Repeated     int // ops computed twice, so that their results need not be kept
	Dead         int // nodes of the graph that are not computed
}

func (p Plan) String() string {
	mib := func(b int) float64 { return float64(b) / (1 << 20) }
	return fmt.Sprintf("%d instructions, arena %.1f MiB (fullest moment %.1f, unshared %.1f), inputs and variables %.1f MiB, %d in place, %d joined, %d cut, %d merged, %d fused, %d paired, %d repeated, %d dead",
		p.Instructions, mib(p.Arena), mib(p.Live), mib(p.Unshared), mib(p.Leaves), p.InPlace, p.Joined, p.Cut, p.Merged, p.Fused, p.Paired, p.Repeated, p.Dead)
}

func (p *program) plan() Plan {
	plan := Plan{Instructions: len(p.instrs), Arena: p.arena, Live: p.fullest(), Merged: p.merged, Fused: p.fused, Paired: p.paired, Repeated: p.repeated, Dead: p.dead}
	for _, v := range p.leaves {
		plan.Leaves += v.bytes()
	}
	for _, i := range p.instrs {
		for _, v := range i.results() {
			plan.Unshared += held(v)
		}
		if i.reuses >= 0 {
			plan.InPlace++
		}
		switch {
		case i.cuts():
			plan.Cut++
		case i.out.joined != nil:
			plan.Joined++
		}
	}
	return plan
}
