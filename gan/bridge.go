package gan

import (
	"fmt"
	"hash"
	"hash/fnv"

	"github.com/chewxy/hm"
	"github.com/pkg/errors"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph"
)

// bridge is the op in the generator's graph behind which the discriminator is: of generated pictures it makes the
// gradient of the generator's loss for them. What it does takes the place of a forward pass, so that pictures are
// made, shown to the discriminator, and learnt from in one run of the generator's tape.
type bridge struct {
	across func(pictures *tensor.Dense) (gradient *tensor.Dense, err error)
}

var _ gorgonia.Op = &bridge{}

// crossing adds the op to a graph.
func (b *bridge) crossing(pictures *graph.Node) (*graph.Node, error) {
	return gorgonia.ApplyOp(b, pictures)
}

func (*bridge) Arity() int { return 1 }

func (*bridge) Type() hm.Type {
	t := gorgonia.TensorType{Dims: 4, Of: hm.TypeVariable('a')}
	return hm.NewFnType(t, t)
}

func (*bridge) InferShape(in ...gorgonia.DimSizer) (tensor.Shape, error) {
	s, ok := in[0].(tensor.Shape)
	if !ok {
		return nil, errors.Errorf("bridge: shape of type %T", in[0])
	}
	return s.Clone(), nil
}

func (b *bridge) Do(in ...gorgonia.Value) (gorgonia.Value, error) {
	pictures, ok := in[0].(*tensor.Dense)
	if !ok {
		return nil, errors.Errorf("bridge: pictures are a %T", in[0])
	}
	return b.across(pictures)
}

func (*bridge) ReturnsPtr() bool     { return false }
func (*bridge) CallsExtern() bool    { return false }
func (*bridge) OverwritesInput() int { return -1 }
func (b *bridge) String() string     { return "discriminator" }

func (b *bridge) WriteHash(h hash.Hash) { fmt.Fprintf(h, "bridge %p", b) }

func (b *bridge) Hashcode() uint32 {
	h := fnv.New32a()
	b.WriteHash(h)
	return h.Sum32()
}
