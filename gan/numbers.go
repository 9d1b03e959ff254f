package gan

import (
	"math"
	"math/rand/v2"

	"github.com/pkg/errors"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/internal/kernel/vec"
)

// Numbers of what draws random numbers: each use has sequences of its own.
const (
	latentUse uint64 = iota + 1
	betweenUse
	fixedUse
	generatorUse // random ops of the generator's graph
	realUse
	fakeUse
	penaltyUse
	judgeUse
)

// chance is the numbers of one use at one step.
func chance(seed, use, step uint64) *rand.Rand {
	return rand.New(rand.NewPCG(streamSeed(seed, use), step))
}

// streamSeed spreads a seed over uses by SplitMix64's output function (Steele, Lea and Flood 2014).
func streamSeed(seed, use uint64) uint64 {
	z := seed + use*0x9e3779b97f4a7c15
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// generate fills a float tensor number by number.
func generate(t *tensor.Dense, next func(i int) float64) {
	if t.Dtype() == tensor.Float64 {
		x := t.Float64s()
		for i := range x {
			x[i] = next(i)
		}
		return
	}
	x := t.Float32s()
	for i := range x {
		x[i] = float32(next(i))
	}
}

// normal fills a tensor from the standard normal distribution.
func normal(t *tensor.Dense, rng *rand.Rand) {
	generate(t, func(int) float64 { return rng.NormFloat64() })
}

func blank(dt tensor.Dtype, shape ...int) *tensor.Dense {
	return tensor.New(tensor.Of(dt), tensor.WithShape(shape...))
}

// finite tells whether no number is NaN or infinite.
func finite(t *tensor.Dense) bool {
	if t.Dtype() == tensor.Float64 {
		return !vec.HasNaNInf(t.Float64s())
	}
	return !vec.HasNaNInf(t.Float32s())
}

// add is dst += src.
func add(dst, src *tensor.Dense) {
	if dst.Dtype() == tensor.Float64 {
		vec.Axpy(dst.Float64s(), 1, src.Float64s())
	} else {
		vec.Axpy(dst.Float32s(), 1, src.Float32s())
	}
}

// clamp keeps every number within ± limit.
func clamp(t *tensor.Dense, limit float64) {
	if t.Dtype() == tensor.Float64 {
		vec.Clamp(t.Float64s(), t.Float64s(), -limit, limit)
	} else {
		vec.Clamp(t.Float32s(), t.Float32s(), float32(-limit), float32(limit))
	}
}

// between fills dst with ε·a + (1−ε)·b, one ε in [0, 1) for each of n pictures (Gulrajani et al. 2017, algorithm 1).
func between(dst, a, b *tensor.Dense, n int, rng *rand.Rand) {
	if dst.Dtype() == tensor.Float64 {
		mix(dst.Float64s(), a.Float64s(), b.Float64s(), n, rng)
	} else {
		mix(dst.Float32s(), a.Float32s(), b.Float32s(), n, rng)
	}
}

func mix[T float32 | float64](dst, a, b []T, n int, rng *rand.Rand) {
	size := len(dst) / n
	for i := range n {
		e := T(rng.Float64())
		for k := i * size; k < (i+1)*size; k++ {
			dst[k] = e*a[k] + (1-e)*b[k]
		}
	}
}

// copyPictures copies float32 pictures into a tensor of either type.
func copyPictures(dst, src *tensor.Dense) error {
	if !dst.Shape().Eq(src.Shape()) {
		return errors.Errorf("pictures of shape %v, want %v", src.Shape(), dst.Shape())
	}
	x := src.Float32s()
	generate(dst, func(i int) float64 { return float64(x[i]) })
	return nil
}

// spread is how much pictures [N, …] differ: the standard deviation of a pixel over them, averaged over pixels.
func spread(t *tensor.Dense) float64 {
	n := t.Shape()[0]
	if t.Dtype() == tensor.Float64 {
		return spreadOf(t.Float64s(), n)
	}
	return spreadOf(t.Float32s(), n)
}

func spreadOf[T float32 | float64](x []T, n int) float64 {
	size := len(x) / n
	total := 0.0
	for k := range size {
		sum, squares := 0.0, 0.0
		for i := range n {
			v := float64(x[i*size+k])
			sum += v
			squares += v * v
		}
		m := sum / float64(n)
		total += math.Sqrt(max(squares/float64(n)-m*m, 0))
	}
	return total / float64(size)
}
