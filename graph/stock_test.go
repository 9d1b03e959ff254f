package graph_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/internal/exec"
)

// The programs in this file are written as Gorgonia's examples are. Each runs twice, once on
// gorgonia.NewTapeMachine and once on graph.NewTape: nothing but the constructor differs. Both machines call
// the same stock ops on the same numbers in an order that is a topological order of the same graph, so that
// costs, parameters and gradients must be equal to the bit after each of the steps.

const trainingSteps = 20

// machine is what the stock tape machine has besides gorgonia.VM.
type machine interface {
	G.VM
	Let(n *G.Node, be interface{}) error
	Set(a, b *G.Node) error
}

type constructor func(g *G.ExprGraph, opts ...G.VMOpt) machine

func stockMachine(g *G.ExprGraph, opts ...G.VMOpt) machine { return G.NewTapeMachine(g, opts...) }
func ourTape(g *G.ExprGraph, opts ...G.VMOpt) machine      { return graph.NewTape(g, opts...) }

// trace is what a program has computed: named values, in the order in which it noted them.
type trace struct {
	t      *testing.T
	names  []string
	values [][]float64
}

func (tr *trace) note(name string, v G.Value) {
	tr.t.Helper()
	tr.names = append(tr.names, name)
	tr.values = append(tr.values, floats(tr.t, v))
}

// noteModel notes each parameter and its gradient.
func (tr *trace) noteModel(step int, nodes ...*G.Node) {
	tr.t.Helper()
	for _, n := range nodes {
		tr.note(fmt.Sprintf("step %d, %s", step, n.Name()), n.Value())
		d, err := n.Grad()
		if err != nil {
			tr.t.Fatalf("step %d, gradient of %s: %v", step, n.Name(), err)
		}
		tr.note(fmt.Sprintf("step %d, gradient of %s", step, n.Name()), d)
	}
}

// floats copies the elements of a value, in the order of its axes; float32 fits float64 exactly.
func floats(t *testing.T, v G.Value) []float64 {
	t.Helper()
	a, err := exec.FromValue(v)
	if err != nil {
		t.Fatalf("%+v", err)
	}
	var f []float64
	switch a.Dtype {
	case tensor.Float64:
		f = append(f, exec.Data[float64](&a)...)
	case tensor.Float32:
		for _, x := range exec.Data[float32](&a) {
			f = append(f, float64(x))
		}
	case tensor.Bool:
		for _, x := range exec.Data[bool](&a) {
			if x {
				f = append(f, 1)
			} else {
				f = append(f, 0)
			}
		}
	default:
		t.Fatalf("value of type %v", a.Dtype)
	}
	return f
}

// compareTraces requires equal values up to tol times the largest of each tensor, equal bits for 0; a NaN
// equals a NaN.
func compareTraces(t *testing.T, stock, ours *trace, tol float64) {
	t.Helper()
	if len(stock.names) != len(ours.names) || len(stock.names) == 0 {
		t.Fatalf("%d values noted on the stock machine, %d on ours", len(stock.names), len(ours.names))
	}
	for k, name := range stock.names {
		a, b := stock.values[k], ours.values[k]
		if len(a) != len(b) || name != ours.names[k] {
			t.Fatalf("%s: %d elements on the stock machine; %s: %d on ours", name, len(a), ours.names[k], len(b))
		}
		size := 0.0
		for _, v := range a {
			size = max(size, math.Abs(v))
		}
		for i := range a {
			if a[i] != b[i] && !(math.Abs(a[i]-b[i]) <= tol*size) && !(math.IsNaN(a[i]) && math.IsNaN(b[i])) {
				t.Fatalf("%s: element %d is %v, want %v; the largest is %v", name, i, b[i], a[i], size)
			}
		}
	}
}

// learns requires that the first value of a name is larger than its last: a comparison of machines that both
// stand still would prove nothing.
func (tr *trace) learns(name string) {
	tr.t.Helper()
	var costs []float64
	for k, n := range tr.names {
		if n == name {
			costs = append(costs, tr.values[k][0])
		}
	}
	if len(costs) < 2 || !(costs[len(costs)-1] < costs[0]) {
		tr.t.Errorf("%s does not fall: %v", name, costs)
	}
}

