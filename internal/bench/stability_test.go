package bench

import (
	"context"
	"image"
	"runtime"
	"testing"

	"github.com/stheno-ml/stheno/nn"
	"github.com/stheno-ml/stheno/train"
	"github.com/stheno-ml/stheno/train/data"
	"github.com/stheno-ml/stheno/train/optim"
	"github.com/stheno-ml/stheno/train/schedule"
)

// squares are pictures of 8×8, black or white.
type squares int

func (s squares) Len() int { return int(s) }

func (s squares) Get(i int) (data.Example, error) {
	img := image.NewGray(image.Rect(0, 0, 8, 8))
	for k := range img.Pix {
		img.Pix[k] = uint8(255 * (i % 2))
	}
	return data.Example{Image: img, Label: i % 2}, nil
}

// TestMemoryStaysFlat trains for 10,000 steps: what is in use after the last tenth is what was after the first.
func TestMemoryStaysFlat(t *testing.T) {
	if testing.Short() {
		t.Skip("10,000 steps")
	}
	net := nn.Sequential{
		nn.Conv2D{Name: "conv1", Filters: 8, Kernel: 3, Pad: 1, NoBias: true}, nn.BatchNorm{Name: "bn1"}, nn.ReLU{},
		nn.Conv2D{Name: "conv2", Filters: 8, Kernel: 3, Stride: 2, NoBias: true}, nn.BatchNorm{Name: "bn2"}, nn.ReLU{},
		nn.GlobalAvgPool{}, nn.Dropout{P: 0.2}, nn.Linear{Name: "fc", Units: 2},
	}
	m, err := nn.NewModel(net, []int{1, 8, 8}, nn.ModelConfig{})
	if err != nil {
		t.Fatal(err)
	}
	type usage struct {
		heap, resident int64 // bytes
		goroutines     int
	}
	var seen []usage
	look := train.Hooks{OnEpochEnd: func(*train.Run) error {
		runtime.GC()
		var s runtime.MemStats
		runtime.ReadMemStats(&s)
		seen = append(seen, usage{int64(s.HeapAlloc), peakResident(), runtime.NumGoroutine()})
		return nil
	}}
	const epochs, steps, batch = 10, 1000, 2
	_, err = train.Fit(context.Background(), m, squares(steps*batch), train.Config{Epochs: epochs, Batch: batch,
		Optimizer: optim.SGD{Momentum: 0.9}, Schedule: schedule.Constant(0.01), Callbacks: []train.Callback{look}})
	if err != nil {
		t.Fatal(err)
	}
	if len(seen) != epochs {
		t.Fatalf("%d epochs, want %d", len(seen), epochs)
	}
	first, last := seen[0], seen[epochs-1]
	t.Logf("after 1,000 steps %+v, after 10,000 %+v", first, last)
	// A leak of 8 bytes a step would be 72 kB. What varies is the history of epochs and what the loader has in hand.
	if last.heap-first.heap > 64<<10 || last.goroutines > first.goroutines {
		t.Errorf("after 1,000 steps %+v, after 10,000 %+v", first, last)
	}
	// The collector lets the heap grow to twice what is in use between its runs.
	if last.resident-first.resident > 8<<20 {
		t.Errorf("largest resident size grew from %d to %d bytes", first.resident, last.resident)
	}
}
