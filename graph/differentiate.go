package graph

import (
	"sort"

	"github.com/pkg/errors"
	"gorgonia.org/gorgonia"

	"github.com/stheno-ml/stheno/ops"
)

// Node is a value in a Gorgonia graph.
type Node = gorgonia.Node

// Differentiate adds to the graph the gradient of a scalar cost for each node of wrt, and returns the
// gradients in the order of wrt, each of the shape of its node. A node on which the cost does not depend
// gets a gradient of zeros.
//
// It does what gorgonia.Grad does without its traps: it marks no node (so that one graph can hold the
// gradients of several costs, and gradients of gradients), asks an op only for gradients that lead to wrt,
// and takes nil for an input that has none. It works on stock ops as well as on ours.
func Differentiate(cost *Node, wrt ...*Node) (gorgonia.Nodes, error) {
	if cost == nil {
		return nil, errors.New("differentiate: the cost is nil")
	}
	if len(cost.Shape()) != 0 {
		return nil, errors.Errorf("differentiate: the cost has shape %v, want a scalar (take a sum or a mean first)", cost.Shape())
	}
	one, err := ops.Full(cost.Graph(), cost.Dtype(), 1)
	if err != nil {
		return nil, errors.Wrap(err, "differentiate")
	}
	return VectorJacobian(gorgonia.Nodes{cost}, gorgonia.Nodes{one}, wrt...)
}

// VectorJacobian is reverse-mode differentiation from any nodes: it returns, for each node of wrt, the sum
// over outputs of (∂output/∂wrt)ᵀ · seed. Seeds have the shapes of their outputs.
func VectorJacobian(outputs, seeds gorgonia.Nodes, wrt ...*Node) (gorgonia.Nodes, error) {
	if len(outputs) == 0 || len(outputs) != len(seeds) {
		return nil, errors.Errorf("differentiate: %d outputs and %d seeds, want as many of each and at least one", len(outputs), len(seeds))
	}
	g := outputs[0].Graph()
	grads := make(map[*Node]gorgonia.Nodes) // the gradients that have arrived at a node
	for i, n := range outputs {
		if !n.Shape().Eq(seeds[i].Shape()) {
			return nil, errors.Errorf("differentiate: seed %d has shape %v, its output %v", i, seeds[i].Shape(), n.Shape())
		}
		grads[n] = append(grads[n], seeds[i])
	}
	for i, n := range wrt {
		if n == nil || n.Graph() != g {
			return nil, errors.Errorf("differentiate: node %d to differentiate for is nil or of another graph", i)
		}
	}

	order := ancestors(outputs...)
	leads := make(map[*Node]bool) // nodes whose value depends on wrt through derivatives
	for _, n := range wrt {
		leads[n] = true
	}
	for _, n := range order {
		op, ok := n.Op().(gorgonia.SDOp)
		if !ok || leads[n] {
			continue
		}
		in := children(n)
		for i, d := range op.DiffWRT(len(in)) {
			if d && leads[in[i]] {
				leads[n] = true
				break
			}
		}
	}

	for k := len(order) - 1; k >= 0; k-- {
		n := order[k]
		if !leads[n] || len(grads[n]) == 0 {
			continue
		}
		total, err := ops.Sum(grads[n]...)
		if err != nil {
			return nil, errors.Wrapf(err, "differentiate: adding gradients of %s", n.Name())
		}
		grads[n] = gorgonia.Nodes{total}
		if err := backward(n, total, leads, grads); err != nil {
			return nil, err
		}
	}

	result := make(gorgonia.Nodes, len(wrt))
	for i, n := range wrt {
		if len(grads[n]) > 0 {
			result[i] = grads[n][0]
			continue
		}
		zeros, err := ops.Full(g, n.Dtype(), 0, n.Shape()...)
		if err != nil {
			return nil, errors.Wrapf(err, "differentiate: gradient of %s", n.Name())
		}
		result[i] = zeros
	}
	return result, nil
}

// backward hands the gradient of n on to those of its inputs that lead to what is asked for.
func backward(n, total *Node, leads map[*Node]bool, grads map[*Node]gorgonia.Nodes) error {
	op, ok := n.Op().(gorgonia.SDOp)
	in := children(n)
	if !ok || len(in) == 0 {
		return nil
	}
	diff := op.DiffWRT(len(in))
	wanted := false
	for i, c := range in {
		wanted = wanted || diff[i] && leads[c]
	}
	if !wanted {
		return nil
	}
	parts, err := op.SymDiff(in, n, total)
	if err != nil {
		return errors.Wrapf(err, "differentiate: %s", n.Name())
	}
	for i, c := range in {
		if !diff[i] || !leads[c] {
			continue
		}
		if parts[i] == nil {
			return errors.Errorf("differentiate: %v says that it has a derivative for input %d, but gave none", op, i)
		}
		grads[c] = append(grads[c], parts[i])
	}
	return nil
}

// ancestors is every node that the given ones are computed from, and they themselves, inputs before users.
func ancestors(of ...*Node) gorgonia.Nodes {
	seen := make(map[*Node]bool)
	var order gorgonia.Nodes
	stack := append(gorgonia.Nodes(nil), of...)
	for len(stack) > 0 {
		n := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		if seen[n] {
			continue
		}
		seen[n] = true
		order = append(order, n)
		stack = append(stack, children(n)...)
	}
	// A node is numbered when it is added, after its inputs.
	sort.Slice(order, func(i, j int) bool { return order[i].ID() < order[j].ID() })
	return order
}