func TestStockProgramsRunUnchanged(t *testing.T) {
	programs := map[string]func(tr *trace, newMachine constructor){
		"logistic regression":   logisticRegression,
		"linear regression":     linearRegression,
		"mlp":                   mlp,
		"convnet":               convnet,
		"lstm":                  lstmUnrolled,
		"rnn state fed back":    rnnFedBack,
		"autoencoder":           autoencoder,
		"matrix factorisation":  matrixFactorisation,
		"shapes":                shapes,
		"batch norm":            batchNorm,
		"gradient accumulation": gradientAccumulation,
		"subgraph":              subgraph,
		"evaluation":            evaluation,
	}
	for name, program := range programs {
		t.Run(name, func(t *testing.T) {
			stock, ours := &trace{t: t}, &trace{t: t}
			program(stock, stockMachine)
			program(ours, ourTape)
			compareTraces(t, stock, ours, 0)
			stock.learns("cost")
		})
	}
}

// Values that do not depend on the run.

func normal32(seed uint64, scale float64, shape ...int) *tensor.Dense {
	rng := rand.New(rand.NewPCG(seed, 11))
	x := make([]float32, tensor.Shape(shape).TotalSize())
	for i := range x {
		x[i] = float32(scale * rng.NormFloat64())
	}
	return tensor.New(tensor.WithShape(shape...), tensor.WithBacking(x))
}

func normal64(seed uint64, scale float64, shape ...int) *tensor.Dense {
	rng := rand.New(rand.NewPCG(seed, 11))
	x := make([]float64, tensor.Shape(shape).TotalSize())
	for i := range x {
		x[i] = scale * rng.NormFloat64()
	}
	return tensor.New(tensor.WithShape(shape...), tensor.WithBacking(x))
}

// oneHot32 is n rows with a 1 each, in a column that changes from row to row.
func oneHot32(n, classes int) *tensor.Dense {
	x := make([]float32, n*classes)
	for i := range n {
		x[i*classes+(i*7+i/3)%classes] = 1
	}
	return tensor.New(tensor.WithShape(n, classes), tensor.WithBacking(x))
}

func oneHot64(n, classes int) *tensor.Dense {
	x := make([]float64, n*classes)
	for i := range n {
		x[i*classes+(i*7+i/3)%classes] = 1
	}
	return tensor.New(tensor.WithShape(n, classes), tensor.WithBacking(x))
}

func ok(tr *trace, err error) {
	tr.t.Helper()
	if err != nil {
		tr.t.Fatalf("%+v", err)
	}
}

// logisticRegression follows examples/logisticregression: a precompiled program, no solver, the update as
// nodes of the graph, machine.Let and machine.Set, a Read statement of booleans.
func logisticRegression(tr *trace, newMachine constructor) {
	const N, feats = 60, 10
	xT, wT := normal64(1, 1, N, feats), normal64(2, 1, feats)
	yBacking := make([]float64, N)
	for i := range yBacking {
		yBacking[i] = float64(i * 7 % 3 % 2)
	}
	yT := tensor.New(tensor.WithBacking(yBacking), tensor.WithShape(N))

	g := G.NewGraph()
	x := G.NewMatrix(g, G.Float64, G.WithName("x"), G.WithShape(N, feats))
	y := G.NewVector(g, G.Float64, G.WithName("y"), G.WithShape(N))
	w := G.NewVector(g, G.Float64, G.WithName("w"), G.WithShape(feats))
	b := G.NewScalar(g, G.Float64, G.WithName("bias"))
	one := G.NewConstant(1.0)

	xwmb := G.Must(G.Add(G.Must(G.Mul(x, w)), b))
	prob := G.Must(G.Sigmoid(xwmb))
	G.WithName("prob")(prob)
	pred := G.Must(G.Gt(prob, G.NewConstant(0.5), false))
	G.WithName("pred")(pred)
	var predicted G.Value
	readNode := G.Read(pred, &predicted)

	logProb := G.Must(G.Log(prob))
	fstTerm := G.Must(G.HadamardProd(G.Must(G.Neg(y)), logProb))
	oneMinusY := G.Must(G.Sub(one, y))
	logOneMinusProb := G.Must(G.Log(G.Must(G.Sub(one, prob))))
	sndTerm := G.Must(G.HadamardProd(oneMinusY, logOneMinusProb))
	crossEntropy := G.Must(G.Sub(fstTerm, sndTerm))
	loss := G.Must(G.Mean(crossEntropy))
	sumSq := G.Must(G.Sum(G.Must(G.Square(w))))
	l2reg := G.NewConstant(0.01, G.WithName("l2reg"))
	cost := G.Must(G.Add(loss, G.Must(G.Mul(l2reg, sumSq))))
	var costVal G.Value
	readCost := G.Read(cost, &costVal)

	grads, err := G.Grad(cost, w, b)
	ok(tr, err)
	learnRate := G.NewConstant(0.1)
	wUpd := G.Must(G.Sub(w, G.Must(G.Mul(learnRate, grads[0]))))
	bUpd := G.Must(G.Sub(b, G.Must(G.Mul(learnRate, grads[1]))))

	prog, locMap, err := G.CompileFunction(g, G.Nodes{x, y}, G.Nodes{wUpd, bUpd, readNode, readCost})
	ok(tr, err)
	machine := newMachine(g, G.WithPrecompiled(prog, locMap))
	defer machine.Close()
	ok(tr, machine.Let(w, wT))
	ok(tr, machine.Let(b, 0.0))
	for range trainingSteps {
		machine.Reset()
		ok(tr, machine.Let(x, xT))
		ok(tr, machine.Let(y, yT))
		ok(tr, machine.RunAll())
		ok(tr, machine.Set(w, wUpd))
		ok(tr, machine.Set(b, bUpd))
		tr.note("cost", costVal)
		tr.note("predicted", predicted)
		tr.note("w", w.Value())
		tr.note("b", b.Value())
	}
}

