package gan

import (
	"context"
	"slices"

	"github.com/pkg/errors"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/nn"
	"github.com/stheno-ml/stheno/ops"
)

// Figures is what a step, or the mean of some, says of the game.
type Figures struct {
	D, G       float64 // losses; D with its penalties, G only where the generator had a step
	Real, Fake float64 // what the discriminator took pictures for, before its step: mean probability or mean score of being real
}

// stepper is both networks compiled for batches of one size.
type stepper struct {
	cfg                              Config
	generator, discriminator         *nn.Model
	generatorSide, discriminatorSide *learner

	real, fake *pass // the discriminator's
	between    *pass // gradient penalty; nil for none
	judge      *pass // the generator's loss

	z       *graph.Node // [N, D, …]
	classes *graph.Node // [N]; nil for a generator without
	made    *graph.Node // pictures
	vars    []*graph.Variable
	grads   gorgonia.Nodes
	assigns []graph.Assign
	rng     *ops.RNG
	making  *graph.Tape // forward only; nil until it is needed
	tape    *graph.Tape // forward and back, with the discriminator in between

	sums    []*tensor.Dense // the discriminator's gradients over its passes
	mixed   *tensor.Dense   // pictures between real and generated ones
	latent  *tensor.Dense
	labels  *tensor.Dense
	noise   *tensor.Dense
	pixels  *tensor.Dense // real pictures
	at      place
	figures Figures
	failure error // of the discriminator, in the midst of the generator's tape
}

// place is where in a run a step is.
type place struct {
	step                    int // the discriminator's steps so far
	epoch, epochs, perEpoch int
}

var errPictures = errors.New("the generator's pictures are not finite")

func newStepper(generator, discriminator *nn.Model, c Config) (*stepper, error) {
	dt := discriminator.Store().Dtype()
	if g := generator.Store().Dtype(); g != dt {
		return nil, errors.Errorf("the generator computes in %v, the discriminator in %v", g, dt)
	}
	s := &stepper{cfg: c, generator: generator, discriminator: discriminator,
		latent: blank(dt, append([]int{c.Batch}, generator.Input...)...),
		pixels: blank(dt, append([]int{c.Batch}, discriminator.Input...)...),
		labels: tensor.New(tensor.WithShape(c.Batch), tensor.Of(tensor.Int)),
		noise:  blank(dt, 1, 1, 1, 1),
	}
	if err := s.build(); err != nil {
		return nil, err
	}
	if err := s.compile(); err != nil {
		return nil, err
	}
	var err error
	if s.generatorSide, err = newLearner(generator, c.Generator); err != nil {
		return nil, errors.WithMessage(err, "generator")
	}
	if s.discriminatorSide, err = newLearner(discriminator, c.Discriminator); err != nil {
		return nil, errors.WithMessage(err, "discriminator")
	}
	return s, nil
}

// build compiles the discriminator's passes.
func (s *stepper) build() error {
	c, loss := s.cfg, s.cfg.Loss
	target := 1 - c.Smooth
	for _, p := range []struct {
		to       **pass
		what     string
		use      uint64
		skip     bool
		pictures bool
		cost     func(x, logits *graph.Node) (*graph.Node, error)
	}{
		{&s.real, "real pictures", realUse, false, false, func(x, logits *graph.Node) (*graph.Node, error) { return realCost(loss, x, logits, target, c.R1) }},
		{&s.fake, "generated pictures", fakeUse, false, false, func(_, logits *graph.Node) (*graph.Node, error) { return loss.Fake(logits) }},
		{&s.between, "gradient penalty", penaltyUse, c.GradientPenalty == 0, false, func(x, logits *graph.Node) (*graph.Node, error) {
			return gradientPenalty(logits, x, c.GradientPenalty)
		}},
		{&s.judge, "the generator's loss", judgeUse, false, true, func(_, logits *graph.Node) (*graph.Node, error) { return loss.Generator(logits) }},
	} {
		if p.skip {
			continue
		}
		var err error
		*p.to, err = newPass(s.discriminator, passConfig{batch: c.Batch, loss: loss, noisy: c.Noise != nil,
			pictures: p.pictures, seed: streamSeed(c.Seed, p.use), cost: p.cost})
		if err != nil {
			return errors.Wrap(err, p.what)
		}
	}
	for _, g := range s.real.grads {
		s.sums = append(s.sums, blank(g.Dtype(), g.Shape()...))
	}
	if s.between != nil {
		s.mixed = blank(s.pixels.Dtype(), s.pixels.Shape()...)
	}
	return nil
}

