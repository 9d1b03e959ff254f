package ops_test

import (
	"hash"

	"github.com/chewxy/hm"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/internal/exec"
)

// copyLast copies a float32 picture and wants it channels-last, as convolution does: what comes after it is
// then run on channels-last arrays by our tape.
type copyLast struct{}

func channelsLast(x *gorgonia.Node) (*gorgonia.Node, error) { return gorgonia.ApplyOp(copyLast{}, x) }

func (copyLast) Arity() int { return 1 }
func (copyLast) Type() hm.Type {
	t := gorgonia.TensorType{Dims: 4, Of: tensor.Float32}
	return hm.NewFnType(t, t)
}
func (copyLast) InferShape(in ...gorgonia.DimSizer) (tensor.Shape, error) {
	return in[0].(tensor.Shape).Clone(), nil
}
func (copyLast) Do(in ...gorgonia.Value) (gorgonia.Value, error) { return gorgonia.CloneValue(in[0]) }
func (copyLast) ReturnsPtr() bool                                { return false }
func (copyLast) CallsExtern() bool                               { return false }
func (copyLast) OverwritesInput() int                            { return -1 }
func (copyLast) WriteHash(h hash.Hash)                           { h.Write([]byte("copy channels-last")) }
func (copyLast) Hashcode() uint32                                { return 1 }
func (copyLast) String() string                                  { return "copy channels-last" }
func (copyLast) Flows([]tensor.Shape, tensor.Shape) ([]exec.Flow, exec.Flow) {
	return []exec.Flow{exec.Last}, exec.Last
}
func (copyLast) Run(c *exec.Call) error {
	copy(exec.Data[float32](&c.Out), exec.Data[float32](&c.In[0]))
	return nil
}