// linearRegression follows examples/iris: values bound when the nodes are made, a solver, Reset at the end
// of the loop.
func linearRegression(tr *trace, newMachine constructor) {
	g := G.NewGraph()
	X := G.NodeFromAny(g, normal64(3, 1, 30, 5), G.WithName("x"))
	Y := G.NodeFromAny(g, normal64(4, 1, 30), G.WithName("y"))
	theta := G.NewVector(g, G.Float64, G.WithName("theta"), G.WithShape(5), G.WithValue(normal64(5, 1, 5)))
	pred := G.Must(G.Mul(X, theta))
	var predicted G.Value
	G.Read(pred, &predicted)
	squaredError := G.Must(G.Square(G.Must(G.Sub(pred, Y))))
	cost := G.Must(G.Mean(squaredError))
	_, err := G.Grad(cost, theta)
	ok(tr, err)

	machine := newMachine(g, G.BindDualValues(theta))
	defer machine.Close()
	model := []G.ValueGrad{theta}
	solver := G.NewVanillaSolver(G.WithLearnRate(0.01))
	for i := range trainingSteps {
		ok(tr, machine.RunAll())
		tr.noteModel(i, theta)
		ok(tr, solver.Step(model))
		tr.note("cost", cost.Value())
		tr.note("predicted", predicted)
		tr.noteModel(i, theta)
		machine.Reset()
	}
}

// mlp is the multilayer perceptron of the Gorgonia tutorials: float32, broadcast biases, softmax, Adam, a new
// batch for each step.
func mlp(tr *trace, newMachine constructor) {
	const batch = 16
	g := G.NewGraph()
	x := G.NewMatrix(g, G.Float32, G.WithShape(batch, 12), G.WithName("x"))
	y := G.NewMatrix(g, G.Float32, G.WithShape(batch, 4), G.WithName("y"))
	w0 := G.NewMatrix(g, G.Float32, G.WithName("w0"), G.WithShape(12, 20), G.WithValue(normal32(6, 0.3, 12, 20)))
	b0 := G.NewMatrix(g, G.Float32, G.WithName("b0"), G.WithShape(1, 20), G.WithValue(normal32(7, 0.1, 1, 20)))
	w1 := G.NewMatrix(g, G.Float32, G.WithName("w1"), G.WithShape(20, 4), G.WithValue(normal32(8, 0.3, 20, 4)))
	b1 := G.NewMatrix(g, G.Float32, G.WithName("b1"), G.WithShape(1, 4), G.WithInit(G.Zeroes()))

	l0 := G.Must(G.Tanh(G.Must(G.BroadcastAdd(G.Must(G.Mul(x, w0)), b0, nil, []byte{0}))))
	out := G.Must(G.SoftMax(G.Must(G.BroadcastAdd(G.Must(G.Mul(l0, w1)), b1, nil, []byte{0}))))
	losses := G.Must(G.HadamardProd(G.Must(G.Log(out)), y))
	cost := G.Must(G.Neg(G.Must(G.Mean(losses))))
	var costVal, outVal G.Value
	G.Read(cost, &costVal)
	G.Read(out, &outVal)
	learnables := G.Nodes{w0, b0, w1, b1}
	_, err := G.Grad(cost, learnables...)
	ok(tr, err)

	vm := newMachine(g, G.BindDualValues(learnables...))
	defer vm.Close()
	solver := G.NewAdamSolver(G.WithLearnRate(0.01), G.WithBatchSize(batch), G.WithL2Reg(1e-4))
	for i := range trainingSteps {
		ok(tr, G.Let(x, normal32(uint64(100+i%3), 1, batch, 12)))
		ok(tr, G.Let(y, oneHot32(batch, 4)))
		ok(tr, vm.RunAll())
		tr.noteModel(i, learnables...)
		ok(tr, solver.Step(G.NodesToValueGrads(learnables)))
		tr.noteModel(i, learnables...)
		tr.note("cost", costVal)
		tr.note("out", outVal)
		vm.Reset()
	}
}

