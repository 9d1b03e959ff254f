package bench

import (
	"fmt"
	"hash"
	"hash/fnv"
	"math/rand/v2"
	"time"

	"github.com/chewxy/hm"
	"github.com/pkg/errors"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/ops"
	"github.com/stheno-ml/stheno/train/optim"
	"github.com/stheno-ml/stheno/zoo"
)

// adversaries is the zoo's DCGAN pair for pictures of 64 pixels, compiled for one batch size. A step is one of
// the discriminator, on real and on generated pictures in passes of their own, and one of the generator through
// the discriminator as it is then.
type adversaries struct {
	critic *pass
	second bool // it looks at generated pictures, and learns
	judge  *pass
	blame  gorgonia.Nodes // gradient of the judge's pictures

	generator *graph.Tape
	z         *graph.Node   // [N, 100, 1, 1]
	latent    *tensor.Dense // its value

	real        *tensor.Dense  // [N, 3, 64, 64]
	ones, zeros *tensor.Dense  // [N]
	learners    []*optim.State // of discriminator and generator
	slots       int            // bytes that they and sums of gradients take
	macs        int64          // of one forward pass of the generator and three of the discriminator
}

// pass is the discriminator with its loss.
type pass struct {
	tape      *graph.Tape
	x, target *graph.Node // [N, 3, 64, 64], [N]
	loss      *graph.Node
}

func (p *pass) run(pictures, target *tensor.Dense) error {
	if err := gorgonia.Let(p.x, pictures); err != nil {
		return err
	}
	if err := gorgonia.Let(p.target, target); err != nil {
		return err
	}
	return p.tape.RunAll()
}

func measureDCGAN(s Sampling, batch int, o ModelOptions) (ModelRow, error) {
	r := ModelRow{Name: "dcgan", Mode: "train", Batch: batch}
	a, compile, err := newAdversaries(batch, o)
	if err != nil {
		return r, err
	}
	r.Compile = ms(compile)
	t, err := s.measure(a.step)
	if err != nil {
		return r, err
	}
	plan := a.generator.Plan() // the judge has the critic's variables
	plan.Leaves += a.critic.tape.Plan().Leaves
	for _, p := range []*pass{a.critic, a.judge} {
		plan.Arena += p.tape.Plan().Arena
	}
	r.Slots = float64(a.slots) / (1 << 20)
	r.fill(t, plan, 3*a.macs)
	for _, tape := range []*graph.Tape{a.critic.tape, a.judge.tape, a.generator} {
		if err := writeProfile(o.Profile, tape); err != nil {
			return r, err
		}
	}
	return r, nil
}

// newAdversaries also says how long compiling took.
func newAdversaries(batch int, o ModelOptions) (*adversaries, time.Duration, error) {
	a := &adversaries{}
	discriminator, err := zoo.New("dcgan_discriminator", zoo.Config{})
	if err != nil {
		return nil, 0, err
	}
	generator, err := zoo.New("dcgan_generator", zoo.Config{})
	if err != nil {
		return nil, 0, err
	}
	a.real = pictures(batch, discriminator.Input)
	a.latent = pictures(batch, generator.Input)
	a.ones, a.zeros = tensor.New(tensor.WithShape(batch), tensor.Of(tensor.Float32)), tensor.New(tensor.WithShape(batch), tensor.Of(tensor.Float32))
	for i := range a.ones.Float32s() {
		a.ones.Float32s()[i] = 1
	}
	var compile time.Duration
	timed := func(outputs gorgonia.Nodes, opts graph.Options) (*graph.Tape, error) {
		start := time.Now()
		tape, err := graph.Compile(outputs, opts)
		compile += time.Since(start)
		return tape, err
	}
	opts := o.Options
	opts.Profile = o.Profile != nil
	if err := a.buildCritic(discriminator, batch, opts, timed); err != nil {
		return nil, 0, errors.Wrap(err, "discriminator")
	}
	if err := a.buildJudge(discriminator, batch, opts, timed); err != nil {
		return nil, 0, errors.Wrap(err, "discriminator")
	}
	err = a.buildGenerator(generator, batch, opts, timed)
	return a, compile, errors.Wrap(err, "generator")
}

type compiler func(gorgonia.Nodes, graph.Options) (*graph.Tape, error)

// look builds the discriminator up to its loss.
func (a *adversaries) look(m *zoo.Model, batch int) (*pass, *graph.Graph, error) {
	b, err := m.Build(graph.Train, batch, nil)
	if err != nil {
		return nil, nil, err
	}
	a.macs += b.Graph.Total().MACs
	p := &pass{x: b.Input, target: b.Graph.Input("target", batch)}
	logits, err := ops.Reshape(b.Graph.Marked("logits"), batch)
	if err != nil {
		return nil, nil, err
	}
	p.loss, err = ops.BCEWithLogits(logits, p.target, ops.BCEConfig{})
	return p, b.Graph, err
}

