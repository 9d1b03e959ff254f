package data

import (
	"math/bits"
	"math/rand/v2"
)

// permutation shuffles 0 … n−1 into order, which is grown when it is too short. It is written out, Fisher
// and Yates with Lemire's multiplication, so that no change of a library changes what a seed means.
func permutation(order []int, n int, seed, epoch uint64) []int {
	order = identity(order, n)
	src := rand.NewPCG(seed, mix(epoch))
	for i := n - 1; i > 0; i-- {
		// The product's bias is under n/2⁶⁴.
		j, _ := bits.Mul64(src.Uint64(), uint64(i+1))
		order[i], order[j] = order[j], order[i]
	}
	return order
}

func identity(order []int, n int) []int {
	if cap(order) < n {
		order = make([]int, n)
	}
	order = order[:n]
	for i := range order {
		order[i] = i
	}
	return order
}

// mix is the finaliser of SplitMix64 (Steele, Lea and Flood 2014): neighbouring numbers become unrelated.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
