//go:build amd64 && !noasm

package depthwise

import (
	"math"
	"sync"
	"unsafe"

	"github.com/stheno-ml/stheno/internal/kernel/cpu"
	"github.com/stheno-ml/stheno/internal/kernel/gemm"
	"github.com/stheno-ml/stheno/internal/kernel/layout"
	"github.com/stheno-ml/stheno/internal/kernel/window"
)

//go:generate sh -c "cd ../gen && go run ./depthwise -out ../depthwise/kernels_amd64.s -stubs ../depthwise/kernels_amd64.go -pkg depthwise"

// rowCall is what the row kernels read; the generator knows its layout. Strides are in bytes.
type rowCall struct {
	dst, src, f      unsafe.Pointer // dst and src: pixel 0 of the row; f: the first tap row
	rows             int            // tap rows
	srcRow, fRow     int            // from one tap row to the next
	srcTap, fTap     int            // from one tap to the next
	dstStep, srcStep int            // from one pixel of a segment to the next
	segs             *window.Segment
	n                int            // segments; the kernel counts it down
	scale, shift     unsafe.Pointer // epilogue; nil: none
	slope            float32
	lo               float32 // what values are raised to before the slope: 0 for a slope of 0, else −Inf
	lanes            int     // channels of a narrow block

	// What the next row will read first and write: this block's share of their cache lines.
	nextSrc  unsafe.Pointer
	srcLines int
	nextDst  unsafe.Pointer
	dstLines int

	pixel int // bytes of a pixel of source or result
	tap   int // and of a tap of the filter
	count int // the kernel's own
}

// rows computes rows lo to hi−1 of a result [N, height, width, C] from a source [N, sources, sourceWidth, C].
type rows struct {
	dst, src, f              unsafe.Pointer
	height, width            window.Axis
	dstRow, srcRow, srcImage int // strides in bytes
	c, s, taps               int // channels, taps in a row of the filter and in all
	scale, shift             unsafe.Pointer
	slope, lo                float32
	stream                   bool // the result is too large for the cache
}

func (k *rows) run(lo, hi int) {
	list := window.Take(&k.width)
	pixel := 4 * k.c
	call := rowCall{
		srcRow: k.height.SrcStep() * k.srcRow, srcTap: k.width.SrcStep() * pixel,
		dstStep: k.width.DstStep() * pixel, srcStep: k.width.Advance() * pixel,
		segs: &list.Segs[0], slope: k.slope, lo: k.lo, pixel: pixel,
	}
	avx512 := cpu.Current() == cpu.AVX512
	wide, lanes := blockSize()
	turns := (k.c + wide - 1) / wide
	// A row that goes past the cache as a whole is made here, where its pixels share no sets of the first-level
	// cache with those of the source if these are a power of two apart.
	filter, packed := k.packed(wide, lanes)
	var finished *gemm.Buffer[float32]
	var made []float32
	const apart = 128
	if k.stream {
		finished = gemm.Borrow[float32](k.dstRow/4 + apart)
		made = finished.Data[apart:]
	}
	for i := lo; i < hi; i++ {
		row := unsafe.Add(k.dst, i*k.dstRow)
		if k.stream {
			row = pointer(made)
		}
		image, at := i/k.height.Size, i%k.height.Size
		r := k.height.At(at)
		call.rows = r.N
		var nextSrc, nextDst stretch
		if i+1 < hi {
			nextSrc = k.news(i, turns)
			if !k.stream {
				nextDst = newStretch(k.dst, (i+1)*k.dstRow, k.dstRow, turns)
			}
		}
		for c := 0; c < k.c; {
			n := wide
			if c+wide > k.c {
				n = min(lanes, k.c-c)
			}
			call.lanes = n
			if k.scale != nil {
				call.scale, call.shift = unsafe.Add(k.scale, 4*c), unsafe.Add(k.shift, 4*c)
			}
			call.n = len(list.Segs)
			call.dst = unsafe.Add(row, 4*c)
			call.src = unsafe.Add(k.src, image*k.srcImage+r.Src*k.srcRow+4*c)
			call.f, call.tap = unsafe.Add(k.f, 4*c), pixel
			if packed {
				call.f, call.tap = unsafe.Pointer(&filter.Data[k.taps*c]), 4*n
			}
			call.f = unsafe.Add(call.f, r.Tap*k.s*call.tap)
			call.fRow, call.fTap = k.height.TapStep()*k.s*call.tap, k.width.TapStep()*call.tap
			call.nextSrc, call.srcLines = nextSrc.take()
			call.nextDst, call.dstLines = nextDst.take()
			arg := (*byte)(unsafe.Pointer(&call))
			switch {
			case avx512 && n == wide:
				rowAVX512(arg)
			case avx512:
				narrowAVX512(arg)
			case n == wide:
				rowAVX2(arg)
			default:
				narrowAVX2(arg)
			}
			c += n
		}
		if k.stream {
			layout.Stream(unsafe.Slice((*float32)(unsafe.Add(k.dst, i*k.dstRow)), len(made)), made)
		}
	}
	if k.stream {
		finished.Return()
	}
	if packed {
		filter.Return()
	}
	list.Release()
}

