package augment

import (
	"math"
	"math/rand/v2"

	"github.com/pkg/errors"
	"gonum.org/v1/gonum/mat"

	"github.com/stheno-ml/stheno/train/data"
)

// Normalize subtracts the mean of each channel and divides by its deviation, both for pixels from 0 to 1.
// Without Std it centres on zero alone.
type Normalize struct{ Mean, Std []float32 }

// ImageNet is the mean and deviation of ImageNet's pictures, as most published networks want them.
var ImageNet = Normalize{[]float32{0.485, 0.456, 0.406}, []float32{0.229, 0.224, 0.225}}

// ApplyFloats normalises.
func (o Normalize) ApplyFloats(x []float32, shape [3]int, _ *rand.Rand) error {
	if len(o.Mean) != shape[0] || o.Std != nil && len(o.Std) != shape[0] {
		return errors.Errorf("normalize: %d means and %d deviations for %d channels", len(o.Mean), len(o.Std), shape[0])
	}
	n := shape[1] * shape[2]
	for c := range shape[0] {
		std := float32(1)
		if o.Std != nil {
			std = o.Std[c]
		}
		for i, v := range x[c*n : (c+1)*n] {
			x[c*n+i] = (v - o.Mean[c]) / std
		}
	}
	return nil
}

// FitNormalize measures mean and deviation of each channel over the pictures of a data set; a deviation of 0
// counts as 1. At most limit pictures are read, evenly spread; 0 means all.
func FitNormalize(ds data.Dataset, channels, limit int) (Normalize, error) {
	m, err := measure(ds, channels, limit)
	if err != nil {
		return Normalize{}, err
	}
	var n Normalize
	for c := range channels {
		v := math.Sqrt(max(m.covariance(c, c), 0))
		if v == 0 {
			v = 1
		}
		n.Mean, n.Std = append(n.Mean, float32(m.mean(c))), append(n.Std, float32(v))
	}
	return n, nil
}

// moments is the sums over pixels, 0 to 1, that mean and covariance of the channels are made of.
type moments struct {
	n        float64
	sum      [3]float64
	products [3][3]float64
}

func (m *moments) mean(c int) float64 { return m.sum[c] / m.n }

func (m *moments) covariance(a, b int) float64 {
	return m.products[a][b]/m.n - m.mean(a)*m.mean(b)
}

func measure(ds data.Dataset, channels, limit int) (*moments, error) {
	m := &moments{}
	n := ds.Len()
	if limit > 0 {
		n = min(n, limit)
	}
	if n < 1 {
		return nil, errors.New("augment: no pictures to measure")
	}
	for k := range n {
		i := int(int64(k) * int64(ds.Len()) / int64(n))
		ex, err := ds.Get(i)
		if err != nil {
			return nil, errors.WithMessage(err, data.Name(ds, i))
		}
		p, err := From(ex.Image, channels)
		if err != nil {
			return nil, err
		}
		m.add(p)
	}
	return m, nil
}

// add sums whole numbers, which are exact, and scales once.
func (m *moments) add(p *Picture) {
	var sum [3]int64
	var products [3][3]int64
	for i := 0; i < len(p.Pix); i += p.C {
		px := p.Pix[i : i+p.C]
		for a, v := range px {
			sum[a] += int64(v)
			for b := a; b < p.C; b++ {
				products[a][b] += int64(v) * int64(px[b])
			}
		}
	}
	m.n += float64(p.H * p.W)
	for a := range p.C {
		m.sum[a] += float64(sum[a]) / 255
		for b := range p.C {
			m.products[a][b] += float64(products[min(a, b)][max(a, b)]) / (255 * 255)
		}
	}
}

// FancyPCA changes the colour of light: it adds to all pixels a random multiple of the principal components
// of the colours of the training set (Krizhevsky, Sutskever and Hinton 2012, section 4.1). It comes before
// Normalize. The zero value has ImageNet's components.
type FancyPCA struct {
	Deviation float64       // of the multiples; 0 means the paper's 0.1
	Values    [3]float64    // eigenvalues of the covariance of red, green, blue, 0 to 1
	Vectors   [3][3]float64 // [channel][component]
}

