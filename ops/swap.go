package ops

import "github.com/stheno-ml/stheno/internal/exec"

var _ exec.Swapper = &op{}

// Swap: the gradients of the activations that are told by the sign of their result. Several windows may send gradients
// to one pixel; all of them see the sign that the pixel has.
func (o *op) Swap(reader, places, taken any) bool {
	scatter, ok := o.rule.(maxScatter)
	r, ours1 := reader.(*op)
	p, ours2 := places.(*op)
	t, ours3 := taken.(*op)
	if !ok || !ours1 || !ours2 || !ours3 {
		return false
	}
	switch r.rule.(type) {
	case reluGrad, leakyGrad:
		return p.rule == rule(maxTaps(scatter)) && t.rule == rule(maxPool(scatter))
	}
	return false
}
