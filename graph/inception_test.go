package graph_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/internal/exec"
	"github.com/stheno-ml/stheno/ops"
)

// inception is an Inception module (Szegedy et al. 2015, 2016) of random sizes, with a concat in a concat.
type inception struct {
	t     *testing.T
	g     *G.ExprGraph
	rng   *rand.Rand
	dt    tensor.Dtype
	train bool
	vars  G.Nodes
}

func (b *inception) leaf(shape ...int) *G.Node {
	v := tensor.New(tensor.WithShape(shape...), tensor.Of(b.dt))
	for i := range exec.Size(shape) {
		x := b.rng.Float64() + 0.1 // some are variances
		if len(shape) == 4 {
			x = b.rng.NormFloat64()
		}
		if b.dt == tensor.Float32 {
			v.Set(i, float32(x))
		} else {
			v.Set(i, x)
		}
	}
	return G.NodeFromAny(b.g, v, G.WithName(fmt.Sprint("leaf", len(b.vars))))
}

func (b *inception) variable(shape ...int) *G.Node {
	n := b.leaf(shape...)
	b.vars = append(b.vars, n)
	return n
}

func (b *inception) must(n *G.Node, err error) *G.Node {
	must(b.t, err)
	return n
}

// conv is convolution, batch norm and ReLU, or convolution with a bias.
func (b *inception) conv(x *G.Node, r, s int) *G.Node {
	k := 1 + b.rng.IntN(40)
	w := b.variable(k, x.Shape()[1], r, s)
	a := ops.Conv{Pad: [4]int{r / 2, r / 2, s / 2, s / 2}}
	if b.rng.IntN(4) == 0 {
		return b.must(ops.Conv2D(x, w, b.variable(k), a))
	}
	y := b.must(ops.Conv2D(x, w, nil, a))
	if b.train {
		n, _, err := ops.BatchNormTrain(y, b.variable(k), b.variable(k), ops.BatchNorm{})
		y = b.must(n, err)
	} else {
		y = b.must(ops.BatchNormEval(y, b.variable(k), b.variable(k), b.variable(k), b.variable(k), ops.BatchNorm{}))
	}
	return b.must(ops.ReLU(y))
}

func (b *inception) module(x *G.Node) *G.Node {
	pool := ops.Pool{Kernel: [2]int{3, 3}, Stride: [2]int{1, 1}, Pad: [4]int{1, 1, 1, 1}}
	three := b.conv(x, 1, 1)
	return b.must(ops.Concat(1,
		b.conv(x, 1, 1),
		b.conv(b.conv(x, 1, 1), 3, 3),
		b.must(ops.Concat(1, b.conv(three, 1, 3), b.conv(three, 3, 1))),
		b.must(ops.MaxPool2D(x, pool)),
		b.must(ops.AvgPool2D(three, pool)),
	))
}

// Writing branches in their places changes no bit, of results or gradients.
func TestJoinKeepsBitsOfInception(t *testing.T) {
	for seed := range uint64(12) {
		for _, dt := range []tensor.Dtype{tensor.Float32, tensor.Float64} {
			for _, mode := range []string{"train", "eval", "frozen"} {
				t.Run(fmt.Sprint(seed, dt, mode), func(t *testing.T) {
					rng := rand.New(rand.NewPCG(seed, 1))
					b := &inception{t: t, g: G.NewGraph(), rng: rng, dt: dt, train: mode == "train"}
					x := b.leaf(1+rng.IntN(3), 1+rng.IntN(30), 5+rng.IntN(14), 5+rng.IntN(14))
					y := b.module(b.module(x))
					outputs := G.Nodes{y}
					var o graph.Options
					switch mode {
					case "train":
						grads, err := graph.VectorJacobian(G.Nodes{y}, G.Nodes{b.leaf(y.Shape()...)}, append(b.vars, x)...)
						must(t, err)
						outputs = append(outputs, grads...)
					case "frozen":
						o.Constant = b.vars
					}
					run := func(o graph.Options) (tr *trace, joined int) {
						tape, err := graph.Compile(outputs, o)
						must(t, err)
						defer tape.Close()
						tr = &trace{t: t}
						for range 2 {
							must(t, tape.RunAll())
							for _, n := range outputs {
								tr.note(n.Name(), n.Value())
							}
						}
						return tr, tape.Plan().Joined
					}
					got, joined := run(o)
					o.NoJoin = true
					want, _ := run(o)
					compareTraces(t, want, got, 0)
					// Six for each module, its inner concat being one with the outer; one module of two may stay as it
					// is for its memory.
					if joined != 6 && joined != 12 {
						t.Errorf("%d results joined, want 6 or 12", joined)
					}
				})
			}
		}
	}
}
