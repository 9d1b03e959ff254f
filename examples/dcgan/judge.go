package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/pkg/errors"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/gan"
	"github.com/stheno-ml/stheno/gan/metric"
	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/nn"
	"github.com/stheno-ml/stheno/train"
	"github.com/stheno-ml/stheno/train/data"
	"github.com/stheno-ml/stheno/train/optim"
	"github.com/stheno-ml/stheno/train/schedule"
)

// judge is a classifier of real digits.
type judge struct {
	model    *nn.Model
	accuracy float64 // on test digits
}

// Marks of the layer before the last, [N, 96], and of what the logits say, [N, 10].
const (
	features      = "features"
	probabilities = "probabilities"
)

func judgeNet() nn.Layer {
	block := func(filters int) nn.Layer {
		return nn.Sequential{
			nn.Conv2D{Filters: filters, Kernel: 3, Pad: 1, NoBias: true}, nn.BatchNorm{}, nn.ReLU{}, nn.MaxPool2D{Kernel: 2},
		}
	}
	return nn.Sequential{
		block(16), block(32), block(64), block(96),
		nn.Mark{Name: features, Layer: nn.GlobalAvgPool{}},
		nn.Linear{Units: 10},
		nn.Func(func(g *graph.Graph, logits *nn.Node) *nn.Node {
			nn.Mark{Name: probabilities, Layer: nn.Softmax{}}.Apply(g, logits)
			return logits
		}),
	}
}

// newJudge trains the classifier on digits as the discriminator has seen them.
func newJudge(ctx context.Context, digits, test data.Dataset, size int, seed uint64, progress io.Writer) (*judge, error) {
	m, err := nn.NewModel(judgeNet(), []int{1, size, size}, nn.ModelConfig{Name: "judge", Seed: seed})
	if err != nil {
		return nil, err
	}
	look := gan.Pictures(1, size, size)
	fit, err := train.Fit(ctx, m, data.With(digits, look), train.Config{
		Epochs: 2, Batch: 64, Seed: seed,
		Optimizer: optim.SGD{Momentum: 0.9, Nesterov: true, WeightDecay: 5e-4},
		Schedule:  schedule.OneCycle{Peak: 0.1},
		Validate:  data.With(test, look),
		Callbacks: []train.Callback{train.Progress(progress)},
	})
	if err != nil {
		return nil, err
	}
	return &judge{m, fit.History[len(fit.History)-1].ValAccuracy}, nil
}

// look takes features and probabilities of pictures [N, 1, H, W] into a collector, and gives the probabilities [N, 10].
func (j *judge) look(ctx context.Context, pictures *tensor.Dense, c *metric.Collector) ([]float32, error) {
	const batch = 250
	n := pictures.Shape()[0]
	size := pictures.Shape().TotalSize() / n
	var all []float32
	for first := 0; first < n; first += batch {
		count := min(batch, n-first)
		shape := pictures.Shape().Clone()
		shape[0] = count
		part := tensor.New(tensor.WithShape(shape...), tensor.WithBacking(pictures.Float32s()[first*size:(first+count)*size]))
		out, err := j.model.Outputs(ctx, part, features, probabilities)
		if err != nil {
			return nil, err
		}
		if err := c.Add(out[0], out[1]); err != nil {
			return nil, err
		}
		all = append(all, out[1].Float32s()...)
	}
	return all, nil
}

func (j *judge) collector() *metric.Collector {
	return metric.NewCollector(metric.Network{Name: fmt.Sprintf("classifier of MNIST, %s, %d pixels", features, j.model.Input[1])})
}

// real is the statistics of test digits.
func (j *judge) real(ctx context.Context, test data.Dataset) (*metric.Stats, error) {
	size := j.model.Input[1]
	loader, err := data.NewLoader(test, data.LoaderConfig{Batch: 250, Transform: gan.Pictures(1, size, size)})
	if err != nil {
		return nil, err
	}
	c := j.collector()
	for batch, err := range loader.Epoch(ctx, 0, 0) {
		if err != nil {
			return nil, err
		}
		if _, err := j.look(ctx, batch.Images, c); err != nil {
			return nil, err
		}
	}
	return c.Stats()
}