// packed is the filter as [block of channels][tap][channel], where taps would share few sets of the first-level cache
// with each other and with the pixels. AVX2 reads it twice as often as AVX-512, which gains nothing.
func (k *rows) packed(wide, lanes int) (*gemm.Buffer[float32], bool) {
	if 4*k.c%1024 != 0 || cpu.Current() != cpu.AVX2 {
		return nil, false
	}
	f := unsafe.Slice((*float32)(k.f), k.taps*k.c)
	b := gemm.Borrow[float32](len(f))
	at := b.Data
	for c, n := 0, 0; c < k.c; c += n {
		if n = wide; c+wide > k.c {
			n = min(lanes, k.c-c)
		}
		for e := range k.taps {
			at = at[copy(at, f[e*k.c+c:][:n]):]
		}
	}
	return b, true
}

// stretch is a piece of memory that is prefetched bit by bit: at most step cache lines at a time.
type stretch struct {
	at          unsafe.Pointer
	lines, step int
}

// newStretch is size bytes from offset on, to be prefetched in so many turns.
func newStretch(base unsafe.Pointer, offset, size, turns int) stretch {
	if size == 0 {
		return stretch{}
	}
	lines := (size + 63) / 64
	return stretch{unsafe.Add(base, offset), lines, (lines + turns - 1) / turns}
}

// take gives the next lines.
func (s *stretch) take() (at unsafe.Pointer, lines int) {
	at, lines = s.at, min(s.step, s.lines)
	if s.lines -= lines; s.lines > 0 {
		s.at = unsafe.Add(s.at, 64*lines)
	}
	return at, lines
}

// news is the source rows that row i+1 reads and row i does not, to be prefetched in so many turns.
func (k *rows) news(i, turns int) stretch {
	last := func(i int) int { // the source row after the last that row i of the result reads
		r := k.height.At(i % k.height.Size)
		return i/k.height.Size*k.height.Sources + r.Src + max(0, (r.N-1)*k.height.SrcStep()) + 1
	}
	from, to := last(i), last(i+1)
	return newStretch(k.src, from*k.srcRow, max(0, to-from)*k.srcRow, turns)
}

// fast does output rows lo to hi−1 in assembly, where the road has any.
func (k *forward[T]) fast(lo, hi int) bool {
	s := &k.s
	if cpu.Current() == cpu.Generic {
		return false
	}
	r := rows{
		dst: pointer(k.y), src: pointer(k.x), f: pointer(k.f),
		height: window.Axis{Size: s.P, Sources: s.H, Taps: s.R, Stride: s.StrideH, Pad: s.PadTop, Dilation: s.DilationH},
		width:  window.Axis{Size: s.Q, Sources: s.W, Taps: s.S, Stride: s.StrideW, Pad: s.PadLeft, Dilation: s.DilationW},
		dstRow: 4 * s.Q * s.C, srcRow: 4 * s.W * s.C, srcImage: 4 * s.H * s.W * s.C,
		c: s.C, s: s.S, taps: s.R * s.S, stream: len(k.y) >= layout.Past,
	}
	if k.e.Scale != nil {
		r.scale, r.shift, r.slope = pointer(k.e.Scale), pointer(k.e.Shift), float32(k.e.Slope)
		if k.e.Slope != 0 {
			r.lo = float32(math.Inf(-1))
		}
	}
	r.run(lo, hi)
	return true
}

// fast does input rows lo to hi−1 in assembly, where the road has any.
func (k *inputGrad[T]) fast(lo, hi int) bool {
	s := &k.s
	if cpu.Current() == cpu.Generic {
		return false
	}
	r := rows{
		dst: pointer(k.dx), src: pointer(k.dy), f: pointer(k.f),
		height: window.Axis{Size: s.H, Sources: s.P, Taps: s.R, Stride: s.StrideH, Pad: s.PadTop, Dilation: s.DilationH, Backward: true},
		width:  window.Axis{Size: s.W, Sources: s.Q, Taps: s.S, Stride: s.StrideW, Pad: s.PadLeft, Dilation: s.DilationW, Backward: true},
		dstRow: 4 * s.W * s.C, srcRow: 4 * s.Q * s.C, srcImage: 4 * s.P * s.Q * s.C,
		c: s.C, s: s.S, taps: s.R * s.S, stream: len(k.dx) >= layout.Past,
	}
	r.run(lo, hi)
	return true
}

