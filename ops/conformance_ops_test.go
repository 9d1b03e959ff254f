package ops_test

import (
	"fmt"
	"math"
	"slices"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/internal/onnxtest"
	"github.com/stheno-ml/stheno/ops"
	"github.com/stheno-ml/stheno/train/optim"
)

// operator is how an ONNX operator is written in our ops.
type operator struct {
	ours  string // for the table
	build func(c *call) gorgonia.Nodes
}

type unaryOp = func(*gorgonia.Node) (*gorgonia.Node, error)
type binaryOp = func(a, b *gorgonia.Node) (*gorgonia.Node, error)
type reduceOp = func(*gorgonia.Node, ops.Over) (*gorgonia.Node, error)

func one(n *gorgonia.Node) gorgonia.Nodes { return gorgonia.Nodes{n} }

func onnxUnary(name string, f unaryOp) operator {
	return operator{name, func(c *call) gorgonia.Nodes { return one(must(f(c.float(0)))) }}
}

func onnxBinary(name string, f binaryOp) operator {
	return operator{name, func(c *call) gorgonia.Nodes { return one(must(f(c.float(0), c.float(1)))) }}
}

func onnxCompare(name string, f binaryOp) operator {
	return operator{name, func(c *call) gorgonia.Nodes { return one(must(f(c.any(0), c.any(1)))) }}
}

// variadic joins any number of inputs, two at a time.
func onnxVariadic(name string, f binaryOp) operator {
	return operator{name, func(c *call) gorgonia.Nodes {
		y := c.float(0)
		for i := 1; i < len(c.values); i++ {
			y = must(f(y, c.float(i)))
		}
		return one(y)
	}}
}

func onnxReduce(name string, f reduceOp) operator {
	return operator{name, func(c *call) gorgonia.Nodes {
		axes, _ := c.list("axes", 1)
		if len(axes) == 0 && c.int("noop_with_empty_axes", 0) == 1 {
			return one(c.float(0))
		}
		return one(must(f(c.float(0), ops.Over{Axes: axes, Keep: c.int("keepdims", 1) == 1})))
	}}
}

// then is g after a reduction.
func then(f reduceOp, g unaryOp) reduceOp {
	return func(x *gorgonia.Node, o ops.Over) (*gorgonia.Node, error) {
		y, err := f(x, o)
		if err != nil {
			return nil, err
		}
		return g(y)
	}
}

// before is g, then a reduction.
func before(f reduceOp, g unaryOp) reduceOp {
	return func(x *gorgonia.Node, o ops.Over) (*gorgonia.Node, error) {
		y, err := g(x)
		if err != nil {
			return nil, err
		}
		return f(y, o)
	}
}

// activation is a function of one input and up to two attributes with their defaults.
func onnxActivation(name string, f func(c *call, x *gorgonia.Node) (*gorgonia.Node, error)) operator {
	return operator{name, func(c *call) gorgonia.Nodes { return one(must(f(c, c.float(0)))) }}
}

func axisFrom(axis, rank int) int {
	if axis < 0 {
		return axis + rank
	}
	return axis
}

var operators map[string]operator

