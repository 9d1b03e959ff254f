package augment

import (
	"context"
	"image"
	"image/color"
	"math"
	"math/rand/v2"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"gonum.org/v1/gonum/mat"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/train/data"
)

func random(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 7)) }

// sample is a picture of which every pixel is another colour.
func sample(h, w, c int) *Picture {
	p := New(h, w, c)
	rnd := random(3)
	for i := range p.Pix {
		p.Pix[i] = uint8(10 + rnd.IntN(230))
	}
	return p
}

// every is all random operations, for pictures of 20×30 and more.
var every = []Op{
	RandomHorizontalFlip{}, RandomVerticalFlip{}, RandomCrop{Height: 16, Width: 16, Padding: 4, Mode: Reflect},
	RandomCrop{Height: 40, Width: 40, PadIfNeeded: true}, RandomResizedCrop{Height: 12, Width: 18},
	RandomRotation{Degrees: 30}, RandomAffine{Degrees: 10, Translate: [2]float64{0.1, 0.2}, Scale: [2]float64{0.8, 1.2}, ShearX: [2]float64{-5, 5}},
	RandomPerspective{P: 1}, ColorJitter{0.4, 0.4, 0.4, 0.1}, RandomGrayscale{P: 0.5}, GaussianBlur{Kernel: 5}, RandAugment{Ops: 3, Magnitude: 20},
	RandomAutocontrast{}, RandomEqualize{}, RandomInvert{}, RandomPosterize{Bits: 3}, RandomSolarize{Threshold: 100}, RandomAdjustSharpness{Factor: 2},
	RandomChoice{RandomInvert{P: 1}, Grayscale{}}, RandomApply{Ops: []Op{RandomInvert{P: 1}}},
}

// The same seed gives the same picture, and some other seed another one, grey and in colour.
func TestSeeds(t *testing.T) {
	for _, op := range every {
		for _, c := range []int{1, 3} {
			first, err := op.Apply(sample(24, 30, c), random(1))
			if err != nil {
				t.Errorf("%T: %v", op, err)
				continue
			}
			differs := false
			for seed := uint64(1); seed < 30; seed++ {
				again, err := op.Apply(sample(24, 30, c), random(seed))
				if err != nil {
					t.Fatalf("%T: %v", op, err)
				}
				if same := reflect.DeepEqual(first, again); seed == 1 && !same {
					t.Errorf("%T: one seed gives two pictures", op)
				} else if !same {
					differs = true
				}
			}
			_, grey := op.(RandomGrayscale)
			if !differs && !(grey && c == 1) {
				t.Errorf("%T: all seeds give one picture", op)
			}
		}
	}
}

func TestMistakesAreErrors(t *testing.T) {
	for _, op := range []Op{
		RandomCrop{Height: 30, Width: 10}, RandomCrop{Height: 0, Width: 10}, RandomCrop{Height: 3, Width: 3, Padding: 99, Mode: Reflect},
		RandomCrop{Height: 3, Width: 3, Padding: -1}, RandomResizedCrop{Height: 0, Width: 4}, RandomResizedCrop{Height: 4, Width: 4, Scale: [2]float64{1, 0.5}},
		Resize{Height: -3}, Resize{Height: 1 << 20, Width: 4}, Resize{Height: 4, Width: 4, By: 99}, CenterCrop{}, ColorJitter{Hue: 0.6}, ColorJitter{Brightness: -1},
		GaussianBlur{Kernel: 4}, GaussianBlur{Kernel: 99}, RandAugment{Magnitude: 40}, RandomAffine{Scale: [2]float64{-1, 1}}, RandomRotation{Degrees: math.NaN()},
		RandomPerspective{P: 1, Distortion: 3}, RandomRotation{Degrees: 40, Warp: Warp{By: Lanczos}},
	} {
		if _, err := op.Apply(sample(20, 25, 3), random(1)); err == nil {
			t.Errorf("%T%+v: no error", op, op)
		}
	}
	x := make([]float32, 3*4*4)
	for _, op := range []FloatOp{Normalize{Mean: []float32{1}}, RandomErasing{Scale: [2]float64{2, 1}}, RandomErasing{Value: []float32{1, 2}}, &Whitening{Mean: x[:3]}} {
		if err := op.ApplyFloats(x, [3]int{3, 4, 4}, random(1)); err == nil {
			t.Errorf("%T: no error", op)
		}
	}
	if err := (FancyPCA{}).ApplyFloats(x[:16], [3]int{1, 4, 4}, random(1)); err == nil {
		t.Error("fancy PCA of a grey picture: no error")
	}
	l := Pipeline{Channels: 3, Height: 8, Width: 8}
	if err := l.Apply(make([]float32, 3*64), sample(9, 8, 3).Image(), random(1)); err == nil || !strings.Contains(err.Error(), "9×8") {
		t.Errorf("a picture of another size: error %v", err)
	}
	if _, err := From(image.NewGray(image.Rect(0, 0, 1, 1)), 4); err == nil {
		t.Error("four channels: no error")
	}
}

