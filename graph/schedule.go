package graph

// schedule moves an instruction forward, to where the inputs that only it still needs can be given up for a
// smaller result: a weight gradient, for one, runs before the picture it reads is joined in memory by the
// input gradient. Everything else stays in the order of the graph, which is one that works. The new order is
// taken only if its fullest moment is not fuller.
func (p *program) schedule() {
	n := len(p.instrs)
	if n == 0 {
		return
	}
	before := p.fullest()
	old := append([]*instr(nil), p.instrs...)
	s := newScheduler(p)
	for _, i := range old {
		s.run(i)
	}
	p.instrs = s.order
	if p.fullest() > before {
		p.instrs = old
	}
}

// scheduler counts what is still to be computed and to be read.
type scheduler struct {
	order   []*instr
	done    map[*instr]bool
	missing map[*instr]int // inputs not computed yet
	readers map[*value][]*instr
	unread  map[*value]int // readers that have not run; never 0 for an output
	maker   map[*value]*instr
}

func newScheduler(p *program) *scheduler {
	s := &scheduler{
		done:    make(map[*instr]bool, len(p.instrs)),
		missing: make(map[*instr]int, len(p.instrs)),
		readers: make(map[*value][]*instr, len(p.instrs)),
		unread:  make(map[*value]int, len(p.instrs)),
		maker:   make(map[*value]*instr, len(p.instrs)),
	}
	for _, v := range p.outputs {
		s.unread[v]++
	}
	for _, i := range p.instrs {
		s.maker[i.out] = i
		for k, v := range i.in {
			if firstUse(i, k) {
				s.readers[v] = append(s.readers[v], i)
				s.unread[v]++
				if s.maker[v] != nil {
					s.missing[i]++
				}
			}
		}
	}
	return s
}

func firstUse(i *instr, k int) bool {
	for _, v := range i.in[:k] {
		if v == i.in[k] {
			return false
		}
	}
	return true
}

// run puts an instruction next, unless it has been; and then those that it makes worth running now.
func (s *scheduler) run(i *instr) {
	next := []*instr{i}
	for len(next) > 0 {
		i := next[0]
		next = next[1:]
		if s.done[i] {
			continue
		}
		s.done[i] = true
		s.order = append(s.order, i)
		for k, v := range i.in {
			if firstUse(i, k) {
				s.unread[v]--
			}
		}
		for _, r := range s.readers[i.out] {
			s.missing[r]--
			if s.frees(r) {
				next = append(next, r)
			}
		}
		for k, v := range i.in {
			if firstUse(i, k) && s.unread[v] == 1 {
				for _, r := range s.readers[v] {
					if s.frees(r) {
						next = append(next, r)
					}
				}
			}
		}
	}
}

// frees says whether an instruction can run now and leaves less in memory than there was. Stock ops stay
// where they are: some draw random numbers, some hand on state that is no edge of the graph.
func (s *scheduler) frees(i *instr) bool {
	if s.done[i] || s.missing[i] > 0 || i.stock != nil {
		return false
	}
	change := held(i.out)
	for k, v := range i.in {
		if firstUse(i, k) && s.unread[v] == 1 {
			change -= held(v)
		}
	}
	return change < 0
}

// held is the arena memory that a value takes.
func held(v *value) int {
	if v.kind != planned {
		return 0
	}
	return v.bytes()
}

// fullest is the most memory in use at any instruction, without in-place results and scratch.
func (p *program) fullest() int {
	p.liveness()
	change := make([]int, len(p.instrs)+2)
	for k, i := range p.instrs {
		change[k] += held(i.out)
		change[i.out.last+1] -= held(i.out)
	}
	most, now := 0, 0
	for _, c := range change {
		now += c
		most = max(most, now)
	}
	return most
}