func init() {
	operators = map[string]operator{
		// Arithmetic and functions, element by element.
		"Abs":            onnxUnary("Abs", ops.Abs),
		"Exp":            onnxUnary("Exp", ops.Exp),
		"Log":            onnxUnary("Log", ops.Log),
		"Neg":            onnxUnary("Neg", ops.Neg),
		"Sqrt":           onnxUnary("Sqrt", ops.Sqrt),
		"Reciprocal":     onnxUnary("Reciprocal", ops.Reciprocal),
		"Sign":           onnxUnary("Sign", ops.Sign),
		"Add":            onnxBinary("Add", ops.Add),
		"Sub":            onnxBinary("Sub", ops.Sub),
		"Mul":            onnxBinary("Mul", ops.Mul),
		"Div":            onnxBinary("Div", ops.Div),
		"Pow":            {"Pow, Cast", onnxPow},
		"Max":            onnxVariadic("Maximum", ops.Maximum),
		"Min":            onnxVariadic("Minimum", ops.Minimum),
		"Sum":            onnxVariadic("Add", ops.Add),
		"Mean":           {"Add, MulScalar", onnxMean},
		"Clip":           {"Clamp", onnxClip},
		"Equal":          onnxCompare("Equal", ops.Equal),
		"Less":           onnxCompare("Less", ops.Less),
		"LessOrEqual":    onnxCompare("LessOrEqual", ops.LessOrEqual),
		"Greater":        onnxCompare("Greater", ops.Greater),
		"GreaterOrEqual": onnxCompare("GreaterOrEqual", ops.GreaterOrEqual),
		"Where": {"Where", func(c *call) gorgonia.Nodes {
			return one(must(ops.Where(c.any(0), c.float(1), c.float(2))))
		}},
		"Identity": {"the node itself", func(c *call) gorgonia.Nodes { return one(c.any(0)) }},
		"Constant": {"Constant", func(c *call) gorgonia.Nodes {
			n := nodeOf(gorgonia.NewGraph(), "value", c.Attrs["value"].Tensor)
			return one(must(ops.Constant(c.g, n.Value())))
		}},
		"Cast": {"Cast", onnxCast},

		// Activations.
		"Relu":      onnxUnary("ReLU", ops.ReLU),
		"Sigmoid":   onnxUnary("Sigmoid", ops.Sigmoid),
		"Tanh":      onnxUnary("Tanh", ops.Tanh),
		"Softplus":  onnxUnary("Softplus", ops.Softplus),
		"Softsign":  onnxUnary("Softsign", ops.Softsign),
		"HardSwish": onnxUnary("HardSwish", ops.HardSwish),
		"LeakyRelu": onnxActivation("LeakyReLU", func(c *call, x *gorgonia.Node) (*gorgonia.Node, error) {
			return ops.LeakyReLU(x, c.num("alpha", 0.01))
		}),
		"Elu": onnxActivation("ELU", func(c *call, x *gorgonia.Node) (*gorgonia.Node, error) {
			return ops.ELU(x, c.num("alpha", 1))
		}),
		"Celu": onnxActivation("ELU, MulScalar", onnxCelu),
		"Selu": onnxActivation("SELU, or ELU and MulScalar", onnxSelu),
		"HardSigmoid": onnxActivation("HardSigmoid", func(c *call, x *gorgonia.Node) (*gorgonia.Node, error) {
			return ops.HardSigmoid(x, c.num("alpha", 0.2), c.num("beta", 0.5))
		}),
		"PRelu": {"PReLU, or Maximum, Minimum, Mul and Add where the slope is no [C]", onnxPRelu},
		"Softmax": onnxActivation("Softmax", func(c *call, x *gorgonia.Node) (*gorgonia.Node, error) {
			return ops.Softmax(x, c.int("axis", -1))
		}),
		"LogSoftmax": onnxActivation("LogSoftmax", func(c *call, x *gorgonia.Node) (*gorgonia.Node, error) {
			return ops.LogSoftmax(x, c.int("axis", -1))
		}),

		// Reductions.
		"ReduceSum":       onnxReduce("SumAxes", ops.SumAxes),
		"ReduceMean":      onnxReduce("Mean", ops.Mean),
		"ReduceMax":       onnxReduce("Max", ops.Max),
		"ReduceMin":       onnxReduce("Min", ops.Min),
		"ReduceProd":      onnxReduce("Prod", ops.Prod),
		"ReduceL1":        onnxReduce("L1Norm", ops.L1Norm),
		"ReduceL2":        onnxReduce("L2Norm", ops.L2Norm),
		"ReduceLogSumExp": onnxReduce("LogSumExp", ops.LogSumExp),
		"ReduceLogSum":    onnxReduce("SumAxes, Log", then(ops.SumAxes, ops.Log)),
		"ReduceSumSquare": onnxReduce("Square, SumAxes", before(ops.SumAxes, ops.Square)),
		"ArgMax":          {"ArgMax", func(c *call) gorgonia.Nodes { return argExtreme(c, ops.ArgMax) }},
		"ArgMin":          {"ArgMin", func(c *call) gorgonia.Nodes { return argExtreme(c, ops.ArgMin) }},

		// Shape and resampling.
		"Reshape": {"Reshape", onnxReshape},
		"Flatten": {"Reshape", onnxFlatten},
		"Transpose": {"Transpose", func(c *call) gorgonia.Nodes {
			axes, _ := c.list("perm", -1)
			return one(must(ops.Transpose(c.any(0), axes...)))
		}},
		"Squeeze": {"Squeeze", func(c *call) gorgonia.Nodes {
			axes, _ := c.list("axes", 1)
			return one(must(ops.Squeeze(c.any(0), axes...)))
		}},
		"Unsqueeze": {"Unsqueeze", func(c *call) gorgonia.Nodes {
			axes, _ := c.list("axes", 1)
			return one(must(ops.Unsqueeze(c.any(0), axes...)))
		}},
		"Expand": {"BroadcastTo", onnxExpand},
		"Tile":   {"Concat", onnxTile},
		"Concat": {"Concat", func(c *call) gorgonia.Nodes {
			var xs []*gorgonia.Node
			for i := range c.values {
				xs = append(xs, c.any(i))
			}
			return one(must(ops.Concat(c.int("axis", 0), xs...)))
		}},
		"Split":    {"Split", onnxSplit},
		"Slice":    {"Slice, Flip", onnxSlice},
		"Pad":      {"Pad", onnxPad},
		"Gather":   {"Gather, Transpose", onnxGather},
		"OneHot":   {"OneHot, MulScalar, AddScalar", onnxOneHot},
		"Resize":   {"Resize", onnxResize},
		"Upsample": {"Resize", onnxUpsample},

		// Linear.
		"MatMul": {"MatMul", func(c *call) gorgonia.Nodes {
			return one(must(ops.MatMul(c.float(0), c.float(1), ops.Transposed{})))
		}},
		"Gemm": {"MatMul, MulScalar, Add", onnxGemm},

		// Convolution, pooling, normalisation.
		"Conv":                      {"Conv2D", onnxConv},
		"ConvTranspose":             {"TransposedConv2D", onnxConvTranspose},
		"MaxPool":                   {"MaxPool2D, MaxPoolIndices", onnxMaxPool},
		"MaxUnpool":                 {"MaxUnpool2D", onnxMaxUnpool},
		"AveragePool":               {"AvgPool2D", onnxAveragePool},
		"GlobalAveragePool":         {"GlobalAvgPool", func(c *call) gorgonia.Nodes { return globalPool(c, ops.GlobalAvgPool) }},
		"GlobalMaxPool":             {"GlobalMaxPool", func(c *call) gorgonia.Nodes { return globalPool(c, ops.GlobalMaxPool) }},
		"BatchNormalization":        {"BatchNormEval, BatchNormTrain, RunningUpdate", onnxBatchNorm},
		"InstanceNormalization":     {"InstanceNorm", onnxInstanceNorm},
		"LayerNormalization":        {"LayerNorm; Mean and Variance for what it also gives", onnxLayerNorm},
		"LRN":                       {"LocalResponseNorm", onnxLRN},
		"MeanVarianceNormalization": {"Mean, Variance, Sub, Div", onnxMVN},

		// Random and loss.
		"Dropout":                   {"Dropout", onnxDropout},
		"NegativeLogLikelihoodLoss": {"NLL", onnxNLL},
		"SoftmaxCrossEntropyLoss":   {"CrossEntropy; LogSoftmax for what it also gives", onnxCrossEntropy},
	}
}

