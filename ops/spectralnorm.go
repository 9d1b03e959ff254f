package ops

import (
	"math"

	"github.com/pkg/errors"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/internal/exec"
)

// Spectral is how SpectralNorm looks at a weight.
type Spectral struct {
	Axis       int     // the axis of w that counts outputs: 0 for convolution and linear weights, 1 for transposed convolution
	Iterations int     // power iterations a call; 0 means 1
	Eps        float64 // a norm is not taken for smaller than this; 0 means 1e-12
}

// SpectralNorm divides a weight by an estimate of its largest singular value (Miyato et al. 2018, "Spectral
// Normalization for Generative Adversarial Networks", algorithm 1). With W the weight as a matrix [K, rest], K being the size
// of Axis, it iterates
//
//	v ← Wᵀu / ‖Wᵀu‖,   u ← W v / ‖W v‖
//
// and gives w / (uᵀ W v), and the last u [K] and v [rest]. u is state: begin with a random vector, and assign
// the new one to its variable after each step. As in torch.nn.utils.spectral_norm u and v count as constants in
// the gradient; it can be differentiated any number of times.
//
// In evaluation give the u and v of the last training step to SpectralNormFixed.
//
// It is an error if Axis is not one of w's, u is not [K], or Iterations or Eps is negative.
func SpectralNorm(w, u *Node, a Spectral) (normalised, newU, newV *Node, err error) {
	const name = "spectral norm"
	if w == nil || u == nil {
		return nil, nil, nil, errors.New(name + ": w or u is nil")
	}
	if _, err := a.matrix(w.Shape()); err != nil {
		return nil, nil, nil, errors.Wrap(err, name)
	}
	if a.Iterations < 0 {
		return nil, nil, nil, errors.Errorf("%s: %d iterations, want none below 0", name, a.Iterations)
	}
	eps, err := epsilon(a.Eps, 1e-12)
	if err != nil {
		return nil, nil, nil, errors.Wrap(err, name)
	}
	newU = u
	for range max(a.Iterations, 1) {
		if newV, err = apply(powerStep{axis: a.Axis, eps: eps, transposed: true}, w, newU); err != nil {
			return nil, nil, nil, err
		}
		if newU, err = apply(powerStep{axis: a.Axis, eps: eps}, w, newV); err != nil {
			return nil, nil, nil, err
		}
	}
	normalised, err = SpectralNormFixed(w, newU, newV, a)
	return normalised, newU, newV, err
}

// SpectralNormFixed is w / (uᵀ W v) for u [K] and v [rest] that are given; see SpectralNorm. They have no
// derivative.
func SpectralNormFixed(w, u, v *Node, a Spectral) (*Node, error) {
	const name = "spectral norm"
	if w == nil || u == nil || v == nil {
		return nil, errors.New(name + ": w, u or v is nil")
	}
	if _, err := a.matrix(w.Shape()); err != nil {
		return nil, errors.Wrap(err, name)
	}
	sigma, err := apply(bilinear{a.Axis}, w, u, v)
	if err != nil {
		return nil, errors.Wrap(err, name)
	}
	y, err := Div(w, sigma)
	return y, errors.Wrap(err, name)
}

// weightMatrix is a weight seen as [before, K, after]: row k of W is [before, after] at k.
type weightMatrix struct{ before, k, after int }

func (a Spectral) matrix(w tensor.Shape) (weightMatrix, error) {
	if a.Axis < 0 || a.Axis >= len(w) {
		return weightMatrix{}, errors.Errorf("Axis is %d, want one of the %d axes of w %v", a.Axis, len(w), w)
	}
	return weightMatrix{exec.Size(w[:a.Axis]), w[a.Axis], exec.Size(w[a.Axis+1:])}, nil
}

// columns is how many W has.
func (m weightMatrix) columns() int { return m.before * m.after }

// at splits element i of the weight into row and column of W.
func (m weightMatrix) at(i int) (row, column int) {
	return i / m.after % m.k, i/(m.k*m.after)*m.after + i%m.after
}

// checkVector wants a vector of n.
func checkVector(what string, s tensor.Shape, n int, w tensor.Shape) error {
	if !sameShape(s, tensor.Shape{n}) {
		return errors.Errorf("%s has shape %v, want (%d) for w %v", what, s, n, w)
	}
	return nil
}

// powerStep is W·v, or Wᵀ·u where transposed, of w and a vector, divided by its norm.
type powerStep struct {
	axis       int
	eps        float64
	transposed bool
}

func (powerStep) name() string              { return "spectral norm power iteration" }
func (powerStep) differentiable(int) []bool { return []bool{false, false} }

func (r powerStep) shape(in []tensor.Shape) (tensor.Shape, error) {
	m, err := Spectral{Axis: r.axis}.matrix(in[0])
	if err != nil {
		return nil, err
	}
	if r.transposed {
		return tensor.Shape{m.columns()}, checkVector("u", in[1], m.k, in[0])
	}
	return tensor.Shape{m.k}, checkVector("v", in[1], m.columns(), in[0])
}

