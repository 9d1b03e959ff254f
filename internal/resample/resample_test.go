package resample_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/stheno-ml/stheno/internal/resample"
	"github.com/stheno-ml/stheno/zoo/weights"
)

var filters = []resample.Filter{resample.Bilinear, resample.Bicubic, resample.Lanczos, resample.Hamming, resample.Box, resample.Nearest}

// source is the picture that testdata/gen.py resizes.
func source(c, h, w int) *resample.Image {
	m := resample.New(w, h, c)
	for i := range m.Pix {
		m.Pix[i] = uint8(uint32(i) * 2654435761 >> 16)
	}
	if c%2 != 0 && c != 1 {
		return m
	}
	for y := range h {
		for x := range w {
			for k := range c {
				switch p := &m.Row(y)[x*c+k]; {
				case y%5 == 0:
					*p = 255
				case x%3 == 0:
					*p = 0
				}
			}
		}
	}
	return m
}

// TestPillow wants every sample equal: the arithmetic is in whole numbers, and of its coefficients only the
// rounding could differ, by one part in 2²², where a compiler contracts a product and a sum.
func TestPillow(t *testing.T) {
	f, err := weights.Open("testdata/pillow.safetensors")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	all, err := f.All()
	if err != nil {
		t.Fatal(err)
	}
	for _, golden := range all {
		var c, h, w, oh, ow int
		name, rest, _ := strings.Cut(golden.Name, " ")
		if _, err := fmt.Sscanf(rest, "%dx%dx%d to %dx%d", &c, &h, &w, &oh, &ow); err != nil {
			t.Fatalf("%s: %v", golden.Name, err)
		}
		src, want := source(c, h, w), golden.Value.Uint8s()
		for _, filter := range filters {
			if filter.String() != name {
				continue
			}
			got := resample.New(ow, oh, c)
			if err := resample.Resize(got, src, filter); err != nil {
				t.Fatalf("%s: %v", golden.Name, err)
			}
			for i := range want {
				if got.Pix[i] != want[i] {
					t.Errorf("%s: sample %d is %d, want %d", golden.Name, i, got.Pix[i], want[i])
					break
				}
			}
		}
	}
	if len(all) != len(filters)*10 {
		t.Errorf("%d golden pictures, want 10 for each of %d filters", len(all), len(filters))
	}
}

// TestCrop wants a part of the resized picture equal to the same part cut out afterwards, from a source with
// space between its rows and into a destination that is itself a part.
func TestCrop(t *testing.T) {
	for _, c := range []int{1, 3, 4} {
		src, err := source(c, 50, 70).Crop(3, 4, 61, 43)
		if err != nil {
			t.Fatal(err)
		}
		for _, size := range [][2]int{{24, 20}, {61, 20}, {24, 43}, {61, 43}, {90, 100}} {
			for _, filter := range filters {
				whole := resample.New(size[0], size[1], c)
				if err := resample.Resize(whole, src, filter); err != nil {
					t.Fatal(err)
				}
				const x, y, w, h = 5, 3, 17, 14
				want, err := whole.Crop(x, y, w, h)
				if err != nil {
					t.Fatal(err)
				}
				got, err := resample.New(40, 40, c).Crop(9, 11, w, h)
				if err != nil {
					t.Fatal(err)
				}
				if err := resample.ResizeCrop(got, src, size[0], size[1], x, y, filter); err != nil {
					t.Fatal(err)
				}
				for r := range h {
					if !bytes.Equal(got.Row(r), want.Row(r)) {
						t.Errorf("%v, %d channels, to %v: row %d differs", filter, c, size, r)
						break
					}
				}
			}
		}
	}
}

func TestErrors(t *testing.T) {
	good := resample.New(4, 4, 3)
	for name, err := range map[string]error{
		"channels":     resample.Resize(resample.New(2, 2, 1), good, resample.Bilinear),
		"empty":        resample.Resize(new(resample.Image), good, resample.Bilinear),
		"empty source": resample.Resize(good, new(resample.Image), resample.Bilinear),
		"short":        resample.Resize(good, &resample.Image{Width: 4, Height: 4, Channels: 3, Stride: 12, Pix: make([]uint8, 47)}, resample.Bilinear),
		"stride":       resample.Resize(good, &resample.Image{Width: 4, Height: 4, Channels: 3, Stride: 11, Pix: make([]uint8, 99)}, resample.Bilinear),
		"filter":       resample.Resize(good, resample.New(2, 2, 3), resample.Filter(77)),
		"part":         resample.ResizeCrop(good, resample.New(9, 9, 3), 6, 6, 3, 0, resample.Bilinear),
		"before":       resample.ResizeCrop(good, resample.New(9, 9, 3), 6, 6, 0, -1, resample.Bilinear),
	} {
		if err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if _, err := good.Crop(1, 1, 4, 1); err == nil {
		t.Error("crop: no error")
	}
}

func BenchmarkResize(b *testing.B) {
	for _, filter := range []resample.Filter{resample.Bilinear, resample.Bicubic} {
		b.Run(filter.String(), func(b *testing.B) {
			src, dst := source(3, 375, 500), resample.New(224, 224, 3)
			b.ReportAllocs()
			for b.Loop() {
				if err := resample.ResizeCrop(dst, src, 341, 256, 58, 16, filter); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
