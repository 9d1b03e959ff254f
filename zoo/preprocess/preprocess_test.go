package preprocess_test

import (
	"image"
	"image/color"
	"image/png"
	"math"
	"os"
	"strings"
	"testing"

	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/zoo/preprocess"
	"github.com/stheno-ml/stheno/zoo/weights"
)

func open(t *testing.T, name string) image.Image {
	t.Helper()
	f, err := os.Open("testdata/" + name + ".png")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	img, err := png.Decode(f)
	if err != nil {
		t.Fatal(err)
	}
	return img
}

// TestGolden compares tensors with torchvision's and Keras's. Samples are equal to the bit; what is left is the
// rounding of scale, mean and deviation, which they do in float32: some steps of 2⁻²⁴ of the largest value.
func TestGolden(t *testing.T) {
	half := []float64{0.5, 0.5, 0.5}
	configs := map[string]preprocess.Config{
		"torchvision": preprocess.Torchvision(32, 37),
		"odd":         preprocess.Torchvision(27, 32),
		"inception":   preprocess.TorchvisionInception(29, 33),
		"timm":        preprocess.TimmXception().For(29, 29),
		"larger":      preprocess.Timm(48, 0.95, preprocess.Bicubic, half, half),
		"caffe":       preprocess.KerasCaffe(30),
		"tf":          preprocess.KerasTF(30),
		"torch":       preprocess.KerasTorch(30),
		"grey":        {Size: [2]int{24, 24}, Resize: 28},
	}
	f, err := weights.Open("testdata/golden.safetensors")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	all, err := f.All()
	if err != nil {
		t.Fatal(err)
	}
	if len(all) != 4*len(configs) {
		t.Fatalf("%d golden tensors, want 4 for each of %d configurations", len(all), len(configs))
	}
	for _, golden := range all {
		name, kind, _ := strings.Cut(golden.Name, "/")
		c, ok := configs[kind]
		if !ok {
			t.Fatalf("no configuration %q", kind)
		}
		img, want := open(t, name), golden.Value
		for _, dt := range []tensor.Dtype{tensor.Float32, tensor.Float64} {
			got, err := c.Tensor(dt, want.Shape()[0], img, img)
			if err != nil {
				t.Fatalf("%s: %v", golden.Name, err)
			}
			if s := got.Shape(); s[0] != 2 || !s[1:].Eq(want.Shape()) {
				t.Fatalf("%s: shape %v, want 2 of %v", golden.Name, s, want.Shape())
			}
			largest, worst := 0.0, 0.0
			n := want.Shape().TotalSize()
			for i, w := range want.Float32s() {
				for _, at := range []int{i, n + i} {
					var v float64
					if dt == tensor.Float32 {
						v = float64(got.Float32s()[at])
					} else {
						v = got.Float64s()[at]
					}
					worst = max(worst, math.Abs(v-float64(w)))
				}
				largest = max(largest, math.Abs(float64(w)))
			}
			if worst > 8*largest/(1<<24) {
				t.Errorf("%s as %v: differs by up to %g of %g", golden.Name, dt, worst, largest)
			}
		}
	}
}

// TestShapes has sizes that are not square: the result covers them, and a picture of the same proportions loses
// nothing but the margin.
func TestShapes(t *testing.T) {
	img := open(t, "wide")
	for _, size := range [][2]int{{20, 60}, {60, 20}, {1, 1}, {33, 31}, {45, 67}} {
		for _, c := range []preprocess.Config{preprocess.Torchvision(224, 256).For(size[0], size[1]), preprocess.KerasTF(224).For(size[0], size[1])} {
			for _, channels := range []int{1, 3, 4} {
				got, err := c.Tensor(tensor.Float32, channels, img)
				if err != nil {
					t.Fatalf("%v, %d channels: %v", size, channels, err)
				}
				if want := (tensor.Shape{1, channels, size[0], size[1]}); !got.Shape().Eq(want) {
					t.Errorf("shape %v, want %v", got.Shape(), want)
				}
			}
		}
	}
	whole := preprocess.Config{Size: [2]int{45, 67}}
	m, err := whole.Samples(3, img)
	if err != nil {
		t.Fatal(err)
	}
	for y := range 45 {
		for x := range 67 {
			r, g, b, _ := img.At(x, y).RGBA()
			if p := m.Row(y)[3*x:]; uint32(p[0]) != r>>8 || uint32(p[1]) != g>>8 || uint32(p[2]) != b>>8 {
				t.Fatalf("pixel (%d, %d) is %v, want it as it was", x, y, p[:3])
			}
		}
	}
}

