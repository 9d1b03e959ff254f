package vec

import (
	"math"
	"sync"

	"github.com/stheno-ml/stheno/internal/kernel/par"
)

// Reductions cut x into at most maxParts parts by its length alone, reduce each, and join the parts in order:
// the result does not depend on who computed what. Sums are carried in float64 from the first addition on.
const maxParts = 256

type reduction uint8

const (
	redSum reduction = iota
	redSumSquares
	redDot
	redMax
	redFinite
	redExpSum // Σ exp(a[i] − s)
	numReductions
)

// parts is a scratch array for partial results; free ones wait in a list, so a reduction allocates nothing
// in steady state.
type parts [maxParts]float64

var (
	partsMu   sync.Mutex
	partsFree []*parts
)

func getParts() *parts {
	partsMu.Lock()
	defer partsMu.Unlock()
	if k := len(partsFree); k > 0 {
		p := partsFree[k-1]
		partsFree = partsFree[:k-1]
		return p
	}
	return new(parts)
}

func putParts(p *parts) {
	partsMu.Lock()
	partsFree = append(partsFree, p)
	partsMu.Unlock()
}

type reduceTask[T Float] struct {
	kind reduction
	size int // elements of a part
	a, b []T
	out  *parts
}

func (r *reduceTask[T]) Run(lo, hi int) {
	for i := lo; i < hi; i++ {
		from, to := i*r.size, min((i+1)*r.size, len(r.a))
		r.out[i] = reducePart(r.kind, r.a[from:to], part(r.b, from, to), 0)
	}
}

// reducePart reduces one part of a vector on the calling goroutine.
func reducePart[T Float](kind reduction, a, b []T, s T) float64 {
	if isFloat32[T]() {
		if k := reduceKernel(kind); k != nil {
			return k(first(a), first(b), len(a), float32(s))
		}
	}
	return reduceLoop(kind, a, b, s)
}

// reduceLoop is a reduction in plain Go.
func reduceLoop[T Float](kind reduction, a, b []T, s T) float64 {
	var s0, s1, s2, s3 float64
	i := 0
	switch kind {
	case redSum:
		for ; i+4 <= len(a); i += 4 {
			s0 += float64(a[i])
			s1 += float64(a[i+1])
			s2 += float64(a[i+2])
			s3 += float64(a[i+3])
		}
		for ; i < len(a); i++ {
			s0 += float64(a[i])
		}
	case redSumSquares:
		return reduceLoop(redDot, a, a, s)
	case redDot:
		b = b[:len(a)]
		for ; i+4 <= len(a); i += 4 {
			s0 += float64(a[i]) * float64(b[i])
			s1 += float64(a[i+1]) * float64(b[i+1])
			s2 += float64(a[i+2]) * float64(b[i+2])
			s3 += float64(a[i+3]) * float64(b[i+3])
		}
		for ; i < len(a); i++ {
			s0 += float64(a[i]) * float64(b[i])
		}
	case redMax:
		m := math.Inf(-1)
		for _, v := range a {
			m = max(m, float64(v))
		}
		return m
	case redFinite:
		for _, v := range a {
			if v-v != 0 {
				return 1
			}
		}
		return 0
	case redExpSum:
		for _, v := range a {
			s0 += math.Exp(float64(v - s))
		}
	}
	return (s0 + s1) + (s2 + s3)
}

func reduce[T Float](kind reduction, a, b []T) float64 {
	n := len(a)
	if n <= grainMemory {
		return reducePart(kind, a, b, 0)
	}
	size := max(grainMemory, (n+maxParts-1)/maxParts)
	p := getParts()
	k := par.Chunks(n, size)
	par.For(k, 1, reduceTask[T]{kind, size, a, b, p})
	s := p[0]
	for _, v := range p[1:k] {
		if kind == redMax || kind == redFinite {
			s = max(s, v)
		} else {
			s += v
		}
	}
	putParts(p)
	return s
}

// Sum is Σ x[i]. It is accumulated and given in float64.
func Sum[T Float](x []T) float64 { return reduce(redSum, x, nil) }

// SumSquares is Σ x[i]², accumulated in float64.
func SumSquares[T Float](x []T) float64 { return reduce(redSumSquares, x, nil) }

// Dot is Σ a[i]·b[i], accumulated in float64.
func Dot[T Float](a, b []T) float64 { return reduce(redDot, a, b[:len(a)]) }

// Max is the largest x[i], NaN if there is one, and −Inf for an empty x.
func Max[T Float](x []T) T { return T(reduce(redMax, x, nil)) }

// HasNaNInf tells whether some x[i] is NaN or infinite.
func HasNaNInf[T Float](x []T) bool { return reduce(redFinite, x, nil) != 0 }

// ArgMax is the first index of the largest x[i]; the first NaN counts as the largest. It is −1 for an empty x.
func ArgMax[T Float](x []T) int {
	at := -1
	for i, v := range x {
		if v != v {
			return i
		}
		if at < 0 || v > x[at] {
			at = i
		}
	}
	return at
}

func inf[T Float]() T { return T(math.Inf(1)) }
