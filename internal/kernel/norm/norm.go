// Package norm holds the kernels of batch normalisation (Ioffe and Szegedy 2015), forward and backward, each
// in two passes over the data.
//
// With mean μ and biased variance σ² of a channel over its M values, x̂ = (x−μ)/√(σ²+ε):
//
//	y  = γ·x̂ + β                                       Stats, then Normalize
//	dβ = Σ dy,  dγ = Σ dy·x̂                            GradStats
//	dx = γ/√(σ²+ε) · (dy − dβ/M − x̂·dγ/M)              InputGrad
//
// Instance, group and layer normalisation are the same with other shapes: their statistics are those of
// Shape{1, N·C, HW}, Shape{1, N·G, C/G·HW} and Shape{1, rows, columns}.
package norm

import (
	"math"
	"sync"
	"unsafe"

	"github.com/stheno-ml/stheno/internal/kernel/par"
)

// Float is a type of number that the kernels compute with.
type Float interface{ ~float32 | ~float64 }

// Shape is that of the data: [Outer, C, Inner]. A channels-last picture is Shape{N·H·W, C, 1}, a channels-first
// one Shape{N, C, H·W}.
type Shape struct{ Outer, C, Inner int }

// count is how many values a channel has.
func (s Shape) count() int { return s.Outer * s.Inner }

func (s Shape) size() int { return s.Outer * s.C * s.Inner }

const (
	grain       = 32 << 10 // elements a chunk
	blockWidth  = 256      // channels that a partial sum of channels-last data covers
	maxRowParts = 64       // parts that the rows are cut into at most
)

// block says how channels-last data is cut for sums: into parts of rows by parts of channels.
type block struct{ rows, width, rowParts, widthParts int }

func (s Shape) block() block {
	var b block
	b.width = min(s.C, blockWidth)
	b.rows = max(64, (grain+b.width-1)/b.width, (s.Outer+maxRowParts-1)/maxRowParts)
	b.rowParts = par.Chunks(s.Outer, b.rows)
	b.widthParts = par.Chunks(s.C, b.width)
	return b
}

// sumTask forms two sums for each channel, in float64. Forward (dy nil) they are Σ (x−shift) and Σ (x−shift)²,
// backward Σ g and Σ g·(x−shift), where g is dy behind the mask.
type sumTask[T Float] struct {
	shape Shape
	block block
	out   []float64 // [parts, 2, C]; a part is a part of the rows, or one of the Outer slices
	x, dy []T
	mask  Mask[T]
	shift []T // [C]; nil is 0

	scale, offset []T // what the mask is worked out from, where it is FromX
}

func (k *sumTask[T]) Run(lo, hi int) {
	c, inner := k.shape.C, k.shape.Inner
	for i := lo; i < hi; i++ {
		if inner == 1 {
			b := k.block
			r0, c0 := i/b.widthParts*b.rows, i%b.widthParts*b.width
			r1, c1 := min(r0+b.rows, k.shape.Outer), min(c0+b.width, c)
			out := k.out[i/b.widthParts*2*c:]
			k.rows(out[c0:c1], out[c+c0:c+c1], r0, r1, c0, c1)
			continue
		}
		out := k.out[i/c*2*c+i%c:]
		out[0], out[c] = k.plane(i*inner, (i+1)*inner, i%c)
	}
}