// convnet follows examples/convnet without its dropout, which draws other numbers at each run.
func convnet(tr *trace, newMachine constructor) {
	const bs = 5
	g := G.NewGraph()
	dt := tensor.Float32
	x := G.NewTensor(g, dt, 4, G.WithShape(bs, 1, 12, 12), G.WithName("x"))
	y := G.NewMatrix(g, dt, G.WithShape(bs, 3), G.WithName("y"))
	w0 := G.NewTensor(g, dt, 4, G.WithShape(4, 1, 3, 3), G.WithName("w0"), G.WithValue(normal32(9, 0.4, 4, 1, 3, 3)))
	w1 := G.NewTensor(g, dt, 4, G.WithShape(6, 4, 3, 3), G.WithName("w1"), G.WithValue(normal32(10, 0.3, 6, 4, 3, 3)))
	w3 := G.NewMatrix(g, dt, G.WithShape(6*3*3, 10), G.WithName("w3"), G.WithValue(normal32(11, 0.2, 6*3*3, 10)))
	w4 := G.NewMatrix(g, dt, G.WithShape(10, 3), G.WithName("w4"), G.WithValue(normal32(12, 0.3, 10, 3)))

	c0 := G.Must(G.Conv2d(x, w0, tensor.Shape{3, 3}, []int{1, 1}, []int{1, 1}, []int{1, 1}))
	p0 := G.Must(G.MaxPool2D(G.Must(G.Rectify(c0)), tensor.Shape{2, 2}, []int{0, 0}, []int{2, 2}))
	c1 := G.Must(G.Conv2d(p0, w1, tensor.Shape{3, 3}, []int{1, 1}, []int{1, 1}, []int{1, 1}))
	p1 := G.Must(G.MaxPool2D(G.Must(G.Rectify(c1)), tensor.Shape{2, 2}, []int{0, 0}, []int{2, 2}))
	b, c, h, w := p1.Shape()[0], p1.Shape()[1], p1.Shape()[2], p1.Shape()[3]
	r2 := G.Must(G.Reshape(p1, tensor.Shape{b, c * h * w}))
	fc := G.Must(G.Rectify(G.Must(G.Mul(r2, w3))))
	out := G.Must(G.SoftMax(G.Must(G.Mul(fc, w4))))

	losses := G.Must(G.HadamardProd(G.Must(G.Log(out)), y))
	cost := G.Must(G.Neg(G.Must(G.Mean(losses))))
	var costVal G.Value
	G.Read(cost, &costVal)
	learnables := G.Nodes{w0, w1, w3, w4}
	_, err := G.Grad(cost, learnables...)
	ok(tr, err)

	prog, locMap, err := G.Compile(g)
	ok(tr, err)
	vm := newMachine(g, G.WithPrecompiled(prog, locMap), G.BindDualValues(learnables...))
	defer vm.Close()
	solver := G.NewRMSPropSolver(G.WithBatchSize(float64(bs)))
	for i := range trainingSteps {
		ok(tr, G.Let(x, normal32(uint64(200+i%2), 1, bs, 1, 12, 12)))
		ok(tr, G.Let(y, oneHot32(bs, 3)))
		ok(tr, vm.RunAll())
		tr.noteModel(i, learnables...)
		ok(tr, solver.Step(G.NodesToValueGrads(learnables)))
		tr.noteModel(i, learnables...)
		vm.Reset()
		tr.note("cost", costVal)
	}
}

