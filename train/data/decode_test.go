package data

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func picture(t *testing.T, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", "pictures", name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// differ is the largest difference of a channel between pictures of one size.
func differ(t *testing.T, a, b image.Image) int {
	t.Helper()
	if a.Bounds().Size() != b.Bounds().Size() {
		t.Fatalf("sizes %v and %v", a.Bounds(), b.Bounds())
	}
	most := 0
	for y := range a.Bounds().Dy() {
		for x := range a.Bounds().Dx() {
			p := color.NRGBAModel.Convert(a.At(a.Bounds().Min.X+x, a.Bounds().Min.Y+y)).(color.NRGBA)
			q := color.NRGBAModel.Convert(b.At(b.Bounds().Min.X+x, b.Bounds().Min.Y+y)).(color.NRGBA)
			for _, d := range []int{int(p.R) - int(q.R), int(p.G) - int(q.G), int(p.B) - int(q.B)} {
				most = max(most, d, -d)
			}
		}
	}
	return most
}

// PIL wrote one picture in every format; see testdata/gen.py.
func TestDecodeFormats(t *testing.T) {
	want := image.NewNRGBA(image.Rect(0, 0, 12, 8))
	wantGrey := image.NewGray(want.Rect)
	for y := range 8 {
		for x := range 12 {
			want.SetNRGBA(x, y, color.NRGBA{uint8(20 * x), uint8(30 * y), uint8(10 * (x + y)), 255})
			wantGrey.SetGray(x, y, color.Gray{uint8(10*x + 15*y)})
		}
	}
	for name, tolerance := range map[string]int{
		"rgb.png": 0, "rgb.bmp": 0, "rgb.tiff": 0, "rgb.ppm": 0, "rgb.webp": 0, "grey.pgm": 0, "grey.gif": 0, "grey.png": 0,
		"lossy.jpg": 12, "grey.jpg": 4, // quality 95 on a steep ramp
		"lossy.webp": 60, // colour at half the resolution
	} {
		img, err := Decode(picture(t, name), DecodeConfig{})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		var w image.Image = want
		if strings.HasPrefix(name, "grey") {
			w = wantGrey
		}
		if d := differ(t, img, w); d > tolerance {
			t.Errorf("%s differs by %d, want at most %d", name, d, tolerance)
		}
	}
}

func TestOrientation(t *testing.T) {
	decode := func(name string, c DecodeConfig) image.Image {
		t.Helper()
		img, err := Decode(picture(t, name), c)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		return img
	}
	for o := 1; o <= 8; o++ {
		want := decode(fmt.Sprintf("upright%d.ppm", o), DecodeConfig{})
		if d := differ(t, decode(fmt.Sprintf("turned%d.png", o), DecodeConfig{}), want); d != 0 {
			t.Errorf("orientation %d: differs from PIL's by %d", o, d)
		}
		if d := differ(t, decode(fmt.Sprintf("turned%d.png", o), DecodeConfig{AsStored: true}), decode("rgb.png", DecodeConfig{})); d != 0 {
			t.Errorf("orientation %d, as stored: differs by %d", o, d)
		}
	}
	for name, tolerance := range map[string]int{"turned6.webp": 0, "turned6.tiff": 0, "turned6.jpg": 12} {
		if d := differ(t, decode(name, DecodeConfig{}), decode("upright6.ppm", DecodeConfig{})); d > tolerance {
			t.Errorf("%s: differs by %d", name, d)
		}
	}
	if d := differ(t, decode("turnedgrey6.png", DecodeConfig{}), decode("uprightgrey6.pgm", DecodeConfig{})); d != 0 {
		t.Errorf("grey: differs by %d", d)
	}
	// A transparent picture and one with an offset keep their pixels.
	n := image.NewNRGBA(image.Rect(2, 3, 4, 6))
	n.SetNRGBA(2, 5, color.NRGBA{200, 100, 50, 7})
	if c := upright(n, 6).At(0, 0); c != (color.NRGBA{200, 100, 50, 7}) {
		t.Errorf("transparent: %v", c)
	}
}

func TestPNM(t *testing.T) {
	for in, want := range map[string][]byte{
		"P2\n# a comment\n2 1\n# another\n15\n0 15\n": {0, 255},
		"P2 2 1 3 1 2":                   {85, 170},
		"P5 2 1 255\n\x07\x08":           {7, 8},
		"P5 2 1 65535\n\x01\x01\xff\xff": {1, 255},
		"P3 1 1 255 1 2 3":               {1, 2, 3, 255},
		"P6 1 1 1\n\x00\x01\x01":         {0, 255, 255, 255},
		"P2 2 1 10 99 0":                 {255, 0}, // above the largest value
	} {
		img, err := Decode([]byte(in), DecodeConfig{})
		if err != nil {
			t.Errorf("%q: %v", in, err)
			continue
		}
		var got []byte
		switch img := img.(type) {
		case *image.Gray:
			got = img.Pix
		case *image.NRGBA:
			got = img.Pix
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%q: %v, want %v", in, got, want)
		}
	}
	for _, in := range []string{"P5", "P5 2 1 255\n\x07", "P2 2 1 0 1 1", "P2 2 x 1", "P2 0 1 1 1", "P5 99999999999 1 1\n", "P2 1 1 70000 1", "P5 1 1 # 255\n"} {
		if _, err := Decode([]byte(in), DecodeConfig{}); err == nil {
			t.Errorf("%q: no error", in)
		}
	}
}

// A small file that claims a large picture is refused before the picture is made.
func TestBombs(t *testing.T) {
	var b bytes.Buffer
	if err := png.Encode(&b, image.NewGray(image.Rect(0, 0, 1, 1))); err != nil {
		t.Fatal(err)
	}
	huge := b.Bytes()
	binary.BigEndian.PutUint32(huge[16:], 1<<30)
	for name, in := range map[string][]byte{
		"png": huge, "pgm": []byte("P5 16000000 16000000 255\n"), "ppm": []byte("P6 8193 8193 255\n"),
		"gif": append([]byte("GIF89a\xff\xff\xff\xff"), make([]byte, 40)...),
	} {
		if _, err := Decode(in, DecodeConfig{}); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if _, err := Decode(picture(t, "rgb.png"), DecodeConfig{MaxPixels: 95}); err == nil || !strings.Contains(err.Error(), "12×8") {
		t.Errorf("96 pixels of at most 95: error %v", err)
	}
	if _, err := Decode([]byte("hello"), DecodeConfig{}); err == nil || !strings.Contains(err.Error(), "hello") {
		t.Errorf("no picture: error %v", err)
	}
}

func FuzzDecode(f *testing.F) {
	files, err := filepath.Glob("testdata/pictures/*")
	if err != nil {
		f.Fatal(err)
	}
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		img, err := Decode(b, DecodeConfig{MaxPixels: 1 << 16})
		if err == nil && img.Bounds().Dx()*img.Bounds().Dy() > 1<<16 {
			t.Errorf("%v is more than was allowed", img.Bounds())
		}
	})
}
