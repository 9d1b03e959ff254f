package gan

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

// What the networks of this package mark in a graph.
const (
	logitsMark = "logits" // the discriminator's result before a sigmoid; without it the result itself
	labelsMark = "labels" // the input of classes [N], of networks that have one
)

// pass is the discriminator compiled for one kind of pass over a batch of pictures, in training mode, with batch
// statistics of its own.
type pass struct {
	x      *graph.Node // [N, C, H, W]
	labels *graph.Node // [N]; nil for a discriminator without classes
	noise  *graph.Node // standard deviation [1, 1, 1, 1]; nil for none
	loss   *graph.Node // of this pass
	score  *graph.Node // mean probability, or mean logit, that the pictures are real

	vars    []*graph.Variable // whose gradients the pass computes
	grads   gorgonia.Nodes    // of vars, or of x alone
	assigns []graph.Assign    // running statistics; copied here and not by the tape, for only a finite loss may move them
	tape    *graph.Tape
	rng     *ops.RNG
}

// passConfig says what a pass is for.
type passConfig struct {
	batch    int
	loss     Loss
	noisy    bool
	pictures bool   // gradient of the pictures, and not of the parameters
	seed     uint64 // of dropout and noise
	cost     func(x, logits *graph.Node) (*graph.Node, error)
}

func newPass(m *nn.Model, c passConfig) (*pass, error) {
	p := &pass{rng: ops.NewRNG(c.seed)}
	g := m.Store().Graph(graph.Train, p.rng)
	p.x = g.Input("x", append([]int{c.batch}, m.Input...)...)
	seen, err := p.noisy(g, c.noisy)
	if err != nil {
		return nil, err
	}
	out := m.Net.Apply(g, seen)
	if err := g.Err(); err != nil {
		return nil, err
	}
	p.labels = g.Marked(labelsMark)
	if l := g.Marked(logitsMark); l != nil {
		out = l
	}
	if out == nil || out.Shape().TotalSize() != c.batch {
		return nil, errors.Errorf("the discriminator gives %v for %d pictures, want one logit a picture", out.Shape(), c.batch)
	}
	logits, err := ops.Reshape(out, c.batch)
	if err != nil {
		return nil, err
	}
	if p.loss, err = c.cost(p.x, logits); err != nil {
		return nil, err
	}
	if p.score, err = score(logits, c.loss.Probability); err != nil {
		return nil, err
	}
	wrt := gorgonia.Nodes{p.x}
	if !c.pictures {
		if p.vars, wrt = g.Trainable(); len(wrt) == 0 {
			return nil, errors.New("every variable of the discriminator is frozen")
		}
	}
	if p.grads, err = graph.Differentiate(p.loss, wrt...); err != nil {
		return nil, err
	}
	p.assigns = g.Assigns()
	outputs := append(gorgonia.Nodes{p.loss, p.score}, p.grads...)
	for _, a := range p.assigns {
		outputs = append(outputs, a.From)
	}
	p.tape, err = graph.Compile(outputs, graph.Options{Recompute: g.Checkpoints()})
	return p, err
}

// noisy is the pictures with instance noise.
func (p *pass) noisy(g *graph.Graph, noisy bool) (*graph.Node, error) {
	if !noisy || g.Err() != nil {
		return p.x, nil
	}
	p.noise = g.Input("noise", 1, 1, 1, 1)
	n, err := ops.RandomNormal(g.Expr(), g.Dtype(), 0, 1, ops.Random{RNG: p.rng}, p.x.Shape()...)
	if err != nil {
		return nil, err
	}
	if n, err = ops.Mul(n, p.noise); err != nil {
		return nil, errors.Wrap(err, "instance noise")
	}
	n, err = ops.Add(p.x, n)
	return n, errors.Wrap(err, "instance noise")
}

func score(logits *graph.Node, probability bool) (*graph.Node, error) {
	if probability {
		var err error
		if logits, err = ops.Sigmoid(logits); err != nil {
			return nil, err
		}
	}
	return mean(logits)
}

// seen is what a pass looks at.
type seen struct {
	pictures *tensor.Dense // [N, C, H, W]
	labels   *tensor.Dense // [N]; left alone by a discriminator without classes
	noise    *tensor.Dense // [1, 1, 1, 1]
	step     uint64        // of random ops
}

// run computes loss, score and gradients, and moves running statistics. A loss that is not finite is an error that
// names where it was born.
func (p *pass) run(s seen) (loss, score float64, err error) {
	for _, b := range []struct {
		to *graph.Node
		v  *tensor.Dense
	}{{p.x, s.pictures}, {p.labels, s.labels}, {p.noise, s.noise}} {
		if b.to == nil {
			continue
		}
		if err := gorgonia.Let(b.to, b.v); err != nil {
			return 0, 0, errors.Wrap(err, b.to.Name())
		}
	}
	p.rng.Step = s.step
	if err := p.tape.RunAll(); err != nil {
		return 0, 0, err
	}
	loss, score = scalar(p.loss.Value()), scalar(p.score.Value())
	if math.IsNaN(loss) || math.IsInf(loss, 0) {
		if where := p.tape.Diagnose(context.Background()); where != nil {
			return loss, score, errors.Wrapf(where, "the loss is %v", loss)
		}
		return loss, score, errors.Errorf("the loss is %v", loss)
	}
	return loss, score, assign(p.assigns)
}

// gradient is what the last run gave for gradient i.
func (p *pass) gradient(i int) *tensor.Dense { return p.grads[i].Value().(*tensor.Dense) }

func assign(as []graph.Assign) error {
	for _, a := range as {
		if err := tensor.Copy(a.To.Value().(*tensor.Dense), a.From.Value().(*tensor.Dense)); err != nil {
			return errors.Wrap(err, a.To.Name())
		}
	}
	return nil
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