func (powerStep) flops(in []tensor.Shape, _ tensor.Shape) int64 { return 2 * int64(exec.Size(in[0])) }

func (powerStep) scratch(c *exec.Call) int { return exec.ScratchSize[float64](c.Out.Len()) }

func (r powerStep) run(c *exec.Call) error {
	m, err := Spectral{Axis: r.axis}.matrix(c.In[0].Shape)
	if err != nil {
		return err
	}
	if c.Out.Dtype == tensor.Float32 {
		powerStepRun[float32](c, m, r)
	} else {
		powerStepRun[float64](c, m, r)
	}
	return nil
}

func powerStepRun[T exec.Float](c *exec.Call, m weightMatrix, r powerStep) {
	w, x, y := exec.Data[T](&c.In[0]), exec.Data[T](&c.In[1]), exec.Data[T](&c.Out)
	sums := exec.Scratch[float64](c, len(y))
	clear(sums)
	for i := 0; i < len(w); i += m.after { // a stretch of one row
		row, column := m.at(i)
		for j, v := range w[i : i+m.after] {
			if r.transposed {
				sums[column+j] += float64(v) * float64(x[row])
			} else {
				sums[row] += float64(v) * float64(x[column+j])
			}
		}
	}
	square := 0.0
	for _, s := range sums {
		square += s * s
	}
	scale := 1 / math.Max(math.Sqrt(square), r.eps)
	for i, s := range sums {
		y[i] = T(s * scale)
	}
}

func (powerStep) grad(gorgonia.Nodes, *Node, *Node) (gorgonia.Nodes, error) {
	return gorgonia.Nodes{nil, nil}, nil
}

// bilinear is uᵀ W v of w, u and v; u and v count as constants.
type bilinear struct{ axis int }

func (bilinear) name() string              { return "spectral norm singular value" }
func (bilinear) differentiable(int) []bool { return []bool{true, false, false} }

func (r bilinear) shape(in []tensor.Shape) (tensor.Shape, error) {
	m, err := Spectral{Axis: r.axis}.matrix(in[0])
	if err == nil {
		err = checkVector("u", in[1], m.k, in[0])
	}
	if err == nil {
		err = checkVector("v", in[2], m.columns(), in[0])
	}
	return tensor.ScalarShape(), err
}

func (bilinear) flops(in []tensor.Shape, _ tensor.Shape) int64 { return 2 * int64(exec.Size(in[0])) }

func (r bilinear) run(c *exec.Call) error {
	m, err := Spectral{Axis: r.axis}.matrix(c.In[0].Shape)
	if err != nil {
		return err
	}
	if c.Out.Dtype == tensor.Float32 {
		bilinearRun[float32](c, m)
	} else {
		bilinearRun[float64](c, m)
	}
	return nil
}

func bilinearRun[T exec.Float](c *exec.Call, m weightMatrix) {
	w, u, v := exec.Data[T](&c.In[0]), exec.Data[T](&c.In[1]), exec.Data[T](&c.In[2])
	total := 0.0
	for i := 0; i < len(w); i += m.after {
		row, column := m.at(i)
		s := 0.0
		for j, e := range w[i : i+m.after] {
			s += float64(e) * float64(v[column+j])
		}
		total += s * float64(u[row])
	}
	exec.Data[T](&c.Out)[0] = T(total)
}

func (r bilinear) grad(in gorgonia.Nodes, _, ds *Node) (gorgonia.Nodes, error) {
	dw, err := apply(outer(r), ds, in[1], in[2], in[0])
	return gorgonia.Nodes{dw, nil, nil}, err
}

// outer is s·u·vᵀ as a weight, of s, u, v and a weight that gives the shape: the adjoint of bilinear.
type outer struct{ axis int }

func (outer) name() string              { return "spectral norm outer product" }
func (outer) differentiable(int) []bool { return []bool{true, false, false, false} }

func (outer) shape(in []tensor.Shape) (tensor.Shape, error) {
	if len(in[0]) != 0 {
		return nil, errors.Errorf("s has shape %v, want a scalar", in[0])
	}
	return in[3].Clone(), nil
}

func (r outer) run(c *exec.Call) error {
	m, err := Spectral{Axis: r.axis}.matrix(c.Out.Shape)
	if err != nil {
		return err
	}
	if c.Out.Dtype == tensor.Float32 {
		outerRun[float32](c, m)
	} else {
		outerRun[float64](c, m)
	}
	return nil
}

func outerRun[T exec.Float](c *exec.Call, m weightMatrix) {
	s, u, v, w := exec.Data[T](&c.In[0])[0], exec.Data[T](&c.In[1]), exec.Data[T](&c.In[2]), exec.Data[T](&c.Out)
	for i := 0; i < len(w); i += m.after {
		row, column := m.at(i)
		f := s * u[row]
		for j := range m.after {
			w[i+j] = f * v[column+j]
		}
	}
}

func (r outer) grad(in gorgonia.Nodes, _, dw *Node) (gorgonia.Nodes, error) {
	ds, err := apply(bilinear(r), dw, in[1], in[2])
	return gorgonia.Nodes{ds, nil, nil, nil}, err
}
