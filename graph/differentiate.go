package graph

import (
	"sort"

	"github.com/pkg/errors"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/ops"
)

// Node is a value in a Gorgonia graph.
type Node = gorgonia.Node

// Differentiate adds to the graph the gradient of a scalar cost for each node of wrt, and returns the
// gradients in the order of wrt, each of the shape of its node. A node on which the cost does not depend
// gets a gradient of zeros. An op without a derivative between a node of wrt and the cost is an error, unless its
// result is of an integer or boolean type, or it says (DiffWRT) that its derivative is zero.
//
// New nodes are named for the layer whose gradient they take part in: "gradient of layer1.conv/conv2d".
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
	for i, n := range outputs {
		if n == nil {
			return nil, errors.Errorf("differentiate: output %d is nil", i)
		}
		if seeds[i] == nil {
			return nil, errors.Errorf("differentiate: seed %d is nil", i)
		}
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
		leads[n] = leads[n] || passes(n, leads)
	}

	for k := len(order) - 1; k >= 0; k-- {
		n := order[k]
		if !leads[n] || len(grads[n]) == 0 {
			continue
		}
		known := len(g.AllNodes())
		total, err := ops.Sum(grads[n]...)
		if err != nil {
			return nil, errors.Wrapf(err, "differentiate: adding gradients of %s", n.Name())
		}
		nameGradients(g, known, n)
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

// passes says whether a node hands gradients on to an input that leads to what is asked for.
func passes(n *Node, leads map[*Node]bool) bool {
	in := children(n)
	if len(in) == 0 {
		return false
	}
	op, ok := n.Op().(gorgonia.SDOp)
	if !ok {
		// An integer or a truth value has no derivative that could be asked for; a float result has one,
		// and backward says that it is not known.
		if dt := n.Dtype(); dt != tensor.Float32 && dt != tensor.Float64 {
			return false
		}
		for _, c := range in {
			if leads[c] {
				return true
			}
		}
		return false
	}
	for i, d := range op.DiffWRT(len(in)) {
		if d && leads[in[i]] {
			return true
		}
	}
	return false
}

// backward hands the gradient of n on to those of its inputs that lead to what is asked for.
func backward(n, total *Node, leads map[*Node]bool, grads map[*Node]gorgonia.Nodes) (err error) {
	if !passes(n, leads) {
		return nil
	}
	op, ok := n.Op().(gorgonia.SDOp)
	if !ok {
		return errors.Errorf("differentiate: %v, at %s, has no derivative, but the cost depends through it on a node to differentiate for", n.Op(), n.Name())
	}
	defer func() {
		if r := recover(); r != nil { // some stock ops panic on what they cannot differentiate
			err = errors.Errorf("differentiate: %v, at %s: %v", op, n.Name(), r)
		}
	}()
	in := children(n)
	diff := op.DiffWRT(len(in))
	known := len(n.Graph().AllNodes())
	parts, err := op.SymDiff(in, n, total)
	if err != nil {
		return errors.Wrapf(err, "differentiate: %s", n.Name())
	}
	nameGradients(n.Graph(), known, n)
	for i, c := range in {
		if !diff[i] || !leads[c] {
			continue
		}
		if parts[i] == nil {
			return errors.Errorf("differentiate: %v, at %s, says that it has a derivative for input %d, but gave none", op, n.Name(), i)
		}
		grads[c] = append(grads[c], parts[i])
	}
	return nil
}

// nameGradients names the nodes that the gradient of a node has added to the graph, so that a profile and an
// error can say to which layer they belong. Leaves and constants are found by their names, and keep them.
func nameGradients(g *gorgonia.ExprGraph, known int, of *Node) {
	var name string
	for _, n := range g.AllNodes()[known:] {
		if n.Op() == nil || isLeaf(n) {
			continue
		}
		if name == "" {
			name = "gradient of " + of.Name()
		}
		gorgonia.WithName(name)(n)
	}
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
