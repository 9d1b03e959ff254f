package ops

import (
	"encoding/binary"
	"hash"
	"hash/fnv"
	"sync/atomic"

	"github.com/chewxy/hm"
	"github.com/pkg/errors"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	_ "go4.org/unsafe/assume-no-moving-gc" // its newest version, or Gorgonia stops the program at start-up on a current Go

	"github.com/stheno-ml/stheno/internal/exec"
	"github.com/stheno-ml/stheno/internal/memory"
)

// Node is a value in a Gorgonia graph.
type Node = gorgonia.Node

// rule is an op without Gorgonia's formalities. A rule is a comparable struct that holds the attributes:
// two nodes whose rules are equal and whose inputs are the same are the same value.
type rule interface {
	// name is the op's name in the field's standard terms.
	name() string
	// shape is the result's shape; its error says which sizes do not fit and why.
	shape(in []tensor.Shape) (tensor.Shape, error)
	// run fills c.Out. It must not change the rule.
	run(c *exec.Call) error
	// grad is the gradient for each input, given the inputs, the result and the gradient of the result.
	// An entry for an input that has no derivative is nil.
	grad(in gorgonia.Nodes, out, dout *Node) (gorgonia.Nodes, error)
}

// What a rule may say beyond that.
type (
	// differ is a rule without a derivative for some inputs. Without it, every float input has one.
	differ interface{ differentiable(inputs int) []bool }
	// typer is a rule whose result is not of the type of its first float input.
	typer interface {
		dtype(in []tensor.Dtype) (tensor.Dtype, error)
	}
	// scratcher is a rule that needs scratch memory, in bytes.
	scratcher interface{ scratch(c *exec.Call) int }
	// inPlacer is a rule that may write its result over one of these inputs.
	inPlacer interface{ inPlace() []int }
	// flower is a rule that takes channels-last operands.
	flower interface {
		flows(in []tensor.Shape, out tensor.Shape) ([]exec.Flow, exec.Flow)
	}
	// pitcher is a rule whose result, a channels-last picture, may be pitched.
	pitcher interface{ canPitch(c *exec.Call) bool }
	// pitchReader is a rule that can read an input that is pitched.
	pitchReader interface{ readsPitched(input int) bool }
	// coster is a rule that knows how many floating-point operations a call takes.
	coster interface {
		flops(in []tensor.Shape, out tensor.Shape) int64
	}
	// stateful is a rule whose result is not decided by its inputs alone.
	stateful interface{ stateful() }
)

// op makes a Gorgonia op of a rule.
type op struct {
	rule
	serial uint64         // in the hash: the graph itself must never merge two nodes, as it trusts 32 bits
	dims   []int          // rank of each input
	dtypes []tensor.Dtype // type of each input
	out    tensor.Shape
	outDt  tensor.Dtype

	call  exec.Call // for Do: a stock machine keeps no buffers between steps, so the op does
	value gorgonia.Value
}

var (
	_ gorgonia.SDOp            = &op{}
	_ gorgonia.UsePreallocDoer = &op{}
	_ exec.Runner              = &op{}
	_ exec.Scratcher           = &op{}
	_ exec.InPlacer            = &op{}
	_ exec.Flower              = &op{}
	_ exec.Coster              = &op{}
	_ exec.Equaler             = &op{}
)

var serials atomic.Uint64

// apply adds a node to the graph of its inputs.
func apply(r rule, in ...*Node) (*Node, error) {
	o := &op{rule: r, serial: serials.Add(1)}
	shapes := make([]tensor.Shape, len(in))
	for i, n := range in {
		if n == nil {
			return nil, errors.Errorf("%s: input %d is nil", r.name(), i)
		}
		shapes[i] = n.Shape()
		o.dims = append(o.dims, len(shapes[i]))
		o.dtypes = append(o.dtypes, n.Dtype())
	}
	var err error
	if o.outDt, err = o.resultType(); err != nil {
		return nil, errors.Wrap(err, r.name())
	}
	if o.out, err = r.shape(shapes); err != nil {
		return nil, errors.Wrap(err, r.name())
	}
	for i, d := range o.out {
		if d <= 0 {
			return nil, errors.Errorf("%s: the result would be empty: axis %d of shape %v has size %d (inputs %v)", r.name(), i, o.out, d, shapes)
		}
	}
	n, err := gorgonia.ApplyOp(o, in...)
	return n, errors.Wrap(err, r.name())
}

func isFloat(dt tensor.Dtype) bool { return dt == tensor.Float32 || dt == tensor.Float64 }

// resultType checks that all float inputs are of one type and says what the result is of.
func (o *op) resultType() (tensor.Dtype, error) {
	if t, ok := o.rule.(typer); ok {
		return t.dtype(o.dtypes)
	}
	var found tensor.Dtype
	for i, dt := range o.dtypes {
		switch {
		case !isFloat(dt) && dt != tensor.Int && dt != tensor.Int64 && dt != tensor.Int32 && dt != tensor.Uint8 && dt != tensor.Bool:
			return found, errors.Errorf("input %d is of type %v, want float32 or float64", i, dt)
		case !isFloat(dt):
		case found == tensor.Dtype{}:
			found = dt
		case found != dt:
			return found, errors.Errorf("input %d is of type %v, the inputs before it are of %v", i, dt, found)
		}
	}
	if found == (tensor.Dtype{}) {
		return found, errors.Errorf("inputs are of types %v, want float32 or float64", o.dtypes)
	}
	return found, nil
}

