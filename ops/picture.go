package ops

import (
	"github.com/pkg/errors"
	"gorgonia.org/tensor"

	"github.com/stheno-ml/stheno/internal/exec"
	"github.com/stheno-ml/stheno/internal/kernel/layout"
)

// The kernels for pictures compute channels-last. Our tape hands them such arrays; Gorgonia's own machine
// knows row-major ones only, and these are copied to scratch memory and back.

// isChannelsLast tells whether the elements of [N, C, H, W] lie in channels-last order; with one channel or
// one pixel the two orders are the same.
func isChannelsLast(a *exec.Array) bool {
	s := a.Shape
	return a.Order == exec.ChannelsLast || len(s) != 4 || s[1] == 1 || s[2]*s[3] == 1
}

// pictureScratch is the bytes that channels-last copies of pictures take.
func pictureScratch(pictures ...*exec.Array) int {
	n := 0
	for _, a := range pictures {
		if !isChannelsLast(a) {
			n += exec.ScratchSize[uint8](a.Bytes())
		}
	}
	return n
}

// loadPicture is the elements of an input, channels-last.
func loadPicture[T exec.Float](c *exec.Call, a *exec.Array) []T {
	x := exec.Data[T](a)
	if isChannelsLast(a) {
		return x
	}
	s := a.Shape
	last := exec.Scratch[T](c, len(x))
	layout.ToChannelsLast(last, x, s[0], s[1], s[2]*s[3])
	return last
}

// makePicture is where to write the result channels-last; storePicture then puts it where it belongs.
func makePicture[T exec.Float](c *exec.Call) []T {
	if isChannelsLast(&c.Out) {
		return exec.Data[T](&c.Out)
	}
	return exec.Scratch[T](c, c.Out.Len())
}

func storePicture[T exec.Float](c *exec.Call, last []T) {
	if isChannelsLast(&c.Out) {
		return
	}
	s := c.Out.Shape
	layout.ToChannelsFirst(exec.Data[T](&c.Out), last, s[0], s[1], s[2]*s[3])
}

// checkPicture wants a shape [N, C, H, W].
func checkPicture(what string, s tensor.Shape) error {
	if len(s) != 4 || exec.Size(s) == 0 {
		return errors.Errorf("%s has shape %v, want [N, C, H, W], none of them 0", what, s)
	}
	return nil
}

// checkSteps wants attributes along height and width that are not negative, nor so large that sizes computed
// with them could overflow.
func checkSteps(what string, v ...int) error {
	const most = 1 << 24
	for _, n := range v {
		if n < 0 || n > most {
			return errors.Errorf("%s %v, want from 0 to %d each", what, v, most)
		}
	}
	return nil
}

// lastFlows is the flows of an op whose pictures are channels-last; other operands do not mind.
func lastFlows(inputs int) ([]exec.Flow, exec.Flow) {
	f := make([]exec.Flow, inputs)
	for i := range f {
		f[i] = exec.Last
	}
	return f, exec.Last
}
