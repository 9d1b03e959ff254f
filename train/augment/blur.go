package augment

import (
	"math"
	"math/rand/v2"

	"github.com/pkg/errors"
)

// Blur weights pixels by a Gaussian of deviation sigma over kernel × kernel pixels; beyond the border the
// picture is mirrored, as by torchvision's gaussian_blur.
func (p *Picture) Blur(kernel int, sigma float64) (*Picture, error) {
	if kernel < 1 || kernel%2 == 0 || kernel/2 >= min(p.H, p.W) || !(sigma > 0) {
		return nil, errors.Errorf("blur: kernel %d and deviation %v for a picture of %d×%d; want an odd kernel of less than twice its sides, and a deviation above 0", kernel, sigma, p.H, p.W)
	}
	weight := make([]float32, kernel)
	sum := float32(0)
	for i := range weight {
		x := float64(i-kernel/2) / sigma
		weight[i] = float32(math.Exp(-0.5 * x * x))
		sum += weight[i]
	}
	for i := range weight {
		weight[i] /= sum
	}
	mirror := func(i, n int) int {
		if i < 0 {
			return -i
		}
		return min(i, 2*n-2-i)
	}
	n := p.W * p.C
	wide := make([]float32, len(p.Pix)) // after the rows
	for y := range p.H {
		row := p.Pix[y*n:][:n]
		for x := range p.W {
			for k, w := range weight {
				src := row[mirror(x+k-kernel/2, p.W)*p.C:]
				for c := range p.C {
					wide[y*n+x*p.C+c] += w * float32(src[c])
				}
			}
		}
	}
	out := New(p.H, p.W, p.C)
	sums := make([]float32, n)
	for y := range p.H {
		clear(sums)
		for k, w := range weight {
			row := wide[mirror(y+k-kernel/2, p.H)*n:][:n]
			for i, v := range row {
				sums[i] += w * v
			}
		}
		for i, v := range sums {
			out.Pix[y*n+i] = clip8(int(math.RoundToEven(float64(v))))
		}
	}
	return out, nil
}

// GaussianBlur blurs by a random deviation.
type GaussianBlur struct {
	Kernel int        // pixels, odd
	Sigma  [2]float64 // 0 means 0.1 to 2
}

// Apply blurs.
func (o GaussianBlur) Apply(p *Picture, rnd *rand.Rand) (*Picture, error) {
	s := def(o.Sigma, [2]float64{0.1, 2})
	return p.Blur(o.Kernel, uniform(s[0], s[1], rnd))
}