func TestAlpha(t *testing.T) {
	img := image.NewNRGBA(image.Rect(0, 0, 2, 1))
	img.SetNRGBA(0, 0, color.NRGBA{200, 100, 50, 128})
	img.SetNRGBA(1, 0, color.NRGBA{10, 20, 30, 255})
	c := preprocess.Config{Size: [2]int{1, 2}, Scale: 1}
	for name, k := range map[string]struct {
		background *color.NRGBA
		channels   int
		want       []float32
	}{
		"dropped":  {nil, 3, []float32{200, 10, 100, 20, 50, 30}},
		"on white": {&color.NRGBA{255, 255, 255, 255}, 3, []float32{227, 10, 177, 20, 152, 30}}, // (200·128 + 255·127) / 255 = 227.4
		"kept":     {nil, 4, []float32{200, 10, 100, 20, 50, 30, 128, 255}},
		"grey":     {nil, 1, []float32{124, 18}}, // 0.299·200 + 0.587·100 + 0.114·50 = 124.2
	} {
		c.Background = k.background
		got, err := c.Tensor(tensor.Float32, k.channels, img)
		if err != nil {
			t.Fatal(err)
		}
		for i, w := range k.want {
			if got.Float32s()[i] != w {
				t.Errorf("%s: %v, want %v", name, got.Float32s(), k.want)
				break
			}
		}
	}
}

func TestErrors(t *testing.T) {
	img := open(t, "wide")
	good := preprocess.Torchvision(8, 9)
	long := image.NewGray(image.Rect(0, 0, 1<<22, 1))
	for name, call := range map[string]func() (*tensor.Dense, error){
		"no size":      func() (*tensor.Dense, error) { return preprocess.Config{}.Tensor(tensor.Float32, 3, img) },
		"huge":         func() (*tensor.Dense, error) { return good.For(1<<20, 1<<20).Tensor(tensor.Float32, 3, img) },
		"resize":       func() (*tensor.Dense, error) { return preprocess.Torchvision(8, 7).Tensor(tensor.Float32, 3, img) },
		"two channels": func() (*tensor.Dense, error) { return good.Tensor(tensor.Float32, 2, img) },
		"no picture":   func() (*tensor.Dense, error) { return good.Tensor(tensor.Float32, 3) },
		"nil picture":  func() (*tensor.Dense, error) { return good.Tensor(tensor.Float32, 3, nil) },
		"empty picture": func() (*tensor.Dense, error) {
			return good.Tensor(tensor.Float32, 3, image.NewGray(image.Rect(0, 0, 0, 3)))
		},
		"type": func() (*tensor.Dense, error) { return good.Tensor(tensor.Int, 3, img) },
		"deviation 0": func() (*tensor.Dense, error) {
			return preprocess.Config{Size: [2]int{4, 4}, Std: []float64{1, 0, 1}}.Tensor(tensor.Float32, 3, img)
		},
		"filter": func() (*tensor.Dense, error) {
			return preprocess.Config{Size: [2]int{4, 4}, Filter: 77}.Tensor(tensor.Float32, 3, img)
		},
		"elongated": func() (*tensor.Dense, error) { return good.Tensor(tensor.Float32, 3, long) },
	} {
		if _, err := call(); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
