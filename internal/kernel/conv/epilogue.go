package conv

import "math"

// Activation is the function that ends an Epilogue.
type Activation int

const (
	Identity  Activation = iota
	ReLU                 // max(v, 0)
	LeakyReLU            // v < 0 ? Slope·v : v
	Clamp                // min(max(v, Lo), Hi)
)

// Epilogue is what follows a convolution while its result is still in the cache:
// y = activation(Scale[k]·conv + Shift[k] + Add). NaN passes through every activation.
type Epilogue[T Float] struct {
	Scale, Shift []T // [K], or nil for 1 and 0
	Add          []T // [N, P, Q, K], or nil; nil where the result is pitched
	Activation   Activation
	Slope        T
	Lo, Hi       T
}

// limits turns the activation into numbers: negative values times slope, then between lo and hi.
func (e *Epilogue[T]) limits() (slope, lo, hi T) {
	slope, lo, hi = 1, T(math.Inf(-1)), T(math.Inf(1))
	switch e.Activation {
	case ReLU:
		lo = 0
	case LeakyReLU:
		slope = e.Slope
	case Clamp:
		lo, hi = e.Lo, e.Hi
	}
	return slope, lo, hi
}

// apply finishes channels k0…k1−1 of pixels m0…m1−1 of y, which lie so far apart.
func (e *Epilogue[T]) apply(y []T, pitch, m0, m1, k0, k1 int) {
	if m0 >= m1 || k0 >= k1 {
		return
	}
	var add, scale, shift []T
	at, end := m0*pitch+k0, (m1-1)*pitch+k1
	if e.Add != nil {
		add = e.Add[at:end]
	}
	if e.Scale != nil {
		scale = e.Scale[k0:k1]
	}
	if e.Shift != nil {
		shift = e.Shift[k0:k1]
	}
	slope, lo, hi := e.limits()
	finish(y[at:end], add, pitch, m1-m0, k1-k0, scale, shift, slope, lo, hi)
}

// finishGeneric is the twin of finish8; add, scale and shift may be nil.
func finishGeneric[T Float](y, add []T, stride, rows, cols int, scale, shift []T, slope, lo, hi T) {
	for r := range rows {
		row := y[r*stride:][:cols]
		for i, v := range row {
			if scale != nil {
				v *= scale[i]
			}
			if shift != nil {
				v += shift[i]
			}
			if add != nil {
				v += add[r*stride+i]
			}
			if v < 0 {
				v *= slope
			}
			if v < lo {
				v = lo
			}
			if v > hi {
				v = hi
			}
			row[i] = v
		}
	}
}
