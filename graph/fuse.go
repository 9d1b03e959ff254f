package graph

import (
	"gorgonia.org/gorgonia"

	"github.com/stheno-ml/stheno/internal/exec"
)

// fuse joins ops that can be one pass over the data. First an op takes in the only reader of its result, as
// long as it can: convolution, batch norm, residual add, activation. Then ops take in a producer that is cheap
// to compute again, where all its readers can: the gradient of an activation in batch norm's gradients. At last
// ops do without an input that they can tell from others: batch norm's gradients know the sign of its result, and the
// gradient of an activation before max pooling that of what was pooled.
func (p *program) fuse() {
	p.fuseReaders()
	p.absorbProducers()
	p.bypassInputs()
	p.swap()
}

// readers counts how often each value is read, and says by whom last; outputs count as read twice.
func (p *program) readers() (times map[*value]int, by map[*value][]*instr) {
	times, by = make(map[*value]int), make(map[*value][]*instr)
	for _, i := range p.instrs {
		for _, v := range i.in {
			times[v]++
			by[v] = append(by[v], i)
		}
	}
	for _, v := range p.outputs {
		times[v] += 2
	}
	return times, by
}

func (p *program) fuseReaders() {
	times, by := p.readers()
	gone := make(map[*instr]bool)
	for k := 0; k < len(p.instrs); k++ {
		i := p.instrs[k]
		if gone[i] {
			continue
		}
		f, ok := i.run.(exec.Fuser)
		if !ok || times[i.out] != 1 {
			continue
		}
		next := by[i.out][0]
		at := placeOf(next.in, i.out)
		r, ok := f.Fuse(next.run, at, len(next.in))
		if !ok {
			continue
		}
		// The joint op stands where the reader stood: by then all its inputs are there.
		in := append([]*value(nil), i.in...)
		in = append(in, next.in[:at]...)
		in = append(in, next.in[at+1:]...)
		for _, v := range in {
			for j, reader := range by[v] {
				if reader == i {
					by[v][j] = next
				}
			}
		}
		next.in = in
		next.become(r)
		gone[i] = true
		p.fused++
	}
	p.drop(gone)
}

func (p *program) absorbProducers() {
	times, by := p.readers()
	gone := make(map[*instr]bool)
	for _, i := range p.instrs {
		readers := by[i.out]
		if i.run == nil || times[i.out] != len(readers) || len(readers) == 0 {
			continue
		}
		absorbing := make([]any, len(readers))
		for k, r := range readers {
			a, ok := r.run.(exec.Absorber)
			if !ok {
				break
			}
			if absorbing[k], ok = a.Absorb(i.run, placeOf(r.in, i.out)); !ok {
				absorbing[k] = nil
				break
			}
		}
		if absorbing[len(readers)-1] == nil {
			continue
		}
		for k, r := range readers {
			at := placeOf(r.in, i.out)
			in := append([]*value(nil), r.in[:at]...)
			in = append(in, i.in...)
			r.in = append(in, r.in[at+1:]...)
			r.become(absorbing[k])
		}
		gone[i] = true
		p.fused++
	}
	p.drop(gone)
}

func (p *program) bypassInputs() {
	maker := make(map[*value]*instr, len(p.instrs))
	for _, i := range p.instrs {
		maker[i.out] = i
		b, ok := i.run.(exec.Bypasser)
		if !ok {
			continue
		}
		for at, v := range i.in {
			m := maker[v]
			if m == nil {
				continue
			}
			r, take, ok := b.Bypass(m.run, at, func(own, producers int) bool { return i.in[own] == m.in[producers] })
			if !ok {
				continue
			}
			in := append([]*value(nil), i.in[:at]...)
			in = append(in, i.in[at+1:]...)
			for _, k := range take {
				in = append(in, m.in[k])
			}
			i.in = in
			i.become(r)
			break
		}
	}
}

// become gives the instruction another op.
func (i *instr) become(r any) {
	i.run = r.(exec.Runner)
	i.op = r.(gorgonia.Op)
}

func placeOf(in []*value, v *value) int {
	for k, x := range in {
		if x == v {
			return k
		}
	}
	return -1
}

func (p *program) drop(gone map[*instr]bool) {
	kept := p.instrs[:0]
	for _, i := range p.instrs {
		if !gone[i] {
			kept = append(kept, i)
		}
	}
	clear(p.instrs[len(kept):])
	p.instrs = kept
}
