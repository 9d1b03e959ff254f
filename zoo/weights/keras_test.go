package weights_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/nn"
	"github.com/stheno-ml/stheno/zoo"
	"github.com/stheno-ml/stheno/zoo/weights"
)

// kerasFile is a list of Keras's variables; their values are zeros, except where a test needs others.
type kerasFile struct {
	header map[string]any
	size   int64
	count  int
}

func (k *kerasFile) add(name string, shape ...int) {
	n := int64(4)
	for _, d := range shape {
		n *= int64(d)
	}
	if k.header == nil {
		k.header = make(map[string]any)
	}
	k.header[name] = map[string]any{"dtype": "F32", "shape": shape, "data_offsets": []int64{k.size, k.size + n}}
	k.size += n
	k.count++
}

// norm is a BatchNormalization layer.
func (k *kerasFile) norm(layer string, c int, scale bool) {
	if scale {
		k.add(layer+"/gamma:0", c)
	}
	for _, v := range []string{"beta", "moving_mean", "moving_variance"} {
		k.add(layer+"/"+v+":0", c)
	}
}

// open makes a safetensors file of the list, of zeros that exist only when they are read.
func (k *kerasFile) open(t *testing.T) *weights.File {
	t.Helper()
	text, err := json.Marshal(k.header)
	if err != nil {
		t.Fatal(err)
	}
	head := append(binary.LittleEndian.AppendUint64(nil, uint64(len(text))), text...)
	f, err := weights.NewFile(zeros(head), int64(len(head))+k.size)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

type zeros []byte // with these bytes before them

func (z zeros) ReadAt(b []byte, at int64) (int, error) {
	clear(b)
	if at < int64(len(z)) {
		copy(b, z[at:])
	}
	return len(b), nil
}

// TestKerasNames has the variables of Keras's models, as its sources make them (keras-applications 1.0.8:
// resnet_common.py, inception_v3.py, inception_resnet_v2.py, vgg16.py, vgg19.py, xception.py, mobilenet.py, mobilenet_v2.py), and wants each to fit its
// network with nothing missing, nothing left over and no other shape.
func TestKerasNames(t *testing.T) {
	for _, c := range []struct {
		network string
		names   weights.KerasNames
		file    kerasFile
	}{
		{"resnet50_keras", weights.KerasResNet, kerasResNet(false)},
		{"resnet50v2_keras", weights.KerasResNetV2, kerasResNet(true)},
		{"inception_v3_keras", weights.KerasInceptionV3, kerasInception()},
		{"xception_keras", weights.KerasXception, kerasXception()},
		{"inception_resnet_v2_keras", weights.KerasInceptionResNetV2, kerasInceptionResNet()},
		{"vgg16_keras", weights.KerasVGG, kerasVGG(2, 2, 3, 3, 3)},
		{"vgg19_keras", weights.KerasVGG, kerasVGG(2, 2, 4, 4, 4)},
		{"mobilenet_v1_keras", weights.KerasMobileNet, kerasMobileNet()},
		{"mobilenet_v2_keras", weights.KerasMobileNetV2, kerasMobileNetV2()},
	} {
		m, err := zoo.New(c.network, zoo.Config{InputSize: [2]int{96, 96}})
		if err != nil {
			t.Errorf("%s: %v", c.network, err)
			continue
		}
		if got := len(m.Store().Variables()); got != c.file.count {
			t.Errorf("%s: %d variables, want Keras's %d", c.network, got, c.file.count)
		}
		f := c.file.open(t)
		if err := f.LoadStore(m.Store(), weights.Keras(c.names)); err != nil {
			t.Errorf("%s: %v", c.network, err)
		}
		// Without the names nothing fits.
		if err := f.LoadStore(m.Store()); !errors.As(err, new(*weights.Mismatch)) {
			t.Errorf("%s: error %v, want a mismatch", c.network, err)
		}
	}
}

// kerasResNet is ResNet50 or, with preact, ResNet50V2.
func kerasResNet(preact bool) (k kerasFile) {
	conv := func(name string, size, in, out int, bias bool) {
		k.add(name+"_conv/kernel:0", size, size, in, out)
		if bias {
			k.add(name+"_conv/bias:0", out)
		}
	}
	conv("conv1", 7, 3, 64, true)
	if !preact {
		k.norm("conv1_bn", 64, true)
	}
	in := 64
	for s, blocks := range []int{3, 4, 6, 3} {
		f := 64 << s
		for b := range blocks {
			name := fmt.Sprintf("conv%d_block%d", s+2, b+1)
			if preact {
				k.norm(name+"_preact_bn", in, true)
			}
			if b == 0 {
				conv(name+"_0", 1, in, 4*f, true)
				if !preact {
					k.norm(name+"_0_bn", 4*f, true)
				}
			}
			conv(name+"_1", 1, in, f, !preact)
			k.norm(name+"_1_bn", f, true)
			conv(name+"_2", 3, f, f, !preact)
			k.norm(name+"_2_bn", f, true)
			conv(name+"_3", 1, f, 4*f, true)
			if !preact {
				k.norm(name+"_3_bn", 4*f, true)
			}
			in = 4 * f
		}
	}
	if preact {
		k.norm("post_bn", in, true)
	}
	k.add("probs/kernel:0", in, 1000)
	k.add("probs/bias:0", 1000)
	return k
}

func kerasInception() (k kerasFile) {
	// Another model was made before in the same program: its 188 layers count too.
	made := 188
	conv := func(in, filters, h, w int) int {
		k.add(fmt.Sprintf("inception_v3/conv2d_%d/kernel:0", made), h, w, in, filters)
		k.norm(fmt.Sprintf("inception_v3/batch_normalization_%d", made), filters, false)
		made++
		return filters
	}
	x := conv(conv(conv(conv(conv(3, 32, 3, 3), 32, 3, 3), 64, 3, 3), 80, 1, 1), 192, 3, 3)
	for _, pool := range []int{32, 64, 64} {
		x = conv(x, 64, 1, 1) + conv(conv(x, 48, 1, 1), 64, 5, 5) + conv(conv(conv(x, 64, 1, 1), 96, 3, 3), 96, 3, 3) + conv(x, pool, 1, 1)
	}
	x += conv(x, 384, 3, 3) + conv(conv(conv(x, 64, 1, 1), 96, 3, 3), 96, 3, 3)
	for _, f := range []int{128, 160, 160, 192} {
		x = conv(x, 192, 1, 1) + conv(conv(conv(x, f, 1, 1), f, 1, 7), 192, 7, 1) +
			conv(conv(conv(conv(conv(x, f, 1, 1), f, 7, 1), f, 1, 7), f, 7, 1), 192, 1, 7) + conv(x, 192, 1, 1)
	}
	x += conv(conv(x, 192, 1, 1), 320, 3, 3) + conv(conv(conv(conv(x, 192, 1, 1), 192, 1, 7), 192, 7, 1), 192, 3, 3)
	for range 2 {
		a := conv(x, 320, 1, 1)
		b := conv(x, 384, 1, 1)
		bs := conv(b, 384, 1, 3) + conv(b, 384, 3, 1)
		c := conv(conv(x, 448, 1, 1), 384, 3, 3)
		cs := conv(c, 384, 1, 3) + conv(c, 384, 3, 1)
		x = a + bs + cs + conv(x, 192, 1, 1)
	}
	k.add("inception_v3/predictions/kernel:0", x, 1000)
	k.add("inception_v3/predictions/bias:0", 1000)
	return k
}

func kerasInceptionResNet() (k kerasFile) {
	made := 0
	conv := func(in, filters, h, w int) int {
		suffix := ""
		if made > 0 {
			suffix = fmt.Sprintf("_%d", made)
		}
		k.add("conv2d"+suffix+"/kernel:0", h, w, in, filters)
		k.norm("batch_normalization"+suffix, filters, false)
		made++
		return filters
	}
	blocks := func(kind string, n, channels int, branches func() int) {
		for i := range n {
			name := fmt.Sprintf("%s_%d_conv", kind, i+1)
			k.add(name+"/kernel:0", 1, 1, branches(), channels)
			k.add(name+"/bias:0", channels)
		}
	}
	x := conv(conv(conv(conv(conv(3, 32, 3, 3), 32, 3, 3), 64, 3, 3), 80, 1, 1), 192, 3, 3)
	x = conv(x, 96, 1, 1) + conv(conv(x, 48, 1, 1), 64, 5, 5) + conv(conv(conv(x, 64, 1, 1), 96, 3, 3), 96, 3, 3) + conv(x, 64, 1, 1)
	blocks("block35", 10, x, func() int {
		return conv(x, 32, 1, 1) + conv(conv(x, 32, 1, 1), 32, 3, 3) + conv(conv(conv(x, 32, 1, 1), 48, 3, 3), 64, 3, 3)
	})
	x += conv(x, 384, 3, 3) + conv(conv(conv(x, 256, 1, 1), 256, 3, 3), 384, 3, 3)
	blocks("block17", 20, x, func() int { return conv(x, 192, 1, 1) + conv(conv(conv(x, 128, 1, 1), 160, 1, 7), 192, 7, 1) })
	x += conv(conv(x, 256, 1, 1), 384, 3, 3) + conv(conv(x, 256, 1, 1), 288, 3, 3) + conv(conv(conv(x, 256, 1, 1), 288, 3, 3), 320, 3, 3)
	blocks("block8", 10, x, func() int { return conv(x, 192, 1, 1) + conv(conv(conv(x, 192, 1, 1), 224, 1, 3), 256, 3, 1) })
	k.add("conv_7b/kernel:0", 1, 1, x, 1536)
	k.norm("conv_7b_bn", 1536, false)
	k.add("predictions/kernel:0", 1536, 1000)
	k.add("predictions/bias:0", 1000)
	return k
}

func kerasVGG(convs ...int) (k kerasFile) {
	layer := func(name string, shape ...int) {
		k.add(name+"/kernel:0", shape...)
		k.add(name+"/bias:0", shape[len(shape)-1])
	}
	x := 3
	for i, n := range convs {
		for c := range n {
			layer(fmt.Sprintf("block%d_conv%d", i+1, c+1), 3, 3, x, min(64<<i, 512))
			x = min(64<<i, 512)
		}
	}
	layer("fc1", 7*7*512, 4096)
	layer("fc2", 4096, 4096)
	layer("predictions", 4096, 1000)
	return k
}

func kerasXception() (k kerasFile) {
	shortcuts := 0
	shortcut := func(in, out int) {
		suffix := ""
		if shortcuts > 0 {
			suffix = fmt.Sprintf("_%d", shortcuts)
		}
		shortcuts++
		k.add("conv2d"+suffix+"/kernel", 1, 1, in, out)
		k.norm("batch_normalization"+suffix, out, true)
	}
	separable := func(name string, in, out int) int {
		k.add(name+"/depthwise_kernel", 3, 3, in, 1)
		k.add(name+"/pointwise_kernel", 1, 1, in, out)
		k.norm(name+"_bn", out, true)
		return out
	}
	k.add("block1_conv1/kernel", 3, 3, 3, 32)
	k.norm("block1_conv1_bn", 32, true)
	k.add("block1_conv2/kernel", 3, 3, 32, 64)
	k.norm("block1_conv2_bn", 64, true)
	x := 64
	for i, f := range []int{128, 256, 728} {
		shortcut(x, f)
		separable(fmt.Sprintf("block%d_sepconv1", i+2), x, f)
		x = separable(fmt.Sprintf("block%d_sepconv2", i+2), f, f)
	}
	for i := range 8 {
		for j := range 3 {
			separable(fmt.Sprintf("block%d_sepconv%d", i+5, j+1), 728, 728)
		}
	}
	shortcut(728, 1024)
	separable("block13_sepconv1", 728, 728)
	separable("block13_sepconv2", 728, 1024)
	separable("block14_sepconv1", 1024, 1536)
	separable("block14_sepconv2", 1536, 2048)
	k.add("predictions/kernel", 2048, 1000)
	k.add("predictions/bias", 1000)
	return k
}

func kerasMobileNet() (k kerasFile) {
	k.add("conv1/kernel:0", 3, 3, 3, 32)
	k.norm("conv1_bn", 32, true)
	x := 32
	for i, f := range []int{64, 128, 128, 256, 256, 512, 512, 512, 512, 512, 512, 1024, 1024} {
		k.add(fmt.Sprintf("conv_dw_%d/depthwise_kernel:0", i+1), 3, 3, x, 1)
		k.norm(fmt.Sprintf("conv_dw_%d_bn", i+1), x, true)
		k.add(fmt.Sprintf("conv_pw_%d/kernel:0", i+1), 1, 1, x, f)
		k.norm(fmt.Sprintf("conv_pw_%d_bn", i+1), f, true)
		x = f
	}
	k.add("conv_preds/kernel:0", 1, 1, x, 1000)
	k.add("conv_preds/bias:0", 1000)
	return k
}

func kerasMobileNetV2() (k kerasFile) {
	conv := func(name, norm string, in, out int) int {
		k.add(name+"/kernel", 1, 1, in, out)
		k.norm(norm, out, true)
		return out
	}
	k.add("Conv1/kernel", 3, 3, 3, 32)
	k.norm("bn_Conv1", 32, true)
	x, block := 32, 0
	for _, row := range [][3]int{{1, 16, 1}, {6, 24, 2}, {6, 32, 3}, {6, 64, 4}, {6, 96, 3}, {6, 160, 3}, {6, 320, 1}} {
		for range row[2] {
			name := fmt.Sprintf("block_%d_", block)
			wide := x
			if block == 0 {
				name = "expanded_conv_"
			} else {
				wide = conv(name+"expand", name+"expand_BN", x, row[0]*x)
			}
			k.add(name+"depthwise/depthwise_kernel", 3, 3, wide, 1)
			k.norm(name+"depthwise_BN", wide, true)
			x = conv(name+"project", name+"project_BN", wide, row[1])
			block++
		}
	}
	conv("Conv_1", "Conv_1_bn", x, 1280)
	k.add("Logits/kernel", 1280, 1000)
	k.add("Logits/bias", 1000)
	return k
}

// TestKerasLayout puts numbers through a convolution, a depthwise one and a dense layer that Keras's variables
// made, and compares them with the sums that Keras's documentation defines.
func TestKerasLayout(t *testing.T) {
	const h, w, in, mult, out, classes = 3, 2, 2, 3, 4, 5
	value := func(seed int) func(i int) float64 {
		return func(i int) float64 { return math.Sin(float64(seed*1000 + i)) }
	}
	conv, deep, dense := value(1), value(2), value(3)
	var tensors []weights.Named
	add := func(name string, f func(int) float64, shape ...int) {
		d := tensor.New(tensor.Of(tensor.Float64), tensor.WithShape(shape...))
		for i := range d.Float64s() {
			d.Float64s()[i] = f(i)
		}
		tensors = append(tensors, weights.Named{Name: name, Value: d})
	}
	add("m/a/kernel:0", conv, h, w, in, out)
	add("m/b_depthwise/depthwise_kernel:0", deep, h, w, out, mult)
	add("m/c/kernel:0", dense, out*mult, classes)
	var b bytes.Buffer
	if err := weights.Write(&b, tensors, nil); err != nil {
		t.Fatal(err)
	}
	f, err := weights.NewFile(bytes.NewReader(b.Bytes()), int64(b.Len()))
	if err != nil {
		t.Fatal(err)
	}
	net := nn.Sequential{
		nn.Conv2D{Name: "conv", Filters: out, Window: [2]int{h, w}, NoBias: true},
		nn.DepthwiseConv2D{Name: "deep", Window: [2]int{h, w}, Multiplier: mult, NoBias: true},
		nn.Flatten{}, nn.Linear{Name: "fc", Units: classes, NoBias: true},
	}
	// One output pixel each: the picture is as large as both windows need.
	const ph, pw = 2*h - 1, 2*w - 1
	m, err := nn.NewModel(net, []int{in, ph, pw}, nn.ModelConfig{Dtype: tensor.Float64})
	if err != nil {
		t.Fatal(err)
	}
	names := func([]string) map[string]string {
		return map[string]string{"a": "conv", "b_depthwise": "deep", "c": "fc"}
	}
	if err := f.LoadStore(m.Store(), weights.Keras(names)); err != nil {
		t.Fatal(err)
	}
	x := tensor.New(tensor.Of(tensor.Float64), tensor.WithShape(1, in, ph, pw))
	picture := value(4)
	for i := range x.Float64s() {
		x.Float64s()[i] = picture(i)
	}
	got, err := m.Predict(context.Background(), x)
	if err != nil {
		t.Fatal(err)
	}
	var a [h][w][out]float64 // a[y][x][o] = Σ picture[y+r, x+s, i] · kernel[r, s, i, o]
	for y := range h {
		for x := range w {
			for r := range h {
				for s := range w {
					for i := range in {
						for o := range out {
							a[y][x][o] += picture((i*ph+y+r)*pw+x+s) * conv(((r*w+s)*in+i)*out+o)
						}
					}
				}
			}
		}
	}
	var d [out * mult]float64 // d[c·M + m] = Σ a[r, s, c] · kernel[r, s, c, m]
	for r := range h {
		for s := range w {
			for c := range out {
				for k := range mult {
					d[c*mult+k] += a[r][s][c] * deep(((r*w+s)*out+c)*mult+k)
				}
			}
		}
	}
	for c := range classes {
		want := 0.0
		for i := range d {
			want += d[i] * dense(i*classes+c)
		}
		// Sums of some tens of terms near 1 in float64.
		if diff := math.Abs(got.Float64s()[c] - want); diff > 1e-12 {
			t.Errorf("class %d: %g, want %g", c, got.Float64s()[c], want)
		}
	}
}

// TestKerasFlatten: a dense layer on flattened features sees [H, W, C] in Keras and [C, H, W] here.
func TestKerasFlatten(t *testing.T) {
	const h, w, c, units = 2, 3, 4, 5
	kernel := tensor.New(tensor.Of(tensor.Float32), tensor.WithShape(h*w*c, units))
	for i := range kernel.Float32s() {
		kernel.Float32s()[i] = float32(i)
	}
	var b bytes.Buffer
	if err := weights.Write(&b, []weights.Named{{Name: "fc1/kernel", Value: kernel}}, nil); err != nil {
		t.Fatal(err)
	}
	f, err := weights.NewFile(bytes.NewReader(b.Bytes()), int64(b.Len()))
	if err != nil {
		t.Fatal(err)
	}
	m, err := nn.NewModel(nn.Sequential{nn.Flatten{}, nn.Linear{Name: "fc", Units: units, NoBias: true}}, []int{c, h, w}, nn.ModelConfig{})
	if err != nil {
		t.Fatal(err)
	}
	load := func(scope string) error {
		return f.LoadStore(m.Store(), weights.Keras(func([]string) map[string]string { return map[string]string{"fc1": scope} }))
	}
	if err := load("fc 2 3"); err != nil {
		t.Fatal(err)
	}
	got := m.Store().Get("fc.weight").Value.Float32s() // [units, C·H·W]
	for u := range units {
		for k := range c {
			for y := range h {
				for x := range w {
					if want := float32(((y*w+x)*c+k)*units + u); got[((u*c+k)*h+y)*w+x] != want {
						t.Fatalf("unit %d, channel %d, row %d, column %d: %g, want %g", u, k, y, x, got[((u*c+k)*h+y)*w+x], want)
					}
				}
			}
		}
	}
	for _, scope := range []string{"fc 7 7", "fc 0 3", "fc a b"} {
		if err := load(scope); err == nil || !strings.Contains(err.Error(), "Keras") {
			t.Errorf("%s: error %v", scope, err)
		}
	}
}

// TestKerasErrors: a kernel without meaning, and a file that has nothing of Keras's.
func TestKerasErrors(t *testing.T) {
	m, err := zoo.New("mobilenet_v1_keras", zoo.Config{InputSize: [2]int{64, 64}, Classes: 2})
	if err != nil {
		t.Fatal(err)
	}
	var k kerasFile
	k.add("conv1/kernel", 3, 3, 3)
	err = k.open(t).LoadStore(m.Store(), weights.Keras(weights.KerasMobileNet))
	if err == nil || !strings.Contains(err.Error(), `"conv1/kernel"`) {
		t.Errorf("error %v, want one that names the kernel", err)
	}
	var other kerasFile
	other.add("conv1.weight", 3)
	if err := other.open(t).LoadStore(m.Store(), weights.Keras(weights.KerasMobileNet)); !errors.As(err, new(*weights.Mismatch)) {
		t.Errorf("error %v, want a mismatch", err)
	}
}
