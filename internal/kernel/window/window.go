// Package window works out which positions of one axis a sliding window joins: convolution and pooling read
// position o·stride − pad + tap·dilation for output o, and their gradients go the other way.
package window

import "sync"

// Axis is one axis of a pass from a source to a result.
type Axis struct {
	Size                  int // positions of the result
	Sources               int // positions of the source
	Taps                  int
	Stride, Pad, Dilation int
	Backward              bool // the result is the windows' input, the source their output
}

// Reach says what a position of the result reads: N taps, the first of them Tap, at source position Src. The
// next ones follow at distance TapStep, their sources at distance SrcStep.
type Reach struct{ Tap, N, Src int }

// TapStep is the distance between the taps that a position reads.
func (a *Axis) TapStep() int {
	if a.Backward {
		return a.Stride / gcd(a.Stride, a.Dilation)
	}
	return 1
}

// SrcStep is the distance between the sources of these taps.
func (a *Axis) SrcStep() int {
	if a.Backward {
		return -a.Dilation / gcd(a.Stride, a.Dilation)
	}
	return a.Dilation
}

// DstStep is the distance between positions of the result that can read the same taps.
func (a *Axis) DstStep() int {
	if a.Backward {
		return a.Stride
	}
	return 1
}

// Advance is how far sources move from one such position to the next.
func (a *Axis) Advance() int {
	if a.Backward {
		return 1
	}
	return a.Stride
}

func gcd(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

// At is what position i reads. Without taps, Src is 0.
func (a *Axis) At(i int) Reach {
	if !a.Backward {
		start := i*a.Stride - a.Pad
		lo, hi := Span(start, a.Dilation, a.Taps, a.Sources)
		if lo >= hi {
			return Reach{}
		}
		return Reach{lo, hi - lo, start + lo*a.Dilation}
	}
	var r Reach
	for t := range a.Taps {
		if o, ok := Output(i, t, a.Pad, a.Stride, a.Dilation, a.Sources); ok {
			if r.N == 0 {
				r.Tap, r.Src = t, o
			}
			r.N++
		}
	}
	return r
}

// Segment is a run of N positions of the result, DstStep apart, that read the same taps; their sources are
// Advance apart.
type Segment struct {
	Dst  int // first position
	Src  int // what its first tap reads
	Tap  int // first tap
	Taps int
	N    int
}

// Segments appends the runs that the axis falls into.
func (a *Axis) Segments(segs []Segment) []Segment {
	for start := range min(a.DstStep(), a.Size) {
		var run Reach
		for i := start; i < a.Size; i += a.DstStep() {
			r := a.At(i)
			if i > start && r.Tap == run.Tap && r.N == run.N {
				segs[len(segs)-1].N++
				continue
			}
			run = r
			segs = append(segs, Segment{i, r.Src, r.Tap, r.N, 1})
		}
	}
	return segs
}

// Span gives the taps lo to hi−1 of a window along one axis that lie inside [0, size): those with
// 0 ≤ start + tap·dilation < size.
func Span(start, dilation, taps, size int) (lo, hi int) {
	if start < 0 {
		lo = (-start + dilation - 1) / dilation
	}
	hi = taps
	if start+(taps-1)*dilation >= size {
		hi = (size - start + dilation - 1) / dilation
	}
	return lo, max(lo, hi)
}

// Output is the output along one axis that reads input position at by tap, if there is one.
func Output(at, tap, pad, stride, dilation, outputs int) (o int, ok bool) {
	d := at + pad - tap*dilation
	return d / stride, d >= 0 && d%stride == 0 && d/stride < outputs
}

// List is a list of segments that can be used again, so that nothing is allocated in steady state.
type List struct{ Segs []Segment }

var (
	mu   sync.Mutex
	free []*List
)

// Take gives the segments of an axis; Release takes the list back.
func Take(a *Axis) *List {
	var l *List
	mu.Lock()
	if k := len(free); k > 0 {
		l, free = free[k-1], free[:k-1]
	} else {
		l = new(List)
	}
	mu.Unlock()
	l.Segs = a.Segments(l.Segs[:0])
	return l
}

// Release ends the use of a list.
func (l *List) Release() {
	mu.Lock()
	free = append(free, l)
	mu.Unlock()
}
