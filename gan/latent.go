package gan

import (
	"math"

	"github.com/pkg/errors"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/nn"
)

// Latents draws n latent vectors for a generator from the standard normal distribution: [n, D, 1, 1]. The same seed
// gives the same vectors.
func Latents(generator *nn.Model, n int, seed uint64) (*tensor.Dense, error) {
	if n < 1 {
		return nil, errors.Errorf("latent vectors: %d, want at least 1", n)
	}
	t := blank(generator.Store().Dtype(), append([]int{n}, generator.Input...)...)
	normal(t, chance(seed, fixedUse, 0))
	return t, nil
}

// Interpolate goes from each of n latent vectors [n, …] to the next of another n, in the given number of pictures, ends
// included: the result is [n·steps, …], row by row. It goes along great circles (Shoemake 1985), as the lengths of
// normal vectors want it (White 2016, "Sampling Generative Networks", section 2.1).
func Interpolate(from, to *tensor.Dense, steps int) (*tensor.Dense, error) {
	s := from.Shape()
	if !s.Eq(to.Shape()) || from.Dtype() != to.Dtype() || steps < 2 {
		return nil, errors.Errorf("interpolation from %v %v to %v %v in %d pictures, want equal shapes and types, and 2 pictures", from.Dtype(), s, to.Dtype(), to.Shape(), steps)
	}
	shape := s.Clone()
	shape[0] *= steps
	out := blank(from.Dtype(), shape...)
	if from.Dtype() == tensor.Float64 {
		paths(out.Float64s(), from.Float64s(), to.Float64s(), s[0], steps)
	} else {
		paths(out.Float32s(), from.Float32s(), to.Float32s(), s[0], steps)
	}
	return out, nil
}

func paths[T float32 | float64](out, from, to []T, n, steps int) {
	size := len(from) / n
	for i := range n {
		for k := range steps {
			slerp(out[(i*steps+k)*size:][:size], from[i*size:][:size], to[i*size:][:size], float64(k)/float64(steps-1))
		}
	}
}

// slerp fills dst with the vector at part t of the way from a to b along a great circle; in a straight line where they
// point the same way, or opposite ways, or one is 0.
func slerp[T float32 | float64](dst, a, b []T, t float64) {
	var ab, aa, bb float64
	for i, v := range a {
		ab += float64(v) * float64(b[i])
		aa += float64(v) * float64(v)
		bb += float64(b[i]) * float64(b[i])
	}
	p, q := 1-t, t
	if cos := ab / math.Sqrt(aa*bb); math.Abs(cos) < 1-1e-9 { // false for NaN
		angle := math.Acos(cos)
		p, q = math.Sin((1-t)*angle)/math.Sin(angle), math.Sin(t*angle)/math.Sin(angle)
	}
	for i, v := range a {
		dst[i] = T(p*float64(v) + q*float64(b[i]))
	}
}
