package graph

import (
	"fmt"
	"hash"
	"math"
	"math/rand/v2"
	"sync/atomic"
	"testing"

	"github.com/chewxy/hm"
	"github.com/pkg/errors"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/internal/exec"
)

// probe is an op for tests of the tape's passes: it says of itself what it is told to, counts its runs, and
// computes something that depends on each operand, on its place among the operands, and on the order in
// which the elements of pictures lie, so that a wrong buffer or a wrong order shows.
//
//	y[i] = bias + Σ (k+1)·x_k[i] + index(i)/8, modulo 256    (index: the place in row-major order; only if indexed)
//
// A probe that joins puts its operands' channels side by side instead, one that cuts takes some of its operand's. All values are small multiples of 1/8: the
// arithmetic is exact, whatever its order.
type probe struct {
	label   string
	bias    float64
	indexed bool
	inplace []int
	flow    exec.Flow // of the operands
	out     exec.Flow // of the result
	scratch int       // float64s; the op fills them with rubbish
	whole   bool      // the result is a scalar: the sum of y
	pitched bool      // the result may be pitched
	joins   bool      // a concat of channels
	cuts    [2]int    // a slice: channels from the first up to the second; zeros for none
	reads   bool      // it can read operands that are pitched
	pairs   bool      // it can compute another probe's result along with its own
	serial  int64     // set: equal to no other probe
	hash    uint32

	runs  *atomic.Int64
	fails func() error // run first, if set
}

var (
	_ exec.Runner    = &probed{}
	_ exec.Flower    = &probed{}
	_ exec.InPlacer  = &probed{}
	_ exec.Scratcher = &probed{}
	_ exec.Equaler   = &probed{}
	_ exec.Pitcher   = &probed{}
	_ exec.Joiner    = &probed{}
	_ exec.Pairer    = &probed{}

	_ exec.Cutter      = &probed{}
	_ exec.PitchReader = &probed{}
)

var probes atomic.Int64

// add puts the probe into the graph of its inputs, which are all of one shape or scalars; the first one
// gives the result its shape.
func (p probe) add(t testing.TB, in ...*Node) *Node {
	t.Helper()
	if p.runs == nil {
		p.runs = new(atomic.Int64)
	}
	op := &probed{probe: p, id: probes.Add(1), shape: in[0].Shape()}
	if p.whole {
		op.shape = tensor.Shape{}
	}
	if p.joins {
		op.shape = op.shape.Clone()
		for _, n := range in[1:] {
			op.shape[1] += n.Shape()[1]
		}
	}
	if p.cuts[1] > 0 {
		op.shape = op.shape.Clone()
		op.shape[1] = p.cuts[1] - p.cuts[0]
	}
	for _, n := range in {
		op.in = append(op.in, typeOfNode(n))
	}
	n, err := gorgonia.ApplyOp(op, in...)
	if err != nil {
		t.Fatalf("%+v", err)
	}
	return n
}

func typeOfNode(n *Node) hm.Type {
	if len(n.Shape()) == 0 {
		return n.Dtype()
	}
	return gorgonia.TensorType{Dims: len(n.Shape()), Of: n.Dtype()}
}

// probed is a probe as an op. Gorgonia compares ops by what they hash; the tape must not.
type probed struct {
	probe
	id    int64
	in    []hm.Type
	shape tensor.Shape
}

