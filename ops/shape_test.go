package ops_test

import (
	"strings"
	"testing"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/internal/golden"
	"github.com/stheno-ml/stheno/internal/gradtest"
	"github.com/stheno-ml/stheno/ops"
)

// moved is the attributes of the golden cases of ops that move elements.
type moved struct {
	Op                    string
	To, Axes              []int
	Axis, Part            int
	Ranges                []ops.Range
	Before, After         []int
	Mode                  int
	Value                 float64
	Size                  [2]int
	Scale                 [2]float64
	Coordinates, Rounding int
}

func (a moved) build(in []*gorgonia.Node) (*gorgonia.Node, error) {
	switch a.Op {
	case "reshape":
		return ops.Reshape(in[0], a.To...)
	case "flatten":
		return ops.Flatten(in[0])
	case "squeeze":
		return ops.Squeeze(in[0], a.Axes...)
	case "unsqueeze":
		return ops.Unsqueeze(in[0], a.Axes...)
	case "transpose":
		return ops.Transpose(in[0], a.Axes...)
	case "slice":
		return ops.Slice(in[0], a.Ranges...)
	case "flip":
		return ops.Flip(in[0], a.Axes...)
	case "concat":
		return ops.Concat(a.Axis, in...)
	case "split":
		parts, err := ops.Split(in[0], a.Axis, a.To...)
		if err != nil {
			return nil, err
		}
		return parts[a.Part], nil
	case "pad":
		return ops.Pad(in[0], ops.PadConfig{Before: a.Before, After: a.After, Mode: ops.PadMode(a.Mode), Value: a.Value})
	case "broadcast":
		return ops.BroadcastTo(in[0], a.To...)
	case "tile":
		return ops.Tile(in[0], a.To...)
	case "gather":
		return ops.Gather(in[0], in[1])
	case "one_hot":
		return ops.OneHot(in[0], a.To[0], tensor.Float64)
	case "resize":
		return ops.Resize(in[0], ops.ResizeConfig{Size: a.Size, Scale: a.Scale, Mode: ops.ResizeMode(a.Mode),
			Coordinates: ops.Coordinates(a.Coordinates), Rounding: ops.Rounding(a.Rounding)})
	}
	panic("no op " + a.Op)
}

func TestMovingEqualsPyTorch(t *testing.T) {
	for _, file := range []string{"shape", "resize"} {
		for _, c := range golden.Load(t, "testdata/"+file+".safetensors") {
			var a moved
			c.Attrs(t, &a)
			// Moved elements are rounded once, 6e-8; bilinear weights three times more, and a gradient adds up
			// to 120 of them.
			c.Check(t, 5e-6, a.build)
		}
	}
}

// Their gradients are checked by golden files at first order; here at second, and on the stock machine.
func TestMovingGradients(t *testing.T) {
	x4 := []int{2, 3, 4, 5}
	for name, c := range map[string]struct {
		a  moved
		in []*tensor.Dense
	}{
		"reshape":           {moved{Op: "reshape", To: []int{6, -1}}, tensors(x4)},
		"reshape to scalar": {moved{Op: "reshape"}, tensors([]int{1, 1})},
		"flatten":           {moved{Op: "flatten"}, tensors(x4)},
		"flatten a vector":  {moved{Op: "flatten"}, tensors([]int{3})},
		"transpose":         {moved{Op: "transpose", Axes: []int{0, 2, 3, 1}}, tensors(x4)},
		"transpose back":    {moved{Op: "transpose", Axes: []int{2, 0, 1}}, tensors([]int{3, 4, 5})},
		"slice":             {moved{Op: "slice", Ranges: []ops.Range{{}, {Start: 1}, {Step: 2}, {Start: -4, Stop: -1, Step: 2}}}, tensors(x4)},
		"flip":              {moved{Op: "flip", Axes: []int{1, 3}}, tensors(x4)},
		"concat":            {moved{Op: "concat", Axis: 1}, tensors(x4, []int{2, 1, 4, 5}, x4)},
		"concat rows":       {moved{Op: "concat", Axis: -1}, tensors([]int{2, 3}, []int{2, 1})},
		"split":             {moved{Op: "split", Axis: 1, To: []int{1, 2}, Part: 1}, tensors(x4)},
		"pad":               {moved{Op: "pad", Before: []int{0, 1, 2, 0}, After: []int{1, 0, 0, 2}, Value: 3}, tensors(x4)},
		"pad reflect":       {moved{Op: "pad", Before: []int{0, 2, 1, 4}, After: []int{1, 0, 3, 2}, Mode: 1}, tensors(x4)},
		"pad edge":          {moved{Op: "pad", Before: []int{1, 0, 2, 7}, After: []int{1, 0, 0, 2}, Mode: 2}, tensors(x4)},
		"broadcast":         {moved{Op: "broadcast", To: x4}, tensors([]int{3, 1, 5})},
		"broadcast scalar":  {moved{Op: "broadcast", To: []int{2, 3}}, tensors([]int{})},
		"tile":              {moved{Op: "tile", To: []int{2, 1, 3}}, tensors([]int{2, 3, 2})},
		"gather":            {moved{Op: "gather"}, append(tensors([]int{5, 2, 3}), tensor.New(tensor.WithShape(2, 2), tensor.WithBacking([]int{4, 0, 4, 1})))},
		"nearest":           {moved{Op: "resize", Size: [2]int{7, 3}}, tensors(x4)},
		"bilinear":          {moved{Op: "resize", Mode: 1, Scale: [2]float64{2, 1.5}}, tensors(x4)},
		"align corners":     {moved{Op: "resize", Mode: 1, Coordinates: 3, Size: [2]int{1, 9}}, tensors(x4)},
		"one pixel":         {moved{Op: "resize", Mode: 1, Coordinates: 4, Size: [2]int{1, 1}}, tensors(x4)},
	} {
		t.Run(name, func(t *testing.T) { gradtest.Check(t, squared(c.a.build), c.in, gradtest.Config{Order: 2}) })
	}
}