func pointer[T Float](x []T) unsafe.Pointer { return unsafe.Pointer(unsafe.SliceData(x)) }

// gradCall is what the kernels of the weight gradient read; the generator knows its layout.
type gradCall struct {
	dy, x, sum    unsafe.Pointer // at the block's first channel
	pixels        int
	dyStep, xStep int // bytes from one pixel to the next
	lanes         int // channels of a narrow block

	nextDy  unsafe.Pointer // as in rowCall
	dyLines int
	nextX   unsafe.Pointer
	xLines  int

	taps *[9]tapOffsets

	xRow, sumTap int // bytes from one row of the picture, or one tap of the sums, to the next
	pad, tail    int // gradients before the first pixel's, pixels after the last gradient
}

// tapOffsets are the places of one tap in bytes: in the picture, from the first pixel's first tap, and in the sums.
type tapOffsets struct{ x, sum int }

// gradGroup is some taps of a run of pixels, for which one call of a kernel does a block of channels.
type gradGroup struct {
	dy, x  int // bytes from the row's start
	pixels int
	size   int // taps
	taps   [9]tapOffsets
}

// The numbers of taps that there are kernels for: as many sums as the registers hold.
var (
	groupSizesAVX2   = []int{6, 3, 1}
	groupSizesAVX512 = []int{9, 6, 3, 1}
)

// gradPlan lists what to do for a row; free ones wait to be used again, so that nothing is allocated in steady state.
type gradPlan struct{ groups []gradGroup }

var (
	plansMu sync.Mutex
	plans   []*gradPlan
)

func takePlan() *gradPlan {
	plansMu.Lock()
	defer plansMu.Unlock()
	if k := len(plans); k > 0 {
		p := plans[k-1]
		plans = plans[:k-1]
		return p
	}
	return new(gradPlan)
}

func (p *gradPlan) release() {
	plansMu.Lock()
	plans = append(plans, p)
	plansMu.Unlock()
}

// fill lists the groups of a row whose pixels read the given rows of taps.
func (p *gradPlan) fill(s *Shape, rows window.Reach, segs []window.Segment) {
	sizes := groupSizesAVX2
	if cpu.Current() == cpu.AVX512 {
		sizes = groupSizesAVX512
	}
	pixel := 4 * s.C
	p.groups = p.groups[:0]
	for _, seg := range segs {
		all := rows.N * seg.Taps
		for done := 0; done < all; {
			g := gradGroup{dy: seg.Dst * pixel, x: seg.Src * pixel, pixels: seg.N}
			for _, g.size = range sizes {
				if g.size <= all-done {
					break
				}
			}
			for j := range g.taps[:g.size] {
				r, t := (done+j)/seg.Taps, (done+j)%seg.Taps
				g.taps[j] = tapOffsets{
					x:   pixel * (r*s.DilationH*s.W + t*s.DilationW),
					sum: pixel * ((rows.Tap+r)*s.S + seg.Tap + t),
				}
			}
			p.groups = append(p.groups, g)
			done += g.size
		}
	}
}

