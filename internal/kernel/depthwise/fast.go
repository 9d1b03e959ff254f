//go:build amd64 && !noasm

package depthwise

import (
	"unsafe"

	"github.com/stheno-ml/stheno/internal/kernel/cpu"
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
	_                uint32
	lanes            int // channels of a narrow block

	// What the next row will read first and write: this block's share of their cache lines.
	nextSrc  unsafe.Pointer
	srcLines int
	nextDst  unsafe.Pointer
	dstLines int

	pixel int // bytes of a pixel of source or result, and of a tap of the filter
}

// rows computes rows lo to hi−1 of a result [N, height, width, C] from a source [N, sources, sourceWidth, C].
type rows struct {
	dst, src, f              unsafe.Pointer
	height, width            window.Axis
	dstRow, srcRow, srcImage int // strides in bytes
	c, s                     int // channels, taps in a row of the filter
	scale, shift             unsafe.Pointer
	slope                    float32
}

func (k *rows) run(lo, hi int) {
	list := window.Take(&k.width)
	pixel := 4 * k.c
	call := rowCall{
		srcRow: k.height.SrcStep() * k.srcRow, fRow: k.height.TapStep() * k.s * pixel,
		srcTap: k.width.SrcStep() * pixel, fTap: k.width.TapStep() * pixel,
		dstStep: k.width.DstStep() * pixel, srcStep: k.width.Advance() * pixel,
		segs: &list.Segs[0], slope: k.slope, pixel: pixel,
	}
	wide, lanes := 32, 16
	avx512 := cpu.Current() == cpu.AVX512
	if !avx512 {
		wide, lanes = 16, 8
	}
	for i := lo; i < hi; i++ {
		image, at := i/k.height.Size, i%k.height.Size
		r := k.height.At(at)
		call.rows = r.N
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
			call.n = len(list.Segs)
			call.dst = unsafe.Add(k.dst, i*k.dstRow+4*c)
			call.src = unsafe.Add(k.src, image*k.srcImage+r.Src*k.srcRow+4*c)
			call.f = unsafe.Add(k.f, r.Tap*k.s*pixel+4*c)
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
	list.Release()
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
		r := k.height.At(i % k.height.Size)
		return i/k.height.Size*k.height.Sources + r.Src + max(0, (r.N-1)*k.height.SrcStep()) + 1
	}
	from, to := last(i), last(i+1)
	return stretch{from * k.srcRow, max(0, to-from) * k.srcRow}
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
	if cpu.Current() == cpu.Generic {
		return false
	}
	r := rows{
		dst: pointer(k.dx), src: pointer(k.dy), f: pointer(k.f),
		height: window.Axis{Size: s.H, Sources: s.P, Taps: s.R, Stride: s.StrideH, Pad: s.PadTop, Dilation: s.DilationH, Backward: true},
		width:  window.Axis{Size: s.W, Sources: s.Q, Taps: s.S, Stride: s.StrideW, Pad: s.PadLeft, Dilation: s.DilationW, Backward: true},
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
	if cpu.Current() == cpu.Generic {
		return false
	}
	width := window.Axis{Size: s.Q, Sources: s.W, Taps: s.S, Stride: s.StrideW, Pad: s.PadLeft, Dilation: s.DilationW}
	height := window.Axis{Size: s.P, Sources: s.H, Taps: s.R, Stride: s.StrideH, Pad: s.PadTop, Dilation: s.DilationH}
	pixel := 4 * s.C
	list := window.Take(&width)
	r := rows{height: height, srcRow: s.W * pixel, dstRow: s.Q * pixel}
	parts, total := s.parts(), s.N*s.P
	for part := lo; part < hi; part++ {
		sum := pointer(k.sums[part*s.filterSize():])
		clear(k.sums[part*s.filterSize() : (part+1)*s.filterSize()])
		from, to := part*total/parts, (part+1)*total/parts
		for i := from; i < to; i++ {
			rowTaps := height.At(i % s.P)
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
				x := unsafe.Add(pointer(k.x), (i/s.P*s.H+rowTaps.Src)*r.srcRow+4*c)
				for _, seg := range list.Segs {
					call.dy, call.x, call.pixels = unsafe.Add(dy, seg.Dst*pixel), unsafe.Add(x, seg.Src*pixel), seg.N
					k.segment(&call, rowTaps, seg, wide)
				}
				c += n
			}
		}
	}
	list.Release()
	return true
}

// segment adds one run of pixels to the sums of all taps that it reads, in groups.
func (k *weightGrad[T]) segment(call *gradCall, rowTaps window.Reach, seg window.Segment, wide bool) {
	s := &k.s
	all := rowTaps.N * seg.Taps
	for done := 0; done < all; {
		size := 0
		for _, size = range groupSizes {
			if size <= all-done {
				break
			}
		}
		for j := range call.taps[:size] {
			r, t := (done+j)/seg.Taps, (done+j)%seg.Taps
			call.taps[j] = tapOffsets{
				x:   4 * s.C * (r*s.DilationH*s.W + t*s.DilationW),
				sum: 4 * s.C * ((rowTaps.Tap+r)*s.S + seg.Tap + t),
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
