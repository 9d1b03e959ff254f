package ops_test

import (
	"testing"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/internal/gradtest"
	"github.com/stheno-ml/stheno/ops"
)

type nodes = []*gorgonia.Node

func random(shapes ...[]int) []*tensor.Dense {
	var x []*tensor.Dense
	for i, s := range shapes {
		x = append(x, gradtest.Random(uint64(i+1), 0.01, s...))
	}
	return x
}

func TestFirst(t *testing.T) {
	for _, c := range []struct {
		name  string
		build gradtest.Build
		in    []*tensor.Dense
	}{
		{"add", func(in nodes) (*gorgonia.Node, error) { return ops.Add(in[0], in[1]) }, random([]int{2, 3, 4, 5}, []int{3, 1, 1})},
		{"mul", func(in nodes) (*gorgonia.Node, error) { return ops.Mul(in[0], in[1]) }, random([]int{2, 3, 1, 5}, []int{4, 1})},
		{"sub", func(in nodes) (*gorgonia.Node, error) { return ops.Sub(in[0], in[1]) }, random([]int{2, 3}, []int{2, 3})},
		{"linear", func(in nodes) (*gorgonia.Node, error) { return ops.Linear(in[0], in[1], in[2]) }, random([]int{3, 5}, []int{4, 5}, []int{4})},
		{"linear3", func(in nodes) (*gorgonia.Node, error) { return ops.Linear(in[0], in[1], in[2]) }, random([]int{2, 3, 5}, []int{4, 5}, []int{4})},
		{"linear no bias", func(in nodes) (*gorgonia.Node, error) { return ops.Linear(in[0], in[1], nil) }, random([]int{3, 5}, []int{4, 5})},
		{"matmul", func(in nodes) (*gorgonia.Node, error) { return ops.MatMul(in[0], in[1], ops.Transposed{}) }, random([]int{2, 1, 3, 5}, []int{3, 5, 4})},
		{"matmul t", func(in nodes) (*gorgonia.Node, error) {
			return ops.MatMul(in[0], in[1], ops.Transposed{A: true, B: true})
		}, random([]int{6, 5, 3}, []int{4, 5})},
		{"matmul 2", func(in nodes) (*gorgonia.Node, error) {
			return ops.MatMul(in[0], in[1], ops.Transposed{B: true})
		}, random([]int{6, 3, 5}, []int{4, 5})},
		{"mean", func(in nodes) (*gorgonia.Node, error) { return ops.Mean(in[0], ops.Over{Axes: []int{2, 3}}) }, random([]int{2, 3, 4, 5})},
		{"mean keep", func(in nodes) (*gorgonia.Node, error) {
			return ops.Mean(in[0], ops.Over{Axes: []int{0, 2}, Keep: true})
		}, random([]int{2, 3, 4, 5})},
		{"mean all", func(in nodes) (*gorgonia.Node, error) { return ops.Mean(in[0], ops.Over{}) }, random([]int{2, 3, 4, 5})},
		{"sigmoid", func(in nodes) (*gorgonia.Node, error) { return ops.Sigmoid(in[0]) }, random([]int{2, 3, 4, 5})},
		{"tanh", func(in nodes) (*gorgonia.Node, error) { return ops.Tanh(in[0]) }, random([]int{2, 3, 4, 5})},
		{"leaky", func(in nodes) (*gorgonia.Node, error) { return ops.LeakyReLU(in[0], 0.2) }, random([]int{2, 3, 4, 5})},
		{"softmax", func(in nodes) (*gorgonia.Node, error) { return ops.Softmax(in[0], 1) }, random([]int{2, 3, 4, 5})},
		{"softmax -1", func(in nodes) (*gorgonia.Node, error) { return ops.Softmax(in[0], -1) }, random([]int{2, 5})},
		{"logsoftmax", func(in nodes) (*gorgonia.Node, error) { return ops.LogSoftmax(in[0], 1) }, random([]int{2, 3, 4, 5})},
		{"logsoftmax -1", func(in nodes) (*gorgonia.Node, error) { return ops.LogSoftmax(in[0], -1) }, random([]int{2, 5})},
		{"flatten", func(in nodes) (*gorgonia.Node, error) { return ops.Flatten(in[0]) }, random([]int{2, 3, 4, 5})},
		{"reshape", func(in nodes) (*gorgonia.Node, error) { return ops.Reshape(in[0], 6, -1) }, random([]int{2, 3, 4, 5})},
		{"div", func(in nodes) (*gorgonia.Node, error) {
			b, err := ops.Exp(in[1])
			if err != nil {
				return nil, err
			}
			return ops.Div(in[0], b)
		}, random([]int{2, 3}, []int{3})},
	} {
		t.Run(c.name, func(t *testing.T) { gradtest.Check(t, c.build, c.in, gradtest.Config{Order: 2}) })
	}
}