// fast forms partial sums lo to hi−1 in assembly, where the road has any.
func (k *weightGrad[T]) fast(lo, hi int) bool {
	s := &k.s
	if cpu.Current() == cpu.Generic {
		return false
	}
	width := window.Axis{Size: s.Q, Sources: s.W, Taps: s.S, Stride: s.StrideW, Pad: s.PadLeft, Dilation: s.DilationW}
	height := window.Axis{Size: s.P, Sources: s.H, Taps: s.R, Stride: s.StrideH, Pad: s.PadTop, Dilation: s.DilationH}
	pixel := 4 * s.C
	list := window.Take(&width)
	plan := takePlan()
	var planned window.Reach // the rows of taps that plan is for
	r := rows{height: height, src: pointer(k.x), srcRow: s.W * pixel, dstRow: s.Q * pixel}
	parts, total := s.parts(), s.N*s.P
	wide, lanes := blockSize()
	turns := (s.C + wide - 1) / wide
	call := gradCall{dyStep: pixel, xStep: s.StrideW * pixel, xRow: s.DilationH * s.W * pixel, sumTap: pixel, pad: s.PadLeft}
	slides := s.S == 3 && s.StrideW == 1 && s.DilationW == 1 && s.PadLeft >= 0 && s.PadLeft <= 2 && s.Q >= 3 && s.W >= 3
	columns := min(s.W, s.Q-s.PadLeft) // pixels whose first tap has a result
	for part := lo; part < hi; part++ {
		sum := k.sums[part*s.filterSize() : (part+1)*s.filterSize()]
		clear(sum)
		from, to := part*total/parts, (part+1)*total/parts
		for i := from; i < to; i++ {
			taps := height.At(i % s.P)
			if i == from || taps.Tap != planned.Tap || taps.N != planned.N {
				plan.fill(s, taps, list.Segs)
				planned = taps
			}
			var nextX, nextDy stretch
			if i+1 < to {
				nextX, nextDy = r.news(i, turns), newStretch(pointer(k.dy), (i+1)*r.dstRow, r.dstRow, turns)
			}
			dy := unsafe.Add(pointer(k.dy), i*r.dstRow)
			x := unsafe.Add(pointer(k.x), (i/s.P*s.H+taps.Src)*r.srcRow)
			for c := 0; c < s.C; {
				call.lanes = wide
				if c+wide > s.C {
					call.lanes = min(lanes, s.C-c)
				}
				call.nextX, call.xLines = nextX.take()
				call.nextDy, call.dyLines = nextDy.take()
				call.sum = unsafe.Add(pointer(sum), 4*c)
				if slides && taps.N > 0 && taps.N <= 3 {
					call.dy, call.x = unsafe.Add(dy, 4*c), unsafe.Add(x, 4*c)
					if call.xLines == 0 {
						call.nextX = call.x
					}
					if call.dyLines == 0 {
						call.nextDy = call.dy
					}
					call.sum = unsafe.Add(call.sum, taps.Tap*s.S*pixel)
					call.pixels, call.tail = columns, s.W-columns
					slideKernel(taps.N, call.lanes == wide, (*byte)(unsafe.Pointer(&call)))
					c += call.lanes
					continue
				}
				for j := range plan.groups {
					g := &plan.groups[j]
					call.dy, call.x = unsafe.Add(dy, g.dy+4*c), unsafe.Add(x, g.x+4*c)
					call.pixels, call.taps = g.pixels, &g.taps
					gradKernel(g.size, call.lanes == wide, (*byte)(unsafe.Pointer(&call)))
					call.xLines, call.dyLines = 0, 0
				}
				c += call.lanes
			}
		}
	}
	plan.release()
	list.Release()
	return true
}

func gradKernel(taps int, wide bool, c *byte) {
	if cpu.Current() == cpu.AVX512 {
		switch {
		case taps == 9 && wide:
			grad9AVX512(c)
		case taps == 6 && wide:
			grad6AVX512(c)
		case taps == 3 && wide:
			grad3AVX512(c)
		case wide:
			grad1AVX512(c)
		case taps == 9:
			narrowGrad9AVX512(c)
		case taps == 6:
			narrowGrad6AVX512(c)
		case taps == 3:
			narrowGrad3AVX512(c)
		default:
			narrowGrad1AVX512(c)
		}
		return
	}
	switch {
	case taps == 6 && wide:
		grad6AVX2(c)
	case taps == 3 && wide:
		grad3AVX2(c)
	case wide:
		grad1AVX2(c)
	case taps == 6:
		narrowGrad6AVX2(c)
	case taps == 3:
		narrowGrad3AVX2(c)
	default:
		narrowGrad1AVX2(c)
	}
}

// blockSize is how many channels the kernels of the road in force do at a time: the wide ones and, at most, the
// narrow ones.
func blockSize() (wide, lanes int) {
	if cpu.Current() == cpu.AVX512 {
		return 32, 16
	}
	return 16, 8
}

// slideKernel runs the kernel for so many rows of a filter three taps wide.
func slideKernel(rows int, wide bool, c *byte) {
	avx512 := cpu.Current() == cpu.AVX512
	switch {
	case rows == 3 && avx512 && wide:
		slideGrad3AVX512(c)
	case rows == 3 && avx512:
		narrowSlideGrad3AVX512(c)
	case rows == 3 && wide:
		slideGrad3AVX2(c)
	case rows == 3:
		narrowSlideGrad3AVX2(c)
	case rows == 2 && avx512 && wide:
		slideGrad2AVX512(c)
	case rows == 2 && avx512:
		narrowSlideGrad2AVX512(c)
	case rows == 2 && wide:
		slideGrad2AVX2(c)
	case rows == 2:
		narrowSlideGrad2AVX2(c)
	case avx512 && wide:
		slideGrad1AVX512(c)
	case avx512:
		narrowSlideGrad1AVX512(c)
	case wide:
		slideGrad1AVX2(c)
	default:
		narrowSlideGrad1AVX2(c)
	}
}