// Every type of image gives the pixels that At does.
func TestFrom(t *testing.T) {
	b := image.Rect(2, 3, 7, 9)
	ycc := image.NewYCbCr(b, image.YCbCrSubsampleRatio420)
	rnd := random(5)
	for _, plane := range [][]uint8{ycc.Y, ycc.Cb, ycc.Cr} {
		for i := range plane {
			plane[i] = uint8(rnd.IntN(256))
		}
	}
	nrgba, rgba, grey, palette := image.NewNRGBA(b), image.NewRGBA(b), image.NewGray(b), image.NewPaletted(b, color.Palette{color.Black, color.NRGBA{1, 2, 3, 255}, color.White})
	for y := b.Min.Y; y < b.Max.Y; y++ {
		for x := b.Min.X; x < b.Max.X; x++ {
			nrgba.SetNRGBA(x, y, color.NRGBA{uint8(rnd.IntN(256)), uint8(rnd.IntN(256)), uint8(rnd.IntN(256)), uint8(rnd.IntN(255) + 1)})
			rgba.Set(x, y, ycc.At(x, y))
			grey.Set(x, y, ycc.At(x, y))
			palette.SetColorIndex(x, y, uint8(x%3))
		}
	}
	for _, img := range []image.Image{ycc, nrgba, rgba, grey, palette, nrgba.SubImage(image.Rect(3, 4, 6, 8)), ycc.SubImage(image.Rect(3, 5, 6, 8)), grey.SubImage(image.Rect(3, 4, 6, 8))} {
		p, err := From(img, 3)
		if err != nil {
			t.Fatal(err)
		}
		for y := range p.H {
			for x := range p.W {
				c := color.NRGBAModel.Convert(img.At(img.Bounds().Min.X+x, img.Bounds().Min.Y+y)).(color.NRGBA)
				if got := p.Pix[3*(y*p.W+x):][:3]; got[0] != c.R || got[1] != c.G || got[2] != c.B {
					t.Fatalf("%T at %d, %d: %v, want %v", img, x, y, got, c)
				}
			}
		}
		g, err := From(img, 1)
		if err != nil || g.Pix[1] != luma(p.Pix[3], p.Pix[4], p.Pix[5]) {
			t.Errorf("%T: error %v, grey level %d", img, err, g.Pix[1])
		}
	}
}

// A pipeline that begins with RandomResizedCrop converts the piece alone, and gives the same picture.
func TestCropFirst(t *testing.T) {
	for _, ratio := range []image.YCbCrSubsampleRatio{image.YCbCrSubsampleRatio420, image.YCbCrSubsampleRatio444, image.YCbCrSubsampleRatio422, image.YCbCrSubsampleRatio410, image.YCbCrSubsampleRatio440, image.YCbCrSubsampleRatio411} {
		img := image.NewYCbCr(image.Rect(0, 0, 33, 27), ratio)
		rnd := random(8)
		for _, plane := range [][]uint8{img.Y, img.Cb, img.Cr} {
			for i := range plane {
				plane[i] = uint8(rnd.IntN(256))
			}
		}
		crop := RandomResizedCrop{Height: 8, Width: 9}
		for seed := range uint64(40) {
			whole, err := From(img, 3)
			if err != nil {
				t.Fatal(err)
			}
			want, err := crop.Apply(whole, random(seed))
			if err != nil {
				t.Fatal(err)
			}
			for _, in := range []image.Image{img, struct{ image.Image }{img}} {
				got, err := Pipeline{Channels: 3, Height: 8, Width: 9, Ops: []Op{crop}}.Picture(in, random(seed))
				if err != nil || !reflect.DeepEqual(got, want) {
					t.Fatalf("%v, seed %d: error %v, or another picture", ratio, seed, err)
				}
			}
		}
	}
}

