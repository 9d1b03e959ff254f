package nn

import (
	"math"
	"math/rand/v2"

	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/ops"
)

// SpectralNorm adds the variables of a layer's weight and divides it by its largest singular value, as
// torch.nn.utils.spectral_norm does (Miyato et al. 2018). Layers with a field Spectral call it.
//
// Its variables are weight_orig, which is trained, and weight_u and weight_v, which the power iteration keeps:
// one iteration in each run of a training graph, none in evaluation, nor where weight_orig is frozen. axis is
// that of the weight's outputs: 0, or 1 for a transposed convolution.
func SpectralNorm(g *graph.Graph, axis int, init graph.Init, shape ...int) *Node {
	w := g.Parameter("weight_orig", init, shape...)
	rest := 1
	for i, d := range shape {
		if i != axis {
			rest *= d
		}
	}
	u, v := g.Buffer("weight_u", direction{}, shape[axis]), g.Buffer("weight_v", direction{}, rest)
	if g.Err() != nil {
		return nil
	}
	a := ops.Spectral{Axis: axis}
	if g.Mode() == graph.Eval || g.Frozen("weight_orig") {
		y, err := ops.SpectralNormFixed(w, u, v, a)
		g.Fail("spectral norm", err, w)
		return y
	}
	y, newU, newV, err := ops.SpectralNorm(w, u, a)
	g.Fail("spectral norm", err, w)
	g.Assign(u, newU)
	g.Assign(v, newV)
	return y
}

// weight is a layer's weight, with spectral norm or without.
func weight(g *graph.Graph, spectral bool, axis int, init graph.Init, shape ...int) *Node {
	if spectral {
		return SpectralNorm(g, axis, init, shape...)
	}
	return g.Parameter("weight", init, shape...)
}

// direction is a random vector of length 1.
type direction struct{}

func (direction) Fill(dst []float64, shape []int, rng *rand.Rand) {
	Normal{Std: 1}.Fill(dst, shape, rng)
	square := 0.0
	for _, v := range dst {
		square += v * v
	}
	for i := range dst {
		dst[i] /= math.Sqrt(square)
	}
}