// An op on a channels-last picture gives what it gives on a row-major one, forward and backward.
func TestMovingAndFoldingChannelsLast(t *testing.T) {
	shape := []int{2, 3, 4, 5}
	over := func(f reduction, keep bool, axes ...int) gradtest.Build {
		return func(in []*gorgonia.Node) (*gorgonia.Node, error) { return f(in[0], ops.Over{Axes: axes, Keep: keep}) }
	}
	two := func(f binary, reverse bool) gradtest.Build {
		return func(in []*gorgonia.Node) (*gorgonia.Node, error) {
			if reverse {
				return f(in[1], in[0])
			}
			return f(in[0], in[1])
		}
	}
	for name, c := range map[string]struct {
		build gradtest.Build
		in    []*tensor.Dense
	}{
		"slice":          {moved{Op: "slice", Ranges: []ops.Range{{}, {Start: 1}, {Step: 2}, {Start: 1, Stop: 4}}}.build, tensors(shape)},
		"flip":           {moved{Op: "flip", Axes: []int{1, 3}}.build, tensors(shape)},
		"concat":         {moved{Op: "concat", Axis: 1}.build, tensors(shape, []int{2, 1, 4, 5}, shape)},
		"concat rows":    {moved{Op: "concat", Axis: 2}.build, tensors(shape, []int{2, 3, 1, 5})},
		"split":          {moved{Op: "split", Axis: 1, To: []int{1, 2}, Part: 1}.build, tensors(shape)},
		"pad":            {moved{Op: "pad", Before: []int{0, 1, 2, 0}, After: []int{1, 0, 0, 2}, Value: 3}.build, tensors(shape)},
		"pad reflect":    {moved{Op: "pad", Before: []int{0, 2, 1, 4}, After: []int{1, 0, 3, 2}, Mode: 1}.build, tensors(shape)},
		"pad edge":       {moved{Op: "pad", Before: []int{0, 0, 1, 4}, After: []int{0, 0, 3, 2}, Mode: 2}.build, tensors(shape)},
		"nearest":        {moved{Op: "resize", Size: [2]int{7, 3}}.build, tensors(shape)},
		"bilinear":       {moved{Op: "resize", Mode: 1, Scale: [2]float64{2, 1.5}}.build, tensors(shape)},
		"reshape":        {moved{Op: "reshape", To: []int{6, -1}}.build, tensors(shape)},
		"transpose":      {moved{Op: "transpose", Axes: []int{0, 2, 3, 1}}.build, tensors(shape)},
		"softmax":        {func(in []*gorgonia.Node) (*gorgonia.Node, error) { return ops.Softmax(in[0], 1) }, tensors(shape)},
		"log-softmax":    {func(in []*gorgonia.Node) (*gorgonia.Node, error) { return ops.LogSoftmax(in[0], 2) }, tensors(shape)},
		"prelu":          {two(ops.PReLU, false), tensors(shape, []int{3})},
		"add":            {two(ops.Add, false), tensors(shape, shape)},
		"add channel":    {two(ops.Add, false), tensors(shape, []int{3, 1, 1})},
		"mul channel":    {two(ops.Mul, true), tensors(shape, []int{1, 3, 1, 1})},
		"mul gate":       {two(ops.Mul, false), tensors(shape, []int{2, 3, 1, 1})},
		"mul pixels":     {two(ops.Mul, false), tensors(shape, []int{2, 1, 4, 5})},
		"mul pictures":   {two(ops.Mul, false), tensors(shape, []int{1, 3, 4, 5})},
		"mul picture":    {two(ops.Mul, false), tensors(shape, []int{3, 4, 5})},
		"sub row":        {two(ops.Sub, true), tensors(shape, []int{5})},
		"div scalar":     {two(ops.Div, true), tensors(shape, []int{})},
		"grow":           {two(ops.Add, false), tensors([]int{2, 3, 1, 1}, shape)},
		"sum pixels":     {over(ops.SumAxes, false, 2, 3), tensors(shape)},
		"sum channels":   {over(ops.SumAxes, false, 1), tensors(shape)},
		"mean for each":  {over(ops.Mean, true, 0, 2, 3), tensors(shape)},
		"mean rows":      {over(ops.Mean, true, 2), tensors(shape)},
		"variance":       {over(reductions["variance"], false, 0, 2), tensors(shape)},
		"max":            {over(ops.Max, true, 1), tensors(shape)},
		"product":        {over(ops.Prod, true, 1, 3), tensors(shape)},
		"log-sum-exp":    {over(ops.LogSumExp, false, 1), tensors(shape)},
		"broadcast":      {moved{Op: "broadcast", To: []int{2, 3, 4, 5}}.build, tensors([]int{2, 3, 1, 1})},
		"broadcast rows": {moved{Op: "broadcast", To: []int{2, 3, 4, 5}}.build, tensors([]int{2, 3, 4, 1})},
	} {
		t.Run(name, func(t *testing.T) {
			var in []*tensor.Dense
			for _, x := range c.in {
				in = append(in, golden.As(x, tensor.Float32))
			}
			n := leaves(in...)
			y, err := c.build(n)
			if err != nil {
				t.Fatalf("%+v", err)
			}
			dy := golden.As(gradtest.Random(9, 0, y.Shape()...), tensor.Float32)
			want := gradients(t, n, y, dy, graph.Options{})

			m := leaves(in...)
			for i, x := range m {
				if len(x.Shape()) == 4 {
					if m[i], err = channelsLast(x); err != nil {
						t.Fatalf("%+v", err)
					}
				}
			}
			if y, err = c.build(m); err != nil {
				t.Fatalf("%+v", err)
			}
			var dump strings.Builder
			got := gradients(t, m, y, dy, graph.Options{Dump: &dump})
			if !strings.Contains(dump.String(), "channels-last") {
				t.Fatal("no array is channels-last, so nothing was tested")
			}
			for i := range want {
				// The same float32 numbers, added in another order.
				golden.Compare(t, name, got[i], want[i], 1e-6)
			}
		})
	}
}