func onnxPow(c *call) gorgonia.Nodes {
	x := c.float(0)
	p := c.any(1)
	if p.Dtype() != x.Dtype() {
		p = must(ops.Cast(p, x.Dtype()))
	}
	return one(must(ops.Pow(x, p)))
}

func onnxMean(c *call) gorgonia.Nodes {
	sum := onnxVariadic("", ops.Add).build(c)[0]
	return one(must(ops.MulScalar(sum, 1/float64(len(c.values)))))
}

func onnxClip(c *call) gorgonia.Nodes {
	lo, hi := math.Inf(-1), math.Inf(1)
	x := c.float(0)
	if c.has(1) {
		lo = c.scalar(1)
	}
	if c.has(2) {
		hi = c.scalar(2)
	}
	return one(must(ops.Clamp(x, c.num("min", lo), c.num("max", hi))))
}

func onnxCast(c *call) gorgonia.Nodes {
	to := onnxtest.Type(c.int("to", 0))
	switch to {
	case onnxtest.Float32:
		return one(must(ops.Cast(c.any(0), tensor.Float32)))
	case onnxtest.Float64:
		return one(must(ops.Cast(c.any(0), tensor.Float64)))
	}
	refuse("to %v: Cast makes floats", to)
	return nil
}

func onnxCelu(c *call, x *gorgonia.Node) (*gorgonia.Node, error) {
	alpha := c.num("alpha", 1)
	return ops.MulScalar(must(ops.ELU(must(ops.MulScalar(x, 1/alpha)), 1)), alpha)
}

func onnxSelu(c *call, x *gorgonia.Node) (*gorgonia.Node, error) {
	_, alpha := c.Attrs["alpha"]
	_, gamma := c.Attrs["gamma"]
	if !alpha && !gamma {
		return ops.SELU(x)
	}
	return ops.MulScalar(must(ops.ELU(x, c.num("alpha", 1.6732632423543772))), c.num("gamma", 1.0507009873554805))
}

// onnxPRelu: before version 7 a slope [C] was one a channel, since then it is aligned at the last axis.
func onnxPRelu(c *call) gorgonia.Nodes {
	x, slope := c.float(0), c.float(1)
	if s := slope.Shape(); len(s) == 1 && (s[0] == 1 || c.opset < 7) {
		return one(must(ops.PReLU(x, slope)))
	}
	zero := must(ops.Full(c.g, x.Dtype(), 0))
	high, low := must(ops.Maximum(x, zero)), must(ops.Minimum(x, zero))
	return one(must(ops.Add(high, must(ops.Mul(slope, low)))))
}

func argExtreme(c *call, f func(*gorgonia.Node, int) (*gorgonia.Node, error)) gorgonia.Nodes {
	if c.int("select_last_index", 0) == 1 {
		refuse("of equal elements the last one is wanted; ours takes the first")
	}
	axis := c.int("axis", 0)
	y := must(f(c.float(0), axis))
	if c.int("keepdims", 1) == 1 {
		y = must(ops.Unsqueeze(y, axisFrom(axis, len(c.shape(0)))))
	}
	return one(y)
}

func onnxReshape(c *call) gorgonia.Nodes {
	sizes, _ := c.list("shape", 1)
	to := slices.Clone(sizes)
	for k, d := range to {
		if d == 0 && c.int("allowzero", 0) == 0 {
			to[k] = c.shape(0)[k]
		}
	}
	return one(must(ops.Reshape(c.any(0), to...)))
}

func onnxFlatten(c *call) gorgonia.Nodes {
	s := c.shape(0)
	axis := axisFrom(c.int("axis", 1), len(s))
	rows := 1
	for _, d := range s[:axis] {
		rows *= d
	}
	return one(must(ops.Reshape(c.any(0), rows, -1)))
}

