package nn

import (
	"math"
	"math/rand/v2"

	"gonum.org/v1/gonum/mat"
)

// Zeros fills with 0.
type Zeros struct{}

// Ones fills with 1.
type Ones struct{}

// Constant fills with one number.
type Constant float64

// Normal draws from the normal distribution of mean 0 and standard deviation Std; DCGAN uses 0.02.
type Normal struct{ Std float64 }

// TruncatedNormal is Normal without what lies farther out than two deviations (it is drawn again).
type TruncatedNormal struct{ Std float64 }

// Uniform draws evenly from −Limit to Limit.
type Uniform struct{ Limit float64 }

// GlorotUniform keeps the variance of activations and gradients alike (Glorot and Bengio 2010, eq. 16):
// uniform within ±√(6/(fan_in+fan_out)). Keras's default.
type GlorotUniform struct{}

// GlorotNormal is the normal form: standard deviation √(2/(fan_in+fan_out)).
type GlorotNormal struct{}

// HeNormal suits ReLU (He et al. 2015, eq. 10): standard deviation √(2/fan_in), or √(2/fan_out) with FanOut,
// as torchvision's ResNets have it.
type HeNormal struct{ FanOut bool }

// HeUniform is uniform within ±√(6/fan_in), or fan_out.
type HeUniform struct{ FanOut bool }

// TorchDefault is what PyTorch gives convolutions and linear layers: uniform within ±√(1/fan_in).
type TorchDefault struct{}

// Orthogonal fills with orthonormal rows (or columns, where there are more rows than columns) times Gain
// (Saxe, McClelland and Ganguli 2013). A Gain of 0 means 1. Axes after the first count as one.
type Orthogonal struct{ Gain float64 }

func (Zeros) Fill(dst []float64, _ []int, _ *rand.Rand) { clear(dst) }

func (Ones) Fill(dst []float64, _ []int, _ *rand.Rand) { Constant(1).Fill(dst, nil, nil) }

func (c Constant) Fill(dst []float64, _ []int, _ *rand.Rand) {
	for i := range dst {
		dst[i] = float64(c)
	}
}

func (n Normal) Fill(dst []float64, _ []int, rng *rand.Rand) {
	for i := range dst {
		dst[i] = n.Std * rng.NormFloat64()
	}
}

func (n TruncatedNormal) Fill(dst []float64, _ []int, rng *rand.Rand) {
	for i := range dst {
		x := rng.NormFloat64()
		for math.Abs(x) > 2 {
			x = rng.NormFloat64()
		}
		dst[i] = n.Std * x
	}
}

func (u Uniform) Fill(dst []float64, _ []int, rng *rand.Rand) {
	for i := range dst {
		dst[i] = u.Limit * (2*rng.Float64() - 1)
	}
}

func (GlorotUniform) Fill(dst []float64, shape []int, rng *rand.Rand) {
	in, out := Fans(shape)
	Uniform{math.Sqrt(6 / (in + out))}.Fill(dst, shape, rng)
}

func (GlorotNormal) Fill(dst []float64, shape []int, rng *rand.Rand) {
	in, out := Fans(shape)
	Normal{math.Sqrt(2 / (in + out))}.Fill(dst, shape, rng)
}

func (h HeNormal) Fill(dst []float64, shape []int, rng *rand.Rand) {
	Normal{math.Sqrt(2 / fan(shape, h.FanOut))}.Fill(dst, shape, rng)
}

func (h HeUniform) Fill(dst []float64, shape []int, rng *rand.Rand) {
	Uniform{math.Sqrt(6 / fan(shape, h.FanOut))}.Fill(dst, shape, rng)
}

func (TorchDefault) Fill(dst []float64, shape []int, rng *rand.Rand) {
	Uniform{math.Sqrt(1 / fan(shape, false))}.Fill(dst, shape, rng)
}

func (o Orthogonal) Fill(dst []float64, shape []int, rng *rand.Rand) {
	gain := o.Gain
	if gain == 0 {
		gain = 1
	}
	rows := shape[0]
	cols := len(dst) / rows
	tall, thin := max(rows, cols), min(rows, cols)
	a := make([]float64, tall*thin)
	Normal{1}.Fill(a, nil, rng)
	var qr mat.QR
	qr.Factorize(mat.NewDense(tall, thin, a))
	var q, r mat.Dense
	qr.QTo(&q)
	qr.RTo(&r)
	for i := range rows {
		for j := range cols {
			x, k := 0.0, j // column of q
			if rows >= cols {
				x = q.At(i, j)
			} else {
				x, k = q.At(j, i), i
			}
			// Signs of r's diagonal make the distribution uniform over orthogonal matrices (Mezzadri 2007).
			dst[i*cols+j] = gain * math.Copysign(1, r.At(k, k)) * x
		}
	}
}

// Fans is how many inputs feed one output of a weight, and how many outputs one input feeds: for a linear
// weight [out, in] and for filters [out, in/groups, height, width].
func Fans(shape []int) (in, out float64) {
	if len(shape) < 2 {
		n := float64(shape[0])
		return n, n
	}
	window := 1.0
	for _, d := range shape[2:] {
		window *= float64(d)
	}
	return float64(shape[1]) * window, float64(shape[0]) * window
}

func fan(shape []int, out bool) float64 {
	i, o := Fans(shape)
	if out {
		return o
	}
	return i
}