func (p *probed) Arity() int { return len(p.in) }
func (p *probed) Type() hm.Type {
	out := hm.Type(tensor.Float64)
	if len(p.shape) > 0 {
		out = gorgonia.TensorType{Dims: len(p.shape), Of: tensor.Float64}
	}
	return hm.NewFnType(append(append([]hm.Type(nil), p.in...), out)...)
}
func (p *probed) InferShape(...gorgonia.DimSizer) (tensor.Shape, error) { return p.shape.Clone(), nil }
func (p *probed) Do(...gorgonia.Value) (gorgonia.Value, error) {
	return nil, errors.New("a probe runs on our tape only")
}
func (p *probed) ReturnsPtr() bool     { return true }
func (p *probed) CallsExtern() bool    { return false }
func (p *probed) OverwritesInput() int { return -1 }
func (p *probed) String() string       { return p.label }
func (p *probed) WriteHash(h hash.Hash) {
	fmt.Fprintf(h, "probe %d", p.id)
}
func (p *probed) Hashcode() uint32            { return p.hash }
func (p *probed) InPlace() []int              { return p.inplace }
func (p *probed) CanPitch(*exec.Call) bool    { return p.pitched }
func (p *probed) Joins() bool                 { return p.joins }
func (p *probed) ReadsPitched(int) bool       { return p.reads }
func (p *probed) Cuts(*exec.Call) (int, bool) { return p.cuts[0], p.cuts[1] > 0 }
func (p *probed) ScratchBytes(*exec.Call) int { return exec.ScratchSize[float64](p.probe.scratch) }

func (p *probed) EqualOp(other any) bool {
	q, ok := other.(*probed)
	return ok && p.label == q.label && p.bias == q.bias && p.indexed == q.indexed && p.whole == q.whole && p.joins == q.joins && p.cuts == q.cuts && p.serial == 0 && q.serial == 0
}

func (p *probed) Pair(other any, inputs int, shared []int) (any, bool) {
	q, ok := other.(*probed)
	return &probedPair{p, q, inputs, shared}, ok && p.pairs && !p.joins && !q.joins && p.cuts[1] == 0 && q.cuts[1] == 0
}

// probedPair is two probes in one instruction.
type probedPair struct {
	*probed
	second *probed
	inputs int
	shared []int
}

func (p *probedPair) String() string { return p.label + ", " + p.second.label }
func (p *probedPair) InPlace() []int { return nil }

func (p *probedPair) ReadsPitched(input int) bool {
	return p.reads && p.second.reads
}

func (p *probedPair) ScratchBytes(*exec.Call) int {
	return exec.ScratchSize[float64](max(p.probe.scratch, p.second.probe.scratch))
}

func (p *probedPair) Pair(any, int, []int) (any, bool) { return nil, false }

func (p *probedPair) Run(c *exec.Call) error {
	second := exec.Call{Out: c.Second, Scratch: c.Scratch}
	more := p.inputs
	for _, at := range p.shared {
		if at < 0 {
			at = more
			more++
		}
		second.In = append(second.In, c.In[at])
	}
	first := exec.Call{In: c.In[:p.inputs], Out: c.Out, Scratch: c.Scratch}
	if err := p.probed.Run(&first); err != nil {
		return err
	}
	return p.second.Run(&second)
}

func (p *probed) Flows(in []tensor.Shape, out tensor.Shape) ([]exec.Flow, exec.Flow) {
	f := make([]exec.Flow, len(in))
	for i := range f {
		f[i] = p.flow
	}
	return f, p.out
}

func (p *probed) Run(c *exec.Call) error {
	p.runs.Add(1)
	if p.fails != nil {
		if err := p.fails(); err != nil {
			return err
		}
	}
	rubbish := exec.Scratch[float64](c, p.probe.scratch)
	for i := range rubbish {
		rubbish[i] = -12345 // shows, if it lies over anything that is still read
	}
	y := exec.Data[float64](&c.Out)
	if p.joins {
		p.join(c, y)
		return nil
	}
	if p.cuts[1] > 0 {
		p.cut(c, y)
		return nil
	}
	for k := range c.In {
		if c.In[k].Pitch != 0 && !p.reads {
			return errors.Errorf("input %d is pitched, and the op has not said that it can read that", k)
		}
	}
	shape := c.In[0].Shape
	total := 0.0
	for at := range exec.Size(shape) { // row-major index
		v := p.bias
		for k := range c.In {
			x := exec.Data[float64](&c.In[k])
			if len(c.In[k].Shape) == 0 {
				v += float64(k+1) * x[0]
			} else {
				v += float64(k+1) * x[place(at, &c.In[k])]
			}
		}
		if p.indexed {
			v += float64(at) / 8
		}
		if p.whole {
			total += v
		} else {
			y[place(at, &c.Out)] = math.Mod(v, 256)
		}
	}
	if p.whole {
		y[0] = math.Mod(total, 256)
	}
	return nil
}

