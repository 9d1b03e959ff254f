package graph

import (
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/internal/exec"
)

const (
	// plenty is the default of Options.RepeatOver: below, saving memory is not worth the time.
	plenty = 256 << 20
	// cheapFlops is the arithmetic for each element of a result up to which computing it takes about as long as
	// reading and writing it.
	cheapFlops = 8
	// deepest is how many results that are gone already may be computed again on the way to one that is wanted.
	deepest = 2
)

// repeat computes cheap results again for the backward pass instead of keeping them, where that makes the fullest
// moment less full: the result of batch norm and activation, from the convolution's, which batch norm's gradient
// keeps anyway. It tries to bring the program down to lower and lower levels, each time by what is kept in vain
// while more than the level is in use, and stops where that does not help any more.
func (p *program) repeat(over int, inPlace bool) {
	if over == 0 {
		over = plenty
	}
	most := p.measure(inPlace)
	if most <= over {
		return
	}
	original, usage := p.instrs, p.usage()
	best, least, count := original, most, 0
	for level := 9; level >= 4; level-- {
		r := newRepeater(p, original, usage, most/10*level, min(worthKeeping, over))
		p.instrs = r.program()
		now := p.measure(inPlace)
		if now > least-least/50 {
			break
		}
		best, least, count = p.instrs, now, r.made
	}
	p.instrs = best
	p.repeated += count
	p.measure(inPlace)
}

// repeater makes a program in which some values are computed twice.
type repeater struct {
	p       *program
	instrs  []*instr
	maker   map[*value]*instr
	readers map[*value][]int
	keep    map[*value]bool // outputs, and what others than our own ops read
	small   int             // bytes below which a value is kept

	gone   map[*value]int // values that are given up, and from which instruction on they are computed again
	copies map[*value]*value
	made   int
}

func newRepeater(p *program, instrs []*instr, usage []int, level, small int) *repeater {
	r := &repeater{
		p: p, instrs: instrs, maker: make(map[*value]*instr, len(instrs)), readers: make(map[*value][]int, len(instrs)),
		keep: make(map[*value]bool), gone: make(map[*value]int), copies: make(map[*value]*value), small: small,
	}
	for _, v := range p.outputs {
		r.keep[v] = true
	}
	for k, i := range instrs {
		for _, v := range i.results() {
			r.maker[v] = i
		}
		_, uses := i.run.(*useRunner)
		for j, v := range i.in {
			if uses || i.stock != nil {
				r.keep[v] = true
			}
			if firstUse(i, j) {
				r.readers[v] = append(r.readers[v], k)
			}
		}
	}
	for _, i := range instrs {
		v := i.out
		if v.kind != planned || v.bytes() < r.small || r.keep[v] || !cheap(i) {
			continue
		}
		from, to := r.longestRest(v)
		high := false
		for k := from + 1; k < to && !high; k++ {
			high = usage[k] > level
		}
		if high && r.possible(i, to, 0) {
			r.gone[v] = to
		}
	}
	return r
}

// longestRest is the longest time that a value is kept without being read: the instructions before and after it.
func (r *repeater) longestRest(v *value) (from, to int) {
	at := v.def
	for _, k := range r.readers[v] {
		if k-at > to-from {
			from, to = at, k
		}
		at = k
	}
	return from, to
}

// possible says whether an instruction can run again just before instruction to, without anything being kept for
// that which is not there anyway.
func (r *repeater) possible(i *instr, to, depth int) bool {
	if !pure(i) || !cheap(i) {
		return false
	}
	for _, v := range i.in {
		if _, gone := r.gone[v]; gone || v.kind == dynamic {
			return false
		}
		if r.stays(v, to) {
			continue
		}
		m := r.maker[v]
		if m == nil || depth == deepest || !r.possible(m, to, depth+1) {
			return false
		}
	}
	return true
}

// stays says whether a value is there at an instruction, or small enough to be.
func (r *repeater) stays(v *value, at int) bool {
	if v.kind != planned || v.bytes() < r.small || r.keep[v] {
		return true
	}
	readers := r.readers[v]
	return len(readers) > 0 && readers[len(readers)-1] >= at
}

// program is the instructions with those in between that compute again.
func (r *repeater) program() []*instr {
	out := make([]*instr, 0, len(r.instrs)+len(r.gone))
	for k, i := range r.instrs {
		changed := i
		for j, v := range i.in {
			if to, gone := r.gone[v]; gone && k >= to {
				if changed == i {
					c := *i
					c.in = append([]*value(nil), i.in...)
					changed = &c
				}
				changed.in[j] = r.again(v, k, &out)
			}
		}
		out = append(out, changed)
	}
	return r.withoutUnread(out)
}

// withoutUnread drops what is read by nobody any more, since it is computed again before its first reader.
func (r *repeater) withoutUnread(instrs []*instr) []*instr {
	read := make(map[*value]bool, len(instrs))
	at := len(instrs)
	for k := len(instrs) - 1; k >= 0; k-- {
		i := instrs[k]
		if _, gone := r.gone[i.out]; i.second == nil && !read[i.out] && (gone || len(r.readers[i.out]) > 0 && !r.keep[i.out]) {
			r.made--
			continue
		}
		for _, v := range i.in {
			read[v] = true
		}
		at--
		instrs[at] = i
	}
	return instrs[at:]
}

// again is a second value equal to v, computed before instruction k.
func (r *repeater) again(v *value, k int, out *[]*instr) *value {
	if c := r.copies[v]; c != nil {
		return c
	}
	m := r.maker[v]
	c := *v
	i := &instr{op: m.op, run: m.run, out: &c, reuses: -1}
	for _, in := range m.in {
		if !r.stays(in, k) {
			in = r.again(in, k, out)
		}
		i.in = append(i.in, in)
	}
	i.prepare()
	*out = append(*out, i)
	r.copies[v] = &c
	r.made++
	return &c
}

// cheap says whether an instruction does little more than read and write one value.
func cheap(i *instr) bool {
	if i.second != nil {
		return false
	}
	c, ok := i.run.(exec.Coster)
	if !ok {
		return i.run != nil
	}
	shapes := make([]tensor.Shape, len(i.in))
	for k, v := range i.in {
		shapes[k] = v.shape
	}
	return c.Flops(shapes, i.out.shape) <= cheapFlops*int64(exec.Size(i.out.shape))
}
