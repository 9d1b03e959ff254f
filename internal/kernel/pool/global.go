package pool

import "github.com/stheno-ml/stheno/internal/kernel/par"

const (
	globalWidth = 64 // channels of an item
	globalRows  = 32 // pixels that are summed before the sum joins the total, so that rounding stays small
)

// GlobalForward sets y [N, C] to the mean over the pixels of x [N, hw, C].
func GlobalForward[T Float](y, x []T, n, hw, c int) {
	if n*hw*c == 0 {
		return
	}
	blocks := par.Chunks(c, globalWidth)
	k := globalForward[T]{y[:n*c], x[:n*hw*c], hw, c, blocks}
	par.For(n*blocks, max(1, 64<<10/(hw*globalWidth)), k)
}

type globalForward[T Float] struct {
	y, x          []T
	hw, c, blocks int
}

// Run does items lo to hi−1, each a block of channels of one picture.
func (k *globalForward[T]) Run(lo, hi int) {
	for i := lo; i < hi; i++ {
		n, c0 := i/k.blocks, i%k.blocks*globalWidth
		c1 := min(c0+globalWidth, k.c)
		y := k.y[n*k.c+c0 : n*k.c+c1]
		clear(y)
		for r := 0; r < k.hw; r += globalRows {
			k.addRows(y, (n*k.hw+r)*k.c+c0, min(globalRows, k.hw-r))
		}
		scale := 1 / T(k.hw)
		for j := range y {
			y[j] *= scale
		}
	}
}

// addRows adds to y the sum of that many pixels, the first at element from.
func (k *globalForward[T]) addRows(y []T, from, rows int) {
	if isFloat32[T]() {
		done := k.addRowsFast(y, from, rows)
		y, from = y[done:], from+done
	}
	var sum [globalWidth]T
	for r := range rows {
		for j, v := range k.x[from+r*k.c:][:len(y)] {
			sum[j] += v
		}
	}
	for j := range y {
		y[j] += sum[j]
	}
}

// GlobalBackward sets dx [N, hw, C] from dy [N, C]: each pixel gets 1/hw of the gradient.
func GlobalBackward[T Float](dx, dy []T, n, hw, c int) {
	if n*hw*c == 0 {
		return
	}
	par.For(n*hw, max(1, 16<<10/c), globalBackward[T]{dx[:n*hw*c], dy[:n*c], hw, c})
}

type globalBackward[T Float] struct {
	dx, dy []T
	hw, c  int
}

// Run does pixels lo to hi−1 of all N·hw.
func (k *globalBackward[T]) Run(lo, hi int) {
	scale := 1 / T(k.hw)
	for i := lo; i < hi; i++ {
		dx := k.dx[i*k.c : (i+1)*k.c]
		for j, g := range k.dy[i/k.hw*k.c:][:k.c] {
			dx[j] = g * scale
		}
	}
}
