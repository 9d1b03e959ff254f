package ops

import "github.com/stheno-ml/stheno/internal/exec"

// maxOperands is the result and at most three inputs.
const maxOperands = 4

// walk is a loop through the operands of a call: axes from the outermost to the innermost in the memory order
// of the result (operand 0), with the step of each operand along each axis; the step is 0 where an operand is
// broadcast. Axes that all operands go through alike are joined: equal shapes make one axis, [N, C, H, W] and
// [C, 1, 1] three, [N, C] and [C] two.
type walk struct {
	axes int
	size [maxAxes]int
	step [maxOperands][maxAxes]int
}

// maxAxes leaves room for walks that split the axes of an operand in two.
const maxAxes = 2 * maxRank

// broadcastWalk goes over the result of c; inputs are broadcast to it as in NumPy.
func broadcastWalk(c *exec.Call) walk {
	var w walk
	rank := len(c.Out.Shape)
	axes := memoryAxes(&c.Out)
	for k := range rank {
		w.size[k] = c.Out.Shape[axes[k]]
	}
	w.axes = rank
	w.operand(0, &c.Out, &axes)
	for i := range c.In {
		w.operand(i+1, &c.In[i], &axes)
	}
	w.join()
	return w
}

// operand sets the steps of operand o: its axes are the last ones of the result's.
func (w *walk) operand(o int, a *exec.Array, axes *[maxRank]int) {
	steps := stepsOf(a)
	missing := w.axes - len(a.Shape)
	for k := range w.axes {
		if d := axes[k] - missing; d >= 0 && a.Shape[d] != 1 {
			w.step[o][k] = steps[d]
		}
	}
}

// memoryAxes is the axes of an array from the outermost to the innermost in memory.
func memoryAxes(a *exec.Array) (axes [maxRank]int) {
	if a.Order == exec.ChannelsLast {
		return [maxRank]int{0, 2, 3, 1}
	}
	for k := range axes {
		axes[k] = k
	}
	return axes
}

// stepsOf is how many elements apart neighbours along each axis are in memory.
func stepsOf(a *exec.Array) (steps [maxRank]int) {
	axes := memoryAxes(a)
	n := 1
	for k := len(a.Shape) - 1; k >= 0; k-- {
		steps[axes[k]] = n
		n *= a.Shape[axes[k]]
	}
	return steps
}

// join drops axes of size 1 and makes one of neighbours that every operand goes through as through one.
func (w *walk) join() {
	n := 0
	for k := range w.axes {
		if w.size[k] == 1 {
			continue
		}
		if n > 0 && w.joins(n-1, k) {
			w.size[n-1] *= w.size[k]
			for o := range w.step {
				w.step[o][n-1] = w.step[o][k]
			}
			continue
		}
		w.size[n] = w.size[k]
		for o := range w.step {
			w.step[o][n] = w.step[o][k]
		}
		n++
	}
	if n == 0 { // one element
		n, w.size[0] = 1, 1
		for o := range w.step {
			w.step[o][0] = 1
		}
	}
	w.axes = n
}

func (w *walk) joins(outer, inner int) bool {
	for o := range w.step {
		if w.step[o][outer] != w.step[o][inner]*w.size[inner] {
			return false
		}
	}
	return true
}

// cols is the size of the innermost axis, rows how often it is gone through.
func (w *walk) cols() int { return w.size[w.axes-1] }

func (w *walk) rows() int {
	n := 1
	for _, d := range w.size[:w.axes-1] {
		n *= d
	}
	return n
}

// inner is the step of operand o along the innermost axis.
func (w *walk) inner(o int) int { return w.step[o][w.axes-1] }

// cursor is a place in a walk: the start of a row.
type cursor struct {
	at  [maxAxes]int
	off [maxOperands]int // where the row starts in each operand
}

func (w *walk) seek(row int) cursor {
	var c cursor
	for k := w.axes - 2; k >= 0; k-- {
		i := row % w.size[k]
		row /= w.size[k]
		c.at[k] = i
		for o := range c.off {
			c.off[o] += i * w.step[o][k]
		}
	}
	return c
}

// next goes to the next row.
func (w *walk) next(c *cursor) {
	for k := w.axes - 2; k >= 0; k-- {
		c.at[k]++
		for o := range c.off {
			c.off[o] += w.step[o][k]
		}
		if c.at[k] < w.size[k] {
			return
		}
		c.at[k] = 0
		for o := range c.off {
			c.off[o] -= w.size[k] * w.step[o][k]
		}
	}
}

// blockSize is the elements of a piece of work: long enough to hide what handing it to a worker costs.
const blockSize = 16 << 10

// blocks cuts rows that are too long: an item of parallel work is one block of one row, grain items go together.
func (w *walk) blocks() (perRow, items, grain int) {
	perRow = (w.cols() + blockSize - 1) / blockSize
	return perRow, perRow * w.rows(), max(1, blockSize/w.cols())
}