// What random operations draw lies where it should.
func TestDraws(t *testing.T) {
	rnd := random(9)
	flipped := 0
	for range 2000 {
		p := &Picture{1, 2, 1, []uint8{1, 2}}
		q, err := RandomHorizontalFlip{P: 0.3}.Apply(p, rnd)
		if err != nil {
			t.Fatal(err)
		}
		if q.Pix[0] == 2 {
			flipped++
		}
	}
	// 2000 throws with probability 0.3: the deviation is 20.5, and 5 of them are allowed.
	if flipped < 600-103 || flipped > 600+103 {
		t.Errorf("flipped %d of 2000 with P 0.3", flipped)
	}
	var corners [4]bool
	for range 300 {
		y, x, h, w, err := RandomResizedCrop{}.box(20, 30, rnd)
		if err != nil {
			t.Fatal(err)
		}
		if y < 0 || x < 0 || h < 1 || w < 1 || y+h > 20 || x+w > 30 {
			t.Fatalf("box %d %d %d %d", y, x, h, w)
		}
		// Rounding of the sides moves area and proportion by less than a pixel each.
		if r := float64(w) / float64(h); r < 0.5 || r > 2 || float64(h*w) < 0.08*600*0.7 {
			t.Errorf("box of %d×%d", h, w)
		}
		for i, at := range []bool{y == 0, x == 0, y+h == 20, x+w == 30} {
			corners[i] = corners[i] || at
		}
	}
	if corners != [4]bool{true, true, true, true} {
		t.Error("300 crops never touch some side")
	}
	// A strip from which no such piece can be cut gives its middle.
	if y, x, h, w, err := (RandomResizedCrop{Scale: [2]float64{1, 1}, Ratio: [2]float64{1, 1}}).box(4, 100, rnd); err != nil || y != 0 || x != 48 || h != 4 || w != 4 {
		t.Errorf("strip: %d %d %d %d, want the middle 4×4", y, x, h, w)
	}
	// Erasing: a rectangle of the asked share.
	for range 100 {
		x := make([]float32, 2*40*40)
		for i := range x {
			x[i] = 1
		}
		if err := (RandomErasing{P: 1, Value: []float32{5, 6}}).ApplyFloats(x, [3]int{2, 40, 40}, rnd); err != nil {
			t.Fatal(err)
		}
		five, six := 0, 0
		for i, v := range x {
			if v == 5 && i < 1600 {
				five++
			} else if v == 6 && i >= 1600 {
				six++
			} else if v != 1 {
				t.Fatalf("value %v at %d", v, i)
			}
		}
		if share := float64(five) / 1600; five != six || share < 0.01 || share > 0.36 { // 0.02 to 0.33, and rounding of the sides
			t.Errorf("erased %d and %d", five, six)
		}
	}
}

type pictures []*Picture

func (s pictures) Len() int { return len(s) }
func (s pictures) Get(i int) (data.Example, error) {
	return data.Example{Image: s[i].Image(), Label: i % 4}, nil
}

func noise(n, h, w, c int) pictures {
	rnd := random(11)
	var s pictures
	for range n {
		p := New(h, w, c)
		for i := 0; i < len(p.Pix); i += c {
			v := rnd.IntN(200)
			for k := range c {
				p.Pix[i+k] = uint8(v + rnd.IntN(20)*(k+1)) // channels go together
			}
		}
		s = append(s, p)
	}
	return s
}

