package augment

import (
	"image"
	"math"
	"testing"

	"github.com/stheno-ml/stheno/train/data"
	"github.com/stheno-ml/stheno/zoo/preprocess"
)

// A pipeline whose last step is Prepared makes what data.Preprocess makes of a picture that has the size.
func TestPrepared(t *testing.T) {
	img := image.NewNRGBA(image.Rect(0, 0, 9, 7))
	for i := range img.Pix {
		img.Pix[i] = uint8(i*i*7 + 3*i)
		if i%4 == 3 {
			img.Pix[i] = 255
		}
	}
	for name, c := range map[string]preprocess.Config{
		"plain":       {},
		"torchvision": {Mean: []float64{0.485, 0.456, 0.406}, Std: []float64{0.229, 0.224, 0.225}},
		"caffe":       preprocess.KerasCaffe(7),
		"-1 to 1":     {Scale: 1 / 127.5, Mean: []float64{1}},
	} {
		c := c.For(7, 9)
		for _, channels := range []int{1, 3} {
			whole, err := data.Preprocess(c, channels)
			if err != nil {
				t.Fatal(err)
			}
			want, got := make([]float32, channels*63), make([]float32, channels*63)
			if err := whole.Apply(want, img, nil); err != nil {
				t.Fatal(err)
			}
			l := Pipeline{Channels: channels, Height: 7, Width: 9, Floats: []FloatOp{Prepared(c)}}
			if err := l.Apply(got, img, nil); err != nil {
				t.Fatal(err)
			}
			largest := 1.0
			for _, v := range want {
				largest = max(largest, math.Abs(float64(v)))
			}
			for i := range want {
				// Float32 in place of float64: a few roundings of 6e-8.
				if math.Abs(float64(got[i]-want[i])) > 1e-6*largest {
					t.Fatalf("%s, %d channels: number %d is %v, want %v", name, channels, i, got[i], want[i])
				}
			}
		}
	}
	if _, err := data.Preprocess(preprocess.Config{}, 3); err == nil {
		t.Error("no error for preprocessing without a size")
	}
	whole, err := data.Preprocess(preprocess.Config{Size: [2]int{7, 9}}, 3)
	if err != nil {
		t.Fatal(err)
	}
	if err := whole.Apply(make([]float32, 5), img, nil); err == nil {
		t.Error("no error for too little room")
	}
}
