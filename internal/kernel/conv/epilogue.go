package conv

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
	Add          []T // [N, P, Q, K], or nil
	Activation   Activation
	Slope        T
	Lo, Hi       T
}

// apply finishes the first len(row) channels from k on; add is the same stretch of Add, or nil.
func (e *Epilogue[T]) apply(row, add []T, k int) {
	if e.Scale != nil {
		scale := e.Scale[k : k+len(row)]
		for i, s := range scale {
			row[i] *= s
		}
	}
	if e.Shift != nil {
		shift := e.Shift[k : k+len(row)]
		for i, s := range shift {
			row[i] += s
		}
	}
	if add != nil {
		add = add[:len(row)]
		for i, v := range add {
			row[i] += v
		}
	}
	switch e.Activation {
	case ReLU:
		for i, v := range row {
			if v < 0 {
				row[i] = 0
			}
		}
	case LeakyReLU:
		for i, v := range row {
			if v < 0 {
				row[i] = v * e.Slope
			}
		}
	case Clamp:
		for i, v := range row {
			if v < e.Lo {
				row[i] = e.Lo
			} else if v > e.Hi {
				row[i] = e.Hi
			}
		}
	}
}
