//go:build amd64 && !noasm

package pool

import (
	"unsafe"

	"github.com/stheno-ml/stheno/internal/kernel/cpu"
	"github.com/stheno-ml/stheno/internal/kernel/gemm"
	"github.com/stheno-ml/stheno/internal/kernel/layout"
	"github.com/stheno-ml/stheno/internal/kernel/window"
)

//go:generate sh -c "cd ../gen && go run ./pool -out ../pool/kernels_amd64.s -stubs ../pool/kernels_amd64.go -pkg pool"

// call is what the kernels read; the generator knows its layout. Strides are in bytes. The side array is that of
// places, or of factors.
type call struct {
	dst, src, side             unsafe.Pointer // pixel 0 of the row; of the window's first row
	rows                       int            // rows of the window
	srcRow, srcTap             int            // from one row, or tap, of the window to the next
	sideRow, sideTap           int            // the same in the side array
	dstStep, srcStep, sideStep int            // from one pixel of a segment to the next
	dstPixel, srcPixel         int
	sidePixel                  int
	segs                       *window.Segment
	n                          int   // segments; the kernel counts it down
	channels                   int   // bytes of the channels to do, whole vectors
	tap, tapRow, tapStep       int32 // number of the row's first tap; from one row, or tap, to the next
}

type variant uint8

const (
	doMax variant = iota
	doMaxPlace
	doMaxGrad
	doAverage
	doAverageGrad
)

// exec runs a kernel. The calls are direct, so that c need not live on the heap.
func exec(v variant, wide bool, c *call) {
	p := (*byte)(unsafe.Pointer(c))
	switch {
	case v == doMax && wide:
		maxAVX512(p)
	case v == doMax:
		maxAVX2(p)
	case v == doMaxPlace && wide:
		maxPlaceAVX512(p)
	case v == doMaxPlace:
		maxPlaceAVX2(p)
	case v == doMaxGrad && wide:
		maxGradAVX512(p)
	case v == doMaxGrad:
		maxGradAVX2(p)
	case v == doAverage && wide:
		averageAVX512(p)
	case v == doAverage:
		averageAVX2(p)
	case v == doAverageGrad && wide:
		averageGradAVX512(p)
	case v == doAverageGrad:
		averageGradAVX2(p)
	}
}

// pass is one pass over rows of a result.
type pass struct {
	do           variant
	s            *Shape
	dst, src     unsafe.Pointer
	places       unsafe.Pointer // [as the outputs], a byte each
	factors      unsafe.Pointer // [P, Q]
	down, across window.Axis
	dstW, srcW   int  // width of result and source
	pitch        int  // elements from one pixel of the result to the next
	srcPitch     int  // elements from one pixel of the source to the next
	stream       bool // the result, whose pixels lie side by side, is too large for the cache
}

// run does rows lo to hi−1 and gives the first channel that it did not do.
func (k *pass) run(lo, hi int) int {
	if cpu.Current() == cpu.Generic || k.s.C < 8 {
		return 0
	}
	list := window.Take(&k.across)
	defer list.Release()
	done := 0
	if cpu.Current() == cpu.AVX512 && k.s.C >= 16 {
		done = k.s.C / 16 * 16
		k.channels(lo, hi, 0, done, true, list.Segs)
	}
	if rest := (k.s.C - done) / 8 * 8; rest > 0 {
		k.channels(lo, hi, done, done+rest, false, list.Segs)
		done += rest
	}
	return done
}