func TestFits(t *testing.T) {
	ds := noise(20, 9, 9, 3)
	n, err := FitNormalize(ds, 3, 0)
	if err != nil {
		t.Fatal(err)
	}
	l := Pipeline{Channels: 3, Height: 9, Width: 9, Floats: []FloatOp{n}}
	var sum, squares float64
	x := make([]float32, 243)
	for i := range ds {
		if err := l.Apply(x, ds[i].Image(), random(1)); err != nil {
			t.Fatal(err)
		}
		for _, v := range x[81:162] {
			sum += float64(v) / 1620
			squares += float64(v) * float64(v) / 1620
		}
	}
	if math.Abs(sum) > 1e-5 || math.Abs(squares-1) > 1e-5 { // float32 rounding of 1620 terms
		t.Errorf("normalised: mean %v, mean square %v, want 0 and 1", sum, squares)
	}
	centred := []float32{0.5, 0.25}
	if err := (Normalize{Mean: []float32{0.25}}).ApplyFloats(centred, [3]int{1, 1, 2}, nil); err != nil || centred[0] != 0.25 || centred[1] != 0 {
		t.Errorf("centred: error %v, %v", err, centred)
	}
	f, err := FitFancyPCA(ds, 0)
	if err != nil {
		t.Fatal(err)
	}
	// The definition: covariance · v = λ·v, and the largest first.
	m, err := measure(ds, 3, 0)
	if err != nil {
		t.Fatal(err)
	}
	for k := range 3 {
		for a := range 3 {
			got := 0.0
			for b := range 3 {
				got += m.covariance(a, b) * f.Vectors[b][k]
			}
			if math.Abs(got-f.Values[k]*f.Vectors[a][k]) > 1e-12 {
				t.Errorf("component %d is no eigenvector", k)
			}
		}
	}
	if !(f.Values[0] > f.Values[1] && f.Values[1] > f.Values[2]) {
		t.Errorf("eigenvalues %v, want falling ones", f.Values)
	}
	clear(x)
	if err := f.ApplyFloats(x, [3]int{3, 9, 9}, random(4)); err != nil {
		t.Fatal(err)
	}
	rnd := random(4)
	want := 0.0
	for k := range 3 {
		want += f.Vectors[1][k] * rnd.NormFloat64() * 0.1 * f.Values[k]
	}
	if x[81] != x[161] || math.Abs(float64(x[81])-want) > 1e-7 {
		t.Errorf("fancy PCA adds %v, want %v", x[81], want)
	}
}

// Whitened numbers have covariance one; ZCA is symmetric, PCA's components fall; both survive a file.
func TestWhitening(t *testing.T) {
	ds := noise(400, 3, 4, 1)
	plain := Pipeline{Channels: 1, Height: 3, Width: 4}
	for _, zca := range []bool{false, true} {
		w, err := FitWhitening(ds, plain, WhitenConfig{ZCA: zca, Epsilon: 1e-9})
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(t.TempDir(), "w.safetensors")
		if err := w.Save(path); err != nil {
			t.Fatal(err)
		}
		if w, err = LoadWhitening(path); err != nil {
			t.Fatal(err)
		}
		l := plain
		l.Floats = []FloatOp{w}
		x := mat.NewDense(400, 12, nil)
		row := make([]float32, 12)
		for i := range ds {
			if err := l.Apply(row, ds[i].Image(), random(1)); err != nil {
				t.Fatal(err)
			}
			for j, v := range row {
				x.Set(i, j, float64(v))
			}
		}
		var c mat.Dense
		c.Mul(x.T(), x)
		for a := range 12 {
			for b := range 12 {
				want := 0.0
				if a == b {
					want = 1
				}
				if math.Abs(c.At(a, b)/400-want) > 1e-4 { // float32 sums of 12 products, averaged over 400
					t.Fatalf("ZCA %v: covariance %v at %d, %d, want %v", zca, c.At(a, b)/400, a, b, want)
				}
				if zca && math.Abs(float64(w.Matrix[a*12+b]-w.Matrix[b*12+a])) > 1e-4 {
					t.Fatalf("ZCA is not symmetric at %d, %d", a, b)
				}
			}
		}
		norm := func(row int) (s float64) {
			for _, v := range w.Matrix[row*12 : (row+1)*12] {
				s += float64(v) * float64(v)
			}
			return s // 1/variance of the component
		}
		if !zca && norm(0) > norm(11) {
			t.Error("PCA: the first component is not that of the largest variance")
		}
	}
	if _, err := FitWhitening(ds, Pipeline{Channels: 1, Height: 100, Width: 100}, WhitenConfig{}); err == nil {
		t.Error("10000 numbers: no error")
	}
	if _, err := LoadWhitening(filepath.Join(t.TempDir(), "none")); err == nil {
		t.Error("no file: no error")
	}
}

