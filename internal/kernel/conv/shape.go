package conv

import (
	"sync"

	"github.com/stheno-ml/stheno/internal/kernel/gemm"
)

// Float is what the kernels compute with.
type Float = gemm.Float

// Shape describes a convolution. Input [N, H, W, C], filters [K, C/Groups, R, S] (the order in which
// parameters are kept), output [N, P, Q, K]. Output pixel (p, q) sees input pixels
// (p·StrideH + r·DilationH − PadTop, q·StrideW + s·DilationW − PadLeft); those outside the picture are zeros,
// or left out: whether NaN times one of them counts is not said. The padding below and to the right follows from P and Q.
// Strides and dilations are at least 1.
type Shape struct {
	N, H, W, C           int
	K, R, S              int
	P, Q                 int
	StrideH, StrideW     int
	PadTop, PadLeft      int
	DilationH, DilationW int
	Groups               int
	Pitch                int // elements from one pixel of the forward pass's output to the next; 0 for K

	Careful bool // forward, sums are made in parts (gemm.Tile's InParts), and package conv2d takes no way that rounds more
}

// pitch is the distance of output pixels.
func (s *Shape) pitch() int {
	if s.Pitch > 0 {
		return s.Pitch
	}
	return s.K
}

// Pass is one of the three computations with a Shape.
type Pass int

const (
	PassForward Pass = iota
	PassInputGrad
	PassWeightGrad
)

// Flops is the number of floating-point operations of a pass (any of the three), a product and its sum
// counting as two; taps that fall into the padding count.
func (s *Shape) Flops() float64 {
	return 2 * float64(s.N) * float64(s.P) * float64(s.Q) * float64(s.K) * float64(s.C/s.Groups) * float64(s.R) * float64(s.S)
}

// tap is one element (r, s) of the filter, seen from an output pixel: the input pixel dy rows below and dx
// columns right of the pixel that the output's strides lead to.
type tap struct{ r, s, dy, dx int }

// span is a run of taps that lie side by side in a picture row.
type span struct{ dy, dx, count int }

// view is a dense correlation: which taps an output pixel sums, and where output pixels lie. The forward
// pass is one view; the input gradient is one for each phase of the strides, since the output pixels that
// reach an input pixel, and through which taps, depend on its row and column modulo the strides.
type view struct {
	taps           []tap
	spans          []span
	p, q           int // output pixels
	stepH, stepW   int // input pixels from one output pixel to the next
	rowOff, colOff int // first output pixel
	rowMul, colMul int // output pixels from one to the next
	packed         int // where the view's weights begin, as a count of taps
}

// plan is what follows from a shape (without N and Pitch).
type plan struct {
	forward view
	back    []view
	narrow  []view // the forward view, if it is computed by narrow
	wide    view   // all views of back together, if they are computed together (see narrow)
	offs    []int  // 0, the offset list of a kernel with one run
	// Where element (c, tap) of a filter, c·R·S + tap, lies in a panel of gradients, [tap][C/Groups][32], and in
	// half a packed panel, [tap][C/Groups][16].
	positions, rows []int
}

var plans = struct {
	sync.RWMutex
	m map[Shape]*plan
}{m: map[Shape]*plan{}}

// planOf returns the plan of a shape from a cache.
func planOf(s *Shape) *plan {
	key := *s
	key.N, key.Pitch, key.Careful = 0, 0, false
	// The stride of a single output row does not matter. A large one lets the input gradient see that each
	// input row is reached through one row of the filter only.
	if s.P == 1 {
		key.StrideH = s.H + s.PadTop + s.R*s.DilationH
	}
	if s.Q == 1 {
		key.StrideW = s.W + s.PadLeft + s.S*s.DilationW
	}
	plans.RLock()
	p := plans.m[key]
	plans.RUnlock()
	if p != nil {
		return p
	}
	p = newPlan(&key)
	plans.Lock()
	defer plans.Unlock()
	const limit = 4096 // a service that sees pictures of every size must not grow for ever
	if len(plans.m) >= limit {
		clear(plans.m)
	}
	plans.m[key] = p
	return p
}

func newPlan(s *Shape) *plan {
	pl := &plan{offs: []int{0}}
	f := view{p: s.P, q: s.Q, stepH: s.StrideH, stepW: s.StrideW, rowMul: 1, colMul: 1}
	for r := range s.R {
		for c := range s.S {
			f.taps = append(f.taps, tap{r, c, r*s.DilationH - s.PadTop, c*s.DilationW - s.PadLeft})
		}
	}
	f.join()
	pl.forward = f
	if one := []view{f}; narrowed(one, s.Groups, s.K/s.Groups) {
		pl.narrow = one
	}
	for c := range s.C / s.Groups {
		for e := range f.taps {
			pl.positions = append(pl.positions, (e*s.C/s.Groups+c)*panel)
			pl.rows = append(pl.rows, (e*s.C/s.Groups+c)*gemm.Half)
		}
	}
	seen := 0
	for a := range min(s.StrideH, s.H) {
		for b := range min(s.StrideW, s.W) {
			v := view{
				p: (s.H - a + s.StrideH - 1) / s.StrideH, q: (s.W - b + s.StrideW - 1) / s.StrideW,
				stepH: 1, stepW: 1, rowOff: a, colOff: b, rowMul: s.StrideH, colMul: s.StrideW, packed: seen,
			}
			for r := s.R - 1; r >= 0; r-- {
				for c := s.S - 1; c >= 0; c-- {
					dy, dx := a+s.PadTop-r*s.DilationH, b+s.PadLeft-c*s.DilationW
					if dy%s.StrideH == 0 && dx%s.StrideW == 0 {
						v.taps = append(v.taps, tap{r, c, dy / s.StrideH, dx / s.StrideW})
					}
				}
			}
			v.join()
			seen += len(v.taps)
			pl.back = append(pl.back, v)
		}
	}
	if len(pl.back) > 0 && narrowed(pl.back, s.Groups, s.C/s.Groups) {
		pl.wide = union(pl.back)
	}
	return pl
}

// plain says that output pixel i sees input pixel i and no other, in pictures of h×w.
func (v *view) plain(h, w int) bool {
	return len(v.taps) == 1 && v.taps[0].dx == 0 && v.taps[0].dy == 0 && v.stepH == 1 && v.stepW == 1 && v.p == h && v.q == w
}

// join finds the spans.
func (v *view) join() {
	for i, t := range v.taps {
		if i > 0 {
			if l := &v.spans[len(v.spans)-1]; l.dy == t.dy && l.dx+l.count == t.dx {
				l.count++
				continue
			}
		}
		v.spans = append(v.spans, span{t.dy, t.dx, 1})
	}
}
