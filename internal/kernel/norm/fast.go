//go:build amd64 && !noasm

package norm

import (
	"unsafe"

	"github.com/stheno-ml/stheno/internal/kernel/cpu"
)

//go:generate sh -c "cd ../gen && go run ./norm -out ../norm/kernels_amd64.s -stubs ../norm/kernels_amd64.go -pkg norm"

// call is what the kernels read; the generator knows its layout. A kernel walks over rows of channels.
type call struct {
	rows, stride, channels int     // stride: bytes from one row to the next
	step                   int     // bytes from one vector's parameters to the next's; 0 when all share one
	slope                  float32 // of the activation; 0 is ReLU, which has walks of its own, where ∞·0 is not made
	arrays                 [5]unsafe.Pointer
	params                 [6]unsafe.Pointer
	sums                   unsafe.Pointer // for each vector: the doubles of the first sum, then those of the second
	strideApart            int            // bytes from one row to the next of the array whose rows may lie apart: y forward, dy backward
}

// Places in call.arrays and call.params.
const (
	arrayY, arrayX, arrayAdd          = 0, 1, 2
	arrayDx, arrayDadd                = 0, 2
	arrayDy, arrayMask                = 3, 4
	paramMean, paramScale, paramShift = 0, 1, 2
	paramB, paramA, paramC            = 3, 4, 5
)

type variant uint8

const (
	doStats variant = iota
	doGradStats
	doGradStatsMasked
	doGradStatsFromX
	doNormalize
	doNormalizeAct
	doNormalizeAdd
	doNormalizeAddAct
	doInputGrad
	doInputGradMasked
	doInputGradSplit
	doInputGradFromX
	doFrozenGrad
	doFrozenGradMasked
	doFrozenGradSplit
	doFrozenGradFromX
)

// exec runs a kernel of the road in force. The calls are direct, so that c need not live on the heap.
func exec(v variant, c *call) {
	p := (*byte)(unsafe.Pointer(c))
	wide := cpu.Current() == cpu.AVX512
	switch {
	case v == doStats && wide:
		statsAVX512(p)
	case v == doStats:
		statsAVX2(p)
	case v == doGradStats && wide:
		gradStatsAVX512(p)
	case v == doGradStats:
		gradStatsAVX2(p)
	case v == doGradStatsMasked && wide:
		gradStatsMaskedAVX512(p)
	case v == doGradStatsMasked:
		gradStatsMaskedAVX2(p)
	case v == doGradStatsFromX && wide:
		gradStatsFromXAVX512(p)
	case v == doGradStatsFromX:
		gradStatsFromXAVX2(p)
	case v == doNormalize && wide:
		normalizeAVX512(p)
	case v == doNormalize:
		normalizeAVX2(p)
	case v == doNormalizeAct && wide:
		normalizeActAVX512(p)
	case v == doNormalizeAct:
		normalizeActAVX2(p)
	case v == doNormalizeAdd && wide:
		normalizeAddAVX512(p)
	case v == doNormalizeAdd:
		normalizeAddAVX2(p)
	case v == doNormalizeAddAct && wide:
		normalizeAddActAVX512(p)
	case v == doNormalizeAddAct:
		normalizeAddActAVX2(p)
	case v == doInputGrad && wide:
		inputGradAVX512(p)
	case v == doInputGrad:
		inputGradAVX2(p)
	case v == doInputGradMasked && wide:
		inputGradMaskedAVX512(p)
	case v == doInputGradMasked:
		inputGradMaskedAVX2(p)
	case v == doInputGradSplit && wide:
		inputGradSplitAVX512(p)
	case v == doInputGradSplit:
		inputGradSplitAVX2(p)
	case v == doInputGradFromX && wide:
		inputGradFromXAVX512(p)
	case v == doInputGradFromX:
		inputGradFromXAVX2(p)
	case v == doFrozenGrad && wide:
		frozenGradAVX512(p)
	case v == doFrozenGrad:
		frozenGradAVX2(p)
	case v == doFrozenGradMasked && wide:
		frozenGradMaskedAVX512(p)
	case v == doFrozenGradMasked:
		frozenGradMaskedAVX2(p)
	case v == doFrozenGradSplit && wide:
		frozenGradSplitAVX512(p)
	case v == doFrozenGradSplit:
		frozenGradSplitAVX2(p)
	case v == doFrozenGradFromX && wide:
		frozenGradFromXAVX512(p)
	case v == doFrozenGradFromX:
		frozenGradFromXAVX2(p)
	}
}

