package ops

import "github.com/pkg/errors"

// GlobalAvgPool is the mean of each channel over the whole picture (Lin, Chen and Yan 2014, "Network In
// Network"): x [N, C, H, W] to y [N, C]. It can be differentiated any number of times.
func GlobalAvgPool(x *Node) (*Node, error) {
	g, err := globalWindow(x)
	if err != nil {
		return nil, errors.Wrap(err, "global average pool")
	}
	return apply(avgPool{g: g}, x)
}

// GlobalMaxPool is the largest value of each channel over the whole picture: x [N, C, H, W] to y [N, C].
// The gradient is as for MaxPool2D.
func GlobalMaxPool(x *Node) (*Node, error) {
	g, err := globalWindow(x)
	if err != nil {
		return nil, errors.Wrap(err, "global max pool")
	}
	return apply(maxPool{g}, x)
}

// globalWindow is one window over all of a picture, its result without axes for height and width.
func globalWindow(x *Node) (window, error) {
	if x == nil {
		return window{}, errors.New("x is nil")
	}
	if err := checkPicture("x", x.Shape()); err != nil {
		return window{}, err
	}
	g, err := Pool{Kernel: [2]int{x.Shape()[2], x.Shape()[3]}}.over(x.Shape())
	g.flat = true
	return g, err
}