// imageNetColours are the figures of the Torch implementation of ResNet, which all have used since.
var imageNetColours = FancyPCA{
	Values:  [3]float64{0.2175, 0.0188, 0.0045},
	Vectors: [3][3]float64{{-0.5675, 0.7192, 0.4009}, {-0.5808, -0.0045, -0.8140}, {-0.5836, -0.6948, 0.4203}},
}

// FitFancyPCA measures the components on a data set; limit is that of FitNormalize.
func FitFancyPCA(ds data.Dataset, limit int) (FancyPCA, error) {
	m, err := measure(ds, 3, limit)
	if err != nil {
		return FancyPCA{}, err
	}
	s := mat.NewSymDense(3, nil)
	for a := range 3 {
		for b := a; b < 3; b++ {
			s.SetSym(a, b, m.covariance(a, b))
		}
	}
	var e mat.EigenSym
	if !e.Factorize(s, true) {
		return FancyPCA{}, errors.New("fancy PCA: the covariance has no eigenvalues that can be found")
	}
	var f FancyPCA
	var v mat.Dense
	e.VectorsTo(&v)
	for k, value := range e.Values(nil) { // they rise; ours fall
		f.Values[2-k] = max(value, 0)
		for c := range 3 {
			f.Vectors[c][2-k] = v.At(c, k)
		}
	}
	return f, nil
}

// ApplyFloats changes the colours.
func (o FancyPCA) ApplyFloats(x []float32, shape [3]int, rnd *rand.Rand) error {
	if shape[0] != 3 {
		return errors.Errorf("fancy PCA: %d channels, want 3", shape[0])
	}
	values, vectors, deviation := o.Values, o.Vectors, o.Deviation
	if values == ([3]float64{}) && vectors == ([3][3]float64{}) {
		values, vectors = imageNetColours.Values, imageNetColours.Vectors
	}
	if deviation == 0 {
		deviation = 0.1
	}
	var add [3]float64
	for k := range 3 {
		alpha := rnd.NormFloat64() * deviation * values[k]
		for c := range 3 {
			add[c] += vectors[c][k] * alpha
		}
	}
	n := shape[1] * shape[2]
	for c, d := range add {
		for i := range x[c*n : (c+1)*n] {
			x[c*n+i] += float32(d)
		}
	}
	return nil
}

// RandomErasing covers a random rectangle (Zhong et al. 2020). It comes after Normalize.
type RandomErasing struct {
	P     float64    // 0 means 0.5
	Scale [2]float64 // share of the picture's area; 0 means 0.02 to 0.33
	Ratio [2]float64 // height to width; 0 means 0.3 to 3.3
	Value []float32  // one for all channels, or one each; nil means 0
	Noise bool       // standard normal noise in its place
}

// ApplyFloats covers it, or not.
func (o RandomErasing) ApplyFloats(x []float32, shape [3]int, rnd *rand.Rand) error {
	scale, ratio := def(o.Scale, [2]float64{0.02, 0.33}), def(o.Ratio, [2]float64{0.3, 3.3})
	if !(scale[0] >= 0 && scale[1] >= scale[0] && scale[1] <= 1 && ratio[0] > 0 && ratio[1] >= ratio[0]) || len(o.Value) > 1 && len(o.Value) != shape[0] {
		return errors.Errorf("random erasing: scale %v, ratio %v, %d values for %d channels", scale, ratio, len(o.Value), shape[0])
	}
	if !chance(o.P, 0.5, rnd) {
		return nil
	}
	height, width := shape[1], shape[2]
	for range 10 {
		area := float64(height*width) * uniform(scale[0], scale[1], rnd)
		r := math.Exp(uniform(math.Log(ratio[0]), math.Log(ratio[1]), rnd))
		h, w := int(math.RoundToEven(math.Sqrt(area*r))), int(math.RoundToEven(math.Sqrt(area/r)))
		if h >= height || w >= width {
			continue
		}
		y, x0 := rnd.IntN(height-h+1), rnd.IntN(width-w+1)
		for c := range shape[0] {
			value := float32(0)
			if len(o.Value) > 0 {
				value = o.Value[c%len(o.Value)]
			}
			for row := y; row < y+h; row++ {
				for i := (c*height+row)*width + x0; i < (c*height+row)*width+x0+w; i++ {
					x[i] = value
					if o.Noise {
						x[i] = float32(rnd.NormFloat64())
					}
				}
			}
		}
		return nil
	}
	return nil
}