// rows sums rows r0 to r1−1, channels c0 to c1−1.
func (k *sumTask[T]) rows(s, q []float64, r0, r1, c0, c1 int) {
	if isFloat32[T]() && k.rowsFast(s, q, r0, r1, c0, c1) {
		return
	}
	clear(s)
	clear(q)
	for r := r0; r < r1; r++ {
		from, to := r*k.shape.C+c0, r*k.shape.C+c1
		x := k.x[from:to]
		if k.dy == nil {
			for j, v := range x {
				d := float64(v)
				if k.shift != nil {
					d -= float64(k.shift[c0+j])
				}
				s[j] += d
				q[j] += d * d
			}
			continue
		}
		dy := r*k.mask.pitch(k.shape) + c0
		for j, g := range k.dy[dy : dy+c1-c0] {
			switch c := c0 + j; {
			case k.mask.FromX:
				g = k.mask.apply(g, (x[j]-k.shift[c])*k.scale[c]+k.offset[c])
			case k.mask.Y != nil:
				g = k.mask.apply(g, k.mask.Y[from+j])
			}
			s[j] += float64(g)
			q[j] += float64(g) * (float64(x[j]) - float64(k.shift[c0+j]))
		}
	}
}

// plane sums elements from to to−1, all of channel c.
func (k *sumTask[T]) plane(from, to, c int) (s, q float64) {
	if isFloat32[T]() {
		if s, q, ok := k.planeFast(from, to, c); ok {
			return s, q
		}
	}
	shift := 0.0
	if k.shift != nil {
		shift = float64(k.shift[c])
	}
	x := k.x[from:to]
	if k.dy == nil {
		for _, v := range x {
			d := float64(v) - shift
			s += d
			q += d * d
		}
		return s, q
	}
	for j, g := range k.dy[from:to] {
		switch {
		case k.mask.FromX:
			g = k.mask.apply(g, (x[j]-k.shift[c])*k.scale[c]+k.offset[c])
		case k.mask.Y != nil:
			g = k.mask.apply(g, k.mask.Y[from+j])
		}
		s += float64(g)
		q += float64(g) * (float64(x[j]) - shift)
	}
	return s, q
}

// sum fills buf[:2C] with the two sums of each channel; buf comes from sumScratch.
func (k sumTask[T]) sum(buf []float64) {
	c := k.shape.C
	parts := k.shape.Outer
	k.out = buf
	if k.shape.Inner == 1 {
		k.block = k.shape.block()
		parts = k.block.rowParts
		par.For(parts*k.block.widthParts, 1, k)
	} else {
		par.For(parts*c, max(1, grain/k.shape.Inner), k)
	}
	total := buf[:2*c]
	for p := 1; p < parts; p++ {
		for j, v := range buf[p*2*c : (p+1)*2*c] {
			total[j] += v
		}
	}
}

func (s Shape) sumScratch() int {
	if s.Inner == 1 {
		return 2 * s.C * s.block().rowParts
	}
	return 2 * s.C * s.Outer
}

// Stats sets mean [C] and the biased variance [C] of x over all but the channel axis. Sums are carried in
// float64 (for float64 data about the channel's first value), so a large mean costs no precision.
func Stats[T Float](mean, variance, x []T, s Shape) {
	if s.size() == 0 {
		return
	}
	scratch := take(s.sumScratch() + s.C)
	buf := scratch.buf
	k := sumTask[T]{shape: s, x: x[:s.size()]}
	if !isFloat32[T]() {
		// The square of a float32 is exact in float64; that of a float64 is not, so its distance to a value
		// near the mean is squared instead.
		k.shift = view[T](buf[len(buf)-s.C:], s.C)
		for c := range k.shift {
			k.shift[c] = x[c*s.Inner]
		}
	}
	k.sum(buf)
	m := float64(s.count())
	for c := range s.C {
		d := buf[c] / m
		variance[c] = T(max(buf[s.C+c]/m-d*d, 0))
		if k.shift != nil {
			d += float64(k.shift[c])
		}
		mean[c] = T(d)
	}
	scratch.release()
}

// Sum sets sum[c] = Σ x over all but the channel axis, carried in float64: the gradient of a bias.
func Sum[T Float](sum, x []T, s Shape) {
	if s.size() == 0 {
		clear(sum[:s.C])
		return
	}
	scratch := take(s.sumScratch())
	sumTask[T]{shape: s, x: x[:s.size()]}.sum(scratch.buf)
	for c, v := range scratch.buf[:s.C] {
		sum[c] = T(v)
	}
	scratch.release()
}

