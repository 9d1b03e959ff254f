// Package winograd computes 3x3 convolutions of stride 1, and both their gradients, with a quarter of the
// multiplications of the definition. Pictures are channels-last float32, filters in the public order
// [K, C, 3, 3]; any size, any number of channels, zero padding of 0 to 2 on each side.
//
// # Method
//
// Winograd's minimal filtering (A. Lavin and S. Gray, Fast Algorithms for Convolutional Neural Networks,
// 2015): a tile of 6x6 pixels d and a filter g of 3x3 give 4x4 results
//
//	Aᵀ [(G g Gᵀ) ⊙ (Bᵀ d B)] A,
//
// 36 multiplications where the definition has 144. Summed over channels, each of the 36 points becomes a
// matrix product [tiles, C]·[C, K]. This is F(4x4, 3x3): it serves the forward pass and, with turned filters
// and exchanged channels, the input gradient. The weight gradient is F(3x3, 4x4), where 4x4 gradients take
// the place of the filter, with the same points and the same Bᵀ, and where the product sums over tiles.
// Tiles that stick out over an edge are computed whole and clipped.
//
// The points are 0, ±a, ±b and ∞ with a = 5/8 and b = 3/2. The matrices follow from them (Toom and Cook):
// row p of G holds the powers of p over N(p), the product of p's differences from the other finite points;
// row p of Bᵀ the coefficients of Π(x − q) over the other points q; row i of Aᵀ the powers pⁱ.
//
// # Errors
//
// With the usual points 0, ±1, ±2 errors are two to four times as large; these were searched for among small
// fractions (compare B. Barabasz and others, Error Analysis and Improving the Accuracy of Winograd
// Convolution for Deep Neural Networks, 2020); a, b and the entries of Bᵀ are exact in binary.
// With pixels and gradients from N(0, 1) and He-scaled filters, no element is off by more than
//
//	(5 + √n)·1e-6 of the result's root mean square,
//
// where n products are summed up: C forward, K in the input gradient, min(tiles, 128) + tiles/128 in the
// weight gradient. The constant is the rounding in the transforms (Bᵀ d B sums terms up to 20 times the
// result's size), the root the random walk of the sums. The tests hold every road to this bound; typical
// errors are a sixth of it, and two to three times those of a direct convolution.
//
// # Numbers that are not finite
//
// NaN and ±Inf reach every result whose tile reads them (in the weight gradient: every filter of their
// channel), where each is the right infinity or NaN, more often NaN than by the definition. They are never
// lost: no finite number, and with an Epilogue no clamped one, stands where the definition has none.
// Sums within a tile may overflow from 1e37 on.
//
// # Order of work
//
// Everything in the transform domain lies in panels of 16 channels,
//
//	[point][C/16][tiles][16],
//
// so that every kernel reads and writes whole vectors side by side. Pixels are read where they lie, those outside
// the picture as zeros under a mask. Results do not depend on the number of workers.
package winograd

//go:generate sh -c "cd ../gen && go run ./winograd -out ../winograd/kernels_amd64.s -stubs ../winograd/kernels_amd64.go -pkg winograd"
