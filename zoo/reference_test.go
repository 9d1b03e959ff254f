package zoo_test

import (
	"bufio"
	"context"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/zoo"
	"github.com/stheno-ml/stheno/zoo/weights"
)

const (
	// wide is the tolerance of float64: through hundreds of layers, sums in another order.
	wide = 1e-8
	// narrow is that of float32, of the output's scale: what the networks' authors can expect of another
	// implementation, too.
	narrow = 1e-3
)

// narrowGradients is the tolerance of gradients in float32, of their norm, sum and first value: rounding moves
// single pixels over the edge of a ReLU or to another maximum of a pooling, and these weights make gradients
// grow from layer to layer. PyTorch 1.13's own float32 is up to 6.3e-3, 9.2e-2 and 5.0e-2 away from these
// references (inception_v3). Sums and single values, which cancel, are left to float64.
var narrowGradients = [3]float64{5e-2, math.Inf(1), math.Inf(1)}

// reference is a network's values as another implementation computed them: FILE.tensors.tsv and
// FILE.expected.safetensors.
type reference struct {
	file   string
	name   string // here
	config zoo.Config
	labels []int
	quick  bool // in float64; the others run with STHENO_ZOO=all only
}

// published are the networks of ../shared/refs/arch, at their own sizes.
var published = []reference{
	{file: "dcgan_discriminator", name: "dcgan_discriminator", quick: true},
	{file: "dcgan_generator", name: "dcgan_generator", quick: true},
	{file: "resnet18", name: "resnet18", quick: true},
	{file: "googlenet", name: "googlenet", config: zoo.Config{Aux: true}},
	{file: "inception_v3", name: "inception_v3", config: zoo.Config{Aux: true}},
	{file: "resnet50", name: "resnet50"},
	{file: "resnet101", name: "resnet101"},
	{file: "resnext50_32x4d", name: "resnext50_32x4d"},
	{file: "timm_inception_resnet_v2", name: "inception_resnet_v2"},
	{file: "timm_inception_v4", name: "inception_v4"},
	{file: "timm_legacy_xception", name: "legacy_xception"},
	{file: "timm_resnetv2_50", name: "resnetv2_50"},
}