// Post is what Normalize does to a normalised value before it is stored.
type Post[T Float] struct {
	Add   []T  // added where not nil; same shape as x
	Act   bool // then v ≤ 0 becomes Slope·v: ReLU, or leaky ReLU
	Slope T
	Pitch int // elements from one row of y to the next, where rows lie apart; 0 for C. Channels-last data only.
}

// Normalize sets y = post(gamma·(x−mean)/√(variance+eps) + beta). gamma and beta may be nil (1 and 0). y may
// be x or Post.Add. With Post.Pitch, what lies between the rows of y is left alone.
func Normalize[T Float](y, x, mean, variance, gamma, beta []T, eps float64, post Post[T], s Shape) {
	if s.size() == 0 {
		return
	}
	scratch := take(2 * s.C)
	scale, shift := view[T](scratch.buf, s.C), view[T](scratch.buf[s.C:], s.C)
	affine(scale, shift, variance, gamma, beta, eps)
	forwardTask[T]{s, y[:post.size(s)], x[:s.size()], mean[:s.C], scale, shift, post}.do()
	scratch.release()
}

// Affine sets y = post(scale·x + shift) with one scale and one shift a channel: a bias, or batch normalisation
// with its constants folded. scale and shift may be nil (1 and 0). y may be x or Post.Add.
func Affine[T Float](y, x, scale, shift []T, post Post[T], s Shape) {
	if s.size() == 0 {
		return
	}
	scratch := take(2 * s.C)
	zero, one := view[T](scratch.buf, s.C), view[T](scratch.buf[s.C:], s.C)
	for c := range s.C {
		zero[c], one[c] = 0, 1
	}
	if scale == nil {
		scale = one
	}
	if shift == nil {
		shift = zero
	}
	forwardTask[T]{s, y[:post.size(s)], x[:s.size()], zero, scale[:s.C], shift[:s.C], post}.do()
	scratch.release()
}

// pitch is the elements from one row of y to the next.
func (p *Post[T]) pitch(s Shape) int {
	if p.Pitch > 0 {
		return p.Pitch
	}
	return s.C
}

// size is the elements of y, with what lies between them.
func (p *Post[T]) size(s Shape) int {
	if p.Pitch > 0 {
		return (s.Outer-1)*p.Pitch + s.C
	}
	return s.size()
}

func (k forwardTask[T]) do() {
	if s := k.shape; s.Inner == 1 {
		par.For(s.Outer, max(1, grain/s.C), k)
	} else {
		par.For(s.Outer*s.C, max(1, grain/s.Inner), k)
	}
}

// affine sets scale = gamma/√(variance+eps) and shift = beta.
func affine[T Float](scale, shift, variance, gamma, beta []T, eps float64) {
	for c := range scale {
		v := 1 / math.Sqrt(float64(variance[c])+eps)
		if gamma != nil {
			v *= float64(gamma[c])
		}
		scale[c], shift[c] = T(v), 0
		if beta != nil {
			shift[c] = beta[c]
		}
	}
}

type forwardTask[T Float] struct {
	shape              Shape
	y, x               []T
	mean, scale, shift []T
	post               Post[T]
}

// Run does rows lo to hi−1 of channels-last data, or that many planes.
func (k *forwardTask[T]) Run(lo, hi int) {
	if isFloat32[T]() && k.fast(lo, hi) {
		return
	}
	c, pitch := k.shape.C, k.post.pitch(k.shape)
	for i := lo; i < hi; i++ {
		if k.shape.Inner == 1 {
			for j := range c {
				at := i*c + j
				k.y[i*pitch+j] = k.post.apply((k.x[at]-k.mean[j])*k.scale[j]+k.shift[j], at)
			}
			continue
		}
		j := i % c
		mean, scale, shift := k.mean[j], k.scale[j], k.shift[j]
		for at := i * k.shape.Inner; at < (i+1)*k.shape.Inner; at++ {
			k.y[at] = k.post.apply((k.x[at]-mean)*scale+shift, at)
		}
	}
}