// onnxExpand broadcasts in both directions.
func onnxExpand(c *call) gorgonia.Nodes {
	s, _ := c.list("shape", 1)
	to := slices.Clone(s)
	from := c.shape(0)
	for len(to) < len(from) {
		to = append([]int{1}, to...)
	}
	for k := range from {
		at := len(to) - len(from) + k
		to[at] = max(to[at], from[k])
	}
	return one(must(ops.BroadcastTo(c.float(0), to...)))
}

func onnxTile(c *call) gorgonia.Nodes {
	repeats, _ := c.list("repeats", 1)
	y := c.any(0)
	for axis, n := range repeats {
		y = must(ops.Concat(axis, slices.Repeat([]*gorgonia.Node{y}, n)...))
	}
	return one(y)
}

func onnxSplit(c *call) gorgonia.Nodes {
	axis := axisFrom(c.int("axis", 0), len(c.shape(0)))
	sizes, ok := c.list("split", 1)
	if !ok {
		n := len(c.Outputs)
		sizes = slices.Repeat([]int{c.shape(0)[axis] / n}, n)
	}
	x := c.any(0)
	parts, err := ops.Split(x, axis, sizes...)
	if err != nil {
		must(nil, err)
	}
	return parts
}

func onnxSlice(c *call) gorgonia.Nodes {
	starts, _ := c.list("starts", 1)
	ends, _ := c.list("ends", 2)
	axes, ok := c.list("axes", 3)
	if !ok {
		for k := range starts {
			axes = append(axes, k)
		}
	}
	steps, ok := c.list("steps", 4)
	if !ok {
		steps = slices.Repeat([]int{1}, len(starts))
	}
	x, s := c.any(0), c.shape(0)
	ranges := make([]ops.Range, len(s))
	for k, axis := range axes {
		axis = axisFrom(axis, len(s))
		n := s[axis]
		from, to, step := starts[k], ends[k], steps[k]
		if from < 0 {
			from += n
		}
		if to < 0 {
			to += n
		}
		if step < 0 { // the elements from … down to to+1 are n−1−from … of the flipped axis
			x = must(ops.Flip(x, axis))
			from, to, step = n-1-from, n-1-to, -step
		}
		from, to = min(max(from, 0), n), min(max(to, 0), n)
		if from >= to {
			refuse("empty tensors are an error")
		}
		ranges[axis] = ops.Range{Start: from, Stop: to, Step: step}
	}
	return one(must(ops.Slice(x, ranges...)))
}

func onnxPad(c *call) gorgonia.Nodes {
	pads, _ := c.list("pads", 1)
	rank := len(c.shape(0))
	p := ops.PadConfig{Before: pads[:rank], After: pads[rank:], Value: c.num("value", 0)}
	if c.has(2) {
		p.Value = c.scalar(2)
	}
	switch mode := c.text("mode", "constant"); mode {
	case "reflect":
		p.Mode = ops.PadReflect
	case "edge":
		p.Mode = ops.PadEdge
	}
	return one(must(ops.Pad(c.float(0), p)))
}

// onnxGather looks up along any axis: that axis is brought to the front and its place taken by the index's.
func onnxGather(c *call) gorgonia.Nodes {
	s := c.shape(0)
	axis := axisFrom(c.int("axis", 0), len(s))
	index := *c.values[1]
	index.Type = onnxtest.Int64
	index.Ints = slices.Clone(index.Ints)
	for k, i := range index.Ints {
		index.Ints[k] = axisFrom(i, s[axis])
	}
	front := []int{axis}
	for k := range s {
		if k != axis {
			front = append(front, k)
		}
	}
	y := must(ops.Gather(must(ops.Transpose(c.any(0), front...)), nodeOf(c.g, "index", &index)))
	var back []int
	for k := range axis {
		back = append(back, len(index.Shape)+k)
	}
	for k := range index.Shape {
		back = append(back, k)
	}
	for k := axis + 1; k < len(s); k++ {
		back = append(back, len(index.Shape)+k-1)
	}
	return one(must(ops.Transpose(y, back...)))
}

func onnxOneHot(c *call) gorgonia.Nodes {
	depth, values := int(c.scalar(1)), c.values[2]
	if values.Type != onnxtest.Float32 {
		refuse("of %v: ops compute in float32 and float64", values.Type)
	}
	index := *c.values[0]
	index.Type, index.Ints = onnxtest.Int64, slices.Clone(index.Ints)
	for _, v := range c.values[0].Floats {
		index.Ints = append(index.Ints, int(v))
	}
	index.Floats = nil
	for k, i := range index.Ints {
		index.Ints[k] = axisFrom(i, depth)
		if index.Ints[k] < 0 || index.Ints[k] >= depth {
			refuse("an index outside the classes is an error")
		}
	}
	y := must(ops.OneHot(nodeOf(c.g, "index", &index), depth, tensor.Float32))
	off, on := values.Floats[0], values.Floats[1]
	y = must(ops.AddScalar(must(ops.MulScalar(y, on-off)), off))
	rank := len(index.Shape) + 1
	axis := axisFrom(c.int("axis", -1), rank)
	var order []int
	for k := range rank - 1 {
		order = append(order, k)
	}
	return one(must(ops.Transpose(y, slices.Insert(order, axis, rank-1)...)))
}

