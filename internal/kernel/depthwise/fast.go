//go:build amd64 && !noasm

package depthwise

import (
	"sync"
	"unsafe"

	"github.com/stheno-ml/stheno/internal/kernel/cpu"
)

//go:generate sh -c "cd ../gen && go run ./depthwise -out ../depthwise/kernels_amd64.s -stubs ../depthwise/kernels_amd64.go -pkg depthwise"

// rowCall is what the row kernels read; the generator knows its layout. Strides are in bytes.
type rowCall struct {
	dst, src, f      unsafe.Pointer // dst and src: pixel 0 of the row; f: the first tap row
	rows             int            // tap rows
	srcRow, fRow     int            // from one tap row to the next
	srcTap, fTap     int            // from one tap to the next
	dstStep, srcStep int            // from one pixel of a segment to the next
	segs             *segment
	n                int            // segments; the kernel counts it down
	scale, shift     unsafe.Pointer // epilogue; nil: none
	slope            float32
	_                uint32
	lanes            int // channels of a narrow block

	// What the next row will read first and write: this block's share of their cache lines.
	nextSrc  unsafe.Pointer
	srcLines int
	nextDst  unsafe.Pointer
	dstLines int
}

// segment is a run of pixels along a row that read the same taps. Offsets are in bytes.
type segment struct {
	dst, src, f  int
	pixels, taps int
}

// reach says what a position along one axis reads: n taps, the first of them tap, at source position src.
type reach struct{ tap, n, src int }

// axis is the geometry of one axis of a pass: position to position, tap to tap.
type axis struct {
	size                    int // positions to compute
	stride, pad, dilation   int
	taps, sources           int
	backward                bool
	tapStep, srcStep, phase int // taps advance by tapStep, their sources by srcStep; positions phase apart read the same taps
}

// newAxis is the axis of the forward pass (size outputs from sources inputs) or of the input gradient (size
// inputs from sources outputs).
func newAxis(size, sources, taps, stride, pad, dilation int, backward bool) axis {
	a := axis{size: size, stride: stride, pad: pad, dilation: dilation, taps: taps, sources: sources, backward: backward}
	if backward {
		g := gcd(stride, dilation)
		a.tapStep, a.srcStep, a.phase = stride/g, -dilation/g, stride
	} else {
		a.tapStep, a.srcStep, a.phase = 1, dilation, 1
	}
	return a
}

