package graph

// schedule looks for an order of the program that needs less memory than that of the graph, which is one that
// works, and takes it if its fullest moment is less full. It moves an instruction
//
//   - forward, to where inputs that only it still needs can be given up for a smaller result;
//   - back, if it makes an output that nothing else reads, until that is so or until the end: the gradients of
//     the large filters deep in a network need not lie beside all the activations of the layers before them.
func (p *program) schedule(inPlace bool) {
	old := p.instrs
	before := p.measure(inPlace)
	p.instrs = newScheduler(p).all()
	if p.measure(inPlace) >= before {
		p.instrs = old
	}
}

// measure is the fullest moment of the program as it is now ordered.
func (p *program) measure(inPlace bool) int {
	p.liveness()
	if inPlace {
		p.takeOver()
	}
	p.share()
	return p.fullest()
}

// scheduler counts what is still to be computed and to be read.
type scheduler struct {
	todo    []*instr
	order   []*instr
	done    map[*instr]bool
	missing map[*instr]int // inputs not computed yet
	readers map[*value][]*instr
	unread  map[*value]int // readers that have not run; never 0 for an output
	maker   map[*value]*instr
}

func newScheduler(p *program) *scheduler {
	s := &scheduler{
		todo:    p.instrs,
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
		for _, v := range i.results() {
			s.maker[v] = i
		}
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

func (s *scheduler) all() []*instr {
	var late []*instr
	for _, i := range s.todo {
		if !s.done[i] && s.canWait(i) {
			late = append(late, i)
			continue
		}
		s.run(i)
	}
	for _, i := range late {
		s.run(i)
	}
	return s.order
}

// canWait says whether an instruction makes what nobody reads but who asked for it, and would only add to
// what is in memory.
func (s *scheduler) canWait(i *instr) bool {
	for _, v := range i.results() {
		if len(s.readers[v]) > 0 {
			return false
		}
	}
	return i.stock == nil && s.change(i) > 0
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
		for _, v := range i.results() {
			for _, r := range s.readers[v] {
				s.missing[r]--
				if s.frees(r) {
					next = append(next, r)
				}
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
	return !s.done[i] && s.missing[i] == 0 && i.stock == nil && s.change(i) < 0
}

// change is what an instruction adds to memory if it runs now: its results, less what only it still reads.
func (s *scheduler) change(i *instr) int {
	bytes := 0
	for _, v := range i.results() {
		bytes += held(v)
	}
	for k, v := range i.in {
		if firstUse(i, k) && s.unread[v] == 1 {
			bytes -= held(v)
		}
	}
	return bytes
}

// held is the arena memory that a value takes.
func held(v *value) int {
	if v.kind != planned {
		return 0
	}
	return v.bytes()
}