// realCost is the discriminator's loss on real pictures x, with R1 where γ is not 0.
func realCost(loss Loss, x, logits *graph.Node, target, gamma float64) (*graph.Node, error) {
	l, err := loss.Real(logits, target)
	if err != nil || gamma == 0 {
		return l, err
	}
	r1, err := realPenalty(logits, x, gamma)
	if err != nil {
		return nil, err
	}
	return ops.Add(l, r1)
}

// compile builds the generator's graph, with the discriminator's place in it.
func (s *stepper) compile() error {
	s.rng = ops.NewRNG(streamSeed(s.cfg.Seed, generatorUse))
	b, err := s.generator.Build(graph.Train, s.cfg.Batch, s.rng)
	if err != nil {
		return errors.Wrap(err, "generator")
	}
	if want := s.pixels.Shape(); !b.Output.Shape().Eq(want) || len(want) != 4 {
		return errors.Errorf("the generator makes pictures of shape %v [N, C, H, W], the discriminator looks at %v", b.Output.Shape(), want)
	}
	s.z, s.made, s.classes = b.Input, b.Output, b.Graph.Marked(labelsMark)
	if (s.classes == nil) != (s.real.labels == nil) {
		return errors.New("one of generator and discriminator has classes, the other has none")
	}
	seed, err := (&bridge{s.meet}).crossing(s.made)
	if err != nil {
		return errors.Wrap(err, "generator")
	}
	var leaves gorgonia.Nodes
	if s.vars, leaves = b.Graph.Trainable(); len(leaves) == 0 {
		return errors.New("every variable of the generator is frozen")
	}
	if s.grads, err = graph.VectorJacobian(gorgonia.Nodes{s.made}, gorgonia.Nodes{seed}, leaves...); err != nil {
		return errors.Wrap(err, "generator")
	}
	s.assigns = b.Graph.Assigns()
	outputs := slices.Clone(s.grads)
	for _, a := range s.assigns {
		outputs = append(outputs, a.From)
	}
	s.tape, err = graph.Compile(outputs, graph.Options{Recompute: b.Graph.Checkpoints()})
	return errors.Wrap(err, "generator")
}

// run makes one step of the discriminator on the real pictures that are in place and, where it is its turn, one of the
// generator. A step is not stopped half-way.
func (s *stepper) run(at place) (figures Figures, turn bool, err error) {
	s.at = at
	s.rng.Step = uint64(at.step)
	normal(s.latent, chance(s.cfg.Seed, latentUse, uint64(at.step)))
	generate(s.noise, func(int) float64 { return s.deviation() })
	if err := s.bind(); err != nil {
		return Figures{}, false, err
	}
	s.figures = Figures{}
	turn = (at.step+1)%s.cfg.Critics == 0
	if turn {
		err = s.both()
	} else {
		err = s.critic()
	}
	return s.figures, turn, s.explain(err)
}

// both is a step of the discriminator and one of the generator.
func (s *stepper) both() error {
	s.failure = nil
	if err := s.tape.RunAll(); s.failure != nil {
		return s.failure
	} else if err != nil {
		return err
	}
	if err := assign(s.assigns); err != nil {
		return err
	}
	perEpoch := max(s.at.perEpoch/s.cfg.Critics, 1)
	err := s.generatorSide.update(s.vars, func(i int) *tensor.Dense { return s.grads[i].Value().(*tensor.Dense) }, s.at.epoch, s.at.epochs, perEpoch)
	return errors.WithMessage(err, "generator")
}

