package train

import (
	"context"
	"math"

	"github.com/pkg/errors"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/nn"
	"github.com/stheno-ml/stheno/ops"
)

// Loss adds a cost to the graph: a scalar, from the network's output and the labels of the batch [N].
// Auxiliary outputs that the network marked are found with g.Marked.
type Loss func(g *graph.Graph, output, labels *graph.Node) (*graph.Node, error)

// CrossEntropy is the mean cross-entropy of softmax(output) [N, classes] and the labels.
func CrossEntropy(_ *graph.Graph, output, labels *graph.Node) (*graph.Node, error) {
	return ops.SoftmaxCrossEntropy(output, labels)
}

// Step is a model compiled for training on batches of one size.
type Step struct {
	Plan graph.Plan

	built  *nn.Built
	labels *graph.Node
	loss   *graph.Node
	vars   []*graph.Variable
	grads  gorgonia.Nodes
	tape   *graph.Tape

	// Running statistics are copied here and not by the tape, so that a step whose loss is not finite
	// leaves them as they were.
	assigns []graph.Assign

	wide  *tensor.Dense // images of the model's type, where that is not the batch's
	index *tensor.Dense // labels as the graph wants them
}

// NewStep builds the model in training mode with its loss and the gradient of every variable that is not
// frozen, and compiles it.
func NewStep(m *nn.Model, batch int, loss Loss, rng *ops.RNG) (*Step, error) {
	b, err := m.Build(graph.Train, batch, rng)
	if err != nil {
		return nil, errors.Wrap(err, "training step")
	}
	g := b.Graph
	s := &Step{built: b, labels: g.Labels("labels", batch)}
	s.loss, err = loss(g, b.Output, s.labels)
	if err != nil {
		return nil, errors.Wrap(err, "training step: loss")
	}
	if err := g.Err(); err != nil {
		return nil, errors.Wrap(err, "training step")
	}
	var leaves gorgonia.Nodes
	s.vars, leaves = g.Trainable()
	if len(s.vars) == 0 {
		return nil, errors.New("training step: every variable is frozen")
	}
	if s.grads, err = graph.Differentiate(s.loss, leaves...); err != nil {
		return nil, errors.Wrap(err, "training step")
	}
	outputs := append(gorgonia.Nodes{s.loss, b.Output}, s.grads...)
	s.assigns = g.Assigns()
	for _, a := range s.assigns {
		outputs = append(outputs, a.From)
	}
	if s.tape, err = graph.Compile(outputs, graph.Options{}); err != nil {
		return nil, errors.Wrap(err, "training step")
	}
	s.Plan = s.tape.Plan()
	s.index = tensor.New(tensor.WithShape(batch), tensor.Of(tensor.Int))
	return s, nil
}

// Run computes loss, output and gradients for a batch, and moves the network's running statistics. A loss
// that is not finite is an error that names where in the network it came from.
func (s *Step) Run(ctx context.Context, images *tensor.Dense, labels []int) (float64, error) {
	x, err := imagesFor(s.built.Input, images, s.wide)
	if err != nil {
		return 0, errors.Wrap(err, "training step")
	}
	if x != images {
		s.wide = x
	}
	if err := gorgonia.Let(s.built.Input, x); err != nil {
		return 0, errors.Wrap(err, "training step: images")
	}
	if len(labels) != s.index.Shape()[0] {
		return 0, errors.Errorf("training step: %d labels, want %d", len(labels), s.index.Shape()[0])
	}
	copy(s.index.Ints(), labels)
	if err := gorgonia.Let(s.labels, s.index); err != nil {
		return 0, errors.Wrap(err, "training step: labels")
	}
	if err := s.tape.Run(ctx); err != nil {
		return 0, err
	}
	loss := scalar(s.loss.Value())
	if math.IsNaN(loss) || math.IsInf(loss, 0) {
		if where := s.tape.Diagnose(ctx); where != nil {
			return loss, errors.Wrapf(where, "the loss is %v", loss)
		}
		return loss, errors.Errorf("the loss is %v", loss)
	}
	for _, a := range s.assigns {
		if err := tensor.Copy(a.To.Value().(*tensor.Dense), a.From.Value().(*tensor.Dense)); err != nil {
			return loss, errors.Wrapf(err, "training step: %s", a.To.Name())
		}
	}
	return loss, nil
}

// imagesFor is the batch in the type of the graph's input; reuse, if it is not nil, is written over.
func imagesFor(input *graph.Node, images, reuse *tensor.Dense) (*tensor.Dense, error) {
	want := input.Dtype()
	if images.Dtype() == want {
		return images, nil
	}
	if images.Dtype() != tensor.Float32 || want != tensor.Float64 {
		return nil, errors.Errorf("images are %v, the model is %v", images.Dtype(), want)
	}
	if reuse == nil {
		reuse = tensor.New(tensor.Of(want), tensor.WithShape(images.Shape().Clone()...))
	}
	wide := reuse.Float64s()
	for i, v := range images.Float32s() {
		wide[i] = float64(v)
	}
	return reuse, nil
}

// Output is the network's output of the last run, [N, …].
func (s *Step) Output() gorgonia.Value { return s.built.Output.Value() }

// Gradients lists the variables that are trained and the gradient of each, as the last run left it.
func (s *Step) Gradients() ([]*graph.Variable, []*tensor.Dense) {
	grads := make([]*tensor.Dense, len(s.grads))
	for i, n := range s.grads {
		grads[i] = n.Value().(*tensor.Dense)
	}
	return s.vars, grads
}

func scalar(v gorgonia.Value) float64 {
	switch x := v.Data().(type) {
	case float32:
		return float64(x)
	case float64:
		return x
	}
	return math.NaN()
}
