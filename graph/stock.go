package graph

import (
	"fmt"
	"reflect"
	"unsafe"

	"github.com/pkg/errors"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/internal/exec"
)

// stockCall runs an op of Gorgonia's own on Gorgonia's values.
type stockCall struct {
	op       gorgonia.Op
	prealloc bool // takes a buffer for its result
	in       []gorgonia.Value
}

// Stock ops that compute into a buffer correctly. The others are given none: some write results of another
// shape than they announced, some hand out their input.
var takesBuffer = map[string]bool{"gorgonia.elemBinOp": true, "gorgonia.linAlgBinOp": true}

func newStockCall(op gorgonia.Op, inputs int) *stockCall {
	s := &stockCall{op: op, in: make([]gorgonia.Value, inputs)}
	_, takes := op.(gorgonia.UsePreallocDoer)
	s.prealloc = takes && takesBuffer[fmt.Sprintf("%T", op)]
	return s
}

func (s *stockCall) run(i *instr) error {
	for k, v := range i.in {
		s.in[k] = v.host
	}
	if s.prealloc && i.out.kind == planned {
		r, err := s.op.(gorgonia.UsePreallocDoer).UsePreallocDo(i.out.host, s.in...)
		if err != nil {
			return err
		}
		return copyInto(&i.out.array, r)
	}
	r, err := s.op.Do(s.in...)
	if err != nil {
		return err
	}
	if r == nil {
		return errors.Errorf("%v gave no value", s.op)
	}
	if i.out.kind == own {
		return copyInto(&i.out.array, r)
	}
	// A result that lies in an input's memory, as stock Reshape's does, would be overwritten with it.
	if t, ok := r.(*tensor.Dense); ok && s.sharesInput(t) {
		r = t.Clone().(*tensor.Dense)
	}
	i.out.host = r
	return nil
}

func (s *stockCall) sharesInput(t *tensor.Dense) bool {
	lo := t.Uintptr()
	hi := lo + t.MemSize()
	for _, v := range s.in {
		if p := v.Uintptr(); p < hi && lo < p+v.MemSize() {
			return true
		}
	}
	return false
}

// copyInto copies a result to where it was wanted, unless it is there.
func copyInto(out *exec.Array, v gorgonia.Value) error {
	a, err := exec.FromValue(v)
	if err != nil {
		return err
	}
	if a.Pointer() == out.Pointer() {
		return nil
	}
	if a.Dtype != out.Dtype || a.Len() != out.Len() {
		return errors.Errorf("result is %v%v, want %v%v", a.Dtype, a.Shape, out.Dtype, out.Shape)
	}
	copyArray(out, &a)
	return nil
}

func copyArray(dst, src *exec.Array) {
	n := src.Bytes()
	copy(unsafe.Slice((*byte)(dst.Pointer()), n), unsafe.Slice((*byte)(src.Pointer()), n))
}

// hostOf makes the Gorgonia value that looks at an array's memory.
func hostOf(a *exec.Array) (gorgonia.Value, error) {
	var backing any
	switch a.Dtype {
	case tensor.Float32:
		backing = exec.Data[float32](a)
	case tensor.Float64:
		backing = exec.Data[float64](a)
	case tensor.Int:
		backing = exec.Data[int](a)
	case tensor.Int64:
		backing = exec.Data[int64](a)
	case tensor.Int32:
		backing = exec.Data[int32](a)
	case tensor.Uint8:
		backing = exec.Data[uint8](a)
	case tensor.Bool:
		backing = exec.Data[bool](a)
	default:
		return nil, errors.Errorf("no tensor of type %v", a.Dtype)
	}
	return tensor.New(tensor.WithShape(a.Shape.Clone()...), tensor.WithBacking(backing)), nil
}

// childrenAt is where a node keeps its inputs. ExprGraph.From tells them too, but it looks for the node by
// walking over all nodes, it writes to a map of the graph, so that no two tapes could be compiled at the same
// time, and after ExprGraph.RemoveNode, which gorgonia.Grad calls, it may find another node.
var childrenAt = func() uintptr {
	f, ok := reflect.TypeFor[gorgonia.Node]().FieldByName("children")
	if !ok || f.Type != reflect.TypeFor[gorgonia.Nodes]() {
		panic("graph: this version of Gorgonia keeps the inputs of a node elsewhere than v0.9.18")
	}
	return f.Offset
}()

// children is the inputs of a node in argument order. They are the node's own: not to be changed.
func children(n *Node) gorgonia.Nodes {
	return *(*gorgonia.Nodes)(unsafe.Add(unsafe.Pointer(n), childrenAt))
}
