//go:build !amd64 || noasm

package winograd

var roads = [3]*kernels{&generic, &generic, &generic}
