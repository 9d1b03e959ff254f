package nn

import (
	"context"
	"fmt"
	"io"
	"strings"
	"sync"

	"github.com/pkg/errors"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/ops"
)

// Model is a network and its variables. The same code builds it for training, for evaluation and for any
// batch size; the graphs share the variables.
type Model struct {
	Name  string
	Net   Layer
	Input []int // shape of one example, such as [C, H, W]

	store *graph.Store

	mu    sync.Mutex
	ready map[string]*Predictor
}

// ModelConfig says how a model's variables are made. The zero value is float32 with seed 0.
type ModelConfig struct {
	Name  string
	Seed  uint64
	Dtype tensor.Dtype // float32 unless set to float64
	Blank bool         // variables begin at 0: for weights that are about to be read from a file
}

// NewModel makes a model and its variables. input is the shape of one example; a shape that the network
// cannot take is an error that names the layer.
func NewModel(net Layer, input []int, c ModelConfig) (*Model, error) {
	if net == nil {
		return nil, errors.New("model: no network")
	}
	if c.Dtype == (tensor.Dtype{}) {
		c.Dtype = tensor.Float32
	}
	store, err := graph.NewStore(c.Dtype, c.Seed)
	if err != nil {
		return nil, errors.Wrap(err, "model")
	}
	if c.Blank {
		store.Blank()
	}
	m := &Model{Name: c.Name, Net: net, Input: append([]int(nil), input...), store: store, ready: make(map[string]*Predictor)}
	if _, err := m.Build(graph.Eval, 1, nil); err != nil {
		return nil, errors.Wrap(err, "model")
	}
	return m, nil
}

// Store is where the model's variables live.
func (m *Model) Store() *graph.Store { return m.store }

// kept is how many predictors a model keeps ready: each holds the memory of its batch size.
const kept = 4

// Built is a model's graph for one mode and batch size.
type Built struct {
	Graph  *graph.Graph
	Input  *Node // [N, …]
	Output *Node
}

// Build makes the graph of the model for a mode and a batch size. rng drives dropout; it may be nil in
// graph.Eval.
func (m *Model) Build(mode graph.Mode, batch int, rng *ops.RNG) (*Built, error) {
	if batch < 1 {
		return nil, errors.Errorf("batch size %d, want at least 1", batch)
	}
	g := m.store.Graph(mode, rng)
	b := &Built{Graph: g}
	b.Input = g.Input("x", append([]int{batch}, m.Input...)...)
	b.Output = m.Net.Apply(g, b.Input)
	if err := g.Err(); err != nil {
		return nil, err
	}
	if b.Output == nil {
		return nil, errors.New("the network gave no result")
	}
	return b, nil
}

// Summary prints a table of the layers for one example.
func (m *Model) Summary(w io.Writer) error {
	b, err := m.Build(graph.Eval, 1, nil)
	if err != nil {
		return err
	}
	return b.Graph.Summary(w)
}

// PredictorConfig says what a Predictor computes.
type PredictorConfig struct {
	Batch   int      // examples at a time; 0 means 1
	Outputs []string // what the network marked with these names; none means its output
	// Fixed promises that the model's variables will not change after the first run. Filters are then packed
	// once, which for single pictures saves a good part of the time.
	Fixed bool
}

// Predictor runs a model in evaluation mode on batches of one size. It serves one goroutine at a time; for a
// server, make one for each: they share the model's variables.
type Predictor struct {
	built   *Built
	outputs gorgonia.Nodes
	tape    *graph.Tape
}

// NewPredictor compiles the model for evaluation.
func (m *Model) NewPredictor(c PredictorConfig) (*Predictor, error) {
	b, err := m.Build(graph.Eval, max(c.Batch, 1), nil)
	if err != nil {
		return nil, errors.Wrap(err, "predictor")
	}
	p := &Predictor{built: b}
	for _, name := range c.Outputs {
		n := b.Graph.Marked(name)
		if n == nil {
			return nil, errors.Errorf("predictor: the network has no output %q; it has %s", name, strings.Join(b.Graph.Marks(), ", "))
		}
		p.outputs = append(p.outputs, n)
	}
	if len(p.outputs) == 0 {
		p.outputs = gorgonia.Nodes{b.Output}
	}
	o := graph.Options{Private: true}
	if c.Fixed {
		_, o.Constant = b.Graph.Variables()
	}
	if p.tape, err = graph.Compile(p.outputs, o); err != nil {
		return nil, errors.Wrap(err, "predictor")
	}
	return p, nil
}

// Plan is the memory plan of the predictor.
func (p *Predictor) Plan() graph.Plan { return p.tape.Plan() }

// Run computes the outputs for x, whose shape is the batch size and the model's input. The results are
// overwritten by the next Run.
func (p *Predictor) Run(ctx context.Context, x *tensor.Dense) ([]*tensor.Dense, error) {
	if err := p.tape.Let(p.built.Input, x); err != nil {
		return nil, errors.Wrap(err, "predictor")
	}
	if err := p.tape.Run(ctx); err != nil {
		return nil, errors.Wrap(err, "predictor")
	}
	out := make([]*tensor.Dense, len(p.outputs))
	for i, n := range p.outputs {
		v, err := p.tape.Value(n)
		if err != nil {
			return nil, errors.Wrap(err, "predictor")
		}
		d, ok := v.(*tensor.Dense)
		if !ok {
			return nil, errors.Errorf("predictor: output %d is a %T, want a tensor", i, v)
		}
		out[i] = d
	}
	return out, nil
}

// Predict computes the network's output for a batch of any size, in evaluation mode. The result is the
// caller's. Calls wait for each other.
func (m *Model) Predict(ctx context.Context, x *tensor.Dense) (*tensor.Dense, error) {
	out, err := m.Outputs(ctx, x)
	if err != nil {
		return nil, err
	}
	return out[0], nil
}

// Outputs is Predict for the outputs that the network marked with the given names.
func (m *Model) Outputs(ctx context.Context, x *tensor.Dense, marks ...string) ([]*tensor.Dense, error) {
	shape := x.Shape()
	if len(shape) != len(m.Input)+1 {
		return nil, errors.Errorf("model: input has shape %v, want a batch of %v", shape, m.Input)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	key := fmt.Sprint(shape[0], marks)
	p := m.ready[key]
	if p == nil {
		if len(m.ready) >= kept {
			clear(m.ready)
		}
		var err error
		if p, err = m.NewPredictor(PredictorConfig{Batch: shape[0], Outputs: marks}); err != nil {
			return nil, err
		}
		m.ready[key] = p
	}
	out, err := p.Run(ctx, x)
	if err != nil {
		return nil, err
	}
	for i, d := range out {
		out[i] = d.Clone().(*tensor.Dense)
	}
	return out, nil
}