// lstmUnrolled follows examples/charRNN: an LSTM unrolled over a sentence, an embedding read by slices,
// biases that share a gradient, a cost that is a sum of slices; RMSProp with clipping.
func lstmUnrolled(tr *trace, newMachine constructor) {
	const vocab, embed, hidden = 6, 4, 5
	g := G.NewGraph()
	var learnables G.Nodes
	param := func(name string, seed uint64, shape ...int) *G.Node {
		n := G.NodeFromAny(g, normal64(seed, 0.4, shape...), G.WithName(name))
		learnables = append(learnables, n)
		return n
	}
	type gate struct{ x, h, b *G.Node }
	var gates [4]gate
	for i, name := range []string{"i", "f", "o", "c"} {
		s := uint64(20 + 3*i)
		gates[i] = gate{param("w"+name+"x", s, hidden, embed), param("w"+name+"h", s+1, hidden, hidden), param("bias_"+name, s+2, hidden)}
	}
	whd, biasD := param("whd", 40, vocab, hidden), param("bias_d", 41, vocab)
	embedding := param("Embedding", 42, vocab, embed)
	prevHidden := G.NewVector(g, G.Float64, G.WithName("prevHidden"), G.WithShape(hidden), G.WithValue(tensor.New(tensor.Of(tensor.Float64), tensor.WithShape(hidden))))
	prevCell := G.NewVector(g, G.Float64, G.WithName("prevCell"), G.WithShape(hidden), G.WithValue(tensor.New(tensor.Of(tensor.Float64), tensor.WithShape(hidden))))

	sum := func(k gate, x, h *G.Node) *G.Node {
		return G.Must(G.Add(G.Must(G.Add(G.Must(G.Mul(k.x, x)), G.Must(G.Mul(k.h, h)))), k.b))
	}
	var cost *G.Node
	h, c := prevHidden, prevCell
	sentence := []int{0, 3, 1, 4, 4, 2}
	for t, id := range sentence[:len(sentence)-1] {
		in := G.Must(G.Slice(embedding, G.S(id)))
		inputGate := G.Must(G.Sigmoid(sum(gates[0], in, h)))
		forgetGate := G.Must(G.Sigmoid(sum(gates[1], in, h)))
		outputGate := G.Must(G.Sigmoid(sum(gates[2], in, h)))
		cellWrite := G.Must(G.Tanh(sum(gates[3], in, h)))
		retain := G.Must(G.HadamardProd(forgetGate, c))
		write := G.Must(G.HadamardProd(inputGate, cellWrite))
		c = G.Must(G.Add(retain, write))
		h = G.Must(G.HadamardProd(outputGate, G.Must(G.Tanh(c))))
		probs := G.Must(G.SoftMax(G.Must(G.Add(G.Must(G.Mul(whd, h)), biasD))))
		loss := G.Must(G.Slice(G.Must(G.Neg(G.Must(G.Log(probs)))), G.S(sentence[t+1])))
		if cost == nil {
			cost = loss
		} else {
			cost = G.Must(G.Add(cost, loss))
		}
	}
	G.WithName("Cost")(cost)
	_, err := G.Grad(cost, learnables...)
	ok(tr, err)

	vm := newMachine(g, G.BindDualValues(learnables...))
	defer vm.Close()
	solver := G.NewRMSPropSolver(G.WithLearnRate(0.01), G.WithClip(5))
	for i := range trainingSteps {
		ok(tr, vm.RunAll())
		tr.noteModel(i, learnables...)
		tr.note("cost", cost.Value())
		ok(tr, solver.Step(G.NodesToValueGrads(learnables)))
		tr.noteModel(i, learnables...)
		vm.Reset()
	}
}

// rnnFedBack runs one cell at a time and binds the new state to the input of the next step, as a program
// that generates text does. The state then lies in the machine's own memory when the next run starts.
func rnnFedBack(tr *trace, newMachine constructor) {
	const n = 8
	g := G.NewGraph()
	wh := G.NodeFromAny(g, normal64(50, 0.4, n, n), G.WithName("wh"))
	wx := G.NodeFromAny(g, normal64(51, 0.4, n, 3), G.WithName("wx"))
	x := G.NewVector(g, G.Float64, G.WithShape(3), G.WithName("x"))
	h := G.NewVector(g, G.Float64, G.WithShape(n), G.WithName("h"), G.WithValue(normal64(52, 1, n)))
	scale := G.NewScalar(g, G.Float64, G.WithName("scale"), G.WithValue(1.0))
	next := G.Must(G.Tanh(G.Must(G.Add(G.Must(G.Mul(wh, h)), G.Must(G.Mul(wx, x))))))
	next = G.Must(G.Mul(next, scale))
	cooler := G.Must(G.Mul(scale, G.NewConstant(0.9)))
	squared := G.Must(G.Square(h)) // reads the old state after the new one has been computed
	energy := G.Must(G.Add(G.Must(G.Sum(squared)), G.Must(G.Sum(G.Must(G.Square(next))))))
	vm := newMachine(g)
	defer vm.Close()
	for i := range trainingSteps {
		ok(tr, G.Let(x, normal64(uint64(60+i), 1, 3)))
		ok(tr, vm.RunAll())
		tr.note("cost", energy.Value())
		tr.note("state", next.Value())
		tr.note("scale", cooler.Value())
		ok(tr, G.Let(h, next.Value()))
		ok(tr, G.Let(scale, cooler.Value()))
		vm.Reset()
	}
}

