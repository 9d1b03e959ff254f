package metric_test

import (
	"context"
	"fmt"
	"image"

	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/gan/metric"
)

// Any function is a network: here the mean of red and of green over a picture.
func ExampleFID() {
	means := metric.Network{Name: "mean colour", Apply: func(_ context.Context, pictures []image.Image) (features, probabilities *tensor.Dense, err error) {
		features = tensor.New(tensor.WithShape(len(pictures), 2), tensor.Of(tensor.Float32))
		for i, p := range pictures {
			red, green := 0.0, 0.0
			b := p.Bounds()
			for y := b.Min.Y; y < b.Max.Y; y++ {
				for x := b.Min.X; x < b.Max.X; x++ {
					r, g, _, _ := p.At(x, y).RGBA()
					red, green = red+float64(r), green+float64(g)
				}
			}
			area := 65535 * float64(b.Dx()*b.Dy())
			copy(features.Float32s()[2*i:], []float32{float32(red / area), float32(green / area)})
		}
		return features, nil, nil
	}}
	real, fake := metric.NewCollector(means), metric.NewCollector(means)
	for _, c := range []*metric.Collector{real, fake} {
		if err := c.Pictures(context.Background(), pictures(10)); err != nil {
			fmt.Println(err)
			return
		}
	}
	a, _ := real.Stats()
	b, _ := fake.Stats()
	fid, err := metric.FID(a, b)
	fmt.Println(fid, err)
	// Output: FID 0 (10 real, 10 generated; mean colour) <nil>
}
