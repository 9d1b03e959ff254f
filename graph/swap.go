package graph

import (
	"github.com/stheno-ml/stheno/internal/exec"
)

// swap lets the gradient of an activation that max pooling follows come before that of the pooling: with what was
// pooled, which the next layer reads too, in place of the activation's own result. That is several times as large, and
// nothing else on the way back may need it.
func (p *program) swap() {
	times, by := p.readers()
	maker, place := make(map[*value]*instr, len(p.instrs)), make(map[*instr]int, len(p.instrs))
	for k, i := range p.instrs {
		maker[i.out], place[i] = i, k
	}
	for k, i := range p.instrs {
		op, ok := i.run.(exec.Swapper)
		if !ok || len(i.in) != 2 || times[i.out] != 1 {
			continue
		}
		reader, places := by[i.out][0], maker[i.in[1]]
		if places == nil || len(places.in) != 1 || len(reader.in) != 2 || reader.in[0] != i.out || reader.in[1] != places.in[0] {
			continue
		}
		for _, taken := range by[places.in[0]] {
			if place[taken] > k || !op.Swap(reader.run, places.run, taken.run) {
				continue
			}
			dy := i.in[0]
			before := &value{node: reader.out.node, kind: planned, shape: dy.shape, dtype: dy.dtype, def: -1}
			i.out, reader.in = before, []*value{before, i.in[1]}
			i.in = []*value{dy, taken.out}
			i.op, reader.op = reader.op, i.op
			i.run, reader.run = reader.run, i.run
			break
		}
	}
}
