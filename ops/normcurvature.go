package ops

import (
	"math"

	"github.com/pkg/errors"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/internal/exec"
	"github.com/stheno-ml/stheno/internal/kernel/norm"
	"github.com/stheno-ml/stheno/internal/kernel/par"
)

// normCurvature is, with a = mean(u·x̂), b = mean(g·x̂) and q = mean(u·g) − mean(u)·mean(g) − a·b,
//
//	γ/(σ² + ε) · ((2ab − q)·x̂ − b·(u − mean(u)) − a·(g − mean(g)))
//
// of u, g, x, stats, the sums of u and of g, Σ u·g and, where there is scale, γ. No gradient of its own: that
// would be the third of a normalisation.
type normCurvature normInput

func (normCurvature) name() string { return "batch norm second gradient" }

func (r normCurvature) flows(in []tensor.Shape, _ tensor.Shape) ([]exec.Flow, exec.Flow) {
	return r.c.flows(len(in))
}

func (r normCurvature) shape(in []tensor.Shape) (tensor.Shape, error) {
	return in[2].Clone(), r.checkStats(in[3], in[2])
}

func (r normCurvature) run(c *exec.Call) error {
	if c.Out.Dtype == tensor.Float32 {
		normCurvatureRun[float32](c, &r)
	} else {
		normCurvatureRun[float64](c, &r)
	}
	return nil
}

func normCurvatureRun[T exec.Float](c *exec.Call, r *normCurvature) {
	k := curvatureTask[T]{
		s: r.c.view(&c.In[2]), eps: r.eps, y: exec.Data[T](&c.Out),
		u: exec.Data[T](&c.In[0]), g: exec.Data[T](&c.In[1]), x: exec.Data[T](&c.In[2]), dot: exec.Data[T](&c.In[6]),
	}
	k.mean, k.variance = halves[T](&c.In[3])
	k.sumU, k.sumUX = halves[T](&c.In[4])
	k.sumG, k.sumGX = halves[T](&c.In[5])
	if r.scale {
		k.gamma = exec.Data[T](&c.In[7])
	}
	par.For(k.s.C, max(1, 16<<10/(k.s.Outer*k.s.Inner)), k)
}

type curvatureTask[T exec.Float] struct {
	s                          norm.Shape
	eps                        float64
	y, u, g, x                 []T
	dot, mean, variance, gamma []T
	sumU, sumUX, sumG, sumGX   []T
}

// Run does channels lo to hi−1.
func (k *curvatureTask[T]) Run(lo, hi int) {
	m := T(k.s.Outer * k.s.Inner)
	for c := lo; c < hi; c++ {
		inv := T(1 / math.Sqrt(float64(k.variance[c])+k.eps))
		scale := inv * inv
		if k.gamma != nil {
			scale *= k.gamma[c]
		}
		u, g, a, b := k.sumU[c]/m, k.sumG[c]/m, k.sumUX[c]/m, k.sumGX[c]/m
		q := k.dot[c]/m - u*g - a*b
		for o := range k.s.Outer {
			at := (o*k.s.C + c) * k.s.Inner
			for i := at; i < at+k.s.Inner; i++ {
				k.y[i] = scale * ((2*a*b-q)*(k.x[i]-k.mean[c])*inv - b*(k.u[i]-u) - a*(k.g[i]-g))
			}
		}
	}
}

func (normCurvature) grad(gorgonia.Nodes, *Node, *Node) (gorgonia.Nodes, error) {
	return nil, errors.New("a normalisation can be differentiated twice, not three times")
}