func onnxGemm(c *call) gorgonia.Nodes {
	a := ops.Transposed{A: c.int("transA", 0) == 1, B: c.int("transB", 0) == 1}
	y := must(ops.MulScalar(must(ops.MatMul(c.float(0), c.float(1), a)), c.num("alpha", 1)))
	if c.has(2) {
		y = must(ops.Add(y, must(ops.MulScalar(c.float(2), c.num("beta", 1)))))
	}
	return one(y)
}

// space is the attributes of a window that walks over one or two axes, as pairs of height and width.
type space struct {
	oneAxis                  bool
	kernel, stride, dilation [2]int
	pad                      [4]int // top, bottom, left, right
}

// spaceOf reads the attributes of an operator with a window; input x is [N, C, …].
func spaceOf(c *call, kernel []int) space {
	axes := len(c.shape(0)) - 2
	if axes > 2 {
		refuse("%d spatial axes: two at most", axes)
	}
	s := space{oneAxis: axes == 1, kernel: [2]int{1, 1}, stride: [2]int{1, 1}, dilation: [2]int{1, 1}}
	at := 2 - axes
	if k, ok := c.list("kernel_shape", -1); ok {
		kernel = k
	}
	copy(s.kernel[at:], kernel)
	strides, _ := c.list("strides", -1)
	copy(s.stride[at:], strides)
	dilations, _ := c.list("dilations", -1)
	copy(s.dilation[at:], dilations)
	if pads, ok := c.list("pads", -1); ok {
		for k := range axes {
			s.pad[2*(at+k)], s.pad[2*(at+k)+1] = pads[k], pads[axes+k]
		}
	}
	return s
}

// same sets the padding of auto_pad SAME_UPPER or SAME_LOWER, which have the odd one after or before.
func (s *space) same(c *call) {
	auto := c.text("auto_pad", "NOTSET")
	if auto != "SAME_UPPER" && auto != "SAME_LOWER" {
		return
	}
	sizes := c.shape(0)[2:]
	for k := range sizes {
		at := 2 - len(sizes) + k
		out := (sizes[k] + s.stride[at] - 1) / s.stride[at]
		total := max(0, (out-1)*s.stride[at]+s.dilation[at]*(s.kernel[at]-1)+1-sizes[k])
		small, large := total/2, total-total/2
		if auto == "SAME_LOWER" {
			small, large = large, small
		}
		s.pad[2*at], s.pad[2*at+1] = small, large
	}
}

// picture is x with two spatial axes.
func (s space) picture(x *gorgonia.Node) *gorgonia.Node {
	if s.oneAxis {
		return must(ops.Unsqueeze(x, 2))
	}
	return x
}

// back takes the axis away that picture put in.
func (s space) back(y *gorgonia.Node) *gorgonia.Node {
	if s.oneAxis {
		return must(ops.Squeeze(y, 2))
	}
	return y
}

func onnxConv(c *call) gorgonia.Nodes {
	s := spaceOf(c, c.shape(1)[2:])
	s.same(c)
	y := must(ops.Conv2D(s.picture(c.float(0)), s.picture(c.float(1)), c.maybe(2), ops.Conv{Stride: s.stride, Dilation: s.dilation, Pad: s.pad, Groups: c.int("group", 1)}))
	return one(s.back(y))
}

// onnxConvTranspose: a wanted output shape settles the padding; what is missing of it is output padding.
func onnxConvTranspose(c *call) gorgonia.Nodes {
	s := spaceOf(c, c.shape(1)[2:])
	a := ops.ConvTranspose{Stride: s.stride, Dilation: s.dilation, Pad: s.pad, Groups: c.int("group", 1)}
	sizes := c.shape(0)[2:]
	at := 2 - len(sizes)
	extra, _ := c.list("output_padding", -1)
	copy(a.OutputPad[at:], extra)
	want, given := c.list("output_shape", -1)
	auto := c.text("auto_pad", "NOTSET")
	for k, n := range sizes {
		whole := (n-1)*s.stride[at+k] + s.dilation[at+k]*(s.kernel[at+k]-1) + 1 + a.OutputPad[at+k]
		total := 0
		switch {
		case given:
			total = whole - want[k]
		case auto == "SAME_UPPER" || auto == "SAME_LOWER":
			total = whole - n*s.stride[at+k]
		default:
			continue
		}
		if total < 0 {
			a.OutputPad[at+k] -= total
			total = 0
		}
		small, large := total/2, total-total/2
		// The operator's text cuts the odd one at the start unless SAME_UPPER is asked for.
		if auto == "SAME_UPPER" {
			a.Pad[2*(at+k)], a.Pad[2*(at+k)+1] = small, large
		} else {
			a.Pad[2*(at+k)], a.Pad[2*(at+k)+1] = large, small
		}
	}
	y := must(ops.TransposedConv2D(s.picture(c.float(0)), s.picture(c.float(1)), c.maybe(2), a))
	return one(s.back(y))
}

func poolOf(c *call) (space, ops.Pool) {
	s := spaceOf(c, nil)
	s.same(c)
	return s, ops.Pool{Kernel: s.kernel, Stride: s.stride, Dilation: s.dilation, Pad: s.pad, Ceil: c.int("ceil_mode", 0) == 1, CountPad: c.int("count_include_pad", 0) == 1}
}