// join copies the operands that do not lie in the result yet.
func (p *probed) join(c *exec.Call, y []float64) {
	channels := 0
	for k := range c.In {
		x, s := &c.In[k], c.In[k].Shape
		for at := range exec.Size(s) {
			if hw := s[2] * s[3]; x.Pitch == 0 {
				to := (at/(s[1]*hw)*c.Out.Shape[1]+channels)*hw + at%(s[1]*hw)
				y[place(to, &c.Out)] = exec.Data[float64](x)[place(at, x)]
			}
		}
		channels += s[1]
	}
}

// cut copies channels, if they do not lie in the operand.
func (p *probed) cut(c *exec.Call, y []float64) {
	if c.Out.Pitch != 0 {
		return
	}
	x, s := &c.In[0], c.Out.Shape
	hw := s[2] * s[3]
	for at := range exec.Size(s) {
		from := (at/(s[1]*hw)*x.Shape[1]+p.cuts[0])*hw + at%(s[1]*hw)
		y[place(at, &c.Out)] = exec.Data[float64](x)[place(from, x)]
	}
}

// place is where the element with a row-major index lies in the array's own order.
func place(at int, a *exec.Array) int {
	if a.Order == exec.RowMajor {
		return at
	}
	s := a.Shape // [N, C, H, W]
	hw := s[2] * s[3]
	pitch := s[1]
	if a.Pitch != 0 {
		pitch = a.Pitch
	}
	return (at/(s[1]*hw)*hw+at%hw)*pitch + at/hw%s[1]
}

// reference computes a node by the definition of probes, from scratch, in memory of its own.
func reference(t testing.TB, n *Node, known map[*Node][]float64) []float64 {
	if y, ok := known[n]; ok {
		return y
	}
	op, ok := n.Op().(*probed)
	if !ok {
		a, err := exec.FromValue(n.Value())
		if err != nil {
			t.Fatal(err)
		}
		known[n] = append([]float64(nil), exec.Data[float64](&a)...)
		return known[n]
	}
	var in [][]float64
	for _, c := range children(n) {
		in = append(in, reference(t, c, known))
	}
	if op.joins {
		var y []float64
		hw := op.shape[2] * op.shape[3]
		for picture := range op.shape[0] {
			for k, c := range children(n) {
				size := c.Shape()[1] * hw
				y = append(y, in[k][picture*size:(picture+1)*size]...)
			}
		}
		known[n] = y
		return y
	}
	if op.cuts[1] > 0 {
		var y []float64
		hw := op.shape[2] * op.shape[3]
		for picture := range op.shape[0] {
			first := picture * children(n)[0].Shape()[1]
			y = append(y, in[0][(first+op.cuts[0])*hw:(first+op.cuts[1])*hw]...)
		}
		known[n] = y
		return y
	}
	y := make([]float64, exec.Size(children(n)[0].Shape()))
	total := 0.0
	for i := range y {
		y[i] = op.bias
		for k, x := range in {
			y[i] += float64(k+1) * x[i%len(x)]
		}
		if op.indexed {
			y[i] += float64(i) / 8
		}
		total += y[i]
		y[i] = math.Mod(y[i], 256)
	}
	if op.whole {
		y = []float64{math.Mod(total, 256)}
	}
	known[n] = y
	return y
}

