package conv

import "github.com/stheno-ml/stheno/internal/kernel/cpu"

// RoadName says how a pass over a shape is computed: the algorithm and the instructions.
func RoadName(s *Shape, pass Pass) string {
	return road(s, pass).String() + " " + cpu.Current().String()
}

func (r Road) String() string {
	if r == Product {
		return "product"
	}
	return "unknown"
}
