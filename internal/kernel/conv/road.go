package conv

// Road is an algorithm for a pass over a shape.
type Road int

const (
	Product Road = iota // the implicit matrix product, which computes every shape and pass
	Narrow              // the same with vectors over pixels, for few output channels
	Lanes               // groups of 4 or 8 channels, side by side in a vector
)

func (r Road) String() string { return [...]string{"product", "narrow", "lanes"}[r] }

// RoadOf chooses the algorithm for a pass; it is the one place of this package where that is decided. It
// looks at the shape only, never at values or GOMAXPROCS, so that a shape is always computed the same way.
func RoadOf(s *Shape, pass Pass) Road {
	if laned(s) {
		return Lanes
	}
	switch pl := planOf(s); {
	case pass == PassForward && pl.narrow != nil, pass == PassInputGrad && len(pl.wide.taps) > 0:
		return Narrow
	}
	return Product
}