// autoencoder follows examples/stacked_autoencoder: tied weights through a transpose, scalar arithmetic,
// cross-entropy per element, momentum.
func autoencoder(tr *trace, newMachine constructor) {
	const batch, visible, hidden = 7, 10, 4
	g := G.NewGraph()
	x := G.NewMatrix(g, G.Float64, G.WithName("x"), G.WithShape(batch, visible))
	noise := G.NewMatrix(g, G.Float64, G.WithName("corruption"), G.WithShape(batch, visible))
	w := G.NewMatrix(g, G.Float64, G.WithName("w"), G.WithShape(visible, hidden), G.WithValue(normal64(70, 0.3, visible, hidden)))
	b := G.NewVector(g, G.Float64, G.WithName("b"), G.WithShape(hidden), G.WithValue(normal64(71, 0.1, hidden)))
	bp := G.NewVector(g, G.Float64, G.WithName("b'"), G.WithShape(visible), G.WithValue(normal64(72, 0.1, visible)))

	corrupted := G.Must(G.HadamardProd(x, noise))
	h := G.Must(G.Sigmoid(G.Must(G.BroadcastAdd(G.Must(G.Mul(corrupted, w)), b, nil, []byte{0}))))
	wT := G.Must(G.Transpose(w, 1, 0))
	y := G.Must(G.Sigmoid(G.Must(G.BroadcastAdd(G.Must(G.Mul(h, wT)), bp, nil, []byte{0}))))
	one := G.NewConstant(1.0)
	xent := G.Must(G.Neg(G.Must(G.Add(
		G.Must(G.HadamardProd(x, G.Must(G.Log(y)))),
		G.Must(G.HadamardProd(G.Must(G.Sub(one, x)), G.Must(G.Log(G.Must(G.Sub(one, y))))))))))
	perPicture := G.Must(G.Sum(xent, 1))
	cost := G.Must(G.Mean(perPicture))
	var costVal, reconstruction G.Value
	G.Read(cost, &costVal)
	G.Read(y, &reconstruction)
	learnables := G.Nodes{w, b, bp}
	_, err := G.Grad(cost, learnables...)
	ok(tr, err)

	vm := newMachine(g, G.BindDualValues(learnables...))
	defer vm.Close()
	solver := G.NewMomentum(G.WithLearnRate(0.05), G.WithMomentum(0.9), G.WithBatchSize(1))
	picture, mask := normal64(73, 1, batch, visible), normal64(74, 1, batch, visible)
	for i, v := range picture.Float64s() {
		picture.Float64s()[i] = 1 / (1 + math.Exp(-v))
	}
	for i, v := range mask.Float64s() {
		mask.Float64s()[i] = 1
		if v < -1 {
			mask.Float64s()[i] = 0
		}
	}
	for i := range trainingSteps {
		ok(tr, G.Let(x, picture))
		ok(tr, G.Let(noise, mask))
		ok(tr, vm.RunAll())
		tr.noteModel(i, learnables...)
		tr.note("cost", costVal)
		tr.note("reconstruction", reconstruction)
		ok(tr, solver.Step(G.NodesToValueGrads(learnables)))
		tr.noteModel(i, learnables...)
		vm.Reset()
	}
}

// matrixFactorisation learns two factors of a matrix of which some entries are known; the graph is complete
// in its gradients, nothing is an input. Without BindDualValues, Grad reads the gradient's own node.
func matrixFactorisation(tr *trace, newMachine constructor) {
	const users, items, rank = 9, 7, 3
	g := G.NewGraph()
	ratings := G.NodeFromAny(g, normal64(80, 1, users, items), G.WithName("ratings"))
	maskT := normal64(81, 1, users, items)
	for i, v := range maskT.Float64s() {
		maskT.Float64s()[i] = 0
		if v > -0.5 {
			maskT.Float64s()[i] = 1
		}
	}
	mask := G.NodeFromAny(g, maskT, G.WithName("mask"))
	u := G.NodeFromAny(g, normal64(82, 0.5, users, rank), G.WithName("users"))
	v := G.NodeFromAny(g, normal64(83, 0.5, items, rank), G.WithName("items"))
	mean := G.NewScalar(g, G.Float64, G.WithName("mean"), G.WithValue(0.1))

	product := G.Must(G.Mul(u, G.Must(G.Transpose(v, 1, 0))))
	miss := G.Must(G.HadamardProd(G.Must(G.Sub(G.Must(G.Add(product, mean)), ratings)), mask))
	decay := G.Must(G.Add(G.Must(G.Sum(G.Must(G.Square(u)))), G.Must(G.Sum(G.Must(G.Square(v))))))
	cost := G.Must(G.Add(G.Must(G.Sum(G.Must(G.Square(miss)))), G.Must(G.Mul(G.NewConstant(0.05), decay))))
	learnables := G.Nodes{u, v, mean}
	_, err := G.Grad(cost, learnables...)
	ok(tr, err)

	vm := newMachine(g)
	defer vm.Close()
	solver := G.NewVanillaSolver(G.WithLearnRate(0.02), G.WithL1Reg(1e-3))
	for i := range trainingSteps {
		ok(tr, vm.RunAll())
		tr.noteModel(i, learnables...)
		tr.note("cost", cost.Value())
		ok(tr, solver.Step(G.NodesToValueGrads(learnables)))
		for _, n := range learnables {
			tr.note(n.Name(), n.Value())
		}
		vm.Reset()
	}
}