func onnxMaxPool(c *call) gorgonia.Nodes {
	s, p := poolOf(c)
	x := s.picture(c.float(0))
	y := s.back(must(ops.MaxPool2D(x, p)))
	if len(c.Outputs) == 1 {
		return one(y)
	}
	n, channels := c.shape(0)[0], c.shape(0)[1]
	if n*channels != 1 || c.int("storage_order", 0) != 0 {
		refuse("indices count through the batch, or column by column; ours count in their picture, row by row")
	}
	return gorgonia.Nodes{y, s.back(must(ops.MaxPoolIndices(x, p)))}
}

func onnxAveragePool(c *call) gorgonia.Nodes {
	s, p := poolOf(c)
	return one(s.back(must(ops.AvgPool2D(s.picture(c.float(0)), p))))
}

// onnxMaxUnpool: the size is given, or what the pooling's attributes make of the input. Indices count through
// the batch; ours count in their picture.
func onnxMaxUnpool(c *call) gorgonia.Nodes {
	s := spaceOf(c, nil)
	in := c.shape(0)
	size := [2]int{}
	for k := range 2 {
		size[k] = (in[2+k]-1)*s.stride[k] + s.kernel[k] - s.pad[2*k] - s.pad[2*k+1]
	}
	whole := size
	if c.has(2) {
		want := c.values[2].Ints
		size = [2]int{want[2], want[3]}
	}
	index := *c.values[1]
	index.Ints = slices.Clone(index.Ints)
	for k, i := range index.Ints {
		// Indices are into a picture of the size without output_shape.
		i %= whole[0] * whole[1]
		index.Ints[k] = i/whole[1]*size[1] + i%whole[1]
	}
	return one(must(ops.MaxUnpool2D(c.float(0), nodeOf(c.g, "indices", &index), size)))
}

// globalPool: ours drops the spatial axes, ONNX keeps them with size 1.
func globalPool(c *call, f unaryOp) gorgonia.Nodes {
	s := spaceOf(c, nil)
	y := must(f(s.picture(c.float(0))))
	to := []int{c.shape(0)[0], c.shape(0)[1]}
	for range c.shape(0)[2:] {
		to = append(to, 1)
	}
	return one(must(ops.Reshape(y, to...)))
}

func onnxBatchNorm(c *call) gorgonia.Nodes {
	x, gamma, beta, mean, variance := c.float(0), c.float(1), c.float(2), c.float(3), c.float(4)
	a := ops.BatchNorm{Eps: c.num("epsilon", 1e-5)}
	if c.int("training_mode", 0) == 0 {
		return one(must(ops.BatchNormEval(x, gamma, beta, mean, variance, a)))
	}
	y, stats, err := ops.BatchNormTrain(x, gamma, beta, a)
	must(y, err)
	s := x.Shape()
	newMean, newVariance, err := ops.RunningUpdate(mean, variance, stats, s.TotalSize()/s[1], ops.Running{Decay: c.num("momentum", 0.9), Biased: true})
	must(newMean, err)
	return gorgonia.Nodes{y, newMean, newVariance}
}

func onnxInstanceNorm(c *call) gorgonia.Nodes {
	return one(must(ops.InstanceNorm(c.float(0), c.float(1), c.float(2), c.num("epsilon", 1e-5))))
}

func onnxLayerNorm(c *call) gorgonia.Nodes {
	x, rank := c.float(0), len(c.shape(0))
	axis, eps := axisFrom(c.int("axis", -1), rank), c.num("epsilon", 1e-5)
	y := must(ops.LayerNorm(x, c.float(1), c.maybe(2), rank-axis, eps))
	if len(c.Outputs) == 1 {
		return one(y)
	}
	over := ops.Over{Keep: true}
	for k := axis; k < rank; k++ {
		over.Axes = append(over.Axes, k)
	}
	variance := must(ops.Variance(x, 0, over))
	inverse := must(ops.Reciprocal(must(ops.Sqrt(must(ops.AddScalar(variance, eps))))))
	return gorgonia.Nodes{y, must(ops.Mean(x, over)), inverse}
}

func onnxLRN(c *call) gorgonia.Nodes {
	return one(must(ops.LocalResponseNorm(c.float(0), ops.LRN{
		Size: c.int("size", 0), Alpha: c.num("alpha", 1e-4), Beta: c.num("beta", 0.75), K: c.num("bias", 1), Up: true,
	})))
}

func onnxMVN(c *call) gorgonia.Nodes {
	axes, ok := c.list("axes", -1)
	if !ok {
		axes = []int{0, 2, 3}
	}
	x, over := c.float(0), ops.Over{Axes: axes, Keep: true}
	deviation := must(ops.AddScalar(must(ops.Sqrt(must(ops.Variance(x, 0, over)))), 1e-9))
	return one(must(ops.Div(must(ops.Sub(x, must(ops.Mean(x, over)))), deviation)))
}

