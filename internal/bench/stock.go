package bench

import (
	"fmt"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph"
)

// stockNet builds with Gorgonia's own ops; it keeps the first error.
type stockNet struct {
	g      *gorgonia.ExprGraph
	params gorgonia.Nodes
	err    error
}

func (b *stockNet) keep(n *gorgonia.Node, err error) *gorgonia.Node {
	if b.err == nil {
		b.err = err
	}
	return n
}

func (b *stockNet) param(init gorgonia.InitWFn, shape ...int) *gorgonia.Node {
	n := gorgonia.NewTensor(b.g, tensor.Float32, len(shape), gorgonia.WithShape(shape...), gorgonia.WithName(fmt.Sprint("w", len(b.params))), gorgonia.WithInit(init))
	b.params = append(b.params, n)
	return n
}

// conv is a 3×3 convolution and batch norm.
func (b *stockNet) conv(x *gorgonia.Node, filters, stride int) *gorgonia.Node {
	if b.err != nil {
		return nil
	}
	w := b.param(gorgonia.GlorotN(1), filters, x.Shape()[1], 3, 3)
	y := b.keep(gorgonia.Conv2d(x, w, tensor.Shape{3, 3}, []int{1, 1}, []int{stride, stride}, []int{1, 1}))
	if b.err != nil {
		return nil
	}
	// Gorgonia's own shapes of scale and shift: one a value, and not one a channel. With one a channel they would
	// be broadcast in memory, which takes longer.
	s := y.Shape()
	scale, shift := b.param(gorgonia.Ones(), s...), b.param(gorgonia.Zeroes(), s...)
	y, _, _, _, err := gorgonia.BatchNorm(y, scale, shift, 0.9, 1e-5)
	return b.keep(y, err)
}

func (b *stockNet) relu(x *gorgonia.Node) *gorgonia.Node {
	if b.err != nil {
		return nil
	}
	return b.keep(gorgonia.Rectify(x))
}

func (b *stockNet) block(x *gorgonia.Node, filters, stride int) *gorgonia.Node {
	y := b.conv(b.relu(b.conv(x, filters, stride)), filters, 1)
	if b.err != nil {
		return nil
	}
	if stride > 1 { // option A: every other pixel, and channels of zeros on both sides
		half := b.keep(gorgonia.MaxPool2D(x, tensor.Shape{1, 1}, []int{0, 0}, []int{stride, stride}))
		if b.err != nil {
			return nil
		}
		s := half.Shape().Clone()
		s[1] = filters / 4
		zeros := gorgonia.NewTensor(b.g, tensor.Float32, 4, gorgonia.WithShape(s...), gorgonia.WithName("zeros of "+y.Name()), gorgonia.WithInit(gorgonia.Zeroes()))
		x = b.keep(gorgonia.Concat(1, zeros, half, zeros))
	}
	if b.err != nil {
		return nil
	}
	return b.relu(b.keep(gorgonia.Add(x, y)))
}

// stockResNet20 is a training step of the CIFAR ResNet-20 (He et al. 2015, section 4.2) of Gorgonia's ops, on its
// tape machine, with its momentum.
func stockResNet20(batch int) (func() error, error) {
	b := &stockNet{g: gorgonia.NewGraph()}
	x := gorgonia.NodeFromAny(b.g, pictures(batch, []int{3, 32, 32}), gorgonia.WithName("x"))
	h := b.relu(b.conv(x, 16, 1))
	for stage := range 3 {
		for k := range 3 {
			stride := 1
			if stage > 0 && k == 0 {
				stride = 2
			}
			h = b.block(h, 16<<stage, stride)
		}
	}
	if b.err != nil {
		return nil, b.err
	}
	h = b.keep(gorgonia.Mean(b.keep(gorgonia.Reshape(h, tensor.Shape{batch * 64, 64})), 1)) // over pixels
	h = b.keep(gorgonia.Mul(b.keep(gorgonia.Reshape(h, tensor.Shape{batch, 64})), b.param(gorgonia.GlorotN(1), 64, 10)))
	h = b.keep(gorgonia.BroadcastAdd(h, b.param(gorgonia.Zeroes(), 1, 10), nil, []byte{0}))
	h = b.keep(gorgonia.Log(b.keep(gorgonia.SoftMax(h))))
	labels := tensor.New(tensor.WithShape(batch, 10), tensor.Of(tensor.Float32)) // one-hot
	for i := range batch {
		labels.Float32s()[10*i+i%10] = -10 // the mean goes over classes too
	}
	loss := b.keep(gorgonia.Mean(b.keep(gorgonia.HadamardProd(h, gorgonia.NodeFromAny(b.g, labels, gorgonia.WithName("labels"))))))
	if b.err != nil {
		return nil, b.err
	}
	if _, err := gorgonia.Grad(loss, b.params...); err != nil {
		return nil, err
	}
	machine := gorgonia.NewTapeMachine(b.g, gorgonia.BindDualValues(b.params...))
	solver := gorgonia.NewMomentum(gorgonia.WithLearnRate(0.01), gorgonia.WithMomentum(0.9))
	return func() error {
		if err := machine.RunAll(); err != nil {
			return err
		}
		if err := solver.Step(gorgonia.NodesToValueGrads(b.params)); err != nil {
			return err
		}
		machine.Reset()
		return nil
	}, nil
}

func measureStock(s Sampling, batch int) (ModelRow, error) {
	r := ModelRow{Name: "resnet20_stock", Mode: "train", Batch: batch}
	step, err := stockResNet20(batch)
	if err != nil {
		return r, err
	}
	t, err := s.measure(step)
	if err != nil {
		return r, err
	}
	r.fill(t, graph.Plan{}, 3*int64(batch)*40551040)
	return r, nil
}
