package resample_test

import (
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"os"
	"testing"

	"github.com/stheno-ml/stheno/internal/resample"
)

func decoded(t *testing.T, name string) image.Image {
	t.Helper()
	f, err := os.Open("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	decode := jpeg.Decode
	if name[len(name)-3:] == "png" {
		decode = png.Decode
	}
	img, err := decode(f)
	if err != nil {
		t.Fatal(err)
	}
	return img
}

// TestJPEG compares the colours of JPEG files with Pillow's. The two decoders' cosine transforms round on their
// own, by one step of Y, Cb or Cr, which moves red and blue by up to 1 + 1.8 (3 when rounded) and is rare: without
// interpolated chroma the mean is above 1.
func TestJPEG(t *testing.T) {
	for _, name := range []string{"420", "422", "444", "grey"} {
		got, want := resample.FromImage(decoded(t, name+".jpg")), resample.FromImage(decoded(t, name+".png"))
		if got.Channels != want.Channels || got.Width != want.Width || got.Height != want.Height {
			t.Fatalf("%s: %d×%d with %d channels, want %d×%d with %d", name, got.Width, got.Height, got.Channels, want.Width, want.Height, want.Channels)
		}
		largest, sum := 0, 0
		for i := range want.Pix {
			d := int(got.Pix[i]) - int(want.Pix[i])
			d = max(d, -d)
			largest, sum = max(largest, d), sum+d
		}
		mean := float64(sum) / float64(len(want.Pix))
		if largest > 3 || mean > 0.1 {
			t.Errorf("%s: differs by up to %d, %g in the mean", name, largest, mean)
		}
		t.Logf("%s: differs by up to %d, %g in the mean", name, largest, mean)
	}
}

// TestFromImage wants every type of the standard library's pictures to give the colours that At gives.
func TestFromImage(t *testing.T) {
	r := image.Rect(3, 5, 10, 9)
	palette := color.Palette{color.NRGBA{9, 8, 7, 255}, color.NRGBA{200, 100, 50, 128}, color.NRGBA{1, 2, 3, 0}}
	pictures := map[string]interface {
		image.Image
		Set(x, y int, c color.Color)
	}{
		"NRGBA": image.NewNRGBA(r), "RGBA": image.NewRGBA(r), "NRGBA64": image.NewNRGBA64(r), "RGBA64": image.NewRGBA64(r),
		"Gray": image.NewGray(r), "Gray16": image.NewGray16(r), "CMYK": image.NewCMYK(r), "Paletted": image.NewPaletted(r, palette),
	}
	for name, m := range pictures {
		for _, alpha := range []uint8{255, 100} {
			for y := r.Min.Y; y < r.Max.Y; y++ {
				for x := r.Min.X; x < r.Max.X; x++ {
					m.Set(x, y, color.NRGBA{uint8(31 * x), uint8(47 * y), uint8(x * y), alpha})
				}
			}
			got := resample.FromImage(m)
			for y := r.Min.Y; y < r.Max.Y; y++ {
				for x := r.Min.X; x < r.Max.X; x++ {
					want := color.NRGBAModel.Convert(m.At(x, y)).(color.NRGBA)
					p := got.Row(y - r.Min.Y)[(x-r.Min.X)*got.Channels:]
					ok := p[0] == want.R
					if got.Channels > 1 {
						ok = ok && p[1] == want.G && p[2] == want.B
					}
					if got.Channels == 4 {
						ok = ok && p[3] == want.A
					} else {
						ok = ok && want.A == 255
					}
					if !ok {
						t.Fatalf("%s: (%d, %d) is %v, want %v", name, x, y, p[:got.Channels], want)
					}
				}
			}
		}
	}
}

// TestChromaParts decodes chroma of odd sizes, of one pixel, and of a part of a picture, which has no fancy
// upsampling; nothing may reach out of the planes.
func TestChromaParts(t *testing.T) {
	for _, ratio := range []image.YCbCrSubsampleRatio{
		image.YCbCrSubsampleRatio444, image.YCbCrSubsampleRatio422, image.YCbCrSubsampleRatio420,
		image.YCbCrSubsampleRatio440, image.YCbCrSubsampleRatio411, image.YCbCrSubsampleRatio410,
	} {
		for w := 1; w <= 5; w++ {
			for h := 1; h <= 5; h++ {
				m := image.NewYCbCr(image.Rect(0, 0, w, h), ratio)
				for _, plane := range [][]uint8{m.Y, m.Cb, m.Cr} {
					for i := range plane {
						plane[i] = 128
					}
				}
				for _, part := range []image.Image{m, m.SubImage(image.Rect(w/2, h/2, w, h))} {
					for i, v := range resample.FromImage(part).Pix {
						if v != 128 {
							t.Fatalf("%v %v: sample %d is %d, want 128", ratio, part.Bounds(), i, v)
						}
					}
				}
			}
		}
	}
}
