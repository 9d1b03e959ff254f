package ops

import "gorgonia.org/tensor"

// multiplier is a rule whose arithmetic is multiply-adds of inputs with weights: convolutions and matrix
// products, what published counts of "MACs" count.
type multiplier interface {
	multiplyAdds(in []tensor.Shape, out tensor.Shape) int64
}

// MultiplyAdds is the number of multiply-adds of a node that is a convolution or a matrix product; 0 for any
// other node.
func MultiplyAdds(n *Node) int64 {
	o, ok := n.Op().(*op)
	if !ok {
		return 0
	}
	m, ok := o.rule.(multiplier)
	if !ok {
		return 0
	}
	it := n.Graph().From(n.ID())
	var in []tensor.Shape
	for it.Next() {
		in = append(in, it.Node().(*Node).Shape())
	}
	return m.multiplyAdds(in, o.out)
}
