package metric_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stheno-ml/stheno/gan/metric"
)

// covered is the definition: the share of points of a that are no further from some point of b than that one's k-th
// nearest neighbour in b.
func covered(a, b []float32, d, k int) float64 {
	square := func(x, y []float32) float64 {
		sum := 0.0
		for i, v := range x {
			sum += (float64(v) - float64(y[i])) * (float64(v) - float64(y[i]))
		}
		return sum
	}
	as, bs := slices.Collect(slices.Chunk(a, d)), slices.Collect(slices.Chunk(b, d))
	radii := make([]float64, len(bs))
	for i, x := range bs {
		var all []float64
		for j, y := range bs {
			if i != j {
				all = append(all, square(x, y))
			}
		}
		slices.Sort(all)
		radii[i] = all[k-1]
	}
	count := 0
	for _, x := range as {
		for j, y := range bs {
			if square(x, y) <= radii[j] {
				count++
				break
			}
		}
	}
	return float64(count) / float64(len(as))
}

// Precision and recall are those of the definition to the last point: also where points lie exactly on the edge of a
// ball, as those of a grid do, and where products cancel to their last digits, as those far from the origin do.
func TestPrecisionRecallByDefinition(t *testing.T) {
	grid := func(first, n, d int) []float32 {
		x := made(first, n, d, "")
		for i, v := range x {
			x[i] = float32(int(3 * v))
		}
		return x
	}
	distant := func(first, n, d int) []float32 {
		x := made(first, n, d, "offset")
		for i := range x {
			x[i] += 1e6 // float32 then has but sixteenths left
		}
		return x
	}
	for name, of := range map[string]func(first, n, d int) []float32{
		"relu":    func(first, n, d int) []float32 { return made(first, n, d, "relu") },
		"scaled":  func(first, n, d int) []float32 { return made(first, n, d, "scaled") },
		"grid":    grid,
		"distant": distant,
	} {
		for _, s := range []struct{ real, fake, d, k int }{{150, 131, 5, 3}, {70, 200, 40, 1}, {129, 64, 9, 10}} {
			t.Run(fmt.Sprint(name, s), func(t *testing.T) {
				real, fake := of(1, s.real, s.d), of(3, s.fake, s.d)
				p, r, err := metric.PrecisionRecall(collect(t, real, s.d, 64), collect(t, fake, s.d, 64), s.k)
				if err != nil {
					t.Fatal(err)
				}
				if want := covered(fake, real, s.d, s.k); p.Value != want {
					t.Errorf("precision %v, want %v", p.Value, want)
				}
				if want := covered(real, fake, s.d, s.k); r.Value != want {
					t.Errorf("recall %v, want %v", r.Value, want)
				}
			})
		}
	}
}
