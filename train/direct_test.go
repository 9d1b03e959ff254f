package train

import (
	"context"
	"image"
	"math"
	"strings"
	"testing"

	"github.com/pkg/errors"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/nn"
	"github.com/stheno-ml/stheno/ops"
	"github.com/stheno-ml/stheno/train/data"
	"github.com/stheno-ml/stheno/train/optim"
	"github.com/stheno-ml/stheno/train/schedule"
)

// dots are pictures of 8×8 with one bright pixel, in the left or the right half.
type dots int

func (d dots) Len() int { return int(d) }

func (d dots) Get(i int) (data.Example, error) {
	img := image.NewGray(image.Rect(0, 0, 8, 8))
	img.Pix[i*7%64] = 255
	return data.Example{Image: img, Label: i * 7 % 8 / 4}, nil
}

// residual has all that makes an order of gradients and updates matter: shortcuts, blocks that are computed a
// second time in the backward pass, and a parameter that is not trained.
func residual(t *testing.T, seed uint64) *nn.Model {
	t.Helper()
	block := func(name string) nn.Layer {
		return nn.Checkpointed{Layer: nn.Residual{Name: name, Body: nn.Sequential{
			nn.Conv2D{Name: "conv1", Filters: 32, Kernel: 3, Pad: 1, NoBias: true}, nn.BatchNorm{Name: "bn"}, nn.ReLU{},
			nn.Conv2D{Name: "conv2", Filters: 32, Kernel: 3, Pad: 1},
		}, After: nn.ReLU{}}}
	}
	net := nn.Sequential{
		nn.Conv2D{Name: "stem", Filters: 32, Kernel: 3, Pad: 1}, nn.ReLU{}, block("a"), block("b"),
		nn.GlobalAvgPool{}, nn.Dropout{P: 0.1}, nn.Linear{Name: "fc", Units: 2},
	}
	m, err := nn.NewModel(net, []int{1, 8, 8}, nn.ModelConfig{Seed: seed})
	if err != nil {
		t.Fatalf("%+v", err)
	}
	if err := m.Store().Freeze("a.conv1"); err != nil {
		t.Fatal(err)
	}
	return m
}

// Parameters that are moved in the middle of a step come to the same bits as those that are moved after it,
// which is how it is done when gradients are clipped: here at a norm that none has.
func TestDirectUpdatesGiveTheSameBits(t *testing.T) {
	for _, o := range []optim.Optimizer{optim.SGD{Momentum: 0.9, Nesterov: true, WeightDecay: 1e-3}, optim.AdamW{}, optim.LAMB{}} {
		fit := func(limit float64) (*nn.Model, *fit) {
			m := residual(t, 3)
			c := Config{Epochs: 2, Batch: 16, Optimizer: o, Schedule: schedule.Cosine{Peak: 0.01}, EMA: EMA{Decay: 0.9}}
			c.Updates.ClipGlobalNorm = limit
			r, err := Fit(context.Background(), m, dots(93), c) // the last batch of an epoch has 13
			if err != nil {
				t.Fatalf("%+v", err)
			}
			return m, r.fit
		}
		a, direct := fit(0)
		b, after := fit(1e30)
		if !direct.steps[16].direct || after.steps[16].direct {
			t.Fatalf("direct: %v and %v, want true and false", direct.steps[16].direct, after.steps[16].direct)
		}
		if direct.steps[16].Plan.Repeated == 0 {
			t.Error("nothing is computed a second time")
		}
		for i, v := range a.Store().Variables() {
			w := b.Store().Variables()[i].Value.Float32s()
			for k, x := range v.Value.Float32s() {
				if math.Float32bits(x) != math.Float32bits(w[k]) {
					t.Fatalf("%T: %s differs at %d: %v and %v", o, v.Name, k, x, w[k])
				}
			}
		}
		if d, a := direct.steps[16].Plan.Arena, after.steps[16].Plan.Arena; d >= a {
			t.Errorf("%T: the arena has %d bytes, with gradients kept %d", o, d, a)
		}
	}
}

// A step that the context ends leaves everything as it was, or is complete; and one whose loss is not finite
// moves nothing.
func TestDirectStepIsAllOrNothing(t *testing.T) {
	m := residual(t, 1)
	moved := 0
	s, err := newStep(m, 4, CrossEntropy, &ops.RNG{}, stepConfig{update: func(*graph.Variable, *tensor.Dense) error { moved++; return nil }})
	if err != nil {
		t.Fatalf("%+v", err)
	}
	x := tensor.New(tensor.Of(tensor.Float32), tensor.WithShape(4, 1, 8, 8))
	before := m.Store().Get("a.bn.running_var").Value.Clone().(*tensor.Dense)
	run := func(ctx context.Context) error {
		moved = 0
		_, err := s.Run(ctx, x, []int{0, 1, 0, 1})
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := run(ctx); !errors.Is(err, context.Canceled) || moved != 0 || s.moved {
		t.Errorf("ended before: error %v, %d parameters moved", err, moved)
	}
	x.Float32s()[5] = float32(math.Inf(1))
	if err := run(context.Background()); err == nil || !strings.Contains(err.Error(), "the loss is") || moved != 0 || s.moved {
		t.Errorf("infinity in a picture: error %v, %d parameters moved", err, moved)
	}
	for i, v := range m.Store().Get("a.bn.running_var").Value.Float32s() {
		if v != before.Float32s()[i] {
			t.Fatalf("running variance %d moved", i)
		}
	}
	x.Float32s()[5] = 0
	ctx, cancel = context.WithCancel(context.Background())
	defer cancel()
	s, err = newStep(m, 4, CrossEntropy, &ops.RNG{}, stepConfig{update: func(*graph.Variable, *tensor.Dense) error { moved++; cancel(); return nil }})
	if err != nil {
		t.Fatalf("%+v", err)
	}
	if err := run(ctx); err != nil || moved != len(s.vars) || !s.moved {
		t.Errorf("ended in the middle: error %v, %d parameters of %d moved; want the whole step", err, moved, len(s.vars))
	}
}
