package resample

import (
	"fmt"
	"math"
	"slices"

	"github.com/pkg/errors"
)

// Filter is the kernel of the interpolation.
type Filter uint8

// The filters of the Python Imaging Library.
const (
	Bilinear Filter = iota // a triangle
	Bicubic                // Keys's cubic with a = −0.5
	Lanczos                // sinc windowed to three lobes
	Hamming                // sinc windowed to one lobe
	Box                    // every source pixel has one weight
	Nearest                // no interpolation
)

var filterNames = []string{"bilinear", "bicubic", "lanczos", "hamming", "box", "nearest"}

func (f Filter) String() string {
	if int(f) < len(filterNames) {
		return filterNames[f]
	}
	return fmt.Sprintf("Filter(%d)", uint8(f))
}

// MarshalText writes the filter's name, so that a file does not hang on the order of the constants.
func (f Filter) MarshalText() ([]byte, error) {
	if int(f) >= len(filterNames) {
		return nil, errors.Errorf("resample: no filter %v", f)
	}
	return []byte(f.String()), nil
}

// UnmarshalText reads the filter's name.
func (f *Filter) UnmarshalText(text []byte) error {
	i := slices.Index(filterNames, string(text))
	if i < 0 {
		return errors.Errorf("resample: no filter %.20q; there are %v", text, filterNames)
	}
	*f = Filter(i)
	return nil
}

// kernels gives for each filter the function and half its width in source pixels, without reduction.
var kernels = [...]struct {
	support float64
	at      func(x float64) float64
}{
	Bilinear: {1, triangle},
	Bicubic:  {2, cubic},
	Lanczos:  {3, lanczos},
	Hamming:  {1, hamming},
	Box:      {0.5, box},
}

func triangle(x float64) float64 { return max(0, 1-math.Abs(x)) }

func cubic(x float64) float64 {
	const a = -0.5
	x = math.Abs(x)
	switch {
	case x < 1:
		return ((a+2)*x-(a+3))*x*x + 1
	case x < 2:
		return (((x-5)*x+8)*x - 4) * a
	}
	return 0
}

func lanczos(x float64) float64 {
	if -3 <= x && x < 3 {
		return sinc(x) * sinc(x/3)
	}
	return 0
}

func sinc(x float64) float64 {
	if x == 0 {
		return 1
	}
	x *= math.Pi
	return math.Sin(x) / x
}

func hamming(x float64) float64 {
	x = math.Abs(x)
	switch {
	case x == 0:
		return 1
	case x >= 1:
		return 0
	}
	x *= math.Pi
	return math.Sin(x) / x * (0.54 + 0.46*math.Cos(x))
}

func box(x float64) float64 {
	if -0.5 < x && x <= 0.5 {
		return 1
	}
	return 0
}

// precision is the number of fractional bits of a coefficient: 8 bits are left for the sample and 2 for sums
// of coefficients beyond 1.
const precision = 32 - 8 - 2

// taps are the source samples of one output sample, and their weights.
type taps struct {
	first   int
	weights []int32
}

// coefficients gives the taps of the output samples at to at+n−1 of an axis resized from in to out samples.
func coefficients(f Filter, in, out, at, n int) []taps {
	k := kernels[f]
	scale := float64(in) / float64(out)
	stretch := max(scale, 1)
	support := k.support * stretch
	all := make([]taps, n)
	most := 2*int(math.Ceil(support)) + 1
	one := make([]float64, 0, most)
	weights := make([]int32, 0, min(n*most, 1<<16))
	for i := range all {
		center := (float64(at+i) + 0.5) * scale
		first := max(int(center-support+0.5), 0)
		end := min(int(center+support+0.5), in)
		one = one[:0]
		sum := 0.0
		for x := first; x < end; x++ {
			w := k.at((float64(x) - center + 0.5) * (1 / stretch))
			one = append(one, w)
			sum += w
		}
		begin := len(weights)
		for _, w := range one {
			if sum != 0 {
				w /= sum
			}
			weights = append(weights, int32(math.Copysign(0.5, w)+w*(1<<precision)))
		}
		all[i] = taps{first, weights[begin:]}
	}
	return all
}