func onnxResize(c *call) gorgonia.Nodes {
	r := resizeOf(c.text("mode", "nearest"))
	switch t := c.text("coordinate_transformation_mode", "half_pixel"); t {
	case "half_pixel":
		r.Coordinates = ops.HalfPixel
	case "asymmetric":
		r.Coordinates = ops.Asymmetric
	case "align_corners":
		r.Coordinates = ops.AlignCorners
	case "pytorch_half_pixel":
		r.Coordinates = ops.PyTorchHalfPixel
	default:
		refuse("coordinates %s", t)
	}
	switch t := c.text("nearest_mode", "round_prefer_floor"); t {
	case "round_prefer_floor":
		r.Rounding = ops.RoundHalfDown
	case "round_prefer_ceil":
		r.Rounding = ops.RoundHalfUp
	case "floor":
		r.Rounding = ops.RoundDown
	case "ceil":
		r.Rounding = ops.RoundUp
	}
	if c.has(3) {
		size := c.values[3].Ints
		r.Size = [2]int{size[2], size[3]}
	} else {
		scale := c.values[2].Floats
		r.Scale = [2]float64{scale[2], scale[3]}
		for k, f := range r.Scale {
			if n := f * float64(c.shape(0)[2+k]); r.Coordinates == ops.AlignCorners && n != math.Floor(n) {
				refuse("the corner is aligned to a size of %.3g, before it is rounded; ours, like PyTorch's, to the result's", n)
			}
		}
	}
	return one(must(ops.Resize(c.float(0), r)))
}

func resizeOf(mode string) ops.ResizeConfig {
	switch mode {
	case "nearest":
		return ops.ResizeConfig{Mode: ops.Nearest}
	case "linear":
		return ops.ResizeConfig{Mode: ops.Bilinear}
	}
	refuse("mode %s", mode)
	return ops.ResizeConfig{}
}

// onnxUpsample is Resize as it was before version 10: asymmetric, rounded down.
func onnxUpsample(c *call) gorgonia.Nodes {
	r := resizeOf(c.text("mode", "nearest"))
	scale := c.values[1].Floats
	r.Scale, r.Coordinates, r.Rounding = [2]float64{scale[2], scale[3]}, ops.Asymmetric, ops.RoundDown
	return one(must(ops.Resize(c.float(0), r)))
}

func onnxDropout(c *call) gorgonia.Nodes {
	ratio := c.num("ratio", 0.5)
	if c.has(1) {
		ratio = c.scalar(1)
	}
	if c.opset < 12 || !c.has(2) || c.scalar(2) == 0 { // inference
		ratio = 0
	}
	if len(c.Outputs) > 1 {
		refuse("the mask is no result of ours")
	}
	if ratio != 0 {
		refuse("the mask is of NumPy's random numbers")
	}
	return one(must(ops.Dropout(c.float(0), ops.DropoutConfig{P: ratio})))
}

func onnxReduction(c *call) ops.Reduction {
	return map[string]ops.Reduction{"mean": ops.MeanReduction, "sum": ops.SumReduction, "none": ops.NoReduction}[c.text("reduction", "mean")]
}

func ignored(c *call) *int {
	if a, ok := c.Attrs["ignore_index"]; ok {
		return &a.Int
	}
	return nil
}

func onnxNLL(c *call) gorgonia.Nodes {
	return one(must(ops.NLL(c.float(0), c.label(1), ops.NLLConfig{Reduction: onnxReduction(c), Ignore: ignored(c), Weights: c.maybe(2)})))
}

func onnxCrossEntropy(c *call) gorgonia.Nodes {
	x := c.float(0)
	y := must(ops.CrossEntropy(x, c.label(1), ops.CrossEntropyConfig{Reduction: onnxReduction(c), Ignore: ignored(c), Weights: c.maybe(2)}))
	if len(c.Outputs) == 1 {
		return one(y)
	}
	return gorgonia.Nodes{y, must(ops.LogSoftmax(x, 1))}
}

