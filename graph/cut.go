package graph

import (
	"slices"

	"github.com/stheno-ml/stheno/internal/exec"
)

// cut lets readers of some channels of a picture, as of the gradient of a concat, read them where they lie: a slice
// whose readers can all do so copies nothing. The picture is then in memory until the last of them. Where that makes
// the fullest moment of the program fuller by more than a little, a slice stays as it is.
func (p *program) cut(inPlace bool) {
	all := p.cuttable()
	if len(all) == 0 {
		return
	}
	limit := p.measure(inPlace)
	limit += limit / fuller
	for _, j := range all {
		j.join()
	}
	if p.measure(inPlace) <= limit {
		return
	}
	for _, j := range all {
		j.part()
	}
	for _, j := range all {
		j.join()
		if p.measure(inPlace) > limit {
			j.part()
		}
	}
}

// cuttable are slices as parts of what they are cut from.
func (p *program) cuttable() (all []joints) {
	times, by := p.readers()
	for _, i := range p.instrs {
		c, ok := i.run.(exec.Cutter)
		if !ok || i.out.kind != planned || i.out.bytes() == 0 || times[i.out] != len(by[i.out]) || len(by[i.out]) == 0 {
			continue
		}
		from, ok := c.Cuts(&i.call)
		if !ok {
			continue
		}
		whole := i.in[0]
		if whole.kind != planned || whole.joined != nil || whole.order != exec.ChannelsLast {
			continue
		}
		if !slices.ContainsFunc(by[i.out], func(r *instr) bool { return !readsApart(r, i.out) }) {
			all = append(all, joints{{i.out, whole, from * int(whole.dtype.Size())}})
		}
	}
	return all
}

// readsApart says whether an instruction can read a value whose pixels lie apart.
func readsApart(i *instr, v *value) bool {
	r, ok := i.run.(exec.PitchReader)
	for k, x := range i.in {
		ok = ok && (x != v || r.ReadsPitched(k))
	}
	return ok
}

// cuts says whether the instruction's result lies in its input.
func (i *instr) cuts() bool {
	return len(i.in) > 0 && i.out.joined != nil && i.out.joined == i.in[0]
}