// gradients is the value of y and of its gradients for x, given dy.
func gradients(t *testing.T, x nodes, y *gorgonia.Node, dy *tensor.Dense, o graph.Options) []*tensor.Dense {
	t.Helper()
	seed, err := ops.Constant(y.Graph(), dy)
	if err != nil {
		t.Fatalf("%+v", err)
	}
	grads, err := graph.VectorJacobian(gorgonia.Nodes{y}, gorgonia.Nodes{seed}, x...)
	if err != nil {
		t.Fatalf("%+v", err)
	}
	outputs := append(gorgonia.Nodes{y}, grads...)
	tape, err := graph.Compile(outputs, o)
	if err != nil {
		t.Fatalf("%+v", err)
	}
	if err := tape.RunAll(); err != nil {
		t.Fatalf("%+v", err)
	}
	var values []*tensor.Dense
	for _, n := range outputs {
		if len(n.Shape()) == 0 {
			values = append(values, tensor.New(tensor.FromScalar(n.Value().Data())))
		} else {
			values = append(values, n.Value().(*tensor.Dense))
		}
	}
	return values
}

func TestFlipAndTileMoveAnyType(t *testing.T) {
	x := tensor.New(tensor.WithShape(2, 2), tensor.WithBacking([]int{1, 2, 3, 4}))
	for name, c := range map[string]struct {
		build gradtest.Build
		want  []int
	}{
		"flip":      {moved{Op: "flip", Axes: []int{1}}.build, []int{2, 1, 4, 3}},
		"transpose": {moved{Op: "transpose"}.build, []int{1, 3, 2, 4}},
		"slice":     {moved{Op: "slice", Ranges: []ops.Range{{Start: 1}}}.build, []int{3, 4}},
		"reshape":   {moved{Op: "reshape", To: []int{4}}.build, []int{1, 2, 3, 4}},
		"concat":    {func(in []*gorgonia.Node) (*gorgonia.Node, error) { return ops.Concat(1, in[0], in[0]) }, []int{1, 2, 1, 2, 3, 4, 3, 4}},
	} {
		got := valueOf(t, c.build, x).Data().([]int)
		if len(got) != len(c.want) {
			t.Fatalf("%s: %v, want %v", name, got, c.want)
		}
		for i := range got {
			if got[i] != c.want[i] {
				t.Fatalf("%s: %v, want %v", name, got, c.want)
			}
		}
	}
}

