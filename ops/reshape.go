package ops

import (
	"unsafe"

	"github.com/pkg/errors"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/internal/exec"
	"github.com/stheno-ml/stheno/internal/kernel/par"
)

// Reshape gives x the sizes named, with its elements in row-major order; no sizes make a scalar. One size may
// be -1: it is what is left. The element count must stay.
//
// Unlike gorgonia.Reshape the result never shares memory with x as far as anyone can see: the tape lets it
// take over the memory of an x that nobody reads any more, and copies otherwise. Elements may be of any type.
func Reshape(x *Node, sizes ...int) (*Node, error) {
	if x == nil {
		return nil, errors.New("reshape: input 0 is nil")
	}
	to, free, n := tensor.Shape(append([]int{}, sizes...)), -1, 1
	for k, d := range sizes {
		switch {
		case d == -1 && free < 0:
			free = k
		case d == -1:
			return nil, errors.Errorf("reshape: sizes %v hold -1 twice, want at most one", sizes)
		case d <= 0:
			return nil, errors.Errorf("reshape: size %d at axis %d of %v, want 1 or more, or -1 once", d, k, sizes)
		default:
			n *= d
		}
	}
	if free >= 0 {
		total := exec.Size(x.Shape())
		if total%n != 0 {
			return nil, errors.Errorf("reshape: %d elements of shape %v do not divide into %v", total, x.Shape(), sizes)
		}
		to[free] = total / n
	}
	if err := checkRank(to); err != nil {
		return nil, errors.Wrap(err, "reshape")
	}
	return apply(reshape{to: intsOf(to)}, x)
}

// Flatten makes rows of a batch: [N, …] becomes [N, product of the rest].
func Flatten(x *Node) (*Node, error) {
	if x == nil {
		return nil, errors.New("flatten: input 0 is nil")
	}
	if len(x.Shape()) == 0 {
		return nil, errors.New("flatten: the input is a scalar, want at least one axis, [N, …]")
	}
	n := x.Shape()[0]
	return apply(reshape{to: intsOf([]int{n, exec.Size(x.Shape()) / max(n, 1)})}, x)
}

// Squeeze drops axes of size 1: those named, or all of them if none is.
func Squeeze(x *Node, axes ...int) (*Node, error) {
	if x == nil {
		return nil, errors.New("squeeze: input 0 is nil")
	}
	s := x.Shape()
	drop, err := axesOf(axes, len(s))
	if err != nil {
		return nil, errors.Wrap(err, "squeeze")
	}
	to := []int{}
	for k, d := range s {
		switch {
		case drop.has(k) && d != 1:
			return nil, errors.Errorf("squeeze: axis %d of shape %v has size %d, want 1", k, s, d)
		case drop.has(k) || len(axes) == 0 && d == 1:
		default:
			to = append(to, d)
		}
	}
	return Reshape(x, to...)
}

// Unsqueeze puts in axes of size 1; they are named by their place in the result.
func Unsqueeze(x *Node, axes ...int) (*Node, error) {
	if x == nil {
		return nil, errors.New("unsqueeze: input 0 is nil")
	}
	s := x.Shape()
	rank := len(s) + len(axes)
	if err := checkRank(make(tensor.Shape, rank)); err != nil {
		return nil, errors.Wrap(err, "unsqueeze")
	}
	put, err := axesOf(axes, rank)
	if err != nil {
		return nil, errors.Wrap(err, "unsqueeze")
	}
	to := make([]int, rank)
	next := 0
	for k := range to {
		if put.has(k) {
			to[k] = 1
			continue
		}
		to[k] = s[next]
		next++
	}
	return Reshape(x, to...)
}

// reshapeTo is x in shape s; x itself where it has that shape.
func reshapeTo(x *Node, s tensor.Shape) (*Node, error) {
	if sameShape(x.Shape(), s) {
		return x, nil
	}
	return apply(reshape{to: intsOf(s)}, x)
}

type reshape struct {
	sameDtype
	to ints
}

func (reshape) name() string   { return "reshape" }
func (reshape) inPlace() []int { return []int{0} }

func (r reshape) shape(in []tensor.Shape) (tensor.Shape, error) {
	to := tensor.Shape(append([]int{}, r.to.slice()...))
	if exec.Size(in[0]) != exec.Size(to) {
		return nil, errors.Errorf("shape %v has %d elements, %v has %d: want as many", in[0], exec.Size(in[0]), to, exec.Size(to))
	}
	return to, nil
}

func (reshape) run(c *exec.Call) error {
	if c.Out.Pointer() != c.In[0].Pointer() {
		n := c.Out.Bytes()
		par.For(n, copyGrain, copyTask{unsafe.Slice((*byte)(c.Out.Pointer()), n), unsafe.Slice((*byte)(c.In[0].Pointer()), n)})
	}
	return nil
}

func (reshape) grad(in gorgonia.Nodes, _, dy *Node) (gorgonia.Nodes, error) {
	var e expr
	return e.nodes(e.reshape(dy, in[0].Shape()))
}

// copyGrain is the bytes of one piece of a copy.
const copyGrain = 128 << 10

type copyTask struct{ dst, src []byte }

func (t *copyTask) Run(lo, hi int) { copy(t.dst[lo:hi], t.src[lo:hi]) }
