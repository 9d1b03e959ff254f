// Package gemm multiplies matrices: C = alpha·op(A)·op(B) + beta·C, row-major.
//
// B is packed into panels of 32 columns; A is read where it lies, or copied in blocks when its rows would
// fall on the same cache sets. The micro-kernel (Tile) holds up to 14 rows × 32 columns (AVX-512) or 6 × 16
// (AVX2) in registers; it is shared with package conv, whose pictures are just another kind of A.
package gemm

//go:generate sh -c "cd ../gen && go run ./gemm -out ../gemm/kernels_amd64.s -stubs ../gemm/kernels_amd64.go -pkg gemm"