func gcd(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

// at is what position i reads. Without taps, src is 0.
func (a *axis) at(i int) reach {
	if !a.backward {
		start := i*a.stride - a.pad
		lo, hi := span(start, a.dilation, a.taps, a.sources)
		if lo >= hi {
			return reach{}
		}
		return reach{lo, hi - lo, start + lo*a.dilation}
	}
	var r reach
	for t := range a.taps {
		if o, ok := outputOf(i, t, a.pad, a.stride, a.dilation, a.sources); ok {
			if r.n == 0 {
				r.tap, r.src = t, o
			}
			r.n++
		}
	}
	return r
}

// segments lists the runs of positions with the same taps. The strides are those of a position of the result, a
// position of the source and a tap, in bytes.
func (a *axis) segments(segs []segment, dstStride, srcStride, fStride int) []segment {
	for start := range min(a.phase, a.size) {
		var run reach
		for i := start; i < a.size; i += a.phase {
			r := a.at(i)
			if i > start && r.tap == run.tap && r.n == run.n {
				segs[len(segs)-1].pixels++
				continue
			}
			run = r
			segs = append(segs, segment{i * dstStride, r.src * srcStride, r.tap * fStride, 1, r.n})
		}
	}
	return segs
}

// segmentLists are lists that wait to be used again, so that nothing is allocated in steady state.
var (
	segmentsMu   sync.Mutex
	segmentLists []*[]segment
)

func takeSegments() *[]segment {
	segmentsMu.Lock()
	defer segmentsMu.Unlock()
	if k := len(segmentLists); k > 0 {
		l := segmentLists[k-1]
		segmentLists = segmentLists[:k-1]
		return l
	}
	return new([]segment)
}

func releaseSegments(l *[]segment) {
	segmentsMu.Lock()
	segmentLists = append(segmentLists, l)
	segmentsMu.Unlock()
}

// rows computes rows lo to hi−1 of a result [N, height, width, C] from a source [N, sources, sourceWidth, C].
type rows struct {
	dst, src, f              unsafe.Pointer
	height, width            axis
	dstRow, srcRow, srcImage int // strides in bytes
	c, s                     int // channels, taps in a row of the filter
	scale, shift             unsafe.Pointer
	slope                    float32
}

func (k *rows) run(lo, hi int) {
	list := takeSegments()
	pixel := 4 * k.c
	segs := k.width.segments((*list)[:0], pixel, pixel, pixel)
	*list = segs
	call := rowCall{
		srcRow: k.height.srcStep * k.srcRow, fRow: k.height.tapStep * k.s * pixel,
		srcTap: k.width.srcStep * pixel, fTap: k.width.tapStep * pixel,
		dstStep: k.width.phase * pixel, srcStep: pixel,
		segs: &segs[0], slope: k.slope,
	}
	if !k.width.backward {
		call.srcStep = k.width.stride * pixel
	}
	wide, lanes := 32, 16
	avx512 := cpu.Current() == cpu.AVX512
	if !avx512 {
		wide, lanes = 16, 8
	}
	for i := lo; i < hi; i++ {
		image, at := i/k.height.size, i%k.height.size
		r := k.height.at(at)
		call.rows = r.n
		var nextSrc, nextDst stretch
		if i+1 < hi {
			nextSrc, nextDst = k.news(i), stretch{(i + 1) * k.dstRow, k.dstRow}
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
			call.n = len(segs)
			call.dst = unsafe.Add(k.dst, i*k.dstRow+4*c)
			call.src = unsafe.Add(k.src, image*k.srcImage+r.src*k.srcRow+4*c)
			call.f = unsafe.Add(k.f, r.tap*k.s*pixel+4*c)
			call.nextSrc, call.srcLines = nextSrc.share(k.src, c, n, k.c)
			call.nextDst, call.dstLines = nextDst.share(k.dst, c, n, k.c)
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
	}
	releaseSegments(list)
}

// stretch is a piece of memory: its place and length in bytes.
type stretch struct{ at, size int }

// share is the part of a stretch that goes with n of c channels, from channel first on, in cache lines.
func (s stretch) share(base unsafe.Pointer, first, n, c int) (unsafe.Pointer, int) {
	from, to := s.size*first/c, s.size*(first+n)/c
	if from == to {
		return nil, 0
	}
	return unsafe.Add(base, s.at+from), (to - from + 63) / 64
}

// news is the source rows that row i+1 reads and row i does not.
func (k *rows) news(i int) stretch {
	last := func(i int) int { // the source row after the last that row i of the result reads
		r := k.height.at(i % k.height.size)
		return i/k.height.size*k.height.sources + r.src + max(0, (r.n-1)*k.height.srcStep) + 1
	}
	from, to := last(i), last(i+1)
	return stretch{from * k.srcRow, max(0, to-from) * k.srcRow}
}

// fast does output rows lo to hi−1 in assembly, where the road has any.
func (k *forward[T]) fast(lo, hi int) bool {
	s := &k.s
	if cpu.Current() == cpu.Generic || s.M != 1 {
		return false
	}
	r := rows{
		dst: pointer(k.y), src: pointer(k.x), f: pointer(k.f),
		height: newAxis(s.P, s.H, s.R, s.StrideH, s.PadTop, s.DilationH, false),
		width:  newAxis(s.Q, s.W, s.S, s.StrideW, s.PadLeft, s.DilationW, false),
		dstRow: 4 * s.Q * s.C, srcRow: 4 * s.W * s.C, srcImage: 4 * s.H * s.W * s.C,
		c: s.C, s: s.S,
	}
	if k.e.Scale != nil {
		r.scale, r.shift, r.slope = pointer(k.e.Scale), pointer(k.e.Shift), float32(k.e.Slope)
	}
	r.run(lo, hi)
	return true
}

// fast does input rows lo to hi−1 in assembly, where the road has any.
func (k *inputGrad[T]) fast(lo, hi int) bool {
	s := &k.s
	if cpu.Current() == cpu.Generic || s.M != 1 {
		return false
	}
	r := rows{
		dst: pointer(k.dx), src: pointer(k.dy), f: pointer(k.f),
		height: newAxis(s.H, s.P, s.R, s.StrideH, s.PadTop, s.DilationH, true),
		width:  newAxis(s.W, s.Q, s.S, s.StrideW, s.PadLeft, s.DilationW, true),
		dstRow: 4 * s.W * s.C, srcRow: 4 * s.Q * s.C, srcImage: 4 * s.P * s.Q * s.C,
		c: s.C, s: s.S,
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

	taps [9]tapOffsets
}

// tapOffsets are the places of one tap in bytes: in the picture, from the first pixel's first tap, and in the sums.
type tapOffsets struct{ x, sum int }

// groupSizes are the numbers of taps that there are kernels for.
var groupSizes = [...]int{9, 6, 3, 1}

// fast forms partial sums lo to hi−1 in assembly, where the road has any.
func (k *weightGrad[T]) fast(lo, hi int) bool {
	s := &k.s
	if cpu.Current() == cpu.Generic || s.M != 1 {
		return false
	}
	width := newAxis(s.Q, s.W, s.S, s.StrideW, s.PadLeft, s.DilationW, false)
	height := newAxis(s.P, s.H, s.R, s.StrideH, s.PadTop, s.DilationH, false)
	pixel := 4 * s.C
	list := takeSegments()
	segs := width.segments((*list)[:0], pixel, pixel, pixel)
	*list = segs
	r := rows{height: height, srcRow: s.W * pixel, dstRow: s.Q * pixel}
	parts, total := s.parts(), s.N*s.P
	for part := lo; part < hi; part++ {
		sum := pointer(k.sums[part*s.filterSize():])
		clear(k.sums[part*s.filterSize() : (part+1)*s.filterSize()])
		from, to := part*total/parts, (part+1)*total/parts
		for i := from; i < to; i++ {
			rowTaps := height.at(i % s.P)
			var nextX, nextDy stretch
			if i+1 < to {
				nextX, nextDy = r.news(i), stretch{(i + 1) * r.dstRow, r.dstRow}
			}
			call := gradCall{dyStep: pixel, xStep: s.StrideW * pixel}
			for c := 0; c < s.C; {
				wide, n := block(s.C - c)
				call.lanes = n
				call.nextX, call.xLines = nextX.share(pointer(k.x), c, n, s.C)
				call.nextDy, call.dyLines = nextDy.share(pointer(k.dy), c, n, s.C)
				call.sum = unsafe.Add(sum, 4*c)
				dy := unsafe.Add(pointer(k.dy), i*r.dstRow+4*c)
				x := unsafe.Add(pointer(k.x), (i/s.P*s.H+rowTaps.src)*r.srcRow+4*c)
				for _, seg := range segs {
					call.dy, call.x, call.pixels = unsafe.Add(dy, seg.dst), unsafe.Add(x, seg.src), seg.pixels
					k.segment(&call, rowTaps, seg, wide)
				}
				c += n
			}
		}
	}
	releaseSegments(list)
	return true
}

// segment adds one run of pixels to the sums of all taps that it reads, in groups.
func (k *weightGrad[T]) segment(call *gradCall, rowTaps reach, seg segment, wide bool) {
	s := &k.s
	all := rowTaps.n * seg.taps
	for done := 0; done < all; {
		size := 0
		for _, size = range groupSizes {
			if size <= all-done {
				break
			}
		}
		for j := range call.taps[:size] {
			r, t := (done+j)/seg.taps, (done+j)%seg.taps
			call.taps[j] = tapOffsets{
				x:   4 * s.C * (r*s.DilationH*s.W + t*s.DilationW),
				sum: 4*s.C*(rowTaps.tap+r)*s.S + seg.f + 4*s.C*t,
			}
		}
		gradKernel(size, wide, (*byte)(unsafe.Pointer(call)))
		call.xLines, call.dyLines = 0, 0
		done += size
	}
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
	case taps == 9 && wide:
		grad9AVX2(c)
	case taps == 6 && wide:
		grad6AVX2(c)
	case taps == 3 && wide:
		grad3AVX2(c)
	case wide:
		grad1AVX2(c)
	case taps == 9:
		narrowGrad9AVX2(c)
	case taps == 6:
		narrowGrad6AVX2(c)
	case taps == 3:
		narrowGrad3AVX2(c)
	default:
		narrowGrad1AVX2(c)
	}
}

// block is how many channels the weight gradient takes next when so many are left, and whether they fill the
// kernel's vectors.
func block(left int) (wide bool, n int) {
	full, lanes := 32, 16
	if cpu.Current() != cpu.AVX512 {
		full, lanes = 8, 8
	}
	if left >= full {
		return true, full
	}
	return false, min(lanes, left)
}
