// Package conv computes two-dimensional convolutions, their gradients and, as the input gradient used
// forward, transposed convolutions. Pictures are channels-last; filters keep the public order.
//
// Every pass is a matrix product whose left matrix is the picture itself (Chetlur et al., cuDNN: Efficient
// Primitives for Deep Learning, 2014, section 3.3): the rows that a micro-kernel of package gemm needs are read
// where they lie, or copied, with their zero padding, into a buffer that stays in the second-level cache.
// There is no im2col matrix in memory. How rows are found is the difference between the sources of product:
//
//	pixels  the picture as it lies: 1×1, stride 1
//	banded  a few picture rows with their padding, walked tap by tap
//	rowed   rows of [tap][channel], gathered
//
// Two kinds of shapes have roads of their own: few output channels (narrow) and groups of 4 or 8 (lanes).
package conv

//go:generate sh -c "cd ../gen && go run ./conv -out ../conv/kernels_amd64.s -stubs ../conv/kernels_amd64.go -pkg conv"
