package gan

import (
	"encoding/json"
	"math"
	"os"
	"slices"
	"strings"
	"testing"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/nn"
	"github.com/stheno-ml/stheno/zoo"
)

// Tolerances are relative to a tensor's norm: both sides add up to some ten thousand float64 terms, in different
// orders, through ten layers and back; a penalty goes through them twice.
const (
	stepTolerance    = 1e-9
	penaltyTolerance = 1e-8
)

// torch is testdata/torch.json, which testdata/gen.py writes: by case and tensor.
func torch(t *testing.T) map[string]map[string][]float64 {
	t.Helper()
	b, err := os.ReadFile("testdata/torch.json")
	if err != nil {
		t.Fatal(err)
	}
	var all map[string]map[string][]float64
	if err := json.Unmarshal(b, &all); err != nil {
		t.Fatal(err)
	}
	return all
}

// u01 is number i of tensor t, in [0, 1): splitmix64, as in gen.py.
func u01(t, i uint64) float64 {
	z := (t<<40 + i) + 0x9E3779B97F4A7C15
	z ^= z >> 30
	z *= 0xBF58476D1CE4E5B9
	z ^= z >> 27
	z *= 0x94D049BB133111EB
	z ^= z >> 31
	return float64(z>>11) / (1 << 53)
}

// numbers fills a tensor from −1 to 1.
func numbers(x *tensor.Dense, t uint64) *tensor.Dense {
	generate(x, func(i int) float64 { return 2*u01(t, uint64(i)) - 1 })
	return x
}

// fill gives a network the variables that gen.py gives it.
func fill(m *nn.Model, first uint64) *nn.Model {
	vs := m.Store().Variables()
	slices.SortFunc(vs, func(a, b *graph.Variable) int { return strings.Compare(a.Name, b.Name) })
	for k, v := range vs {
		x, shape := v.Value.Float64s(), v.Value.Shape()
		isDirection := strings.HasSuffix(v.Name, "_u") || strings.HasSuffix(v.Name, "_v")
		square := 0.0
		for i := range x {
			u := u01(first+uint64(k), uint64(i))
			switch {
			case len(shape) > 1:
				x[i] = (2*u - 1) * math.Sqrt(6/float64(shape[1]*shape[2]*shape[3]))
			case isDirection:
				x[i] = 2*u - 1
				square += x[i] * x[i]
			case strings.HasSuffix(v.Name, "running_var") || strings.HasSuffix(v.Name, ".weight"):
				x[i] = 0.5 + u
			default:
				x[i] = (2*u - 1) * 0.1
			}
		}
		if isDirection {
			for i := range x {
				x[i] /= math.Sqrt(square)
			}
		}
	}
	return m
}

// comparison counts what of a case has been looked at.
type comparison struct {
	t         *testing.T
	name      string
	want      map[string][]float64
	tolerance float64
	seen      map[string]bool
}

func compare(t *testing.T, all map[string]map[string][]float64, name string, tolerance float64) *comparison {
	t.Helper()
	if len(all[name]) == 0 {
		t.Fatalf("torch.json has no case %q", name)
	}
	return &comparison{t, name, all[name], tolerance, make(map[string]bool)}
}

func (c *comparison) numbers(part string, got ...float64) {
	c.t.Helper()
	want := c.want[part]
	c.seen[part] = true
	if len(got) != len(want) {
		c.t.Errorf("%s: %s has %d numbers, want %d", c.name, part, len(got), len(want))
		return
	}
	for i, v := range got {
		if !(math.Abs(v-want[i]) <= c.tolerance*math.Abs(want[i])) {
			c.t.Errorf("%s: %s, number %d is %.15g, want %.15g", c.name, part, i, v, want[i])
		}
	}
}