// lanes is the number of floats in a vector of the road in force.
func lanes() int {
	if cpu.Current() == cpu.AVX512 {
		return 16
	}
	return 8
}

// pieces runs a kernel over the n elements at places arrays, that all belong to one channel: as some rows, and a
// rest. The parameters are single vectors. c is a copy: storing through a pointer would move them to the heap.
func pieces(v variant, c call, n, rows int) {
	each := n / rows
	start := c.arrays
	c.rows, c.stride, c.channels, c.step = rows, 4*each, each, 0
	c.strideApart = c.stride
	if each > 0 {
		exec(v, &c)
	}
	if rest := n - rows*each; rest > 0 {
		for i, p := range start {
			if p != nil {
				c.arrays[i] = unsafe.Add(p, 4*rows*each)
			}
		}
		c.rows, c.channels = 1, rest
		exec(v, &c)
	}
}

// at is the address of x[i], nil for a nil x.
func at[T Float](x []T, i int) unsafe.Pointer {
	if x == nil {
		return nil
	}
	return unsafe.Pointer(&x[i])
}

// spread is one value in every lane.
func spread[T Float](v T) (a [16]float32) {
	for i := range a {
		a[i] = float32(v)
	}
	return a
}

func (k *sumTask[T]) variant() variant {
	switch {
	case k.dy == nil:
		return doStats
	case k.mask.FromX:
		return doGradStatsFromX
	case k.mask.Y != nil:
		return doGradStatsMasked
	}
	return doGradStats
}

// set points a call at the operands from element i on; those of dy are elsewhere.
func (k *sumTask[T]) set(c *call, i, dy int) {
	c.slope = float32(k.mask.Slope)
	c.arrays[arrayX], c.arrays[arrayDy] = at(k.x, i), at(k.dy, dy)
	if !k.mask.FromX {
		c.arrays[arrayMask] = at(k.mask.Y, i)
	}
}

// rowsFast is rows in assembly, where the road has any.
func (k *sumTask[T]) rowsFast(s, q []float64, r0, r1, c0, c1 int) bool {
	if cpu.Current() == cpu.Generic {
		return false
	}
	var sums [2 * blockWidth]float64
	c := call{rows: r1 - r0, stride: 4 * k.shape.C, channels: c1 - c0, step: 4 * lanes(), sums: unsafe.Pointer(&sums)}
	pitch := k.mask.pitch(k.shape)
	c.strideApart = 4 * pitch
	k.set(&c, r0*k.shape.C+c0, r0*pitch+c0)
	c.params[paramMean], c.params[paramScale], c.params[paramShift] = at(k.shift, c0), at(k.scale, c0), at(k.offset, c0)
	exec(k.variant(), &c)
	n := lanes()
	for j := range s {
		i := j/n*2*n + j%n
		s[j], q[j] = sums[i], sums[i+n]
	}
	return true
}

// planeFast is plane in assembly, where the road has any.
func (k *sumTask[T]) planeFast(from, to, channel int) (s, q float64, ok bool) {
	if cpu.Current() == cpu.Generic {
		return 0, 0, false
	}
	var sums [32]float64
	c := call{sums: unsafe.Pointer(&sums)}
	k.set(&c, from, from)
	var mean, scale, shift [16]float32
	c.params[paramMean], c.params[paramScale], c.params[paramShift] = unsafe.Pointer(&mean), unsafe.Pointer(&scale), unsafe.Pointer(&shift)
	if k.shift != nil {
		mean = spread(k.shift[channel])
	}
	if k.mask.FromX {
		scale, shift = spread(k.scale[channel]), spread(k.offset[channel])
	}
	pieces(k.variant(), c, to-from, 6)
	n := lanes()
	for i := range n {
		s += sums[i]
		q += sums[i+n]
	}
	return s, q, true
}