// shapes goes through the ops that move elements: concat, slices, reshape, repeat by broadcasting,
// transposes of rank 3, sums along axes, comparisons, powers and divisions, a Set statement.
func shapes(tr *trace, newMachine constructor) {
	g := G.NewGraph()
	a := G.NodeFromAny(g, normal64(90, 1, 4, 6), G.WithName("a"))
	b := G.NodeFromAny(g, normal64(91, 1, 4, 2), G.WithName("b"))
	row := G.NodeFromAny(g, normal64(92, 1, 1, 8), G.WithName("row"))
	temperature := G.NewScalar(g, G.Float64, G.WithName("temperature"), G.WithValue(1.5))
	two := G.NewConstant(2.0)

	joined := G.Must(G.Concat(1, a, b)) // [4, 8]
	shifted := G.Must(G.BroadcastHadamardProd(joined, row, nil, []byte{0}))
	cube := G.Must(G.Reshape(shifted, tensor.Shape{2, 4, 4}))
	turned := G.Must(G.Transpose(cube, 2, 0, 1)) // [4, 2, 4]
	flat := G.Must(G.Reshape(turned, tensor.Shape{8, 4}))
	part := G.Must(G.Slice(flat, G.S(1, 7), nil)) // [6, 4]
	column := G.Must(G.Slice(flat, nil, G.S(2)))  // [8]
	soft := G.Must(G.SoftMax(G.Must(G.Div(part, temperature))))
	positive := G.Must(G.Gt(part, G.NewConstant(0.0), true))
	gated := G.Must(G.HadamardProd(G.Must(G.Tanh(part)), positive))
	norms := G.Must(G.Sum(G.Must(G.Square(gated)), 1)) // [6]
	power := G.Must(G.Exp(G.Must(G.Mul(G.Must(G.Abs(column)), G.NewConstant(-1.0)))))
	cost := G.Must(G.Add(
		G.Must(G.Add(G.Must(G.Mean(norms)), G.Must(G.Sum(G.Must(G.Square(soft)))))),
		G.Must(G.Div(G.Must(G.Sum(power)), two))))
	G.Set(a, joined) // does nothing on the stock machine either
	var read G.Value
	G.Read(norms, &read)
	learnables := G.Nodes{a, b, row, temperature}
	_, err := G.Grad(cost, learnables...)
	ok(tr, err)

	vm := newMachine(g, G.BindDualValues(learnables...))
	defer vm.Close()
	solver := G.NewAdamSolver(G.WithLearnRate(0.03))
	for i := range trainingSteps {
		ok(tr, vm.RunAll())
		tr.noteModel(i, learnables...)
		tr.note("cost", cost.Value())
		tr.note("norms", read)
		ok(tr, solver.Step(G.NodesToValueGrads(learnables)))
		tr.noteModel(i, learnables...)
		vm.Reset()
	}
}