func input(g *gorgonia.ExprGraph, name string, shape ...int) *Node {
	x := make([]float64, tensor.Shape(shape).TotalSize())
	for i := range x {
		x[i] = float64((i*7+len(name))%13) / 8
	}
	return gorgonia.NodeFromAny(g, tensor.New(tensor.WithShape(shape...), tensor.WithBacking(x)), gorgonia.WithName(name))
}

// someBranches is some of the latest pictures.
func someBranches(rng *rand.Rand, all gorgonia.Nodes) (in gorgonia.Nodes) {
	const most = 24 // channels
	channels := 0
	for k := len(all) - 1; k >= max(0, len(all)-10) && len(in) < 4; k-- {
		if s := all[k].Shape(); len(s) == 4 && channels+s[1] <= most && rng.IntN(4) > 0 {
			in = append(in, all[k])
			channels += s[1]
		}
	}
	return in
}

// randomGraph has pictures, vectors and scalars, values used often and once, and probes of every kind.
func randomGraph(t testing.TB, rng *rand.Rand, ops int) (*gorgonia.ExprGraph, gorgonia.Nodes) {
	g := gorgonia.NewGraph()
	var all gorgonia.Nodes
	for i := range 3 {
		all = append(all, input(g, fmt.Sprintf("picture%d", i), 2, 3, 4, 2), input(g, fmt.Sprintf("vector%d", i), 5+i))
	}
	for i := range ops {
		p := probe{label: fmt.Sprintf("op%d", rng.IntN(4)), bias: float64(rng.IntN(3)), indexed: rng.IntN(3) == 0, hash: uint32(rng.IntN(2))}
		p.flow = []exec.Flow{exec.Plain, exec.Follow, exec.Last}[rng.IntN(3)]
		p.out = p.flow
		if rng.IntN(3) == 0 {
			p.out = []exec.Flow{exec.Plain, exec.Follow, exec.Last}[rng.IntN(3)]
		}
		if rng.IntN(3) == 0 {
			p.scratch = 1 + rng.IntN(70)
		}
		if rng.IntN(10) == 0 {
			p.serial = int64(i + 1)
		}
		p.pitched, p.pairs, p.reads = rng.IntN(2) == 0, rng.IntN(4) == 0, rng.IntN(4) > 0
		if x := all[len(all)-1]; rng.IntN(5) == 0 && len(x.Shape()) == 4 && x.Shape()[1] > 1 {
			from := rng.IntN(x.Shape()[1])
			cuts := [2]int{from, from + 1 + rng.IntN(x.Shape()[1]-from)}
			all = append(all, probe{label: "cut", flow: p.flow, out: p.flow, cuts: cuts}.add(t, x))
			for range 1 + rng.IntN(2) {
				all = append(all, p.add(t, all[len(all)-1]))
			}
			continue
		}
		if rng.IntN(5) == 0 {
			if in := someBranches(rng, all); len(in) > 1 {
				all = append(all, probe{label: "join", flow: p.flow, out: p.flow, joins: true}.add(t, in...))
				continue
			}
		}
		p.whole = rng.IntN(12) == 0
		first := all[rng.IntN(len(all))]
		if rng.IntN(2) == 0 { // chains are what networks are made of
			first = all[len(all)-1]
		}
		in := gorgonia.Nodes{first}
		for range rng.IntN(3) {
			n := all[max(0, len(all)-1-rng.IntN(12))]
			if len(n.Shape()) == 0 || sameShape(n.Shape(), first.Shape()) {
				in = append(in, n)
			}
		}
		for k := range in {
			if rng.IntN(2) == 0 && len(in[k].Shape()) > 0 && !p.whole {
				p.inplace = append(p.inplace, k)
			}
		}
		all = append(all, p.add(t, in...))
	}
	var outputs gorgonia.Nodes
	for range 1 + rng.IntN(5) {
		outputs = append(outputs, all[6+rng.IntN(len(all)-6)])
	}
	return g, outputs
}
