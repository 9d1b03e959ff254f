package ops

import (
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// expr writes gradients as expressions of nodes: it keeps the first error.
type expr struct{ err error }

func (e *expr) op(r rule, in ...*Node) *Node {
	return e.node(func() (*Node, error) { return apply(r, in...) })
}

func (e *expr) node(build func() (*Node, error)) *Node {
	if e.err != nil {
		return nil
	}
	n, err := build()
	e.err = err
	return n
}

func (e *expr) add(a, b *Node) *Node               { return e.op(addition{}, a, b) }
func (e *expr) sub(a, b *Node) *Node               { return e.op(subtraction{}, a, b) }
func (e *expr) mul(a, b *Node) *Node               { return e.op(multiplication{}, a, b) }
func (e *expr) div(a, b *Node) *Node               { return e.op(division{}, a, b) }
func (e *expr) scale(a *Node, s float64) *Node     { return e.op(scaling{s: s}, a) }
func (e *expr) addScalar(a *Node, s float64) *Node { return e.op(shifting{s: s}, a) }

// sumKeep is the sum over axes, which stay with size 1.
func (e *expr) sumKeep(a *Node, axes axisSet) *Node { return e.op(sumOver{over: over{axes, true}}, a) }

// to sums a over the axes along which a node of shape s was broadcast, so that it gets that shape.
func (e *expr) to(a *Node, s tensor.Shape) *Node {
	return e.node(func() (*Node, error) { return sumTo(a, s) })
}

func (e *expr) reshape(a *Node, s tensor.Shape) *Node {
	return e.node(func() (*Node, error) { return reshapeTo(a, s) })
}

func (e *expr) nodes(n ...*Node) (gorgonia.Nodes, error) { return n, e.err }
