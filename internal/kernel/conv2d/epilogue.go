package conv2d

import (
	"github.com/stheno-ml/stheno/internal/kernel/conv"
	"github.com/stheno-ml/stheno/internal/kernel/depthwise"
	"github.com/stheno-ml/stheno/internal/kernel/vec"
	"github.com/stheno-ml/stheno/internal/kernel/winograd"
)

type winogradEpilogue winograd.Epilogue

func (e *winogradEpilogue) orNil(there bool) *winograd.Epilogue {
	if !there {
		return nil
	}
	return (*winograd.Epilogue)(e)
}

// epilogue is an epilogue as Winograd's kernels describe it.
func epilogue[T Float](ep *Epilogue[T]) (e winogradEpilogue) {
	if ep == nil {
		return e
	}
	e.Scale, e.Shift, e.Add = orNil(ep.Scale), orNil(ep.Shift), orNil(ep.Add)
	e.Activation, e.Slope = winograd.Activation(ep.Activation), float32(ep.Slope)
	e.Lo, e.Hi = float32(ep.Lo), float32(ep.Hi)
	return e
}

func orNil[T Float](x []T) []float32 {
	if x == nil {
		return nil
	}
	return narrow(x)
}

// forwardAlone is the depthwise convolution. Its kernel scales, shifts and cuts off at 0; what else an
// epilogue asks for, which no published network puts straight after a depthwise convolution, follows in passes
// of its own.
func forwardAlone[T Float](s *Shape, y, x, w []T, ep *Epilogue[T], ws []T) {
	if ep == nil {
		ep = &Epilogue[T]{}
	}
	relu := ep.Activation == conv.ReLU || ep.Activation == conv.LeakyReLU
	slope := T(0)
	if ep.Activation == conv.LeakyReLU {
		slope = ep.Slope
	}
	e := depthwise.Epilogue[T]{Scale: ep.Scale, Shift: ep.Shift, Act: relu && ep.Add == nil, Slope: slope}
	depthwise.Forward(y, x, w, channels(s), e, ws)
	if ep.Add != nil {
		vec.Add(y, y, ep.Add)
		if relu {
			vec.LeakyReLU(y, y, slope)
		}
	}
	if ep.Activation == conv.Clamp {
		for i, v := range y {
			if v < ep.Lo {
				y[i] = ep.Lo
			} else if v > ep.Hi {
				y[i] = ep.Hi
			}
		}
	}
}
