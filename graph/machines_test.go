package graph_test

import (
	"testing"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/ops"
)

// TestOurOpsOnBothMachines trains networks of our ops by Gorgonia's means alone, gorgonia.Grad and a stock
// solver, on the stock machine and on our tape. The stock machine hands row-major pictures to every op, our
// tape lets them stay channels-last, and joins ops into one pass over the data. Some ops sum in the order of
// memory, so rounding differs, by 1e-16 in float64 and 6e-8 in float32. Twenty steps of training on a curved cost
// let that grow a thousandfold; the bounds leave as much room again.
func TestOurOpsOnBothMachines(t *testing.T) {
	for _, c := range []struct {
		name    string
		program func(tr *trace, newMachine constructor)
		tol     float64
	}{
		{"residual network, float32", func(tr *trace, m constructor) { residualNetwork(tr, m, tensor.Float32) }, 1e-3},
		{"residual network, float64", func(tr *trace, m constructor) { residualNetwork(tr, m, tensor.Float64) }, 1e-11},
		{"mixed with stock ops", mixedNetwork, 1e-11},
	} {
		t.Run(c.name, func(t *testing.T) {
			stock, ours := &trace{t: t}, &trace{t: t}
			c.program(stock, stockMachine)
			c.program(ours, ourTape)
			compareTraces(t, stock, ours, c.tol)
			stock.learns("cost")
		})
	}
}

func normal(dt tensor.Dtype, seed uint64, scale float64, shape ...int) *tensor.Dense {
	if dt == tensor.Float32 {
		return normal32(seed, scale, shape...)
	}
	return normal64(seed, scale, shape...)
}

// residualNetwork is conv, batch norm, ReLU, max pooling, a residual block, global pooling, a dense layer and
// cross-entropy.
func residualNetwork(tr *trace, newMachine constructor, dt tensor.Dtype) {
	const batch, classes = 4, 3
	node := func(n *G.Node, err error) *G.Node { tr.t.Helper(); ok(tr, err); return n }
	g := G.NewGraph()
	x := G.NewTensor(g, dt, 4, G.WithShape(batch, 3, 12, 12), G.WithName("x"))
	labels := G.NewVector(g, tensor.Int, G.WithShape(batch), G.WithName("labels"))
	var learnables G.Nodes
	param := func(name string, seed uint64, scale float64, shape ...int) *G.Node {
		n := G.NodeFromAny(g, normal(dt, seed, scale, shape...), G.WithName(name))
		learnables = append(learnables, n)
		return n
	}
	block := func(x *G.Node, name string, seed uint64, out int) *G.Node {
		c := x.Shape()[1]
		h := node(ops.Conv2D(x, param(name+".conv", seed, 0.3, out, c, 3, 3), nil, ops.Conv{Pad: [4]int{1, 1, 1, 1}}))
		h, _, err := ops.BatchNormTrain(h, param(name+".gamma", seed+1, 1, out), param(name+".beta", seed+2, 0.1, out), ops.BatchNorm{})
		ok(tr, err)
		return h
	}
	h := node(ops.ReLU(block(x, "stem", 10, 8)))
	h = node(ops.MaxPool2D(h, ops.Pool{Kernel: [2]int{2, 2}}))
	b := node(ops.ReLU(block(h, "block.1", 20, 8)))
	h = node(ops.ReLU(node(ops.Sum(block(b, "block.2", 30, 8), h))))
	h = node(ops.GlobalAvgPool(h))
	h = node(ops.Flatten(h))
	h = node(ops.Linear(h, param("fc.weight", 40, 0.3, classes, 8), param("fc.bias", 41, 0.1, classes)))
	cost := node(ops.SoftmaxCrossEntropy(h, labels))
	_, err := G.Grad(cost, learnables...)
	ok(tr, err)

	vm := newMachine(g, G.BindDualValues(learnables...))
	defer vm.Close()
	solver := G.NewMomentum(G.WithLearnRate(0.05), G.WithMomentum(0.9))
	for i := range trainingSteps {
		ok(tr, G.Let(x, normal(dt, uint64(50+i%2), 1, batch, 3, 12, 12)))
		ok(tr, G.Let(labels, tensor.New(tensor.WithBacking([]int{i % 2, 1, 2, 0}))))
		ok(tr, vm.RunAll())
		tr.noteModel(i, learnables...)
		if i%2 == 0 {
			tr.note("cost", cost.Value())
		}
		ok(tr, solver.Step(G.NodesToValueGrads(learnables)))
		tr.noteModel(i, learnables...)
		vm.Reset()
	}
}

// mixedNetwork has our ops and Gorgonia's beside each other: what a user has who takes our convolution into
// a program that exists.
func mixedNetwork(tr *trace, newMachine constructor) {
	const batch, classes = 4, 3
	node := func(n *G.Node, err error) *G.Node { tr.t.Helper(); ok(tr, err); return n }
	g := G.NewGraph()
	x := G.NodeFromAny(g, normal64(60, 1, batch, 2, 8, 8), G.WithName("x"))
	y := G.NodeFromAny(g, oneHot64(batch, classes), G.WithName("y"))
	w0 := G.NodeFromAny(g, normal64(61, 0.4, 6, 2, 3, 3), G.WithName("w0"))
	w1 := G.NodeFromAny(g, normal64(62, 0.4, 4, 6, 3, 3), G.WithName("w1"))
	w2 := G.NodeFromAny(g, normal64(63, 0.3, 4*4*4, classes), G.WithName("w2"))
	same := ops.Conv{Pad: [4]int{1, 1, 1, 1}}
	h := G.Must(G.Tanh(node(ops.Conv2D(x, w0, nil, same))))
	h = node(ops.MaxPool2D(h, ops.Pool{Kernel: [2]int{2, 2}}))
	h = node(ops.ReLU(G.Must(G.Conv2d(h, w1, tensor.Shape{3, 3}, []int{1, 1}, []int{1, 1}, []int{1, 1}))))
	h = G.Must(G.Mul(G.Must(G.Reshape(h, tensor.Shape{batch, 4 * 4 * 4})), w2))
	cost := G.Must(G.Neg(G.Must(G.Mean(G.Must(G.HadamardProd(G.Must(G.Log(G.Must(G.SoftMax(h)))), y))))))
	var costVal G.Value
	G.Read(cost, &costVal)
	learnables := G.Nodes{w0, w1, w2}
	_, err := G.Grad(cost, learnables...)
	ok(tr, err)
	vm := newMachine(g, G.BindDualValues(learnables...))
	defer vm.Close()
	solver := G.NewAdamSolver(G.WithLearnRate(0.01))
	for i := range trainingSteps {
		ok(tr, vm.RunAll())
		tr.noteModel(i, learnables...)
		tr.note("cost", costVal)
		ok(tr, solver.Step(G.NodesToValueGrads(learnables)))
		vm.Reset()
	}
}