func TestOneHotIsZeroBesideTheLabel(t *testing.T) {
	index := tensor.New(tensor.WithShape(2, 2), tensor.WithBacking([]int{0, 2, 1, 1}))
	y := valueOf(t, func(in []*gorgonia.Node) (*gorgonia.Node, error) { return ops.OneHot(in[0], 3, tensor.Float32) }, index)
	want := []float32{1, 0, 0, 0, 0, 1, 0, 1, 0, 0, 1, 0}
	for i, v := range y.Data().([]float32) {
		if v != want[i] {
			t.Fatalf("%v, want %v", y.Data(), want)
		}
	}
}

func TestIndexOutOfRangeIsAnError(t *testing.T) {
	index := tensor.New(tensor.WithShape(3), tensor.WithBacking([]int{0, 5, 1}))
	for name, build := range map[string]gradtest.Build{
		"gather":  func(in []*gorgonia.Node) (*gorgonia.Node, error) { return ops.Gather(in[1], in[0]) },
		"one-hot": func(in []*gorgonia.Node) (*gorgonia.Node, error) { return ops.OneHot(in[0], 5, tensor.Float32) },
	} {
		y, err := build(leaves(index, tensors([]int{5, 2})[0]))
		if err != nil {
			t.Fatalf("%+v", err)
		}
		tape, err := graph.Compile(gorgonia.Nodes{y}, graph.Options{})
		if err != nil {
			t.Fatalf("%+v", err)
		}
		err = tape.RunAll()
		if err == nil || !strings.Contains(err.Error(), "index 5 (element 1), want 0 to 4") {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

func TestMovingMistakes(t *testing.T) {
	x4 := tensors([]int{2, 3, 4, 5})
	with := func(a moved) gradtest.Build { return a.build }
	index := tensor.New(tensor.Of(tensor.Int), tensor.WithShape(2))
	checkMistakes(t, []mistake{
		{"reshape to other size", with(moved{Op: "reshape", To: []int{7, 3}}), x4, []string{"(2, 3, 4, 5)", "120", "21"}},
		{"reshape with two -1", with(moved{Op: "reshape", To: []int{-1, -1}}), x4, []string{"-1 twice"}},
		{"reshape to 0", with(moved{Op: "reshape", To: []int{0, 120}}), x4, []string{"size 0 at axis 0"}},
		{"reshape to a rest", with(moved{Op: "reshape", To: []int{-1, 7}}), x4, []string{"120", "[-1 7]"}},
		{"flatten a scalar", with(moved{Op: "flatten"}), tensors([]int{}), []string{"scalar"}},
		{"squeeze 3", with(moved{Op: "squeeze", Axes: []int{1}}), x4, []string{"axis 1", "size 3"}},
		{"unsqueeze far out", with(moved{Op: "unsqueeze", Axes: []int{6}}), x4, []string{"axis 6"}},
		{"transpose to three axes", with(moved{Op: "transpose", Axes: []int{0, 1, 2}}), x4, []string{"[0 1 2]", "(2, 3, 4, 5)"}},
		{"transpose an axis twice", with(moved{Op: "transpose", Axes: []int{0, 1, 2, 2}}), x4, []string{"twice"}},
		{"slice beyond", with(moved{Op: "slice", Ranges: []ops.Range{{Start: 1, Stop: 3}}}), x4, []string{"1 to 3", "axis 0", "0 to 2"}},
		{"slice nothing", with(moved{Op: "slice", Ranges: []ops.Range{{Start: 1, Stop: 1}}}), x4, []string{"1 to 1", "not empty"}},
		{"slice backwards", with(moved{Op: "slice", Ranges: []ops.Range{{Step: -1}}}), x4, []string{"by -1", "positive step"}},
		{"slice five axes", with(moved{Op: "slice", Ranges: make([]ops.Range, 5)}), x4, []string{"5 ranges"}},
		{"split by a wrong sum", with(moved{Op: "split", Axis: 1, To: []int{1, 1}}), x4, []string{"sum to 2", "size 3"}},
		{"split off nothing", with(moved{Op: "split", Axis: 1, To: []int{3, 0}}), x4, []string{"part 1", "size 0"}},
		{"concat other sizes", with(moved{Op: "concat", Axis: 1}), tensors([]int{2, 3}, []int{3, 3}), []string{"(3, 3)", "(2, 3)", "axis 1"}},
		{"concat other ranks", with(moved{Op: "concat", Axis: 0}), tensors([]int{2, 3}, []int{2}), []string{"(2)", "as many axes"}},
		{"concat nothing", with(moved{Op: "concat"}), nil, []string{"no inputs"}},
		{"concat two types", with(moved{Op: "concat"}), []*tensor.Dense{tensors([]int{2})[0], index}, []string{"float64", "int"}},
		{"negative padding", with(moved{Op: "pad", Before: []int{0, 0, -1, 0}}), x4, []string{"-1 before axis 2"}},
		{"padding of two axes", with(moved{Op: "pad", After: []int{1, 1}}), x4, []string{"[1 1] after", "want 4"}},
		{"reflecting too much", with(moved{Op: "pad", After: []int{0, 0, 4, 0}, Mode: 1}), x4, []string{"reflecting 4 after axis 2", "size 4"}},
		{"unknown mode", with(moved{Op: "pad", Mode: 7}), x4, []string{"mode 7"}},
		{"broadcast 3 to 4", with(moved{Op: "broadcast", To: []int{4}}), tensors([]int{3}), []string{"(3)", "(4)"}},
		{"broadcast to fewer axes", with(moved{Op: "broadcast", To: []int{3}}), tensors([]int{1, 3}), []string{"(1, 3)"}},
		{"tile three times two axes", with(moved{Op: "tile", To: []int{1, 2, 3}}), tensors([]int{2, 3}), []string{"3 repeats", "(2, 3)"}},
		{"tile 0 times", with(moved{Op: "tile", To: []int{0, 1}}), tensors([]int{2, 3}), []string{"[0 1]"}},
		{"gather by floats", with(moved{Op: "gather"}), tensors([]int{2, 3}, []int{2}), []string{"float64 and float64"}},
		{"gather from a scalar", with(moved{Op: "gather"}), []*tensor.Dense{tensors([]int{})[0], index}, []string{"scalar"}},
		{"one-hot of floats", with(moved{Op: "one_hot", To: []int{3}}), tensors([]int{2}), []string{"float64", "want int"}},
		{"one-hot of no classes", with(moved{Op: "one_hot", To: []int{0}}), []*tensor.Dense{index}, []string{"0 classes"}},
		{"resize a matrix", with(moved{Op: "resize", Size: [2]int{2, 2}}), tensors([]int{2, 3}), []string{"(2, 3)", "[N, C, H, W]"}},
		{"resize to nothing said", with(moved{Op: "resize"}), x4, []string{"want one of them"}},
		{"resize to size and scale", with(moved{Op: "resize", Size: [2]int{2, 2}, Scale: [2]float64{1, 1}}), x4, []string{"want one of them"}},
		{"resize to nothing", with(moved{Op: "resize", Scale: [2]float64{0.1, 1}}), x4, []string{"empty"}},
		{"resize by an unknown mode", with(moved{Op: "resize", Mode: 9, Size: [2]int{2, 2}}), x4, []string{"mode 9"}},
	})
}
