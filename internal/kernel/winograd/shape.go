package winograd

import "math"

// Shape of a 3x3 convolution of stride 1. Pictures are channels-last, filters in the public order. There is
// at least one channel on either side.
type Shape struct {
	N, H, W, C      int // input [N, H, W, C]
	K               int // filters [K, C, 3, 3]
	P, Q            int // output [N, P, Q, K], P = H + padTop + padBottom − 2, Q likewise
	PadTop, PadLeft int // zeros above and left of the picture, 0 to 2; those below and right follow from P and Q
	Pitch           int // floats from one pixel of the forward pass's output to the next; 0 for K
}

// Pass names one of the three computations.
type Pass int

const (
	PassForward Pass = iota
	PassInputGrad
	PassWeightGrad
)

// Activation is the function that ends an Epilogue.
type Activation int

const (
	Identity  Activation = iota
	ReLU                 // max(v, 0)
	LeakyReLU            // v < 0 ? Slope·v : v
	Clamp                // min(max(v, Lo), Hi)
)

// Epilogue is what follows a convolution while its result is still in registers:
// y = activation(Scale[k]·conv + Shift[k] + Add). NaN passes through every activation.
type Epilogue struct {
	Scale, Shift []float32 // [K], or nil for 1 and 0
	Add          []float32 // [N, P, Q, K], or nil; nil where the result is pitched
	Activation   Activation
	Slope        float32
	Lo, Hi       float32
}

// bounds are the numbers of the activation min(max(u, lo), hi) + slope·min(u, 0).
func (e *Epilogue) bounds() (lo, hi, slope float32) {
	inf := float32(math.Inf(1))
	switch e.Activation {
	case ReLU:
		return 0, inf, 0
	case LeakyReLU:
		return 0, inf, e.Slope
	case Clamp:
		return e.Lo, e.Hi, 0
	}
	return -inf, inf, 0
}

// geometry is a convolution seen from the transform domain: the forward pass, or the input gradient with
// input and output exchanged.
type geometry struct {
	n, h, w, c    int // what is read
	p, q, k       int // what is written
	pitch         int // from one pixel to the next of what is written
	top, left     int
	th, tw, tiles int // tiles of 4x4 pixels a column, a row, and in all
	c4            int // steps of four channels
	kp            int // panels of 16 output channels
}

func (s *Shape) geometry(pass Pass) geometry {
	g := geometry{n: s.N, h: s.H, w: s.W, c: s.C, p: s.P, q: s.Q, k: s.K, top: s.PadTop, left: s.PadLeft}
	if pass == PassInputGrad {
		g = geometry{n: s.N, h: s.P, w: s.Q, c: s.K, p: s.H, q: s.W, k: s.C, top: 2 - s.PadTop, left: 2 - s.PadLeft}
	}
	g.pitch = g.k
	if pass == PassForward && s.Pitch > 0 {
		g.pitch = s.Pitch
	}
	g.th, g.tw = ceil(g.p, 4), ceil(g.q, 4)
	g.tiles = g.n * g.th * g.tw
	g.c4, g.kp = ceil(g.c, 4), ceil(g.k, lane)
	return g
}

func ceil(a, b int) int { return (a + b - 1) / b }

// filterPlane is the number of floats of a plane of one panel of transformed filters, [4·c4][16], and
// panelLen of the whole panel.
func (g *geometry) filterPlane() int { return 4*g.c4*lane + lane }
func (g *geometry) panelLen() int    { return 36 * g.filterPlane() }

// plane is the number of floats of a plane of n tiles and c channels, [⌈c/16⌉][n][16]. The odd 16 floats,
// here and above, keep the 36 planes from meeting in the same cache sets.
func plane(n, c int) int { return ceil(c, lane)*n*lane + lane }
