// Package ops has the operations of image models as ordinary Gorgonia ops: convolutions, normalisations,
// pooling, activations, arithmetic, reductions, shape changes, random numbers and losses. Each function adds a
// node to the graph of its inputs and returns an error that names the sizes which do not fit. Gradients are
// symbolic: gorgonia.Grad works, and so does graph.Differentiate, which most gradients can go through twice.
//
// Pictures are [N, C, H, W], filters [K, C/groups, R, S] as PyTorch keeps them. Ops compute in float32 and
// float64; labels and indices are of type int.
//
// A program that knows Gorgonia needs no other package of this module:
//
//	y, err := ops.Conv2D(x, w, nil, ops.Conv{Pad: [4]int{1, 1, 1, 1}})
//	…
//	machine := gorgonia.NewTapeMachine(g) // or graph.NewTape(g), which is faster
package ops