// sized are networks of testdata (gen.py): other members, small sizes, odd and not square, other classes, channels and
// first numbers.
var sized = []reference{
	atSize("resnet18", 33, 52, 1, 5, true),
	atSize("resnet34", 49, 65, 3, 10, true),
	atSize("resnet50", 65, 40, 3, 10, true),
	atSize("resnet50_v1", 65, 40, 3, 10, true),
	atSize("resnet50_keras", 47, 62, 3, 10, true),
	atSize("resnext50_32x4d", 41, 70, 4, 10, true),
	atSize("wide_resnet50_2", 34, 49, 3, 10, false), // 67 million parameters
	atSize("resnetv2_50", 63, 45, 4, 10, true),
	atSize("resnet50v2_keras", 45, 62, 3, 10, true),
	atSize("cifar_resnet20", 31, 20, 3, 10, true),
	atSize("googlenet", 97, 129, 3, 10, true),
	atSize("googlenet_bvlc", 97, 129, 3, 10, true),
	atSize("bn_inception", 63, 80, 4, 10, true),
	atSize("inception_v3", 139, 155, 3, 10, true), // too small for its auxiliary head
	atSize("inception_v3_keras", 139, 155, 3, 10, true),
	atSize("inception_v4", 171, 155, 3, 10, true),
	atSize("inception_resnet_v1", 139, 124, 1, 10, true),
	atSize("inception_resnet_v2_keras", 124, 139, 3, 10, true),
	atSize("xception", 71, 98, 3, 7, true),
	atSize("xception_keras", 72, 99, 3, 10, true),
	atSize("squeezenet1_0", 65, 81, 3, 10, true),
	atSize("squeezenet1_1", 64, 49, 3, 10, true),
	atSize("mobilenet_v1", 47, 65, 1, 10, true),
	atSize("mobilenet_v1_keras", 98, 95, 3, 10, true),
	atSize("mobilenet_v2", 97, 65, 3, 10, true),
	atSize("mobilenet_v2_keras", 47, 66, 3, 10, true),
	atSize("vgg11_bn", 39, 64, 3, 10, false), // 129 million parameters
	atSize("vgg13", 35, 50, 1, 10, false),
	atSize("facenet", 139, 107, 3, 12, true),
	atSize("xception_small", 51, 74, 1, 10, true),
	atSize("cifar_resnet32", 21, 34, 1, 10, true),
	atSize("cifar_resnet44", 32, 19, 4, 10, true),
	atSize("cifar_resnet56", 27, 30, 3, 10, true),
	atSize("cifar_resnet110", 20, 25, 3, 10, true),
	atSize("mobilenet_v2", 131, 97, 4, 10, true),
	atSize("squeezenet1_1", 97, 131, 1, 10, true),
	atSize("resnet101", 97, 131, 3, 10, false),
	atSize("resnetv2_101", 45, 62, 3, 10, false),
	atSize("inception_resnet_v2", 107, 124, 4, 10, false),
	atSize("inception_v4", 203, 235, 3, 10, false),
	atSize("resnet152", 41, 70, 1, 10, false),
	atSize("resnet101_v1", 47, 62, 3, 10, false),
	atSize("resnet101_keras", 46, 63, 3, 10, false),
	atSize("resnet101v2_keras", 63, 46, 3, 10, false),
	atSize("resnetv2_152", 62, 45, 1, 10, false),
	atSize("resnext101_32x8d", 35, 64, 3, 10, false),
	atSize("resnext101_64x4d", 64, 35, 3, 10, false),
	atSize("wide_resnet101_2", 33, 47, 3, 10, false),
	atSize("vgg13_bn", 33, 65, 3, 10, false),
	// Few pixels for the last batch norms: two for Inception-ResNet-v1's, where PyTorch's float64 in another order of sums
	// is up to 2.3e-9 away (1.2e-8 with one channel).
	atSize("inception_v4", 107, 90, 3, 10, false),
	atSize("mobilenet_v1_keras", 50, 47, 3, 10, true),
	atSize("inception_resnet_v1", 101, 92, 3, 10, false),
	atSize("inception_resnet_v2_keras", 80, 107, 3, 10, false),
}

func atSize(name string, h, w, channels, classes int, quick bool) reference {
	return reference{file: name + "_" + strconv.Itoa(h) + "x" + strconv.Itoa(w), name: name, labels: []int{7 % classes, 3 % classes}, quick: quick,
		config: zoo.Config{Classes: classes, Channels: channels, InputSize: [2]int{h, w}, Aux: strings.HasPrefix(name, "googlenet")}}
}

func TestPublished64(t *testing.T) {
	each(t, shared(t, "refs/arch"), published, tensor.Float64, wide)
}

func TestPublished32(t *testing.T) {
	each(t, shared(t, "refs/arch"), published, tensor.Float32, narrow)
}

func TestOtherSizes64(t *testing.T) { each(t, "testdata", sized, tensor.Float64, wide) }
func TestOtherSizes32(t *testing.T) { each(t, "testdata", sized, tensor.Float32, narrow) }

func each(t *testing.T, dir string, rs []reference, dt tensor.Dtype, tolerance float64) {
	all := os.Getenv("STHENO_ZOO") == "all"
	for _, r := range rs {
		t.Run(r.file, func(t *testing.T) {
			if !all && (testing.Short() || dt == tensor.Float64 && !r.quick) {
				t.Skip("slow; STHENO_ZOO=all runs it")
			}
			r.compare(t, dir, dt, tolerance)
		})
	}
}