func (p *Post[T]) apply(v T, at int) T {
	if p.Add != nil {
		v += p.Add[at]
	}
	if p.Act && v <= 0 {
		if p.Slope == 0 { // −Inf·0 would be NaN
			return 0
		}
		v *= p.Slope
	}
	return v
}

// Mask takes the gradient back through the activation that Normalize applied last: g = dy where Y > 0, and
// Slope·dy elsewhere. The zero value is no activation: g = dy.
type Mask[T Float] struct {
	Y     []T // the output of Normalize, same shape as x
	Slope T   // at least 0

	// FromX says that Y need not be read: its sign is worked out again from x, which costs less than reading Y.
	// It wants the gamma and beta of Normalize, and that Post.Add was nil.
	FromX       bool
	Gamma, Beta []T

	Pitch int // elements from one row of dy to the next, where rows lie apart; 0 for C. Channels-last data only.
}

// pitch is the elements from one row of dy to the next.
func (m *Mask[T]) pitch(s Shape) int {
	if m.Pitch > 0 {
		return m.Pitch
	}
	return s.C
}

// size is the elements of dy, with what lies between its rows.
func (m *Mask[T]) size(s Shape) int {
	if m.Pitch > 0 {
		return (s.Outer-1)*m.Pitch + s.C
	}
	return s.size()
}

func (m *Mask[T]) apply(g, y T) T {
	if y <= 0 {
		if m.Slope == 0 { // ∞·0 would be NaN
			return 0
		}
		g *= m.Slope
	}
	return g
}

// GradStats sets sumG[c] = Σ g and sumGX[c] = Σ g·(x−mean)/√(variance+eps), g being dy behind the mask: the
// gradients of beta and gamma.
func GradStats[T Float](sumG, sumGX, dy, x, mean, variance []T, eps float64, mask Mask[T], s Shape) {
	if s.size() == 0 {
		return
	}
	sums := s.sumScratch()
	scratch := take(sums + 2*s.C)
	k := sumTask[T]{shape: s, x: x[:s.size()], dy: dy[:mask.size(s)], mask: mask, shift: mean[:s.C]}
	if mask.FromX {
		k.scale, k.offset = view[T](scratch.buf[sums:], s.C), view[T](scratch.buf[sums+s.C:], s.C)
		affine(k.scale, k.offset, variance, mask.Gamma, mask.Beta, eps)
	}
	k.sum(scratch.buf)
	for c := range s.C {
		sumG[c] = T(scratch.buf[c])
		sumGX[c] = T(scratch.buf[s.C+c] / math.Sqrt(float64(variance[c])+eps))
	}
	scratch.release()
}

