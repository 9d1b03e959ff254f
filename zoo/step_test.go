package zoo_test

import (
	"context"

	"github.com/pkg/errors"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/ops"
	"github.com/stheno-ml/stheno/zoo"
)

// result is what one training step gives.
type result struct {
	loss   float64
	output []float64
	marked [][]float64
	grads  map[string][]float64 // by variable
	after  map[string][]float64 // running statistics
}

// step runs one training step of a model, and looks at what the network marked.
func step(m *zoo.Model, x *tensor.Dense, labels []int, loss func(g *graph.Graph, output, labels *graph.Node) (*graph.Node, error), marks []string) (*result, error) {
	b, err := m.Build(graph.Train, x.Shape()[0], nil)
	if err != nil {
		return nil, err
	}
	l := b.Graph.Labels("labels", len(labels))
	cost, err := loss(b.Graph, b.Output, l)
	if err != nil {
		return nil, err
	}
	vars, leaves := b.Graph.Trainable()
	grads, err := graph.Differentiate(cost, leaves...)
	if err != nil {
		return nil, err
	}
	outputs := append(gorgonia.Nodes{cost, b.Output}, grads...)
	for _, name := range marks {
		n := b.Graph.Marked(name)
		if n == nil {
			return nil, errors.Errorf("no output %q", name)
		}
		outputs = append(outputs, n)
	}
	assigns := b.Graph.Assigns()
	for _, a := range assigns {
		outputs = append(outputs, a.From)
	}
	tape, err := graph.Compile(outputs, graph.Options{})
	if err != nil {
		return nil, err
	}
	if err := gorgonia.Let(b.Input, x); err != nil {
		return nil, err
	}
	if err := gorgonia.Let(l, tensor.New(tensor.WithBacking(append([]int(nil), labels...)))); err != nil {
		return nil, err
	}
	if err := tape.Run(context.Background()); err != nil {
		return nil, err
	}
	r := &result{grads: make(map[string][]float64), after: make(map[string][]float64)}
	of := func(n *graph.Node) []float64 {
		if d, ok := n.Value().(*tensor.Dense); ok {
			return values(d)
		}
		switch s := n.Value().Data().(type) {
		case float32:
			return []float64{float64(s)}
		case float64:
			return []float64{s}
		}
		return nil
	}
	r.loss, r.output = of(cost)[0], of(b.Output)
	for i, v := range vars {
		r.grads[v.Name] = of(grads[i])
	}
	for _, name := range marks {
		r.marked = append(r.marked, of(b.Graph.Marked(name)))
	}
	for _, a := range assigns {
		r.after[a.To.Name()] = of(a.From)
	}
	return r, nil
}

// sumWithNoise is the references' loss of DCGAN: Σ out·r / elements.
func sumWithNoise(g *graph.Graph, output, _ *graph.Node) (*graph.Node, error) {
	r := tensor.New(tensor.Of(output.Dtype()), tensor.WithShape(output.Shape()...))
	set(r, func(i int) float64 { return 2*u01(otherNumber, uint64(i)) - 1 })
	c, err := ops.Constant(g.Expr(), r)
	if err != nil {
		return nil, err
	}
	product, err := ops.Mul(output, c)
	if err != nil {
		return nil, err
	}
	return ops.Mean(product, ops.Over{})
}