// shared is a folder beside the repository, with references that are not part of it.
func shared(t *testing.T, folder string) string {
	t.Helper()
	dir, err := filepath.Abs(".")
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			break
		}
		up := filepath.Dir(dir)
		if up == dir {
			t.Fatal("no go.mod above the test")
		}
		dir = up
	}
	path := filepath.Join(dir, "..", "shared", folder)
	if _, err := os.Stat(path); err != nil {
		t.Skipf("skipped: the references in %s are not here", filepath.Join("..", "shared", folder))
	}
	return path
}

// row is a line of a tensors.tsv.
type row struct {
	t                   int
	name, shape         string
	l2, sum, first      float64 // of the gradient
	after               float64 // first value of a running statistic after a step
	gradient, statistic bool
}

func readRows(t *testing.T, path string) []row {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var rows []row
	lines := bufio.NewScanner(f)
	lines.Scan() // the heading
	for lines.Scan() {
		c := append(strings.Split(lines.Text(), "\t"), "", "", "", "")
		r := row{name: c[1], shape: c[2], gradient: c[5] != "", statistic: c[8] != ""}
		for _, p := range []struct {
			text string
			to   *float64
		}{{c[5], &r.l2}, {c[6], &r.sum}, {c[7], &r.first}, {c[8], &r.after}} {
			if p.text == "" {
				continue
			}
			if *p.to, err = strconv.ParseFloat(p.text, 64); err != nil {
				t.Fatalf("%s: %s: %v", path, r.name, err)
			}
		}
		if r.t, err = strconv.Atoi(c[0]); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		rows = append(rows, r)
	}
	return rows
}

// calm says whether the references have a fifth of the scale in this batch norm, which ends a residual branch.
func calm(file, name string) bool {
	switch {
	case strings.HasPrefix(file, "resnet18"), strings.HasPrefix(file, "resnet34"), strings.HasPrefix(file, "cifar"):
		return strings.HasSuffix(name, ".bn2.weight")
	case strings.HasPrefix(file, "res"), strings.HasPrefix(file, "wide"):
		return strings.HasSuffix(name, ".bn3.weight")
	case strings.Contains(file, "xception"):
		return strings.HasSuffix(name, ".rep.8.weight")
	}
	return false
}

