package data

import (
	"context"
	"fmt"
	"image"
	"image/color"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pkg/errors"
)

// numbers is a data set of n pictures of 1×2 pixels, both of level i mod 251; label i.
type numbers struct {
	n   int
	bad map[int]error
}

func (d numbers) Len() int          { return d.n }
func (d numbers) Name(i int) string { return fmt.Sprintf("number-%d", i) }
func (d numbers) Get(i int) (Example, error) {
	if err := d.bad[i]; err != nil {
		return Example{}, err
	}
	if i == 999 {
		panic("decoder went mad")
	}
	time.Sleep(time.Duration(i%3) * 20 * time.Microsecond) // so that workers overtake each other
	level := byte(i % 251)
	return Example{&image.Gray{Pix: []byte{level, level}, Stride: 2, Rect: image.Rect(0, 0, 2, 1)}, i}, nil
}

// noisy adds chance to Pixels.
type noisy struct{ Pixels }

func (t noisy) Apply(dst []float32, img image.Image, rnd *rand.Rand) error {
	if err := t.Pixels.Apply(dst, img, rnd); err != nil {
		return err
	}
	for i := range dst {
		dst[i] += rnd.Float32()
	}
	return nil
}

// flat is a batch copied out.
type flat struct {
	number        int
	labels, index []int
	pixels        []float32
}

func (a flat) equal(b flat) bool {
	return a.number == b.number && slices.Equal(a.labels, b.labels) && slices.Equal(a.index, b.index) && slices.Equal(a.pixels, b.pixels)
}

func collect(t *testing.T, l *Loader, epoch, first int) []flat {
	t.Helper()
	var out []flat
	for b, err := range l.Epoch(context.Background(), epoch, first) {
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, flat{b.Number, slices.Clone(b.Labels), slices.Clone(b.Index), slices.Clone(b.Images.Float32s())})
		if got := b.Images.Shape()[0]; got != len(b.Labels) {
			t.Errorf("batch %d: %d pictures, %d labels", b.Number, got, len(b.Labels))
		}
	}
	return out
}

