package winograd

// What parts of the work take, in nanoseconds on one core of the machine the kernels were measured on
// (Zen 4, 3.6 GHz, AVX-512). Only ratios matter to Worth.
const (
	perFlop     = 1 / 110.
	pixelCost   = 75  // to transform 6x6 pixels of 16 channels
	sumCost     = 115 // to store the products of a tile of 16 channels and transform them
	filterCost  = 60  // to transform 16 filters, or their gradients back
	packCost    = 20  // to lay 16 filters out for the direct road
	fixedCost   = 5000
	leastFactor = 1.05
)

// Worth tells whether a pass is expected to be faster than a direct convolution at nine tenths of the
// processor's peak. It is not with fewer than 16 channels on either side, where transforms outweigh
// products, and with few or tiny pictures, where the transform of the filters does or tiles are mostly
// padding. The answer depends on the shape only.
func Worth(s *Shape, pass Pass) bool { return s.worth(pass, false) }

// WorthPacked is Worth for ForwardPacked.
func WorthPacked(s *Shape) bool { return s.worth(PassForward, true) }

func (s *Shape) worth(pass Pass, packed bool) bool {
	if s.C < lane || s.K < lane {
		return false
	}
	g := s.geometry(pass)
	tiles, c, k := float64(g.tiles), float64(g.c), float64(g.kp*lane)
	second := sumCost * k / lane
	if pass == PassWeightGrad {
		second = pixelCost * k / lane
	}
	cost := fixedCost + tiles*(2*36*c*k*perFlop+pixelCost*c/lane+second)
	direct := 2*9*float64(g.n)*float64(min(s.P*s.Q, s.H*s.W))*c*k*perFlop + packCost*c*k/lane
	if !packed {
		cost += filterCost * c * k / lane
	}
	return leastFactor*cost < direct
}
