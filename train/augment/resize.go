package augment

import (
	"math"
	"math/rand/v2"
	"sync"

	"github.com/pkg/errors"
)

// Interpolation is how pixels between pixels are made.
type Interpolation uint8

const (
	Bilinear Interpolation = iota
	Nearest
	Bicubic // in Resize with a = −0.5, in warps with a = −1, as in PIL
	Lanczos // of 3 lobes; in Resize only
	Box     // in Resize only
)

const maxSide = 1 << 15 // pixels; a slip in a size shall not ask for all of the memory

// Resize scales a picture as PIL's resize does: when it shrinks, the filter is widened by the factor, so that
// fine patterns do not turn into coarse ones (antialias).
//
// The filter's weights are whole numbers with 22 binary digits; rows are made first, then columns, each
// rounded to 8 bits, which is how PIL computes and why the results agree.
func (p *Picture) Resize(h, w int, by Interpolation) (*Picture, error) {
	if h < 1 || w < 1 || h > maxSide || w > maxSide {
		return nil, errors.Errorf("resize: %d×%d pixels, want 1 to %d a side", h, w, maxSide)
	}
	if h == p.H && w == p.W {
		return p, nil
	}
	if by == Nearest {
		return p.nearest(h, w), nil
	}
	if by > Box {
		return nil, errors.Errorf("resize: interpolation %d is unknown", by)
	}
	if w != p.W {
		p = p.rows(tapsFor(p.W, w, by))
	}
	if h != p.H {
		p = p.columns(tapsFor(p.H, h, by))
	}
	return p, nil
}

// nearest takes the pixel that the centre of each new one falls in.
func (p *Picture) nearest(h, w int) *Picture {
	out := New(h, w, p.C)
	from := make([]int, w)
	for x := range from {
		from[x] = min(int((float64(x)+0.5)*float64(p.W)/float64(w)), p.W-1)
	}
	for y := range h {
		row := p.Pix[min(int((float64(y)+0.5)*float64(p.H)/float64(h)), p.H-1)*p.W*p.C:]
		for x, sx := range from {
			copy(out.Pix[(y*w+x)*p.C:][:p.C], row[sx*p.C:])
		}
	}
	return out
}

// taps says which pixels make each new one.
type taps struct {
	first  []int   // of each new pixel
	weight []int32 // [new pixels, width]; zeros after the last
	count  []int   // weights of each
	width  int
}

const precision = 22 // binary digits of a weight

type tapsKey struct {
	in, out int
	by      Interpolation
}

// tapsCache keeps the weights of the sizes that come again and again; random crops have new ones all the
// time, so it is emptied when it is full.
var tapsCache = struct {
	sync.Mutex
	m map[tapsKey]*taps
}{m: make(map[tapsKey]*taps)}

func tapsFor(in, out int, by Interpolation) *taps {
	key := tapsKey{in, out, by}
	tapsCache.Lock()
	t := tapsCache.m[key]
	tapsCache.Unlock()
	if t != nil {
		return t
	}
	t = newTaps(in, out, by)
	tapsCache.Lock()
	defer tapsCache.Unlock()
	const kept = 512
	if len(tapsCache.m) >= kept {
		clear(tapsCache.m)
	}
	tapsCache.m[key] = t
	return t
}

func newTaps(in, out int, by Interpolation) *taps {
	filter, support := by.filter()
	scale := float64(in) / float64(out)
	widen := max(scale, 1)
	support *= widen
	t := &taps{first: make([]int, out), count: make([]int, out), width: int(math.Ceil(support))*2 + 1}
	t.weight = make([]int32, out*t.width)
	w := make([]float64, t.width)
	for i := range out {
		centre := (float64(i) + 0.5) * scale
		lo := max(int(centre-support+0.5), 0)
		hi := min(int(centre+support+0.5), in)
		sum := 0.0
		for k := range hi - lo {
			w[k] = filter((float64(k+lo) - centre + 0.5) / widen)
			sum += w[k]
		}
		t.first[i], t.count[i] = lo, hi-lo
		for k := range hi - lo {
			v := w[k]
			if sum != 0 {
				v /= sum
			}
			t.weight[i*t.width+k] = int32(math.Floor(v*(1<<precision) + 0.5))
			if v < 0 {
				t.weight[i*t.width+k] = int32(math.Ceil(v*(1<<precision) - 0.5))
			}
		}
	}
	return t
}