func (a *adversaries) buildCritic(m *zoo.Model, batch int, opts graph.Options, compile compiler) error {
	p, g, err := a.look(m, batch)
	if err != nil {
		return err
	}
	a.macs *= 2 // it runs twice
	vars, leaves := g.Trainable()
	grads, err := graph.Differentiate(p.loss, leaves...)
	if err != nil {
		return err
	}
	learner, err := a.adam(vars)
	if err != nil {
		return err
	}
	for i, n := range grads {
		sum := tensor.New(tensor.WithShape(n.Shape()...), tensor.Of(n.Dtype()))
		a.slots += int(sum.MemSize())
		learner.Params()[i].Grad = sum
		opts.Use = append(opts.Use, graph.Use{Node: n, Writes: leaves[i], Func: func(v gorgonia.Value) error {
			grad := v.(*tensor.Dense).Float32s()
			if !a.second {
				copy(sum.Float32s(), grad)
				return nil
			}
			for k, x := range grad {
				sum.Float32s()[k] += x
			}
			return learner.Update(i, dcganRate)
		}})
	}
	opts.Assign = g.Assigns()
	p.tape, err = compile(gorgonia.Nodes{p.loss}, opts)
	a.critic = p
	return err
}

func (a *adversaries) buildJudge(m *zoo.Model, batch int, opts graph.Options, compile compiler) error {
	p, g, err := a.look(m, batch)
	if err != nil {
		return err
	}
	if a.blame, err = graph.Differentiate(p.loss, p.x); err != nil {
		return err
	}
	opts.Assign = g.Assigns()
	p.tape, err = compile(append(gorgonia.Nodes{p.loss}, a.blame...), opts)
	a.judge = p
	return err
}

func (a *adversaries) buildGenerator(m *zoo.Model, batch int, opts graph.Options, compile compiler) error {
	b, err := m.Build(graph.Train, batch, nil)
	if err != nil {
		return err
	}
	a.z = b.Input
	a.macs += b.Graph.Total().MACs
	gradient, err := gorgonia.ApplyOp(&crossing{a.meet}, b.Output)
	if err != nil {
		return err
	}
	vars, leaves := b.Graph.Trainable()
	grads, err := graph.VectorJacobian(gorgonia.Nodes{b.Output}, gorgonia.Nodes{gradient}, leaves...)
	if err != nil {
		return err
	}
	learner, err := a.adam(vars)
	if err != nil {
		return err
	}
	for i, n := range grads {
		opts.Use = append(opts.Use, graph.Use{Node: n, Writes: leaves[i], Func: func(v gorgonia.Value) error {
			learner.Params()[i].Grad = v.(*tensor.Dense)
			return learner.Update(i, dcganRate)
		}})
	}
	opts.Assign = b.Graph.Assigns()
	a.generator, err = compile(gorgonia.Nodes{b.Output}, opts)
	return err
}

const dcganRate = 2e-4 // Radford et al. 2015, section 4

// adam prepares the optimiser of one of the two.
func (a *adversaries) adam(vars []*graph.Variable) (*optim.State, error) {
	var params []optim.Param
	for _, v := range vars {
		params = append(params, optim.Param{Name: v.Name, Value: v.Value})
		a.slots += 2 * int(v.Value.MemSize())
	}
	s, err := optim.New(optim.Config{Optimizer: optim.Adam{Beta1: 0.5}}, params)
	a.learners = append(a.learners, s)
	return s, err
}

func (a *adversaries) step() error {
	z := a.latent.Float32s()
	for i := range z {
		z[i] = float32(rand.NormFloat64())
	}
	if err := gorgonia.Let(a.z, a.latent); err != nil {
		return err
	}
	return a.generator.RunAll()
}

// meet is what happens between the generator's forward and backward pass.
func (a *adversaries) meet(fake *tensor.Dense) (*tensor.Dense, error) {
	a.second = false
	if err := a.critic.run(a.real, a.ones); err != nil {
		return nil, err
	}
	a.second = true
	if err := a.critic.run(fake, a.zeros); err != nil {
		return nil, err
	}
	if err := a.judge.run(fake, a.ones); err != nil {
		return nil, err
	}
	return a.blame[0].Value().(*tensor.Dense), nil
}

// crossing is the op between pictures and their gradient.
type crossing struct {
	meet func(pictures *tensor.Dense) (gradient *tensor.Dense, err error)
}

func (*crossing) Arity() int { return 1 }

func (*crossing) Type() hm.Type {
	t := gorgonia.TensorType{Dims: 4, Of: hm.TypeVariable('a')}
	return hm.NewFnType(t, t)
}

func (*crossing) InferShape(in ...gorgonia.DimSizer) (tensor.Shape, error) {
	return in[0].(tensor.Shape).Clone(), nil
}

func (c *crossing) Do(in ...gorgonia.Value) (gorgonia.Value, error) {
	return c.meet(in[0].(*tensor.Dense))
}

func (*crossing) ReturnsPtr() bool        { return false }
func (*crossing) CallsExtern() bool       { return false }
func (*crossing) OverwritesInput() int    { return -1 }
func (*crossing) String() string          { return "discriminator" }
func (c *crossing) WriteHash(h hash.Hash) { fmt.Fprintf(h, "crossing %p", c) }

func (c *crossing) Hashcode() uint32 {
	h := fnv.New32a()
	c.WriteHash(h)
	return h.Sum32()
}
