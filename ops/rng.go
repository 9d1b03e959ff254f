package ops

import (
	"math"
	"sync/atomic"

	"github.com/stheno-ml/stheno/internal/exec"
)

// RNG is where the random ops of a graph get their numbers from. It is counter-based: the number for an
// element is a hash of (Seed, stream of the op, Step, index of the element), so it does not matter which
// worker computes it, or in which order, or how the array lies in memory.
//
// All random ops of a graph share one *RNG. Whoever runs the graph adds 1 to Step before each run that is to
// be different from the last; Seed and Step are all that a checkpoint must keep. Step must not be changed
// during a run.
type RNG struct {
	Seed uint64
	Step uint64

	streams atomic.Uint64 // handed out so far
}

// NewRNG is a generator at step 0.
func NewRNG(seed uint64) *RNG { return &RNG{Seed: seed} }

// ownStreams tells apart ops that have no generator.
var ownStreams atomic.Uint64

// firstFree is where the streams begin that an RNG hands out; those below are the caller's to give.
const firstFree = 1 << 63

// source is what a random op draws from: comparable, and not changed by a run.
type source struct {
	rng    *RNG
	stream uint64
	own    *atomic.Uint64 // steps of an op that has no RNG to follow
}

// newSource gives stream 0 the next stream of rng that is free. Without rng the op counts its own runs.
func newSource(rng *RNG, stream uint64) source {
	if rng == nil {
		if stream == 0 {
			stream = firstFree + ownStreams.Add(1)
		}
		return source{rng: &RNG{}, stream: stream, own: new(atomic.Uint64)}
	}
	if stream == 0 {
		stream = firstFree + rng.streams.Add(1)
	}
	return source{rng: rng, stream: stream}
}

// sequence is the numbers of one run.
func (s source) sequence() sequence {
	step := s.rng.Step
	if s.own != nil {
		step = s.own.Add(1) - 1
	}
	return sequence(mix(mix(mix(s.rng.Seed+golden)+s.stream+golden) + step + golden))
}

// sequence is the numbers of one op in one run, numbered from 0: SplitMix64 (Steele, Lea and Flood 2014) with
// a start of its own.
type sequence uint64

const golden = 0x9e3779b97f4a7c15 // 2⁶⁴ divided by the golden ratio

func (s sequence) bits(i int) uint64 { return mix(uint64(s) + golden*(uint64(i)+1)) }

// from is the sequence that begins with number i and takes every step-th one: a state, to be mixed, and what
// is added to it each time.
func (s sequence) from(i, step int) (state, add uint64) {
	return uint64(s) + golden*(uint64(i)+1), golden * uint64(step)
}

// mix is SplitMix64's output function: a bijection in which each bit of the result hangs on all bits of z.
func mix(z uint64) uint64 {
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// uniform is number i as a float in [0, 1), a multiple of 2⁻⁵³.
func (s sequence) uniform(i int) float64 { return float64(s.bits(i)>>11) * 0x1p-53 }

// normals is samples of the standard normal distribution (Box and Muller 1958). Samples 2k and 2k+1 are made
// together, of numbers 2k and 2k+1; the pair asked for last is kept.
type normals struct {
	s    sequence
	pair int // −1 for none
	v    [2]float64
}

func (n *normals) at(i int) float64 {
	if k := i >> 1; k != n.pair {
		n.pair = k
		radius := math.Sqrt(-2 * math.Log(1-n.s.uniform(2*k))) // 1−u is in (0, 1]
		sin, cos := sincos(n.s.uniform(2*k + 1))
		n.v = [2]float64{radius * cos, radius * sin}
	}
	return n.v[i&1]
}

// sincos is sine and cosine of a turn's part u in [0, 1]: by their Taylor series up to an eighth of a turn from
// the nearest quarter, where the first term left out is below 1e-16. math.Sincos reduces any angle, and takes
// three times as long.
func sincos(u float64) (sin, cos float64) {
	quarter := int(4*u + 0.5)
	x := (u - float64(quarter)/4) * 2 * math.Pi // the difference is exact
	z := x * x
	sin = x * (1 - z*(1./6)*(1-z*(1./20)*(1-z*(1./42)*(1-z*(1./72)*(1-z*(1./110)*(1-z*(1./156)*(1-z*(1./210))))))))
	cos = 1 - z*(1./2)*(1-z*(1./12)*(1-z*(1./30)*(1-z*(1./56)*(1-z*(1./90)*(1-z*(1./132)*(1-z*(1./182)*(1-z*(1./240))))))))
	c, s := quarters[quarter&3], quarters[(quarter+3)&3]
	return c*sin + s*cos, c*cos - s*sin
}

var quarters = [4]float64{1, 0, -1, 0} // cosine of 0 to 3 quarters of a turn; sine is that of the quarter before

// elementWalk goes through an array in the order of its memory and knows the row-major number of each element, so
// that random numbers do not depend on the former.
type elementWalk struct {
	channels, positions int // of a picture that is channels-last in memory; 1 and 1 in row-major order
}

func elementsOf(a *exec.Array) elementWalk {
	if a.Order == exec.RowMajor {
		return elementWalk{channels: 1, positions: 1}
	}
	return elementWalk{channels: a.Shape[1], positions: a.Shape[2] * a.Shape[3]}
}

// run is the number of element k in memory, and how far the numbers of the elements after it lie apart, for at
// most n of them.
func (w elementWalk) run(k, n int) (element, step, count int) {
	if w.channels == 1 {
		return k, 1, n
	}
	channel, k := k%w.channels, k/w.channels
	position, sample := k%w.positions, k/w.positions
	return (sample*w.channels+channel)*w.positions + position, w.positions, min(n, w.channels-channel)
}