func (r reference) compare(t *testing.T, dir string, dt tensor.Dtype, tolerance float64) {
	file := r.file
	rows := readRows(t, filepath.Join(dir, file+".tensors.tsv"))
	f, err := weights.Open(filepath.Join(dir, file+".expected.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	expected := func(what string) []float64 {
		d, err := f.TensorAs(what, tensor.Float64)
		if err != nil {
			t.Fatal(err)
		}
		return d.Float64s()
	}
	c := r.config
	c.DropRate, c.Dtype, c.Blank = -1, dt, true
	m, err := zoo.New(r.name, c)
	if err != nil {
		t.Fatalf("%+v", err)
	}
	fillRows(t, m, file, rows)
	gradients := [3]float64{tolerance, tolerance, tolerance}
	training := tolerance
	if dt == tensor.Float32 {
		gradients = narrowGradients
		// Where batch norms see a handful of pixels, PyTorch's own float32 is further off than that, and how far differs
		// severalfold with the order of its sums. The reference has the furthest of three orders; ours may be twice that.
		if _, ok := f.Info("float32"); ok {
			theirs := expected("float32")
			training, gradients[0] = max(training, 2*theirs[0]), max(gradients[0], 2*theirs[1])
			if theirs[1] > 0.5 { // then float32's gradients are nothing but rounding
				gradients[0] = math.Inf(1)
			}
		}
	}
	x := tensor.New(tensor.Of(dt), tensor.WithShape(append([]int{2}, m.Input...)...))
	set(x, func(i int) float64 { return 2*u01(inputNumber, uint64(i)) - 1 })
	y, err := m.Model.Predict(context.Background(), x)
	if err != nil {
		t.Fatalf("%+v", err)
	}
	closeTo(t, "output in evaluation", values(y), expected("eval_output"), tolerance)

	loss := m.Loss
	if strings.HasPrefix(file, "dcgan") {
		loss = sumWithNoise
	}
	labels := []int{7, 123}
	if r.labels != nil {
		labels = r.labels
	}
	var heads []string
	if c.Aux {
		heads = m.AuxScopes()
	}
	got, err := step(m, x, labels, loss, heads)
	if err != nil {
		t.Fatalf("%+v", err)
	}
	closeTo(t, "output in training", got.output, expected("train_output"), training)
	closeTo(t, "loss", []float64{got.loss}, expected("train_loss"), training)
	for i, a := range got.marked {
		if _, ok := f.Info("train_aux" + strconv.Itoa(i)); !ok {
			continue // then the loss stands for them
		}
		closeTo(t, heads[i], a, expected("train_aux"+strconv.Itoa(i)), tolerance)
	}
	compareGradients(t, rows, got, training, gradients)
}

// fillRows gives the variables the formula's values; names and shapes must be the reference's.
func fillRows(t *testing.T, m *zoo.Model, file string, rows []row) {
	t.Helper()
	if n := len(m.Store().Variables()); n != len(rows) {
		t.Errorf("%d variables, want %d", n, len(rows))
	}
	for _, r := range rows {
		v := m.Store().Get(r.name)
		if v == nil {
			t.Fatalf("no variable %s", r.name)
		}
		var shape []string
		for _, d := range v.Value.Shape() {
			shape = append(shape, strconv.Itoa(d))
		}
		if s := strings.Join(shape, "x"); s != r.shape {
			t.Fatalf("%s has shape %s, want %s", r.name, s, r.shape)
		}
		stride := 0
		if file == "dcgan_generator" && len(shape) == 4 {
			stride = 2
			if r.t == 0 {
				stride = 1
			}
		}
		set(v.Value, formula(v, r.t, stride, calm(file, r.name)))
	}
}

func compareGradients(t *testing.T, rows []row, got *result, statistics float64, tolerance [3]float64) {
	t.Helper()
	largest := 0.0
	for _, r := range rows {
		largest = math.Max(largest, r.l2)
	}
	var worst [3]float64 // of norms, sums, first values
	for _, r := range rows {
		if r.statistic {
			a := got.after[r.name]
			if len(a) == 0 {
				t.Errorf("%s has no value after a step", r.name)
			} else if !(math.Abs(a[0]-r.after) <= statistics*math.Max(math.Abs(r.after), 0.1)) {
				t.Errorf("%s after a step begins with %g, want %g", r.name, a[0], r.after)
			}
		}
		if !r.gradient {
			continue
		}
		g := got.grads[r.name]
		if len(g) == 0 {
			t.Errorf("%s has no gradient", r.name)
			continue
		}
		sum, squares := 0.0, 0.0
		for _, v := range g {
			sum += v
			squares += v * v
		}
		if r.l2 < 1e-12*largest {
			// A bias in front of a batch norm: its gradient is 0 but for rounding.
			if !(math.Sqrt(squares) <= statistics*largest) {
				t.Errorf("gradient of %s has norm %g, want 0 where the largest is %g", r.name, math.Sqrt(squares), largest)
			}
			continue
		}
		// Sums and single values are small where terms cancel: then rounding is relative to the norm and to
		// its share in one value.
		off := [3]float64{
			math.Abs(math.Sqrt(squares)-r.l2) / r.l2,
			math.Abs(sum-r.sum) / math.Max(math.Abs(r.sum), r.l2),
			math.Abs(g[0]-r.first) / math.Max(math.Abs(r.first), r.l2/math.Sqrt(float64(len(g)))),
		}
		bad := false
		for i := range off {
			worst[i] = math.Max(worst[i], off[i])
			bad = bad || !(off[i] <= tolerance[i])
		}
		if bad {
			t.Errorf("gradient of %s has norm, sum and first value %g, %g, %g, want %g, %g, %g", r.name, math.Sqrt(squares), sum, g[0], r.l2, r.sum, r.first)
		}
	}
	t.Logf("norms, sums and first values of gradients agree to %.2g", worst)
}
