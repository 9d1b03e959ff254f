package graph

import "github.com/stheno-ml/stheno/internal/exec"

// fuller is the part by which joining may make the fullest moment fuller: a thirty-second.
const fuller = 32

// joint is a part of the channels of a picture that can lie in it: an input of a concat, that can be written where it
// is wanted, or a slice, that can be read where it is.
type joint struct {
	v, whole *value
	at       int // bytes from the start of the whole
}

// join lets the inputs of concats along channels be written into their places in the result, so that nothing is
// left to copy: the branches of an Inception module. The result's memory is then in use from the first of them on.
// Where that makes the fullest moment of the program fuller by more than a little, a concat stays as it is.
func (p *program) join(inPlace bool) {
	all := p.joints()
	if len(all) == 0 {
		return
	}
	limit := p.measure(inPlace)
	limit += limit / fuller
	for _, joints := range all {
		joints.join()
	}
	if p.measure(inPlace) <= limit {
		return
	}
	for _, joints := range all {
		joints.part()
	}
	for _, joints := range all {
		joints.join()
		if p.measure(inPlace) > limit {
			joints.part()
		}
	}
}

// joints are those of each concat that has any.
func (p *program) joints() []joints {
	times, _ := p.readers()
	maker := make(map[*value]*instr, len(p.instrs))
	var all []joints
	for _, i := range p.instrs {
		maker[i.out] = i
		if j, ok := i.run.(exec.Joiner); !ok || !j.Joins() || i.out.kind != planned || i.out.order != exec.ChannelsLast {
			continue
		}
		var js joints
		at := 0
		for _, v := range i.in {
			if times[v] == 1 && canLie(v, maker[v]) {
				js = append(js, joint{v, i.out, at})
			}
			at += v.shape[1] * int(v.dtype.Size())
		}
		if len(js) > 0 {
			all = append(all, js)
		}
	}
	return all
}

// canLie says whether a value can lie among others; m makes it, if not nil.
func canLie(v *value, m *instr) bool {
	if m == nil || v.kind != planned || v.order != exec.ChannelsLast || v.bytes() == 0 {
		return false
	}
	p, ok := m.run.(exec.Pitcher)
	return ok && p.CanPitch(&m.call)
}

type joints []joint

func (js joints) join() {
	for _, j := range js {
		j.v.joined, j.v.at = j.whole, j.at
	}
}

func (js joints) part() {
	for _, j := range js {
		j.v.joined, j.v.at = nil, 0
	}
}