// InputGrad sets dx = gamma/√(variance+eps) · (g − sumG/M − x̂·sumGX/M), g being dy behind the mask, from the
// sums that GradStats gave. With nil sums the statistics count as constants (running statistics), and then x
// and mean may be nil too, unless mask is FromX. gamma may be nil (1). Where dadd is not nil it is set to g, the gradient of
// Post.Add. dx or dadd may be dy, and dx may be x. With Mask.Pitch, dadd is nil and dx is not dy.
func InputGrad[T Float](dx, dadd, dy, x, mean, variance, gamma, sumG, sumGX []T, eps float64, mask Mask[T], s Shape) {
	if s.size() == 0 {
		return
	}
	scratch := take(5 * s.C)
	k := backwardTask[T]{shape: s, dx: dx[:s.size()], dadd: dadd, dy: dy[:mask.size(s)], mask: mask, mean: mean}
	if mask.FromX {
		k.scale, k.offset = view[T](scratch.buf[3*s.C:], s.C), view[T](scratch.buf[4*s.C:], s.C)
		affine(k.scale, k.offset, variance, mask.Gamma, mask.Beta, eps)
	}
	k.a, k.b, k.c = view[T](scratch.buf, s.C), view[T](scratch.buf[s.C:], s.C), view[T](scratch.buf[2*s.C:], s.C)
	k.frozen = sumG == nil
	if !k.frozen || mask.FromX {
		k.x = x[:s.size()]
	}
	m := float64(s.count())
	for c := range s.C {
		inv := 1 / math.Sqrt(float64(variance[c])+eps)
		a := inv
		if gamma != nil {
			a *= float64(gamma[c])
		}
		k.a[c] = T(a)
		if !k.frozen {
			k.b[c] = T(-a * float64(sumG[c]) / m)
			k.c[c] = T(-a * inv * float64(sumGX[c]) / m)
		}
	}
	if s.Inner == 1 {
		par.For(s.Outer, max(1, grain/s.C), k)
	} else {
		par.For(s.Outer*s.C, max(1, grain/s.Inner), k)
	}
	scratch.release()
}

// backwardTask is dx = a·g + (c·(x−mean) + b), or a·g where the statistics are frozen.
type backwardTask[T Float] struct {
	shape         Shape
	frozen        bool
	dx, dadd      []T
	dy, x         []T
	mask          Mask[T]
	a, b, c       []T
	mean          []T
	scale, offset []T // what the mask is worked out from, where it is FromX
}

// Run does rows lo to hi−1 of channels-last data, or that many planes.
func (k *backwardTask[T]) Run(lo, hi int) {
	if isFloat32[T]() && k.fast(lo, hi) {
		return
	}
	c := k.shape.C
	for i := lo; i < hi; i++ {
		if k.shape.Inner == 1 {
			for j := range c {
				k.element(i*c+j, i*k.mask.pitch(k.shape)+j, j)
			}
			continue
		}
		for at := i * k.shape.Inner; at < (i+1)*k.shape.Inner; at++ {
			k.element(at, at, i%c)
		}
	}
}

// element does one element; its dy is elsewhere.
func (k *backwardTask[T]) element(at, dy, c int) {
	g := k.dy[dy]
	switch {
	case k.mask.FromX:
		g = k.mask.apply(g, (k.x[at]-k.mean[c])*k.scale[c]+k.offset[c])
	case k.mask.Y != nil:
		g = k.mask.apply(g, k.mask.Y[at])
	}
	v := k.a[c] * g
	if !k.frozen {
		v += k.c[c]*(k.x[at]-k.mean[c]) + k.b[c]
	}
	if k.dadd != nil {
		k.dadd[at] = g
	}
	k.dx[at] = v
}

func isFloat32[T Float]() bool {
	var zero T
	return unsafe.Sizeof(zero) == 4
}

// scratch is memory for per-channel values; free pieces wait in a list, so nothing is allocated in steady state.
type scratch struct{ buf []float64 }

var (
	scratchMu   sync.Mutex
	scratchFree []*scratch
)

func take(n int) *scratch {
	scratchMu.Lock()
	var s *scratch
	if k := len(scratchFree); k > 0 {
		s = scratchFree[k-1]
		scratchFree = scratchFree[:k-1]
	} else {
		s = new(scratch)
	}
	scratchMu.Unlock()
	if cap(s.buf) < n {
		s.buf = make([]float64, n)
	}
	s.buf = s.buf[:n]
	return s
}

func (s *scratch) release() {
	scratchMu.Lock()
	scratchFree = append(scratchFree, s)
	scratchMu.Unlock()
}

// view reads memory for float64 as n values of T, which are no larger.
func view[T Float](buf []float64, n int) []T {
	buf = buf[:n]
	return unsafe.Slice((*T)(unsafe.Pointer(unsafe.SliceData(buf))), n)
}