// channels does channels from to to−1, by 16 at a time if wide, else by 8.
func (k *pass) channels(lo, hi, from, to int, wide bool, segs []window.Segment) {
	pixel, dstPixel := 4*k.srcPitch, 4*k.pitch
	c := call{
		srcRow: k.down.SrcStep() * k.srcW * pixel, srcTap: k.across.SrcStep() * pixel,
		dstStep: k.across.DstStep() * dstPixel, srcStep: k.across.Advance() * pixel, dstPixel: dstPixel, srcPixel: pixel,
		segs: &segs[0], channels: 4 * (to - from),
		tapRow: int32(k.down.TapStep() * k.s.S), tapStep: int32(k.across.TapStep()),
	}
	unit := 4 // bytes of a pixel in the side array
	if k.places != nil {
		unit = k.s.C
	}
	c.sidePixel, c.sideRow, c.sideTap = unit, k.down.SrcStep()*k.srcW*unit, k.across.SrcStep()*unit
	c.sideStep = k.across.DstStep() * unit
	if k.down.Backward {
		c.sideStep = k.across.Advance() * unit
	}
	// Rows of such a result are made in a buffer and go past the cache as a whole.
	var made []float32
	if k.stream && to-from == k.s.C {
		buf := gemm.Borrow[float32](k.dstW * k.s.C)
		defer buf.Return()
		made = buf.Data
	}
	for i := lo; i < hi; i++ {
		image, at := i/k.down.Size, i%k.down.Size
		r := k.down.At(at)
		row := image*k.down.Sources + r.Src // of the source
		c.rows, c.n, c.tap = r.N, len(segs), int32(r.Tap*k.s.S)
		c.dst = unsafe.Add(k.dst, i*k.dstW*dstPixel+4*from)
		c.src = unsafe.Add(k.src, row*k.srcW*pixel+4*from)
		switch {
		case k.places != nil && k.down.Backward:
			c.side = unsafe.Add(k.places, row*k.srcW*unit+from)
		case k.places != nil:
			c.side = unsafe.Add(k.places, i*k.dstW*unit+from)
		case k.factors != nil && k.down.Backward:
			c.side = unsafe.Add(k.factors, r.Src*k.srcW*unit)
		case k.factors != nil:
			c.side = unsafe.Add(k.factors, at*k.dstW*unit)
		}
		if made == nil {
			exec(k.do, wide, &c)
			continue
		}
		result := c.dst
		c.dst = address(made)
		exec(k.do, wide, &c)
		layout.Stream(unsafe.Slice((*float32)(result), len(made)), made)
	}
}

func address[E any](x []E) unsafe.Pointer { return unsafe.Pointer(unsafe.SliceData(x)) }

// bytes tells whether places are bytes.
func bytes[I Index]() bool {
	var zero I
	return unsafe.Sizeof(zero) == 1
}

// The fast methods give the first channel that they did not do.

func (k *maxForward[T, I]) fast(lo, hi int) int {
	p := pass{do: doMax, s: &k.s, dst: address(k.y), src: address(k.x), down: k.s.down(false), across: k.s.across(false), dstW: k.s.Q, srcW: k.s.W, pitch: k.s.pitch(), srcPitch: k.s.C}
	if k.arg != nil {
		if !bytes[I]() {
			return 0
		}
		p.do, p.places = doMaxPlace, address(k.arg)
	}
	return p.run(lo, hi)
}

func (k *maxBackward[T, I]) fast(lo, hi int) int {
	if !bytes[I]() {
		return 0
	}
	p := pass{do: doMaxGrad, s: &k.s, dst: address(k.dx), src: address(k.dy), places: address(k.arg), down: k.s.down(true), across: k.s.across(true), dstW: k.s.W, srcW: k.s.Q, pitch: k.s.C, srcPitch: k.s.pitch(), stream: len(k.dx) >= layout.Past}
	return p.run(lo, hi)
}

func (k *averageForward[T]) fast(lo, hi int) int {
	p := pass{do: doAverage, s: &k.s, dst: address(k.y), src: address(k.x), factors: address(k.f.f32), down: k.s.down(false), across: k.s.across(false), dstW: k.s.Q, srcW: k.s.W, pitch: k.s.pitch(), srcPitch: k.s.C}
	return p.run(lo, hi)
}

func (k *averageBackward[T]) fast(lo, hi int) int {
	p := pass{do: doAverageGrad, s: &k.s, dst: address(k.dx), src: address(k.dy), factors: address(k.f.f32), down: k.s.down(true), across: k.s.across(true), dstW: k.s.W, srcW: k.s.Q, pitch: k.s.C, srcPitch: k.s.C}
	return p.run(lo, hi)
}

// addRowsFast is addRows for whole vectors of channels; it gives the first channel that it did not do.
func (k *globalForward[T]) addRowsFast(y []T, from, rows int) int {
	yp, xp := (*float32)(address(y)), (*float32)(address(k.x[from:]))
	switch cpu.Current() {
	case cpu.AVX512:
		addRowsAVX512(yp, xp, rows, 4*k.c, len(y))
		return len(y) / 16 * 16
	case cpu.AVX2:
		addRowsAVX2(yp, xp, rows, 4*k.c, len(y))
		return len(y) / 8 * 8
	}
	return 0
}
