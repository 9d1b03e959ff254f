package train

import (
	"context"
	"slices"

	"github.com/pkg/errors"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/nn"
	"github.com/stheno-ml/stheno/train/data"
	"github.com/stheno-ml/stheno/train/metric"
)

// EvaluateConfig says how a model is evaluated. The zero value will do.
type EvaluateConfig struct {
	Batch     int            // 0 means 32
	Workers   int            // goroutines that prepare pictures; 0 means GOMAXPROCS
	Loss      Loss           // nil means CrossEntropy
	Transform data.Transform // nil means the data set's own
	Metrics   []metric.Metric
	Skip      func(name string, err error) // as data.LoaderConfig's; nil means that an unreadable example is an error
}

// Result is what an evaluation found.
type Result struct {
	Loss     float64 // mean over the examples
	Accuracy float64
	Examples int
	Metrics  map[string]float64 // by name; nil when there are none
}

// Evaluator evaluates a model, in evaluation mode, on a data set; it keeps its graphs from run to run.
type Evaluator struct {
	model   *nn.Model
	loader  *data.Loader
	loss    Loss
	metrics []metric.Metric
	steps   map[int]*evalStep
	scores  []float32 // of a batch, for the metrics
}

type evalStep struct {
	built  *nn.Built
	labels *graph.Node
	index  *tensor.Dense
	loss   *graph.Node
	tape   *graph.Tape
}

// NewEvaluator prepares an evaluation.
func NewEvaluator(m *nn.Model, ds data.Dataset, c EvaluateConfig) (*Evaluator, error) {
	if c.Loss == nil {
		c.Loss = CrossEntropy
	}
	l, err := data.NewLoader(ds, data.LoaderConfig{Batch: c.Batch, Workers: c.Workers, Transform: c.Transform, Skip: c.Skip})
	if err != nil {
		return nil, err
	}
	return &Evaluator{model: m, loader: l, loss: c.Loss, metrics: slices.Clone(c.Metrics), steps: make(map[int]*evalStep)}, nil
}

// Evaluate computes mean loss and accuracy of a model over a data set.
func Evaluate(ctx context.Context, m *nn.Model, ds data.Dataset, c EvaluateConfig) (Result, error) {
	e, err := NewEvaluator(m, ds, c)
	if err != nil {
		return Result{}, errors.Wrap(err, "evaluate")
	}
	return e.Run(ctx)
}

// Run evaluates the model with the weights that it has now.
func (e *Evaluator) Run(ctx context.Context) (Result, error) {
	var r Result
	correct := 0
	for _, m := range e.metrics {
		m.Reset()
	}
	for batch, err := range e.loader.Epoch(ctx, 0, 0) {
		if err != nil {
			return r, err
		}
		n := len(batch.Labels)
		s, err := e.step(n)
		if err != nil {
			return r, errors.Wrap(err, "evaluate")
		}
		loss, right, err := s.run(ctx, batch)
		if err != nil {
			return r, errors.Wrap(err, "evaluate")
		}
		r.Loss += loss * float64(n)
		r.Examples += n
		correct += right
		if len(e.metrics) > 0 {
			e.scores = narrow(e.scores[:0], s.built.Output.Value())
		}
		for _, m := range e.metrics {
			if err := m.Add(e.scores, batch.Labels); err != nil {
				return r, errors.Wrapf(err, "evaluate: %s", m.Name())
			}
		}
	}
	r.Loss /= float64(r.Examples)
	r.Accuracy = float64(correct) / float64(r.Examples)
	for _, m := range e.metrics {
		if r.Metrics == nil {
			r.Metrics = make(map[string]float64)
		}
		if m.Name() != "" {
			r.Metrics[m.Name()] = m.Value()
		}
	}
	return r, nil
}

// narrow appends the numbers of a tensor as float32.
func narrow(dst []float32, v gorgonia.Value) []float32 {
	switch x := v.Data().(type) {
	case []float32:
		return append(dst, x...)
	case []float64:
		for _, v := range x {
			dst = append(dst, float32(v))
		}
	}
	return dst
}

func (e *Evaluator) step(n int) (*evalStep, error) {
	if s := e.steps[n]; s != nil {
		return s, nil
	}
	b, err := e.model.Build(graph.Eval, n, nil)
	if err != nil {
		return nil, err
	}
	s := &evalStep{built: b, labels: b.Graph.Labels("labels", n), index: tensor.New(tensor.WithShape(n), tensor.Of(tensor.Int))}
	if s.loss, err = e.loss(b.Graph, b.Output, s.labels); err != nil {
		return nil, err
	}
	if err := b.Graph.Err(); err != nil {
		return nil, err
	}
	if s.tape, err = graph.Compile(gorgonia.Nodes{s.loss, b.Output}, graph.Options{}); err != nil {
		return nil, err
	}
	e.steps[n] = s
	return s, nil
}

func (s *evalStep) run(ctx context.Context, batch *data.Batch) (loss float64, correct int, err error) {
	images, err := imagesFor(s.built.Input, batch.Images, nil)
	if err != nil {
		return 0, 0, err
	}
	if err := gorgonia.Let(s.built.Input, images); err != nil {
		return 0, 0, err
	}
	copy(s.index.Ints(), batch.Labels)
	if err := gorgonia.Let(s.labels, s.index); err != nil {
		return 0, 0, err
	}
	if err := s.tape.Run(ctx); err != nil {
		return 0, 0, err
	}
	correct, err = countCorrect(s.built.Output.Value(), batch.Labels)
	return scalar(s.loss.Value()), correct, err
}