// Gorgonia's op.

func (o *op) Arity() int           { return len(o.dims) }
func (o *op) ReturnsPtr() bool     { return true }
func (o *op) CallsExtern() bool    { return false }
func (o *op) OverwritesInput() int { return -1 } // our tape asks InPlace; the stock machine checks no sizes
func (o *op) String() string       { return o.name() }

func (o *op) WriteHash(h hash.Hash) {
	h.Write([]byte(o.name()))
	var b [8]byte
	binary.LittleEndian.PutUint64(b[:], o.serial)
	h.Write(b[:])
}

func (o *op) Hashcode() uint32 {
	h := fnv.New32a()
	o.WriteHash(h)
	return h.Sum32()
}

// Type is concrete, as the op knows its inputs. It is fresh at each call: Gorgonia recycles it.
func (o *op) Type() hm.Type {
	t := make([]hm.Type, 0, len(o.dims)+1)
	for i, d := range o.dims {
		t = append(t, typeOf(d, o.dtypes[i]))
	}
	return hm.NewFnType(append(t, typeOf(len(o.out), o.outDt))...)
}

func typeOf(dims int, dt tensor.Dtype) hm.Type {
	if dims == 0 {
		return dt
	}
	return gorgonia.TensorType{Dims: dims, Of: dt}
}

func (o *op) InferShape(...gorgonia.DimSizer) (tensor.Shape, error) { return o.out.Clone(), nil }

func (o *op) DiffWRT(inputs int) []bool {
	if d, ok := o.rule.(differ); ok {
		return d.differentiable(inputs)
	}
	diff := make([]bool, inputs)
	for i := range diff {
		diff[i] = isFloat(o.dtypes[i])
	}
	return diff
}

func (o *op) SymDiff(in gorgonia.Nodes, out, dout *Node) (gorgonia.Nodes, error) {
	grads, err := o.grad(in, out, dout)
	return grads, errors.Wrapf(err, "gradient of %s", o.name())
}

func (o *op) Do(in ...gorgonia.Value) (gorgonia.Value, error) {
	if o.value == nil {
		var err error
		if o.value, o.call.Out, err = exec.NewValue(o.out, o.outDt); err != nil {
			return nil, errors.Wrap(err, o.name())
		}
	}
	return o.do(o.value, o.call.Out, in)
}

// UsePreallocDo computes into prealloc where that has the right shape and type and is not an input;
// the stock machine offers whatever lay in the register before.
func (o *op) UsePreallocDo(prealloc gorgonia.Value, in ...gorgonia.Value) (gorgonia.Value, error) {
	out, err := exec.FromValue(prealloc)
	if err != nil || out.Dtype != o.outDt || !out.Shape.Eq(o.out) || uintptr(out.Pointer()) != prealloc.Uintptr() {
		return o.Do(in...)
	}
	for _, v := range in {
		if v.Uintptr() == prealloc.Uintptr() {
			return o.Do(in...)
		}
	}
	return o.do(prealloc, out, in)
}

func (o *op) do(result gorgonia.Value, out exec.Array, in []gorgonia.Value) (gorgonia.Value, error) {
	o.call.In = o.call.In[:0]
	for i, v := range in {
		a, err := exec.FromValue(v)
		if err != nil {
			return nil, errors.Wrapf(err, "%s: input %d", o.name(), i)
		}
		o.call.In = append(o.call.In, a)
	}
	kept := o.call.Out
	o.call.Out = out
	defer func() { o.call.Out = kept }()
	scratch := o.call.Scratch
	if n := o.ScratchBytes(&o.call); n > len(scratch) {
		scratch = memory.Slice[byte](n)
	}
	o.call.Scratch = scratch
	err := o.run(&o.call)
	o.call.Scratch = scratch
	return result, errors.Wrap(err, o.name())
}

// What the tape asks.

func (o *op) Run(c *exec.Call) error { return o.run(c) }

func (o *op) ScratchBytes(c *exec.Call) int {
	if s, ok := o.rule.(scratcher); ok {
		return s.scratch(c)
	}
	return 0
}

func (o *op) InPlace() []int {
	if p, ok := o.rule.(inPlacer); ok {
		return p.inPlace()
	}
	return nil
}

func (o *op) CanPitch(c *exec.Call) bool {
	p, ok := o.rule.(pitcher)
	return ok && p.canPitch(c)
}

func (o *op) Cuts(c *exec.Call) (from int, ok bool) {
	if r, ok := o.rule.(slice); ok {
		return r.channels(c)
	}
	return 0, false
}

func (o *op) ReadsPitched(input int) bool {
	r, ok := o.rule.(pitchReader)
	return ok && r.readsPitched(input)
}

func (o *op) Joins() bool {
	r, ok := o.rule.(concat)
	return ok && r.axis == 1
}

func (o *op) Flows(in []tensor.Shape, out tensor.Shape) ([]exec.Flow, exec.Flow) {
	if f, ok := o.rule.(flower); ok {
		return f.flows(in, out)
	}
	return make([]exec.Flow, len(in)), exec.Plain
}

func (o *op) Flops(in []tensor.Shape, out tensor.Shape) int64 {
	if c, ok := o.rule.(coster); ok {
		return c.flops(in, out)
	}
	return int64(exec.Size(out))
}

// EqualOp compares attributes, not hashes.
func (o *op) EqualOp(other any) bool {
	p, ok := other.(*op)
	if _, impure := o.rule.(stateful); impure || !ok {
		return false
	}
	return o.rule == p.rule
}
