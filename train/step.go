package train

import (
	"context"
	"math"
	"slices"

	"github.com/pkg/errors"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/nn"
	"github.com/stheno-ml/stheno/ops"
	"github.com/stheno-ml/stheno/train/data"
)

// Loss adds a cost to the graph: a scalar, from the network's output and the labels of the batch [N].
// Auxiliary outputs that the network marked are found with g.Marked. Where pictures are mixed (Config.Mix),
// labels are distributions [N, classes] of the network's type.
type Loss func(g *graph.Graph, output, labels *graph.Node) (*graph.Node, error)

// CrossEntropy is the mean cross-entropy of softmax(output) [N, classes] and the labels.
func CrossEntropy(_ *graph.Graph, output, labels *graph.Node) (*graph.Node, error) {
	return ops.SoftmaxCrossEntropy(output, labels)
}

// SmoothCrossEntropy is CrossEntropy with label smoothing: ε of each label is spread over all classes
// (Szegedy et al. 2016, section 7).
func SmoothCrossEntropy(epsilon float64) Loss {
	return func(_ *graph.Graph, output, labels *graph.Node) (*graph.Node, error) {
		return ops.CrossEntropy(output, labels, ops.CrossEntropyConfig{Smoothing: epsilon})
	}
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
	soft  *tensor.Dense // [N, classes] in their place, for mixed pictures; else nil
	rng   *ops.RNG

	// A step that moves parameters while it runs (see stepConfig.update) must not be broken off once the first
	// has moved, and not begin to if the loss is not finite: the guard sees the loss before that.
	direct  bool
	stopped func() error // of the run's context
	found   float64      // loss, from the guard on
	moved   bool         // parameters may have been moved by this run
}

// stepConfig says what a step of Fit's does beyond computing loss and gradients.
type stepConfig struct {
	mixed bool // pictures are mixed: labels are distributions
	// update moves variable v as soon as its gradient is there and its value not needed any more. Gradients
	// are then not kept. nil means to keep them.
	update func(v *graph.Variable, grad *tensor.Dense) error
}

// errNotFinite ends a run before gradients of a loss that is not finite are used.
var errNotFinite = errors.New("the loss is not finite")

// NewStep builds the model in training mode with its loss and the gradient of every variable that is not
// frozen, and compiles it.
func NewStep(m *nn.Model, batch int, loss Loss, rng *ops.RNG) (*Step, error) {
	return newStep(m, batch, loss, rng, stepConfig{})
}

func newStep(m *nn.Model, batch int, loss Loss, rng *ops.RNG, c stepConfig) (*Step, error) {
	b, err := m.Build(graph.Train, batch, rng)
	if err != nil {
		return nil, errors.Wrap(err, "training step")
	}
	g := b.Graph
	s := &Step{built: b, rng: rng}
	if c.mixed {
		shape := b.Output.Shape()
		if len(shape) != 2 {
			return nil, errors.Errorf("training step: mixed pictures want an output [N, classes], it is %v", shape)
		}
		s.labels = g.Input("labels", shape...)
		s.soft = tensor.New(tensor.Of(b.Output.Dtype()), tensor.WithShape(shape...))
	} else {
		s.labels = g.Labels("labels", batch)
		s.index = tensor.New(tensor.WithShape(batch), tensor.Of(tensor.Int))
	}
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
	outputs := gorgonia.Nodes{s.loss, b.Output}
	o := graph.Options{Recompute: g.Checkpoints(), Guard: &graph.Use{Node: s.loss, Func: s.guard}}
	if s.direct = c.update != nil && !slices.ContainsFunc(s.grads, isConstant); s.direct {
		for i, v := range s.vars {
			o.Use = append(o.Use, graph.Use{Node: s.grads[i], Writes: leaves[i], Func: func(grad gorgonia.Value) error {
				return c.update(v, grad.(*tensor.Dense))
			}})
		}
	} else {
		outputs = append(outputs, s.grads...)
	}
	s.assigns = g.Assigns()
	for _, a := range s.assigns {
		outputs = append(outputs, a.From)
	}
	if s.tape, err = graph.Compile(outputs, o); err != nil {
		return nil, errors.Wrap(err, "training step")
	}
	s.Plan = s.tape.Plan()
	return s, nil
}

// isConstant says whether a gradient is a number that is known beforehand, as that of w in a loss of Σw.
func isConstant(grad *graph.Node) bool { return grad.Op() == nil || grad.Op().Arity() == 0 }

// guard sees the loss before the gradients are used.
func (s *Step) guard(loss gorgonia.Value) error {
	s.found = scalar(loss)
	if math.IsNaN(s.found) || math.IsInf(s.found, 0) {
		return errNotFinite
	}
	if s.direct {
		if err := s.stopped(); err != nil {
			return err
		}
		s.moved = true
	}
	return nil
}

// Run computes loss, output and gradients for a batch, and moves the network's running statistics. A loss
// that is not finite is an error that names where in the network it came from.
func (s *Step) Run(ctx context.Context, images *tensor.Dense, labels []int) (float64, error) {
	return s.run(ctx, &data.Batch{Images: images, Labels: labels})
}

func (s *Step) run(ctx context.Context, batch *data.Batch) (float64, error) {
	images := batch.Images
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
	target, err := s.target(batch)
	if err != nil {
		return 0, errors.Wrap(err, "training step")
	}
	if err := gorgonia.Let(s.labels, target); err != nil {
		return 0, errors.Wrap(err, "training step: labels")
	}
	s.stopped, s.moved = ctx.Err, false
	if s.direct {
		ctx = context.WithoutCancel(ctx)
	}
	err = s.tape.Run(ctx)
	if errors.Is(err, errNotFinite) {
		if where := s.tape.Diagnose(ctx); where != nil && !errors.Is(where, errNotFinite) {
			err = where
		}
		return s.found, errors.Wrapf(err, "the loss is %v", s.found)
	}
	if err != nil {
		return 0, err
	}
	for _, a := range s.assigns {
		if err := tensor.Copy(a.To.Value().(*tensor.Dense), a.From.Value().(*tensor.Dense)); err != nil {
			return s.found, errors.Wrapf(err, "training step: %s", a.To.Name())
		}
	}
	return s.found, nil
}

// target is the labels as the graph wants them.
func (s *Step) target(batch *data.Batch) (*tensor.Dense, error) {
	if n := s.labels.Shape()[0]; len(batch.Labels) != n {
		return nil, errors.Errorf("%d labels, want %d", len(batch.Labels), n)
	}
	if s.soft == nil {
		copy(s.index.Ints(), batch.Labels)
		return s.index, nil
	}
	if s.soft.Dtype() == tensor.Float64 {
		return s.soft, distributions(s.soft.Float64s(), batch)
	}
	return s.soft, distributions(s.soft.Float32s(), batch)
}

// distributions fills dst [N, classes] with what share of each picture is of which class.
func distributions[T float32 | float64](dst []T, batch *data.Batch) error {
	clear(dst)
	classes := len(dst) / len(batch.Labels)
	for i, label := range batch.Labels {
		second, share := label, 1.0
		if batch.Second != nil {
			second, share = batch.Second[i], batch.Share[i]
		}
		if min(label, second) < 0 || max(label, second) >= classes {
			return errors.Errorf("labels %d and %d of example %d, want 0 to %d: the network has %d classes", label, second, i, classes-1, classes)
		}
		dst[i*classes+label] += T(share)
		dst[i*classes+second] += T(1 - share)
	}
	return nil
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