// critic is a step of the discriminator alone.
func (s *stepper) critic() error {
	if err := s.prepareMaking(); err != nil {
		return err
	}
	if err := s.making.RunAll(); err != nil {
		return err
	}
	if err := s.discriminate(s.made.Value().(*tensor.Dense)); err != nil {
		return err
	}
	return assign(s.assigns)
}

func (s *stepper) bind() error {
	if err := gorgonia.Let(s.z, s.latent); err != nil {
		return errors.Wrap(err, "latent vectors")
	}
	if s.classes != nil {
		return errors.Wrap(gorgonia.Let(s.classes, s.labels), "classes")
	}
	return nil
}

// deviation is that of instance noise at this place in the run.
func (s *stepper) deviation() float64 {
	if s.cfg.Noise == nil {
		return 0
	}
	return s.cfg.Noise(float64(s.at.step) / float64(s.at.epochs*s.at.perEpoch))
}

// prepareMaking compiles the generator's forward pass in training mode.
func (s *stepper) prepareMaking() error {
	if s.making != nil {
		return nil
	}
	outputs := gorgonia.Nodes{s.made}
	for _, a := range s.assigns {
		outputs = append(outputs, a.From)
	}
	var err error
	s.making, err = graph.Compile(outputs, graph.Options{})
	return errors.Wrap(err, "generator")
}

// meet is the discriminator's step on what the generator has just made, and then the gradient of the generator's
// loss for it.
func (s *stepper) meet(pictures *tensor.Dense) (gradient *tensor.Dense, err error) {
	if s.failure = s.discriminate(pictures); s.failure != nil {
		return nil, s.failure
	}
	if s.figures.G, _, err = s.judge.run(s.looks(pictures)); err != nil {
		s.failure = errors.WithMessage(err, "the generator's loss")
		return nil, s.failure
	}
	return s.judge.gradient(0), nil
}

func (s *stepper) looks(pictures *tensor.Dense) seen {
	return seen{pictures: pictures, labels: s.labels, noise: s.noise, step: uint64(s.at.step)}
}

// discriminate is the discriminator's step.
func (s *stepper) discriminate(pictures *tensor.Dense) error {
	if !finite(pictures) {
		return errPictures
	}
	loss, score, err := s.real.run(s.looks(s.pixels))
	s.figures.D, s.figures.Real = loss, score
	if err != nil {
		return errors.WithMessage(err, "discriminator, real pictures")
	}
	for i, sum := range s.sums {
		if err := tensor.Copy(sum, s.real.gradient(i)); err != nil {
			return errors.WithStack(err)
		}
	}
	loss, s.figures.Fake, err = s.fake.run(s.looks(pictures))
	s.figures.D += loss
	if err != nil {
		return errors.WithMessage(err, "discriminator, generated pictures")
	}
	for i, sum := range s.sums {
		add(sum, s.fake.gradient(i))
	}
	if s.between != nil {
		between(s.mixed, s.pixels, pictures, s.cfg.Batch, chance(s.cfg.Seed, betweenUse, uint64(s.at.step)))
		loss, _, err := s.between.run(s.looks(s.mixed))
		s.figures.D += loss
		if err != nil {
			return errors.WithMessage(err, "discriminator, gradient penalty")
		}
		for i, sum := range s.sums {
			add(sum, s.between.gradient(i))
		}
	}
	if err := s.discriminatorSide.update(s.real.vars, func(i int) *tensor.Dense { return s.sums[i] }, s.at.epoch, s.at.epochs, s.at.perEpoch); err != nil {
		return errors.WithMessage(err, "discriminator")
	}
	if s.cfg.Clip > 0 {
		for _, v := range s.real.vars {
			clamp(v.Value, s.cfg.Clip)
		}
	}
	return nil
}

// explain says where in the generator pictures that are not finite were born.
func (s *stepper) explain(err error) error {
	if !errors.Is(err, errPictures) {
		return err
	}
	if e := s.prepareMaking(); e != nil {
		return err
	}
	if where := s.making.Diagnose(context.Background()); where != nil {
		return errors.WithMessage(where, errPictures.Error())
	}
	return err
}