// tensor compares norm, weighted sum and first element, all relative to the norm.
func (c *comparison) tensor(part string, x *tensor.Dense) {
	c.t.Helper()
	want := c.want[part]
	c.seen[part] = true
	if want == nil {
		c.t.Errorf("%s: PyTorch has no %s", c.name, part)
		return
	}
	square, sum := 0.0, 0.0
	for i, v := range x.Float64s() {
		square += v * v
		sum += v * (u01(999, uint64(i)) - 0.5)
	}
	for i, v := range []float64{math.Sqrt(square), sum, x.Float64s()[0]} {
		if !(math.Abs(v-want[i]) <= c.tolerance*want[0]) {
			c.t.Errorf("%s: %s: %s is %.15g, want %.15g", c.name, part, []string{"norm", "weighted sum", "first element"}[i], v, want[i])
		}
	}
}

func (c *comparison) gradients(prefix string, vars []*graph.Variable, gradient func(i int) *tensor.Dense) {
	c.t.Helper()
	for i, v := range vars {
		c.tensor(prefix+"grad:"+v.Name, gradient(i))
	}
}

func (c *comparison) after(prefix string, m *nn.Model) {
	c.t.Helper()
	for _, v := range m.Store().Variables() {
		c.tensor(prefix+"after:"+v.Name, v.Value)
	}
}

// done wants every tensor of the case to have been compared.
func (c *comparison) done() {
	c.t.Helper()
	for part := range c.want {
		if !c.seen[part] {
			c.t.Errorf("%s: %s was not compared", c.name, part)
		}
	}
}

// One step of the discriminator and one of the generator, of the zoo's pair for 64 pixels: losses, scores, every
// gradient, and weights and running statistics after Adam.
func TestStepAgreesWithPyTorch(t *testing.T) {
	g, err := zoo.New("dcgan_generator", zoo.Config{Dtype: tensor.Float64, Blank: true})
	if err != nil {
		t.Fatal(err)
	}
	d, err := zoo.New("dcgan_discriminator", zoo.Config{Dtype: tensor.Float64, Blank: true})
	if err != nil {
		t.Fatal(err)
	}
	c, err := Config{Epochs: 1, Batch: 3}.withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	s, err := newStepper(fill(g.Model, 100), fill(d.Model, 200), c)
	if err != nil {
		t.Fatalf("%+v", err)
	}
	numbers(s.pixels, 1)
	numbers(s.latent, 2)
	s.at = place{epochs: 1, perEpoch: 1}
	if err := s.bind(); err != nil {
		t.Fatal(err)
	}
	if err := s.both(); err != nil {
		t.Fatalf("%+v", err)
	}
	k := compare(t, torch(t), "dcgan64", stepTolerance)
	f := s.figures
	k.numbers("figures", f.D, f.G, f.Real, f.Fake)
	k.gradients("d.", s.real.vars, func(i int) *tensor.Dense { return s.sums[i] })
	k.gradients("g.", s.vars, func(i int) *tensor.Dense { return s.grads[i].Value().(*tensor.Dense) })
	k.after("d.", d.Model)
	k.after("g.", g.Model)
	k.done()
}

// small is a discriminator of 32 pixels and 2 channels, with gen.py's variables.
func small(t *testing.T, norm Norm, spectral bool, first uint64) *nn.Model {
	t.Helper()
	_, d, err := Pair{Size: 32, Channels: 2, Width: 6, DiscriminatorNorm: norm, Spectral: spectral, Dtype: tensor.Float64}.New()
	if err != nil {
		t.Fatal(err)
	}
	return fill(d, first)
}

func onPictures(t *testing.T, d *nn.Model, cost func(x, logits *graph.Node) (*graph.Node, error)) (*pass, float64) {
	t.Helper()
	p, err := newPass(d, passConfig{batch: 4, loss: Hinge, cost: cost})
	if err != nil {
		t.Fatalf("%+v", err)
	}
	loss, _, err := p.run(seen{pictures: pictures()})
	if err != nil {
		t.Fatalf("%+v", err)
	}
	return p, loss
}