// fast does rows or planes lo to hi−1 in assembly, where the road has any.
func (k *forwardTask[T]) fast(lo, hi int) bool {
	if cpu.Current() == cpu.Generic {
		return false
	}
	v := doNormalize
	switch {
	case k.post.Add != nil && k.post.Act:
		v = doNormalizeAddAct
	case k.post.Add != nil:
		v = doNormalizeAdd
	case k.post.Act:
		v = doNormalizeAct
	}
	c := call{slope: float32(k.post.Slope)}
	set := func(y, i int) {
		c.arrays[arrayY], c.arrays[arrayX], c.arrays[arrayAdd] = at(k.y, y), at(k.x, i), at(k.post.Add, i)
	}
	channels, inner := k.shape.C, k.shape.Inner
	if inner == 1 {
		pitch := k.post.pitch(k.shape)
		set(lo*pitch, lo*channels)
		c.rows, c.stride, c.strideApart, c.channels, c.step = hi-lo, 4*channels, 4*pitch, channels, 4*lanes()
		c.params[paramMean], c.params[paramScale], c.params[paramShift] = at(k.mean, 0), at(k.scale, 0), at(k.shift, 0)
		exec(v, &c)
		return true
	}
	var mean, scale, shift [16]float32
	c.params[paramMean], c.params[paramScale], c.params[paramShift] = unsafe.Pointer(&mean), unsafe.Pointer(&scale), unsafe.Pointer(&shift)
	for i := lo; i < hi; i++ {
		j := i % channels
		mean, scale, shift = spread(k.mean[j]), spread(k.scale[j]), spread(k.shift[j])
		set(i*inner, i*inner)
		pieces(v, c, inner, 3)
	}
	return true
}

// fast does rows or planes lo to hi−1 in assembly, where the road has any.
func (k *backwardTask[T]) fast(lo, hi int) bool {
	if cpu.Current() == cpu.Generic {
		return false
	}
	v := doInputGrad
	if k.frozen {
		v = doFrozenGrad
	}
	switch { // the variants come in the order plain, masked, split, from x
	case k.mask.FromX && k.dadd != nil:
		return false // no addition, so nobody asks for its gradient
	case k.mask.FromX:
		v += 3
	case k.mask.Y != nil && k.dadd != nil:
		v += 2
	case k.mask.Y != nil:
		v++
	case k.dadd != nil:
		per := k.shape.Inner
		if per == 1 {
			per = k.shape.C
		}
		copy(k.dadd[lo*per:hi*per], k.dy[lo*per:hi*per])
	}
	var c call
	c.slope = float32(k.mask.Slope)
	set := func(i, dy int) {
		c.arrays[arrayDx], c.arrays[arrayX], c.arrays[arrayDadd] = at(k.dx, i), at(k.x, i), at(k.dadd, i)
		c.arrays[arrayDy] = at(k.dy, dy)
		if !k.mask.FromX {
			c.arrays[arrayMask] = at(k.mask.Y, i)
		}
	}
	channels, inner := k.shape.C, k.shape.Inner
	if inner == 1 {
		pitch := k.mask.pitch(k.shape)
		set(lo*channels, lo*pitch)
		c.rows, c.stride, c.strideApart, c.channels, c.step = hi-lo, 4*channels, 4*pitch, channels, 4*lanes()
		c.params[paramA], c.params[paramB], c.params[paramC] = at(k.a, 0), at(k.b, 0), at(k.c, 0)
		c.params[paramMean], c.params[paramScale], c.params[paramShift] = at(k.mean, 0), at(k.scale, 0), at(k.offset, 0)
		exec(v, &c)
		return true
	}
	var mean, a, b, cc, scale, shift [16]float32
	c.params[paramMean], c.params[paramScale], c.params[paramShift] = unsafe.Pointer(&mean), unsafe.Pointer(&scale), unsafe.Pointer(&shift)
	c.params[paramA], c.params[paramB], c.params[paramC] = unsafe.Pointer(&a), unsafe.Pointer(&b), unsafe.Pointer(&cc)
	for i := lo; i < hi; i++ {
		j := i % channels
		a = spread(k.a[j])
		if k.x != nil {
			mean = spread(k.mean[j])
		}
		if !k.frozen {
			b, cc = spread(k.b[j]), spread(k.c[j])
		}
		if k.mask.FromX {
			scale, shift = spread(k.scale[j]), spread(k.offset[j])
		}
		set(i*inner, i*inner)
		pieces(v, c, inner, 3)
	}
	return true
}
