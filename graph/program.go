package graph

import (
	"fmt"
	"io"

	"github.com/pkg/errors"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/internal/exec"
)

// kind is who keeps the memory of a value.
type kind uint8

const (
	leaf    kind = iota // bound from outside: an input, a variable, a constant
	planned             // a place in the arena
	own                 // kept by the tape beside the arena: scalars, and what is computed once
	dynamic             // made anew at each run by a stock op that takes no buffer
)

// value is what an instruction reads or writes.
type value struct {
	node  *Node // the node whose value this is; for a conversion, the node converted
	kind  kind
	shape tensor.Shape
	dtype tensor.Dtype
	order exec.Order

	def  int // the instruction that writes it; −1 for a leaf
	last int // the last instruction that reads it; len(instrs) when it is asked for

	joined *value // what it is a part of, as it lies in memory: a concat's result, or a slice's input; nil for none
	at     int    // bytes from the start of the buffer: where in that it starts

	buffer *buffer        // planned only
	array  exec.Array     // where the elements are
	host   gorgonia.Value // the same elements as a Gorgonia value: for stock ops, and for who asked
	local  gorgonia.Value // a leaf of a private tape: what Let bound
}

func (v *value) bytes() int { return exec.Size(v.shape) * int(v.dtype.Size()) }

func (v *value) String() string {
	order := ""
	if v.order == exec.ChannelsLast {
		order = " channels-last"
	}
	return fmt.Sprintf("%%%d %v%v%s", v.node.ID(), v.dtype, v.shape, order)
}

// instr computes one value, or two.
type instr struct {
	op     gorgonia.Op // nil for a conversion of order
	run    exec.Runner // set when the op computes on bare arrays: ours, and conversions
	in     []*value
	out    *value
	second *value // nil but for pairs
	reuses int    // the input whose buffer the result takes over, −1 for none

	call    exec.Call
	needs   int // bytes of scratch
	scratch *buffer
	stock   *stockCall // set when run is not
}

func (i *instr) name() string {
	if _, ok := i.run.(*useRunner); ok {
		return "use"
	}
	if i.op == nil {
		return "convert"
	}
	return i.op.String()
}

// results are the values that the instruction computes.
func (i *instr) results() []*value {
	if i.second == nil {
		return []*value{i.out}
	}
	return []*value{i.out, i.second}
}

// where names the instruction for a person: op, and the layer or node it belongs to.
func (i *instr) where() string { return fmt.Sprintf("%s at %s", i.name(), i.out.node.Name()) }

// program is the list of instructions on its way through the passes.
type program struct {
	instrs  []*instr
	leaves  []*value
	outputs []*value // in the order asked for
	of      map[*Node]*value
	dead    int // nodes of the graph that nothing asked for needs
	merged  int // nodes found equal to another one
	fused   int // ops taken in by another one

	paired   int // ops computed along with another one
	repeated int // ops computed twice, so that their results need not be kept

	aside []*instr        // run once: their inputs are constant
	fixed map[*value]bool // constants, and what is computed from them

	buffers []*buffer
	arena   int // bytes
}

// build makes a program of what the outputs need, and of nothing else.
func build(outputs gorgonia.Nodes) (*program, error) {
	p := &program{of: make(map[*Node]*value)}
	nodes := ancestors(outputs...)
	for _, n := range nodes {
		if isStatement(n) {
			return nil, errors.Errorf("%s is a statement and has no value", n.Name())
		}
		v := &value{node: n, shape: n.Shape(), dtype: n.Dtype(), def: -1}
		p.of[n] = v
		in := children(n)
		if isLeaf(n) {
			v.kind = leaf
			p.leaves = append(p.leaves, v)
			continue
		}
		i := &instr{op: n.Op(), out: v, reuses: -1}
		for _, c := range in {
			i.in = append(i.in, p.of[c])
		}
		if r, ok := n.Op().(exec.Runner); ok {
			i.run = r
		} else {
			i.stock = newStockCall(n.Op(), len(in))
		}
		switch {
		case len(v.shape) == 0:
			v.kind = own
		case i.run == nil && !i.stock.prealloc:
			v.kind = dynamic
		default:
			v.kind = planned
		}
		p.instrs = append(p.instrs, i)
	}
	for _, n := range outputs {
		p.outputs = append(p.outputs, p.of[n])
	}
	if len(outputs) > 0 {
		p.dead = len(outputs[0].Graph().AllNodes()) - len(nodes)
	}
	return p, nil
}

// isLeaf says whether a node's value comes from outside: an input or a constant. A stock random op has no
// inputs either, but is run.
func isLeaf(n *Node) bool {
	if n.Op() == nil {
		return true
	}
	_, constant := n.Op().(interface{ Value() gorgonia.Value })
	return constant && len(children(n)) == 0
}

// merge drops instructions that compute what an earlier one has: equal ops, compared by their attributes and
// not by a hash, on the same inputs.
func (p *program) merge() {
	stands := make(map[*value]*value) // a dropped value → the one that stands for it
	byFirst := make(map[*value][]*instr)
	kept := p.instrs[:0]
	for _, i := range p.instrs {
		for k, v := range i.in {
			if s, ok := stands[v]; ok {
				i.in[k] = s
			}
		}
		var first *value
		if len(i.in) > 0 {
			first = i.in[0]
		}
		if twin := findEqual(i, byFirst[first]); twin != nil {
			stands[i.out] = twin.out
			p.of[i.out.node] = twin.out
			p.merged++
			continue
		}
		byFirst[first] = append(byFirst[first], i)
		kept = append(kept, i)
	}
	clear(p.instrs[len(kept):])
	p.instrs = kept
	for k, v := range p.outputs {
		if s, ok := stands[v]; ok {
			p.outputs[k] = s
		}
	}
}

func findEqual(i *instr, among []*instr) *instr {
	e, ok := i.op.(exec.Equaler)
	if !ok {
		return nil
	}
next:
	for _, j := range among {
		if len(j.in) != len(i.in) || !sameShape(j.out.shape, i.out.shape) || j.out.dtype != i.out.dtype || !e.EqualOp(j.op) {
			continue
		}
		for k := range i.in {
			if i.in[k] != j.in[k] {
				continue next
			}
		}
		return j
	}
	return nil
}

func sameShape(a, b tensor.Shape) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

// dump prints the program, one instruction a line.
func (p *program) dump(w io.Writer, title string) error {
	if _, err := fmt.Fprintf(w, "%s: %d instructions, %d leaves, %d nodes not needed, %d merged\n", title, len(p.instrs), len(p.leaves), p.dead, p.merged); err != nil {
		return errors.Wrap(err, "dumping the program")
	}
	for k, i := range p.instrs {
		result, place := i.out.String(), i.out.place()
		if i.reuses >= 0 {
			place += fmt.Sprintf(" over input %d", i.reuses)
		}
		if i.second != nil {
			result += ", " + i.second.String()
			place += i.second.place()
		}
		if _, err := fmt.Fprintf(w, "%5d  %s = %s %v%s\n", k, result, i.name(), i.in, place); err != nil {
			return errors.Wrap(err, "dumping the program")
		}
	}
	return nil
}

// place says where in the arena a value lies, once that is known.
func (v *value) place() string {
	place := ""
	if v.buffer != nil {
		place = fmt.Sprintf("  @%d", v.buffer.offset+v.at)
	}
	if v.joined != nil {
		place += fmt.Sprintf(" in %%%d", v.joined.node.ID())
	}
	return place
}
