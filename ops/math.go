package ops

import (
	"gorgonia.org/gorgonia"

	"github.com/stheno-ml/stheno/internal/exec"
	"github.com/stheno-ml/stheno/internal/kernel/vec"
)

// Exp is e to the power of x, element by element.
func Exp(x *Node) (*Node, error) { return apply(exponential{}, x) }

type exponential struct{ elementwise }

func (exponential) name() string           { return "exp" }
func (exponential) run(c *exec.Call) error { return on1(c, vec.Exp[float32], vec.Exp[float64]) }

func (exponential) grad(_ gorgonia.Nodes, y, dy *Node) (gorgonia.Nodes, error) {
	var e expr
	return e.nodes(e.mul(dy, y))
}