// batchNorm has a stock op with a state of its own and a training mode.
func batchNorm(tr *trace, newMachine constructor) {
	g := G.NewGraph()
	x := G.NodeFromAny(g, normal64(95, 2, 6, 3, 4, 4), G.WithName("x"))
	w := G.NodeFromAny(g, normal64(96, 0.3, 5, 3, 3, 3), G.WithName("w"))
	target := G.NodeFromAny(g, normal64(97, 1, 6, 5, 4, 4), G.WithName("target"))
	y := G.Must(G.Conv2d(x, w, tensor.Shape{3, 3}, []int{1, 1}, []int{1, 1}, []int{1, 1}))
	scale := G.NodeFromAny(g, normal64(98, 1, 6, 5, 4, 4), G.WithName("scale"))
	bias := G.NodeFromAny(g, normal64(99, 1, 6, 5, 4, 4), G.WithName("shift"))
	y, _, _, _, err := G.BatchNorm(y, scale, bias, 0.9, 1e-5)
	ok(tr, err)
	y = G.Must(G.LeakyRelu(y, 0.1))
	cost := G.Must(G.Mean(G.Must(G.Square(G.Must(G.Sub(y, target))))))
	learnables := G.Nodes{w, scale, bias}
	_, err = G.Grad(cost, learnables...)
	ok(tr, err)
	vm := newMachine(g, G.BindDualValues(learnables...))
	defer vm.Close()
	solver := G.NewVanillaSolver(G.WithLearnRate(0.1))
	for i := range trainingSteps {
		ok(tr, vm.RunAll())
		tr.noteModel(i, learnables...)
		tr.note("cost", cost.Value())
		ok(tr, solver.Step(G.NodesToValueGrads(learnables)))
		vm.Reset()
	}
}

// gradientAccumulation runs two batches for each step: with BindDualValues gradients add up over runs until
// a solver zeroes them.
func gradientAccumulation(tr *trace, newMachine constructor) {
	g := G.NewGraph()
	x := G.NewMatrix(g, G.Float64, G.WithShape(8, 5), G.WithName("x"))
	y := G.NewVector(g, G.Float64, G.WithShape(8), G.WithName("y"))
	w := G.NodeFromAny(g, normal64(110, 0.3, 5), G.WithName("w"))
	b := G.NewScalar(g, G.Float64, G.WithName("b"), G.WithValue(0.0))
	miss := G.Must(G.Sub(G.Must(G.Add(G.Must(G.Mul(x, w)), b)), y))
	cost := G.Must(G.Mean(G.Must(G.Square(miss))))
	_, err := G.Grad(cost, w, b)
	ok(tr, err)
	vm := newMachine(g, G.BindDualValues(w, b))
	defer vm.Close()
	solver := G.NewVanillaSolver(G.WithLearnRate(0.02))
	for i := range trainingSteps {
		for half := range 2 {
			ok(tr, G.Let(x, normal64(uint64(111+half), 1, 8, 5)))
			ok(tr, G.Let(y, normal64(uint64(113+half), 1, 8)))
			ok(tr, vm.RunAll())
			tr.noteModel(i, w, b)
			vm.Reset()
		}
		tr.note("cost", cost.Value())
		ok(tr, solver.Step([]G.ValueGrad{w, b}))
	}
}

// subgraph runs a part of a graph.
func subgraph(tr *trace, newMachine constructor) {
	g := G.NewGraph()
	x := G.NodeFromAny(g, normal64(120, 1, 6, 4), G.WithName("x"))
	unbound := G.NewMatrix(g, G.Float64, G.WithShape(6, 4), G.WithName("unbound"))
	w := G.NodeFromAny(g, normal64(121, 1, 4), G.WithName("w"))
	cost := G.Must(G.Sum(G.Must(G.Square(G.Must(G.Mul(x, w))))))
	G.Must(G.Sum(G.Must(G.Square(G.Must(G.Mul(unbound, w)))))) // cannot be run
	_, err := G.Grad(cost, w)
	ok(tr, err)
	d := w.Deriv()
	vm := newMachine(g.SubgraphRoots(cost, d), G.BindDualValues(w))
	defer vm.Close()
	solver := G.NewVanillaSolver(G.WithLearnRate(0.001))
	for i := range trainingSteps {
		ok(tr, vm.RunAll())
		tr.noteModel(i, w)
		tr.note("cost", cost.Value())
		ok(tr, solver.Step([]G.ValueGrad{w}))
		vm.Reset()
	}
}

// evaluation uses the stock machine's other options.
func evaluation(tr *trace, newMachine constructor) {
	g := G.NewGraph()
	x := G.NodeFromAny(g, normal64(130, 1, 6, 4), G.WithName("x"))
	y := G.Must(G.Dropout(x, 0.5)) // the identity in evaluation
	cost := G.Must(G.Sum(G.Must(G.Square(y))))
	vm := newMachine(g, G.EvalMode(), G.TraceExec(), G.WithNaNWatch(), G.WithInfWatch())
	defer vm.Close()
	for i := range trainingSteps {
		for k := range x.Value().Data().([]float64) {
			x.Value().Data().([]float64)[k] *= 1 - float64(i)/100
		}
		ok(tr, vm.RunAll())
		tr.note("cost", cost.Value())
		tr.note("y", y.Value())
		vm.Reset()
	}
}
