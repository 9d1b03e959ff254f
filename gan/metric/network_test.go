package metric_test

import (
	"context"
	"image"
	"image/color"
	"math"
	"strings"
	"testing"

	"github.com/stheno-ml/stheno/gan/metric"
	"github.com/stheno-ml/stheno/zoo"
)

func pictures(n int) []image.Image {
	all := make([]image.Image, n)
	for i := range all {
		p := image.NewNRGBA(image.Rect(0, 0, 37, 32))
		for k := range 37 * 32 {
			p.SetNRGBA(k%37, k/37, color.NRGBA{uint8(255 * u01(uint64(i), uint64(k))), uint8(k * i), uint8(k), 255})
		}
		all[i] = p
	}
	return all
}

// What a network of the zoo gives as a Network is what its own methods give, whatever the batch.
func TestZoo(t *testing.T) {
	ctx := context.Background()
	m, err := zoo.New("cifar_resnet20", zoo.Config{Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	all := pictures(7)
	for _, stage := range []string{"pooled", "features"} {
		n, err := metric.Zoo(m, stage, 3)
		if err != nil {
			t.Fatal(err)
		}
		f, p, err := n.Apply(ctx, all)
		if err != nil {
			t.Fatal(err)
		}
		if f.Shape()[0] != 7 || f.Shape()[1] != 64 || p.Shape()[0] != 7 || p.Shape()[1] != 10 {
			t.Fatalf("features %v and probabilities %v, want [7, 64] and [7, 10]", f.Shape(), p.Shape())
		}
		top, err := m.PredictBatch(ctx, all, 1)
		if err != nil {
			t.Fatal(err)
		}
		for i := range all {
			want, err := m.Features(all[i], "pooled")
			if err != nil {
				t.Fatal(err)
			}
			for k, v := range want.Float32s() {
				if got := f.Float64s()[i*64+k]; math.Abs(got-float64(v)) > 1e-5 { // float32, other batch
					t.Fatalf("%s: feature %d of picture %d is %v, want %v", stage, k, i, got, v)
				}
			}
			if got := p.Float64s()[i*10+top[i][0].Index]; math.Abs(got-top[i][0].Probability) > 1e-5 {
				t.Errorf("probability of picture %d is %v, want %v", i, got, top[i][0].Probability)
			}
		}
	}
}

func TestZooName(t *testing.T) {
	name := func(c zoo.Config, stage string, change func(*zoo.Model)) string {
		t.Helper()
		m, err := zoo.New("cifar_resnet20", c)
		if err != nil {
			t.Fatal(err)
		}
		if change != nil {
			change(m)
		}
		n, err := metric.Zoo(m, stage, 1)
		if err != nil {
			t.Fatal(err)
		}
		return n.Name
	}
	own := name(zoo.Config{}, "pooled", nil)
	if !strings.HasPrefix(own, "cifar_resnet20/pooled 3×32×32 #") {
		t.Errorf("name %q", own)
	}
	if again := name(zoo.Config{}, "pooled", nil); again != own {
		t.Errorf("the same network is %q and %q", own, again)
	}
	for what, other := range map[string]string{
		"weights":       name(zoo.Config{Seed: 1}, "pooled", nil),
		"stage":         name(zoo.Config{}, "features", nil),
		"size":          name(zoo.Config{InputSize: [2]int{28, 28}}, "pooled", nil),
		"preprocessing": name(zoo.Config{}, "pooled", func(m *zoo.Model) { m.Preprocess.BGR = true }),
	} {
		if other == own {
			t.Errorf("other %s, and the same name %s", what, own)
		}
	}
	m, err := zoo.New("cifar_resnet20", zoo.Config{Headless: true})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := metric.Zoo(m, "nowhere", 1); err == nil || !strings.Contains(err.Error(), "nowhere") {
		t.Errorf("a stage that does not exist: error %v", err)
	}
	n, err := metric.Zoo(m, "pooled", 2)
	if err != nil {
		t.Fatal(err)
	}
	c := metric.NewCollector(n)
	if err := c.Pictures(context.Background(), pictures(5)); err != nil {
		t.Fatal(err)
	}
	s, err := c.Stats()
	if err != nil {
		t.Fatal(err)
	}
	if s.N != 5 || s.D != 64 || s.Probs != nil || s.Network != n.Name {
		t.Errorf("statistics of %d pictures, %d features, by %s", s.N, s.D, s.Network)
	}
}