// filter is the function by which pixels are weighted, and how far it reaches.
func (by Interpolation) filter() (f func(x float64) float64, support float64) {
	switch by {
	case Bicubic: // Keys 1981
		const a = -0.5
		return func(x float64) float64 {
			switch x = math.Abs(x); {
			case x < 1:
				return ((a+2)*x-(a+3))*x*x + 1
			case x < 2:
				return (((x-5)*x+8)*x - 4) * a
			}
			return 0
		}, 2
	case Lanczos:
		sinc := func(x float64) float64 {
			if x == 0 {
				return 1
			}
			return math.Sin(math.Pi*x) / (math.Pi * x)
		}
		return func(x float64) float64 {
			if x < -3 || x >= 3 {
				return 0
			}
			return sinc(x) * sinc(x/3)
		}, 3
	case Box:
		return func(x float64) float64 {
			if x > -0.5 && x <= 0.5 {
				return 1
			}
			return 0
		}, 0.5
	}
	return func(x float64) float64 { return max(1-math.Abs(x), 0) }, 1
}

func round22(sum int) uint8 { return clip8(sum >> precision) }

func (p *Picture) rows(t *taps) *Picture {
	out := New(p.H, len(t.first), p.C)
	for y := range p.H {
		row := p.Pix[y*p.W*p.C:][:p.W*p.C]
		dst := out.Pix[y*out.W*p.C:][:out.W*p.C]
		for x, first := range t.first {
			weight := t.weight[x*t.width:][:t.count[x]]
			if p.C == 1 {
				sum := 1 << (precision - 1)
				for k, v := range row[first:][:len(weight)] {
					sum += int(v) * int(weight[k])
				}
				dst[x] = round22(sum)
				continue
			}
			r, g, b := 1<<(precision-1), 1<<(precision-1), 1<<(precision-1)
			src := row[3*first:][:3*len(weight)]
			for k, w := range weight {
				w := int(w)
				r += int(src[3*k]) * w
				g += int(src[3*k+1]) * w
				b += int(src[3*k+2]) * w
			}
			o := dst[3*x:][:3]
			o[0], o[1], o[2] = round22(r), round22(g), round22(b)
		}
	}
	return out
}

func (p *Picture) columns(t *taps) *Picture {
	out := New(len(t.first), p.W, p.C)
	n := p.W * p.C
	sums := make([]int32, n)
	for y, first := range t.first {
		for i := range sums {
			sums[i] = 1 << (precision - 1)
		}
		for k, w := range t.weight[y*t.width:][:t.count[y]] {
			row := p.Pix[(first+k)*n:][:n]
			for i, v := range row {
				sums[i] += int32(v) * w
			}
		}
		dst := out.Pix[y*n:][:n]
		for i, s := range sums {
			dst[i] = clip8(int(s >> precision))
		}
	}
	return out
}

// Resize scales to a size. With Width 0 the shorter side becomes Height and the longer keeps the proportion.
type Resize struct {
	Height, Width int
	By            Interpolation
}

// Apply scales.
func (o Resize) Apply(p *Picture, _ *rand.Rand) (*Picture, error) {
	h, w := o.Height, o.Width
	if w == 0 {
		if p.W <= p.H {
			h, w = int(float64(o.Height)*float64(p.H)/float64(p.W)), o.Height
		} else {
			w = int(float64(o.Height) * float64(p.W) / float64(p.H))
		}
	}
	return p.Resize(h, w, o.By)
}
