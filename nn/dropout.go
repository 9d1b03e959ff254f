package nn

import (
	"hash/fnv"

	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/ops"
)

// Dropout drops elements with probability P in training; in evaluation it is the identity. What it drops
// depends on the graph's RNG and on the layer's path, so it does not change when other layers come or go.
type Dropout struct {
	Name string
	P    float64
}

// SpatialDropout drops whole channels of [N, C, H, W], otherwise as Dropout (Tompson et al. 2015, section 3.2).
type SpatialDropout struct {
	Name string
	P    float64
}

// DropPath drops whole samples, otherwise as Dropout: stochastic depth, at the end of a residual branch (Huang et al.
// 2016).
type DropPath struct {
	Name string
	P    float64
}

// GaussianNoise adds normal noise of mean 0 in training; in evaluation it is the identity.
type GaussianNoise struct {
	Name      string
	Deviation float64 // standard deviation
}

// Apply adds the dropout.
func (l Dropout) Apply(g *graph.Graph, x *Node) *Node {
	return drop(g, "dropout", l.Name, l.P, x, ops.Dropout)
}

// Apply adds the dropout.
func (l SpatialDropout) Apply(g *graph.Graph, x *Node) *Node {
	return drop(g, "spatial dropout", l.Name, l.P, x, ops.SpatialDropout)
}

// Apply adds the dropout.
func (l DropPath) Apply(g *graph.Graph, x *Node) *Node {
	return drop(g, "drop path", l.Name, l.P, x, ops.DropPath)
}

func drop(g *graph.Graph, kind, name string, p float64, x *Node, f func(*Node, ops.DropoutConfig) (*Node, error)) *Node {
	if g.Mode() == graph.Eval {
		return x
	}
	return g.Apply(kind, name, func(g *graph.Graph) (*Node, error) {
		return f(x, ops.DropoutConfig{P: p, RNG: g.RNG(), Stream: stream(g)})
	}, x)
}

// Apply adds the noise.
func (l GaussianNoise) Apply(g *graph.Graph, x *Node) *Node {
	if g.Mode() == graph.Eval {
		return x
	}
	return g.Apply("gaussian noise", l.Name, func(g *graph.Graph) (*Node, error) {
		return ops.GaussianNoise(x, ops.NoiseConfig{Deviation: l.Deviation, RNG: g.RNG(), Stream: stream(g)})
	}, x)
}

// stream tells the random layers of a network apart.
func stream(g *graph.Graph) uint64 {
	h := fnv.New64a()
	h.Write([]byte(g.Path()))
	return h.Sum64()
}