func pictures() *tensor.Dense { return numbers(blank(tensor.Float64, 4, 2, 32, 32), 3) }

// The gradient penalty and its gradient, which differentiates twice.
func TestPenaltyAgreesWithPyTorch(t *testing.T) {
	all := torch(t)
	for name, d := range map[string]*nn.Model{
		"penalty instance": small(t, InstanceNorm, false, 300),
		"penalty batch":    small(t, BatchNorm, false, 300),
		"penalty none":     small(t, NoNorm, false, 300),
		"penalty spectral": small(t, NoNorm, true, 400),
	} {
		p, loss := onPictures(t, d, func(x, logits *graph.Node) (*graph.Node, error) { return gradientPenalty(logits, x, 10) })
		k := compare(t, all, name, penaltyTolerance)
		k.numbers("loss", loss)
		k.gradients("", p.vars, p.gradient)
		k.done()
	}
	p, loss := onPictures(t, small(t, InstanceNorm, false, 300), func(x, logits *graph.Node) (*graph.Node, error) {
		return realCost(NonSaturating, x, logits, 1, 10)
	})
	k := compare(t, all, "r1", penaltyTolerance)
	k.numbers("loss", loss)
	k.gradients("", p.vars, p.gradient)
	k.done()
}

// Spectral norm over three passes: u and v go on from one to the next, and evaluation uses the last.
func TestSpectralNormAgreesWithPyTorch(t *testing.T) {
	d := small(t, BatchNorm, true, 400)
	p, _ := onPictures(t, d, func(_, logits *graph.Node) (*graph.Node, error) { return Hinge.Real(logits, 1) })
	for range 2 {
		if _, _, err := p.run(seen{pictures: pictures()}); err != nil {
			t.Fatal(err)
		}
	}
	k := compare(t, torch(t), "spectral", stepTolerance)
	k.numbers("loss", scalar(p.loss.Value()))
	k.gradients("", p.vars, p.gradient)
	k.after("", d)
	logits, err := d.Outputs(t.Context(), pictures(), logitsMark)
	if err != nil {
		t.Fatal(err)
	}
	k.tensor("eval", logits[0])
	k.done()
}

// Values and gradients of every loss. Only minimax is computed differently there, as ln(1 − σ(x)): it loses digits.
func TestLossesAgreeWithPyTorch(t *testing.T) {
	c := compare(t, torch(t), "losses", 1e-12)
	for _, name := range append(Losses(), "smooth") {
		target := 1.0
		if name == WassersteinGP {
			continue // Wasserstein's
		}
		use := name
		if name == "smooth" {
			use, target = NonSaturating.Name, 0.9
		}
		config, err := Named(use, Config{})
		if err != nil {
			t.Fatal(err)
		}
		loss := config.Loss
		for part, f := range map[string]func(*graph.Node) (*graph.Node, error){
			"real": func(x *graph.Node) (*graph.Node, error) { return loss.Real(x, target) }, "fake": loss.Fake, "generator": loss.Generator,
		} {
			x := blank(tensor.Float64, 9)
			generate(x, func(i int) float64 { return 4 * (2*u01(7, uint64(i)) - 1) })
			g := gorgonia.NewGraph()
			n := gorgonia.NodeFromAny(g, x, gorgonia.WithName("x"))
			l, err := f(n)
			if err != nil {
				t.Fatal(err)
			}
			grad, err := graph.Differentiate(l, n)
			if err != nil {
				t.Fatal(err)
			}
			tape, err := graph.Compile(gorgonia.Nodes{l, grad[0]}, graph.Options{})
			if err != nil {
				t.Fatal(err)
			}
			if err := tape.RunAll(); err != nil {
				t.Fatal(err)
			}
			c.numbers(name+"."+part, append([]float64{scalar(l.Value())}, grad[0].Value().(*tensor.Dense).Float64s()...)...)
		}
	}
	c.done()
}