func mustLoader(t testing.TB, ds Dataset, cfg LoaderConfig) *Loader {
	t.Helper()
	l, err := NewLoader(ds, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestLoaderRagged(t *testing.T) {
	for _, c := range []struct {
		drop            bool
		batches, counts int
		last            int
	}{{false, 4, 103, 13}, {true, 3, 90, 30}} {
		l := mustLoader(t, numbers{n: 103}, LoaderConfig{Batch: 30, DropLast: c.drop})
		got := collect(t, l, 0, 0)
		if len(got) != c.batches || l.Batches() != c.batches || l.Examples() != c.counts {
			t.Fatalf("drop %v: %d batches, Batches %d, Examples %d; want %d and %d", c.drop, len(got), l.Batches(), l.Examples(), c.batches, c.counts)
		}
		i := 0
		for _, b := range got {
			for p, label := range b.labels {
				if want := float32(i%251) / 255; label != i || b.index[p] != i || b.pixels[2*p] != want || b.pixels[2*p+1] != want {
					t.Fatalf("batch %d place %d: label %d, pixels %v, want %d and %v", b.number, p, label, b.pixels[2*p:2*p+2], i, want)
				}
				i++
			}
		}
		if n := len(got[len(got)-1].labels); n != c.last {
			t.Errorf("last batch of %d, want %d", n, c.last)
		}
	}
}

// TestLoaderFixedOrder: workers, prefetch and GOMAXPROCS change nothing; neither does starting midway.
func TestLoaderFixedOrder(t *testing.T) {
	cfg := LoaderConfig{Batch: 16, Shuffle: true, Seed: 5, Workers: 1, Prefetch: 1, Transform: noisy{Pixels{Channels: 1, Height: 1, Width: 2}}}
	ds := numbers{n: 203}
	want := collect(t, mustLoader(t, ds, cfg), 3, 0)
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	for _, c := range []struct{ procs, workers, prefetch int }{{1, 4, 3}, {4, 7, 1}, {2, 2, 20}} {
		runtime.GOMAXPROCS(c.procs)
		cfg.Workers, cfg.Prefetch = c.workers, c.prefetch
		l := mustLoader(t, ds, cfg)
		if got := collect(t, l, 3, 0); !slices.EqualFunc(got, want, flat.equal) {
			t.Errorf("%+v: other batches", c)
		}
		for _, first := range []int{1, 7, len(want)} {
			if got := collect(t, l, 3, first); !slices.EqualFunc(got, want[first:], flat.equal) {
				t.Errorf("%+v: from batch %d on, other batches", c, first)
			}
		}
	}
}

func TestLoaderShuffles(t *testing.T) {
	order := func(seed uint64, epoch int) []int {
		var out []int
		for _, b := range collect(t, mustLoader(t, numbers{n: 100}, LoaderConfig{Batch: 8, Shuffle: true, Seed: seed}), epoch, 0) {
			out = append(out, b.labels...)
		}
		return out
	}
	first := order(1, 0)
	if slices.Equal(first, order(1, 1)) || slices.Equal(first, order(2, 0)) {
		t.Error("another epoch or seed has the same order")
	}
	if !slices.Equal(first, order(1, 0)) {
		t.Error("the same epoch and seed have another order")
	}
	slices.Sort(first)
	if !slices.Equal(first, identity(nil, 100)) {
		t.Errorf("not each example once: %v", first)
	}
}

// TestPermutation pins the order that seed 1 means: a change would break resuming and every published run.
func TestPermutation(t *testing.T) {
	if got, want := permutation(nil, 10, 1, 0), []int{3, 4, 2, 0, 1, 9, 5, 7, 6, 8}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	// Each of the 24 orders of four comes up about equally often.
	counts := map[string]int{}
	for epoch := range uint64(24_000) {
		counts[fmt.Sprint(permutation(nil, 4, 9, epoch))]++
	}
	for p, n := range counts {
		if n < 840 || n > 1160 { // 1000 ± 5 deviations of √1000
			t.Errorf("%s: %d times in 24000, want about 1000", p, n)
		}
	}
	if len(counts) != 24 {
		t.Errorf("%d orders, want 24", len(counts))
	}
}

func TestLoaderErrorNamesExample(t *testing.T) {
	ds := numbers{n: 1200, bad: map[int]error{70: errors.New("unexpected EOF"), 75: errors.New("later")}}
	l := mustLoader(t, ds, LoaderConfig{Batch: 32, Workers: 3})
	batches := 0
	var last error
	for b, err := range l.Epoch(context.Background(), 0, 0) {
		if last = err; err == nil {
			batches = b.Number + 1
		}
	}
	if batches != 2 || last == nil || last.Error() != "number-70: unexpected EOF" {
		t.Errorf("after %d batches: error %v, want number-70's after 2", batches, last)
	}
	// A panic is an error too, and the loader can go on after one.
	for _, err := range l.Epoch(context.Background(), 0, 31) {
		last = err
	}
	if last == nil || !strings.Contains(last.Error(), "number-999: panic: decoder went mad") {
		t.Errorf("error %v, want one for the panic", last)
	}
	if got := collect(t, l, 0, 33); len(got) != 5 {
		t.Errorf("%d batches after an error, want 5", len(got))
	}
}

func TestLoaderSkip(t *testing.T) {
	broken := errors.New("broken")
	var skipped []string
	cfg := LoaderConfig{Batch: 5, Skip: func(name string, err error) { skipped = append(skipped, name+" "+err.Error()) }}
	got := collect(t, mustLoader(t, numbers{n: 10, bad: map[int]error{1: broken, 2: broken, 9: broken}}, cfg), 0, 0)
	if len(got) != 2 || !slices.Equal(got[0].labels, []int{0, 3, 3, 3, 4}) || !slices.Equal(got[1].labels, []int{5, 6, 7, 8, 5}) {
		t.Errorf("batches %+v", got)
	}
	if got[1].pixels[8] != 5./255 || !slices.Equal(got[1].index, got[1].labels) {
		t.Errorf("pixels or index of the example that took a place: %+v", got[1])
	}
	if want := []string{"number-1 broken", "number-2 broken", "number-9 broken"}; !slices.Equal(skipped, want) {
		t.Errorf("skipped %v, want %v", skipped, want)
	}
	l := mustLoader(t, numbers{n: 3, bad: map[int]error{1: broken, 2: broken, 0: broken}},
		LoaderConfig{Skip: func(string, error) {}, Transform: Pixels{Channels: 1, Height: 1, Width: 2}})
	for _, err := range l.Epoch(context.Background(), 0, 0) {
		if err == nil || !strings.Contains(err.Error(), "none of its 3") {
			t.Errorf("error %v, want one for a batch without a good example", err)
		}
	}
}

func TestLoaderStops(t *testing.T) {
	l := mustLoader(t, numbers{n: 10_000}, LoaderConfig{Batch: 10, Workers: 2})
	before := runtime.NumGoroutine()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	n := 0
	var last error
	for _, err := range l.Epoch(ctx, 0, 0) {
		if last = err; err != nil {
			break
		}
		if n++; n == 3 {
			cancel()
		}
	}
	if n != 3 || !errors.Is(last, context.Canceled) {
		t.Errorf("%d batches, error %v; want 3 and the context's", n, last)
	}
	for range l.Epoch(context.Background(), 0, 0) { // left by break
		break
	}
	for _, err := range l.Epoch(context.Background(), 0, 0) {
		if err != nil {
			t.Fatal(err)
		}
		for _, err := range l.Epoch(context.Background(), 0, 0) {
			if err == nil || !strings.Contains(err.Error(), "runs already") {
				t.Errorf("second epoch at the same time: error %v", err)
			}
		}
		break
	}
	if after := runtime.NumGoroutine(); after > before {
		t.Errorf("%d goroutines, %d before", after, before)
	}
}

func TestLoaderConfigErrors(t *testing.T) {
	bad := numbers{n: 4, bad: map[int]error{0: errors.New("broken")}}
	for _, c := range []struct {
		ds   Dataset
		cfg  LoaderConfig
		want string
	}{
		{numbers{}, LoaderConfig{}, "empty"},
		{numbers{n: 4}, LoaderConfig{Batch: -1}, "below 0"},
		{numbers{n: 4}, LoaderConfig{Batch: 5, DropLast: true}, "make no batch of 5"},
		{numbers{n: 4}, LoaderConfig{Transform: Pixels{}}, "three sizes above 0"},
		{bad, LoaderConfig{}, "number-0: broken"},
	} {
		if _, err := NewLoader(c.ds, c.cfg); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("error %v, want one with %q", err, c.want)
		}
	}
	l := mustLoader(t, numbers{n: 4}, LoaderConfig{})
	for _, err := range l.Epoch(context.Background(), 0, 2) {
		if err == nil || !strings.Contains(err.Error(), "from 0 to 1") {
			t.Errorf("error %v for a start past the end", err)
		}
	}
}

func TestLoaderSizeMismatch(t *testing.T) {
	l := mustLoader(t, numbers{n: 4}, LoaderConfig{Transform: Pixels{Channels: 1, Height: 28, Width: 28}})
	for _, err := range l.Epoch(context.Background(), 0, 0) {
		if want := "number-0: picture of 1×2 pixels (height×width), want 28×28"; err == nil || err.Error() != want {
			t.Errorf("error %v, want %s", err, want)
		}
	}
}

func TestSubsetAndSplit(t *testing.T) {
	tr := Pixels{Channels: 1, Height: 1, Width: 2, Mean: []float32{0.5}}
	a, b, err := Split(With(numbers{n: 50}, tr), 0.2, 3)
	if err != nil {
		t.Fatal(err)
	}
	if a.Len() != 40 || b.Len() != 10 {
		t.Errorf("%d and %d, want 40 and 10", a.Len(), b.Len())
	}
	var all []int
	for _, ds := range []Dataset{a, b} {
		for _, batch := range collect(t, mustLoader(t, ds, LoaderConfig{Batch: 7}), 0, 0) {
			all = append(all, batch.labels...)
			if want := float32(batch.labels[0])/255 - 0.5; batch.pixels[0] != want {
				t.Errorf("pixel %v, want %v: the transform was lost", batch.pixels[0], want)
			}
		}
	}
	if !slices.IsSorted(all[:40]) || !slices.IsSorted(all[40:]) {
		t.Errorf("order changed: %v", all)
	}
	slices.Sort(all)
	if !slices.Equal(all, identity(nil, 50)) {
		t.Errorf("not each example once: %v", all)
	}
	s, err := Subset(numbers{n: 5}, []int{4, 4, 0})
	if err != nil {
		t.Fatal(err)
	}
	if ex, _ := s.Get(1); ex.Label != 4 || Name(s, 2) != "number-0" {
		t.Errorf("label %d, name %s", ex.Label, Name(s, 2))
	}
	if _, err := Subset(numbers{n: 5}, []int{5}); err == nil {
		t.Error("no error for an index past the end")
	}
	if _, _, err := Split(numbers{n: 5}, 1.5, 0); err == nil {
		t.Error("no error for a share above 1")
	}
}

func TestPixels(t *testing.T) {
	at := func(img image.Image, p Pixels) []float32 {
		t.Helper()
		dst := make([]float32, p.Channels*p.Height*p.Width)
		if err := p.Apply(dst, img, nil); err != nil {
			t.Fatal(err)
		}
		return dst
	}
	nrgba := image.NewNRGBA(image.Rect(3, 4, 5, 5)) // a picture that does not start at 0
	nrgba.SetNRGBA(3, 4, color.NRGBA{255, 0, 51, 255})
	nrgba.SetNRGBA(4, 4, color.NRGBA{0, 102, 0, 10}) // colour counts, transparency does not
	rgb := Pixels{Channels: 3, Height: 1, Width: 2}
	if got, want := at(nrgba, rgb), []float32{1, 0, 0, 0.4, 0.2, 0}; !slices.Equal(got, want) {
		t.Errorf("NRGBA: %v, want %v", got, want)
	}
	rgba := image.NewRGBA(nrgba.Rect)
	rgba.Set(3, 4, nrgba.At(3, 4))
	if got := at(rgba, rgb); got[0] != 1 || got[4] != 0.2 {
		t.Errorf("RGBA: %v", got)
	}
	// 0.299·255 + 0.114·51 = 82.06.
	if got := at(nrgba, Pixels{Channels: 1, Height: 1, Width: 2})[0]; got != float32(82)/255 {
		t.Errorf("luminance of (255, 0, 51): %v, want 82/255", got*255)
	}
	// YCbCr goes by color.YCbCrToRGB.
	ycc := image.NewYCbCr(image.Rect(0, 0, 2, 1), image.YCbCrSubsampleRatio444)
	ycc.Y[0], ycc.Cb[0], ycc.Cr[0] = 100, 90, 200
	r, g, b := color.YCbCrToRGB(100, 90, 200)
	if got := at(ycc, rgb); got[0] != float32(r)/255 || got[2] != float32(g)/255 || got[4] != float32(b)/255 {
		t.Errorf("YCbCr: %v, want %d %d %d over 255", got, r, g, b)
	}
	// A palette and 16 bits go through At.
	pal := image.NewPaletted(image.Rect(0, 0, 2, 1), color.Palette{color.NRGBA{0, 255, 0, 255}})
	if got := at(pal, rgb); got[2] != 1 || got[0] != 0 {
		t.Errorf("palette: %v", got)
	}
	// A part of a grey picture: the stride is not the width. Three channels repeat it.
	grey := image.NewGray(image.Rect(0, 0, 4, 3))
	for i := range grey.Pix {
		grey.Pix[i] = byte(i)
	}
	p := Pixels{Channels: 3, Height: 2, Width: 2, Mean: []float32{0, 0.5, 0}, Std: []float32{1, 1, 0.5}}
	got := at(grey.SubImage(image.Rect(1, 1, 3, 3)), p)
	for c, affine := range [][2]float32{{0, 1}, {0.5, 1}, {0, 0.5}} {
		for i, level := range []float32{5, 6, 9, 10} {
			if want := (level/255 - affine[0]) / affine[1]; got[4*c+i] != want {
				t.Errorf("grey: channel %d, pixel %d: %v, want %v", c, i, got[4*c+i], want)
			}
		}
	}
	for _, p := range []Pixels{{Channels: 2, Height: 3, Width: 4}, {Channels: 1, Height: 3, Width: 4, Mean: []float32{1, 2, 3}}, {Channels: 1, Height: 4, Width: 3}} {
		if err := p.Apply(make([]float32, p.Channels*12), grey, nil); err == nil {
			t.Errorf("%+v: no error", p)
		}
	}
}

// TestLoaderAllocates: in steady state a batch costs no memory.
func TestLoaderAllocates(t *testing.T) {
	train, _, err := MNIST("")
	if err != nil {
		t.Fatal(err)
	}
	l := mustLoader(t, train, LoaderConfig{Batch: 100, Shuffle: true})
	var before, after runtime.MemStats
	for b, err := range l.Epoch(context.Background(), 0, 0) {
		if err != nil {
			t.Fatal(err)
		}
		switch b.Number {
		case 50:
			runtime.ReadMemStats(&before)
		case 550:
			runtime.ReadMemStats(&after)
		}
	}
	// The runtime itself may allocate a little in the meantime; an allocation a batch would be 500.
	if n := after.Mallocs - before.Mallocs; n > 50 {
		t.Errorf("%d allocations in 500 batches", n)
	}
}

func BenchmarkLoaderMNIST(b *testing.B) {
	train, _, err := MNIST("")
	if err != nil {
		b.Fatal(err)
	}
	l := mustLoader(b, train, LoaderConfig{Batch: 100, Shuffle: true})
	b.ReportAllocs()
	for b.Loop() {
		for _, err := range l.Epoch(context.Background(), 0, 0) {
			if err != nil {
				b.Fatal(err)
			}
		}
	}
	b.ReportMetric(float64(b.N*train.Len())/b.Elapsed().Seconds(), "pictures/s")
}
