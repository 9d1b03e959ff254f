package augment

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/zoo/weights"
)

// What torchvision makes of a picture; see testdata/gen.py.
func TestEqualToTorchvision(t *testing.T) {
	f, err := weights.Open("testdata/golden.safetensors")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	load := func(name string) *Picture {
		d, err := f.Tensor(name)
		if err != nil {
			t.Fatal(err)
		}
		s := d.Shape()
		return &Picture{s[0], s[1], s[2], d.Uint8s()}
	}
	checked := 0
	check := func(name string, tolerance int, do func(p *Picture) (*Picture, error)) {
		for _, kind := range []string{"rgb", "grey"} {
			want := load(name + "/" + kind)
			checked++
			got, err := do(load(kind))
			if err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			if got.H != want.H || got.W != want.W || got.C != want.C {
				t.Errorf("%s of %s: %d×%d×%d, want %d×%d×%d", name, kind, got.H, got.W, got.C, want.H, want.W, want.C)
				continue
			}
			most, differ := 0, 0
			for i, v := range want.Pix {
				if d := max(int(v)-int(got.Pix[i]), int(got.Pix[i])-int(v)); d > 0 {
					differ++
					most = max(most, d)
				}
			}
			if most > tolerance {
				t.Errorf("%s of %s: differs by %d in %d of %d values, want at most %d", name, kind, most, differ, len(want.Pix), tolerance)
			}
		}
	}
	plain := func(do func(p *Picture) *Picture) func(*Picture) (*Picture, error) {
		return func(p *Picture) (*Picture, error) { return do(p), nil }
	}
	op := func(o Op) func(*Picture) (*Picture, error) {
		return func(p *Picture) (*Picture, error) { return o.Apply(p, rand.New(rand.NewPCG(1, 2))) }
	}

	interpolations := map[string]Interpolation{"bilinear": Bilinear, "bicubic": Bicubic, "nearest": Nearest, "lanczos": Lanczos, "box": Box}
	for name, by := range interpolations {
		check("resize down "+name, 0, op(Resize{9, 14, by}))
		check("resize up "+name, 0, op(Resize{40, 37, by}))
	}
	check("resize mixed", 0, op(Resize{40, 11, Bicubic}))
	check("resize short", 0, op(Resize{Height: 10}))
	check("center crop", 0, op(CenterCrop{10, 14}))
	check("center crop odd", 0, op(CenterCrop{10, 40}))
	check("center crop large", 0, op(CenterCrop{30, 36}))
	for name, mode := range map[string]PadMode{"constant": Constant, "edge": Edge, "reflect": Reflect, "symmetric": Symmetric} {
		check("pad "+name, 0, func(p *Picture) (*Picture, error) { return p.Pad(5, 3, 7, 2, mode, [3]uint8{9, 8, 7}) })
	}
	check("hflip", 0, plain((*Picture).FlipHorizontal))
	check("vflip", 0, plain((*Picture).FlipVertical))
	k, err := PerspectiveMap([4][2]float64{{0, 0}, {30, 0}, {30, 22}, {0, 22}}, [4][2]float64{{3, 2}, {28, 4}, {25, 20}, {1, 19}})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"nearest", "bilinear", "bicubic"} {
		o := Warp{By: interpolations[name]}
		check("rotate "+name, 0, func(p *Picture) (*Picture, error) { return p.Rotate(23.5, false, o) })
		check("rotate expand "+name, 0, func(p *Picture) (*Picture, error) { return p.Rotate(-67, true, o) })
		check("affine "+name, 0, func(p *Picture) (*Picture, error) {
			return p.Transform(p.H, p.W, AffineMap(15.5, 11.5, 17, 3, -2, 1.2, 5, -8), o)
		})
		// torchvision has the map in single precision, which moves places by some 1e-5 of a pixel.
		check("perspective "+name, 1, func(p *Picture) (*Picture, error) { return p.Perspective(k, o) })
	}
	for name, degrees := range map[string]float64{"90": 90, "180": 180, "270": 270} {
		check("rotate "+name, 0, func(p *Picture) (*Picture, error) { return p.Rotate(degrees, false, Warp{By: Nearest}) })
		check("rotate expand "+name, 0, func(p *Picture) (*Picture, error) { return p.Rotate(degrees, true, Warp{By: Nearest}) })
	}
	check("translate nearest", 0, func(p *Picture) (*Picture, error) {
		return p.Transform(p.H, p.W, AffineMap(15.5, 11.5, 0, 4, -3, 1, 0, 0), Warp{By: Nearest})
	})
	check("scale nearest", 0, func(p *Picture) (*Picture, error) {
		return p.Transform(p.H, p.W, AffineMap(15.5, 11.5, 0, 0, 0, 0.7, 0, 0), Warp{By: Nearest})
	})
	check("fill", 0, func(p *Picture) (*Picture, error) { return p.Rotate(30, false, Warp{Fill: [3]uint8{10, 20, 30}}) })
	for name, v := range map[string]float64{"0": 0, "0.4": 0.4, "1.7": 1.7} {
		check("brightness "+name, 0, plain(func(p *Picture) *Picture { return p.Brightness(v) }))
		check("contrast "+name, 0, plain(func(p *Picture) *Picture { return p.Contrast(v) }))
		check("saturation "+name, 0, plain(func(p *Picture) *Picture { return p.Saturation(v) }))
		check("sharpness "+name, 0, plain(func(p *Picture) *Picture { return p.Sharpness(v) }))
	}
	for name, v := range map[string]float64{"-0.5": -0.5, "-0.13": -0.13, "0": 0, "0.2": 0.2, "0.37": 0.37} {
		check("hue "+name, 0, plain(func(p *Picture) *Picture { return p.Hue(v) }))
	}
	check("grayscale", 0, op(Grayscale{}))
	check("autocontrast", 0, op(AutoContrast{}))
	check("equalize", 0, plain((*Picture).Equalize))
	check("invert", 0, plain((*Picture).Invert))
	for name, bits := range map[string]int{"1": 1, "3": 3, "8": 8} {
		check("posterize "+name, 0, plain(func(p *Picture) *Picture { return p.Posterize(bits) }))
	}
	for name, v := range map[string]float64{"0": 0, "100.5": 100.5, "256": 256} {
		check("solarize "+name, 0, plain(func(p *Picture) *Picture { return p.Solarize(v) }))
	}
	// torchvision sums the window in two dimensions at once, in float32: what falls half-way may go either way.
	check("blur 3", 1, func(p *Picture) (*Picture, error) { return p.Blur(3, 0.7) })
	check("blur 9", 1, func(p *Picture) (*Picture, error) { return p.Blur(9, 2) })
	for _, a := range augmentations {
		for name, strength := range map[string]float64{"9": 0.3, "30": 1, "-9": -0.3, "-30": -1} {
			if strength > 0 || a.signed {
				check("randaugment "+a.name+" "+name, 0, func(p *Picture) (*Picture, error) { return a.apply(p, strength, Warp{By: Nearest}) })
			}
		}
	}
	pictures := 0
	for _, name := range f.Names() {
		if strings.Contains(name, "/") {
			pictures++
		}
	}
	if checked != pictures {
		t.Errorf("%d pictures checked, the file has %d", checked, pictures)
	}

	m := AffineMap(15.5, 11.5, 17, 3, -2, 1.2, 5, -8)
	for name, c := range map[string]struct {
		got       []float64
		tolerance float64
	}{
		"affine matrix":            {m[:], 1e-12}, // both in float64
		"perspective coefficients": {k[:], 1e-4},  // theirs in float32, by least squares
	} {
		d, err := f.TensorAs(name, tensor.Float64)
		if err != nil {
			t.Fatal(err)
		}
		for i, want := range d.Float64s() {
			if math.Abs(c.got[i]-want) > c.tolerance*max(1, math.Abs(want)) {
				t.Errorf("%s: %v, want %v", name, c.got, d.Float64s())
				break
			}
		}
	}
}