func batch(n int) *data.Batch {
	b := &data.Batch{Images: tensor.New(tensor.Of(tensor.Float32), tensor.WithShape(n, 2, 6, 8))}
	x := b.Images.Float32s()
	for i := range x {
		x[i] = float32(i / 96) // the picture's number
	}
	for i := range n {
		b.Labels = append(b.Labels, 10+i)
		b.Second = append(b.Second, 10+i)
		b.Share = append(b.Share, 1)
	}
	return b
}

// Labels are mixed as pictures are.
func TestMixing(t *testing.T) {
	mixers := map[string]data.Mixer{"MixUp": MixUp{Alpha: 0.4}, "CutMix": CutMix{}, "choice": MixChoice{MixUp{}, CutMix{}}}
	for name, m := range mixers {
		for seed := range uint64(200) {
			b := batch(4)
			if err := m.Mix(b, random(seed)); err != nil {
				t.Fatal(err)
			}
			for i := range 4 {
				previous := (i + 3) % 4
				if b.Labels[i] != 10+i || b.Second[i] != 10+previous {
					t.Fatalf("%s: labels %v and %v", name, b.Labels, b.Second)
				}
				mean := 0.0
				for _, v := range b.Images.Float32s()[i*96 : (i+1)*96] {
					mean += float64(v) / 96
				}
				want := b.Share[i]*float64(i) + (1-b.Share[i])*float64(previous)
				if b.Share[i] < 0 || b.Share[i] > 1 || math.Abs(mean-want) > 1e-5 { // float32 pictures
					t.Fatalf("%s: picture %d has mean %v, share %v promises %v", name, i, mean, b.Share[i], want)
				}
			}
		}
	}
	left := 0
	for seed := range uint64(400) {
		b := batch(2)
		if err := (MixUp{P: 0.25}).Mix(b, random(seed)); err != nil {
			t.Fatal(err)
		}
		if b.Share[0] == 1 {
			left++
		}
	}
	if left < 300-44 || left > 300+44 { // deviation 8.7, 5 of them
		t.Errorf("%d of 400 batches left alone, want 300", left)
	}
	if err := (MixUp{Alpha: -1}).Mix(batch(2), random(1)); err == nil {
		t.Error("negative alpha: no error")
	}
}

// A loader with a pipeline gives the same batches whatever the number of workers, and in every epoch others.
func TestPipelineInLoader(t *testing.T) {
	l := Pipeline{Channels: 3, Height: 8, Width: 8, Ops: []Op{RandomResizedCrop{Height: 8, Width: 8, By: Bicubic}, RandomHorizontalFlip{}, ColorJitter{0.2, 0.2, 0.2, 0.1}, RandAugment{}},
		Floats: []FloatOp{FancyPCA{}, ImageNet, RandomErasing{}}}
	read := func(workers, epoch int) (all []float32) {
		t.Helper()
		loader, err := data.NewLoader(noise(13, 12, 10, 3), data.LoaderConfig{Batch: 5, Shuffle: true, Seed: 3, Workers: workers, Transform: l, Mix: MixChoice{MixUp{}, CutMix{}}})
		if err != nil {
			t.Fatal(err)
		}
		for b, err := range loader.Epoch(context.Background(), epoch, 0) {
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, b.Images.Float32s()...)
			for i, s := range b.Share {
				all = append(all, float32(s), float32(b.Second[i]))
			}
		}
		return all
	}
	one := read(1, 0)
	if !reflect.DeepEqual(one, read(4, 0)) {
		t.Error("the number of workers shows in the pictures")
	}
	if reflect.DeepEqual(one, read(1, 1)) {
		t.Error("two epochs have the same pictures")
	}
}