// made is the statistics of n pictures of a generator, whose classes go round, and the probabilities [n, 10].
func (j *judge) made(ctx context.Context, generator *nn.Model, classes, n int, seed uint64) (*metric.Stats, []float32, error) {
	s, err := gan.NewSampler(generator, 100)
	if err != nil {
		return nil, nil, err
	}
	z, err := gan.Latents(generator, n, seed)
	if err != nil {
		return nil, nil, err
	}
	var labels []int
	for i := 0; classes > 0 && i < n; i++ {
		labels = append(labels, i%classes)
	}
	t, err := s.Draw(ctx, z, labels)
	if err != nil {
		return nil, nil, err
	}
	c := j.collector()
	p, err := j.look(ctx, t, c)
	if err != nil {
		return nil, nil, err
	}
	stats, err := c.Stats()
	return stats, p, err
}

// verdict is what the classifier says of generated digits.
type verdict struct {
	accuracy      float64       // of the classifier itself, on real test digits
	samples       int           // for the next two
	confidence    float64       // mean probability of the likeliest class
	share         [10]float64   // of samples in each class
	fid, untaught metric.Result // against test digits; the latter of the untrained generator
	score         metric.Result // inception score
}

func (v verdict) String() string {
	var shares strings.Builder
	for digit, s := range v.share {
		fmt.Fprintf(&shares, "  %d: %.1f %%", digit, 100*s)
	}
	return fmt.Sprintf("a classifier with %.2f %% test accuracy looks at %d generated digits: mean top probability %.3f\n%s\n%v\n%v\nof the untrained generator %.2f: FID is %.3f of that",
		100*v.accuracy, v.samples, v.confidence, strings.TrimSpace(shares.String()), v.score, v.fid, v.untaught.Value, v.fid.Value/v.untaught.Value)
}

// evaluate judges a generator by as many of its pictures as there are test digits.
func (j *judge) evaluate(ctx context.Context, pair gan.Pair, generator *nn.Model, test data.Dataset, samples int, seed uint64) (v verdict, err error) {
	real, err := j.real(ctx, test)
	if err != nil {
		return v, err
	}
	untrained, _, err := pair.New()
	if err != nil {
		return v, err
	}
	n := test.Len()
	v.accuracy, v.samples = j.accuracy, min(samples, n)
	noise, _, err := j.made(ctx, untrained, pair.Classes, n, seed)
	if err != nil {
		return v, err
	}
	if v.untaught, err = metric.FID(real, noise); err != nil {
		return v, err
	}
	fake, p, err := j.made(ctx, generator, pair.Classes, n, seed)
	if err != nil {
		return v, err
	}
	if v.fid, err = metric.FID(real, fake); err != nil {
		return v, err
	}
	if v.score, err = metric.InceptionScore(fake, 0); err != nil {
		return v, err
	}
	v.confidence, v.share = confidence(p[:10*v.samples])
	return v, nil
}

// confidence is the mean of the largest of each ten probabilities, and how often each is the largest.
func confidence(probabilities []float32) (mean float64, share [10]float64) {
	n := float64(len(probabilities) / 10)
	for first := 0; first < len(probabilities); first += 10 {
		p := probabilities[first : first+10]
		best := 0
		for k, v := range p {
			if v > p[best] {
				best = k
			}
		}
		mean += float64(p[best]) / n
		share[best] += 1 / n
	}
	return mean, share
}

// holds says whether digits are as good as they should be.
func (v verdict) holds() error {
	if v.accuracy < 0.99 || v.confidence < 0.9 || v.fid.Value > v.untaught.Value/10 {
		return errors.New("not as good as it should be: want 99 % accuracy, 0.9 mean top probability, and a tenth of the untrained generator's FID")
	}
	for digit, s := range v.share {
		if s < 0.03 {
			return errors.Errorf("only %.1f %% of digits are a %d, want 3 %%", 100*s, digit)
		}
	}
	return nil
}