// glue is what graphs of several nodes compute with shapes and other integers beside the operators under test.
// A function gives nil where it is not about integers.
var glue = map[string]func(c *call) []*onnxtest.Tensor{
	"Constant": func(c *call) []*onnxtest.Tensor {
		switch a := c.Attrs; {
		case a["value"].Tensor != nil && len(a["value"].Tensor.Floats) > 0 && len(c.Attrs) == 1:
			return nil // ops.Constant
		case a["value"].Tensor != nil:
			return []*onnxtest.Tensor{a["value"].Tensor}
		case a["value_ints"].Ints != nil:
			return integers([]int{len(a["value_ints"].Ints)}, a["value_ints"].Ints...)
		case has(a, "value_int"):
			return integers(nil, a["value_int"].Int)
		case has(a, "value_float"):
			return []*onnxtest.Tensor{{Type: onnxtest.Float32, Floats: []float64{a["value_float"].Float}}}
		case has(a, "value_floats"):
			f := a["value_floats"].Floats
			return []*onnxtest.Tensor{{Type: onnxtest.Float32, Shape: []int{len(f)}, Floats: f}}
		}
		return nil
	},
	"Shape": func(c *call) []*onnxtest.Tensor {
		s := c.shape(0)
		return integers([]int{len(s)}, s...)
	},
	"Size": func(c *call) []*onnxtest.Tensor { return integers(nil, tensor.Shape(c.shape(0)).TotalSize()) },
	"ConstantOfShape": func(c *call) []*onnxtest.Tensor {
		v := c.Attrs["value"].Tensor
		if v == nil || len(v.Ints) == 0 {
			return nil
		}
		s := c.values[0].Ints
		return integers(s, slices.Repeat(v.Ints, tensor.Shape(s).TotalSize())...)
	},
	// Parts of shapes may be empty, which our Slice does not give.
	"Slice": func(c *call) []*onnxtest.Tensor {
		v := c.values[0]
		if v.Type != onnxtest.Int64 || len(v.Shape) != 1 || len(c.values) != 3 {
			return nil
		}
		n := v.Shape[0]
		from, to := min(axisFrom(c.values[1].Ints[0], n), n), min(axisFrom(c.values[2].Ints[0], n), n)
		part := v.Ints[from:max(from, to)]
		return integers([]int{len(part)}, part...)
	},
	"Concat": func(c *call) []*onnxtest.Tensor {
		var all []int
		for _, v := range c.values {
			if v.Type != onnxtest.Int64 || len(v.Shape) != 1 {
				return nil
			}
			all = append(all, v.Ints...)
		}
		return integers([]int{len(all)}, all...)
	},
	"Neg": func(c *call) []*onnxtest.Tensor { return onIntegers(c, func(a, _ int) int { return -a }) },
	"Sub": func(c *call) []*onnxtest.Tensor { return onIntegers(c, func(a, b int) int { return a - b }) },
	"Cast": func(c *call) []*onnxtest.Tensor {
		if onnxtest.Type(c.int("to", 0)) != onnxtest.Int64 || len(c.values[0].Floats) > 0 {
			return nil
		}
		return integers(c.shape(0), c.values[0].Ints...)
	},
}

func has(attrs map[string]onnxtest.Attr, name string) bool {
	_, ok := attrs[name]
	return ok
}

func integers(shape []int, v ...int) []*onnxtest.Tensor {
	return []*onnxtest.Tensor{{Type: onnxtest.Int64, Shape: shape, Ints: v}}
}

// onIntegers computes with int64 tensors, the second of which may be a scalar.
func onIntegers(c *call, f func(a, b int) int) []*onnxtest.Tensor {
	a := c.values[0]
	if a.Type != onnxtest.Int64 {
		return nil
	}
	out := slices.Clone(a.Ints)
	for i, v := range a.Ints {
		b := 0
		if len(c.values) > 1 {
			b = c.values[1].Ints[i%len(c.values[1].Ints)]
		}
		out[i] = f(v, b)
	}
	return integers(a.Shape, out...)
}

// optimizers is ONNX's training operators in train/optim: inputs are the rate, the step's number, then
// parameters, gradients and state.
var optimizers = map[string]func(c *call) []*onnxtest.Tensor{
	"Momentum": func(c *call) []*onnxtest.Tensor {
		o := optim.SGD{Momentum: c.num("alpha", 0), WeightDecay: c.num("norm_coefficient", 0), Nesterov: c.text("mode", "") == "nesterov"}
		if c.scalar(1) > 0 { // the first step takes the gradient whole
			o.Dampening = 1 - c.num("beta", 0)
		}
		// A test of step 0 has a velocity; our second step is the first that has one.
		return optimize(c, o, 2, 1)
	},
	"Adagrad": func(c *call) []*onnxtest.Tensor {
		o := optim.Adagrad{RateDecay: c.num("decay_factor", 0), Eps: c.num("epsilon", 0), WeightDecay: c.num("norm_coefficient", 0)}
		return optimize(c, o, int(c.scalar(1))+1, 1)
	},
	"Adam": func(c *call) []*onnxtest.Tensor {
		if c.scalar(1) > 0 {
			refuse("ε is added before the bias is corrected; ours after, as in the paper's algorithm 1")
		}
		if !has(c.Attrs, "epsilon") {
			refuse("its outputs are those of ε = 0.01, its model states none, which means 0")
		}
		o := optim.Adam{Beta1: c.num("alpha", 0), Beta2: c.num("beta", 0), Eps: c.num("epsilon", 0), WeightDecay: c.num("norm_coefficient", 0)}
		// Step 0 corrects no bias; nor does a step so late that there is none left.
		return optimize(c, o, 1<<30, 2)
	},
}

// optimize updates each parameter; outputs are parameters, then each kind of state.
func optimize(c *call, o optim.Optimizer, step, states int) []*onnxtest.Tensor {
	n := (len(c.values) - 2) / (2 + states)
	out := make([]*onnxtest.Tensor, n*(1+states))
	for k := range n {
		dense := func(i int) *tensor.Dense {
			t := c.values[2+i*n+k]
			return nodeOf(c.g, fmt.Sprintf("array%d.%d", i, k), t).Value().(*tensor.Dense)
		}
		p := &optim.Param{Name: "x", Value: dense(0), Grad: dense(1)}
		for s := range states {
			p.Slots = append(p.Slots, dense(2+s))
		}
		if err := o.Update(p, c.scalar(0), step); err != nil {
			panic(failure{err})
		}
		for i, v := range append([]*tensor.Dense{p.Value}, p.Slots...) {
			t, err := tensorOf(v)
			if err != nil {
				panic(failure{err})
			}
			out[i*n+k] = t
		}
	}
	return out
}
