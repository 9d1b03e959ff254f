package ops

import (
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/internal/exec"
)

// ReLU is the rectified linear unit (Nair and Hinton 2010), element by element:
//
//	y = max(x, 0)
//
// Its derivative at 0 is 0, as in PyTorch and TensorFlow. NaN stays NaN.
func ReLU(x *Node) (*Node, error) { return apply(relu{}, x) }

type relu struct{}

func (relu) name() string                                                     { return "relu" }
func (relu) shape(in []tensor.Shape) (tensor.Shape, error)                    { return in[0].Clone(), nil }
func (relu) inPlace() []int                                                   { return []int{0} }
func (relu) flows(in []tensor.Shape, _ tensor.Shape) ([]exec.Flow, exec.Flow) { return follow(len(in)) }
func (relu) run(c *exec.Call) error                                           { return exec.OnFloat(c, reluRun[float32], reluRun[float64]) }

func reluRun[T exec.Float](c *exec.Call) {
	x, y := exec.Data[T](&c.In[0]), exec.Data[T](&c.Out)
	for i, v := range x {
		if v < 0 {
			v = 0
		}
		y[i] = v
	}
}

// The gradient reads the result rather than the input, so that the input need not be kept.
func (relu) grad(_ gorgonia.Nodes, y, dy *Node) (gorgonia.Nodes, error) {
	dx, err := apply(reluGrad{}, y, dy)
	return gorgonia.Nodes{dx}, err
}

// reluGrad is dx = dy where y > 0, else 0; linear in dy, and constant in y but for the kink.
type reluGrad struct{}

func (reluGrad) name() string                                  { return "relu gradient" }
func (reluGrad) shape(in []tensor.Shape) (tensor.Shape, error) { return in[0].Clone(), nil }
func (reluGrad) inPlace() []int                                { return []int{1, 0} }
func (reluGrad) differentiable(int) []bool                     { return []bool{false, true} }
func (reluGrad) flows(in []tensor.Shape, _ tensor.Shape) ([]exec.Flow, exec.Flow) {
	return follow(len(in))
}
func (reluGrad) run(c *exec.Call) error {
	return exec.OnFloat(c, reluGradRun[float32], reluGradRun[float64])
}

func reluGradRun[T exec.Float](c *exec.Call) {
	y, dy, dx := exec.Data[T](&c.In[0]), exec.Data[T](&c.In[1]), exec.Data[T](&c.Out)
	for i, v := range y {
		d := dy[i]
		if v <= 0 {
			d = 0
		}
		dx[i] = d
	}
}

func (reluGrad) grad(in gorgonia.Nodes, _, ddx *Node) (gorgonia.Nodes, error) {
	ddy, err := apply(reluGrad{}, in[0], ddx)
	return gorgonia.Nodes{nil, ddy}, err
}
