package conv

// Road is an algorithm for a pass over a shape.
type Road int

const (
	// Product is the implicit matrix product of this package; it computes every shape and pass.
	Product Road = iota
)

// road chooses the algorithm for a pass; it is the one place where that is decided. It looks at the shape
// only, never at values or GOMAXPROCS, so that a shape is always computed the same way.
func road(s *Shape, pass Pass) Road {
	return Product
}
