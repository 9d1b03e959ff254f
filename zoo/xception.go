package zoo

import (
	"strconv"

	"github.com/stheno-ml/stheno/nn"
)

const cholletXception = "Chollet 2016, Xception: Deep Learning with Depthwise Separable Convolutions, arXiv:1610.02357"

// xception is a row of the Xception family. Names and arithmetic are those of timm's legacy_xception; Keras's,
// with the same names, pads its poolings as TensorFlow does and has another epsilon. The small one, our own, is
// for pictures of 112×112: it halves them once less, has half of the channels and four middle blocks.
type xception struct {
	Info
	stride int    // of the first convolution
	stem   [2]int // channels of conv1 and conv2
	entry  [3]int // channels of block1 to block3, which halve the picture
	middle int    // blocks that change neither size nor channels
	exit   [3]int // channels of the last block, conv3 and conv4
	style  style
}

var xceptions = []xception{
	{imagenet("xception", 299, 22855952, 8357403496, 79.0, cholletXception),
		2, [2]int{32, 64}, [3]int{128, 256, 728}, 8, [3]int{1024, 1536, 2048}, torch},
	{imagenet("xception_keras", 299, 22855952, 8357403496, 79.0, cholletXception),
		2, [2]int{32, 64}, [3]int{128, 256, 728}, 8, [3]int{1024, 1536, 2048}, keras},
	{imagenet("xception_small", 112, 4654444, 823918364, 0, cholletXception),
		1, [2]int{16, 32}, [3]int{64, 128, 364}, 4, [3]int{512, 768, 1024}, torch},
}

func (r xception) net(c Config) nn.Layer {
	plain := func(name string, filters, stride int) nn.Layer {
		return nn.Conv2D{Name: name, Filters: filters, Kernel: 3, Stride: stride, NoBias: true, Init: nn.HeNormal{FanOut: true}}
	}
	features := []nn.Layer{
		plain("conv1", r.stem[0], r.stride), r.norm("bn1"), nn.ReLU{}, // [N, 32, 149, 149]
		plain("conv2", r.stem[1], 1), r.norm("bn2"), nn.Mark{Name: "stem", Layer: nn.ReLU{}},
	}
	for i, w := range r.entry {
		features = append(features, r.block(i+1, 2, i > 0, w, w))
	}
	width := r.entry[2]
	for i := range r.middle {
		features = append(features, r.block(4+i, 1, true, width, width, width))
	}
	features = append(features,
		r.block(4+r.middle, 2, true, width, r.exit[0]),
		r.separable("conv3", r.exit[1]), r.norm("bn3"), nn.ReLU{},
		r.separable("conv4", r.exit[2]), r.norm("bn4"), nn.ReLU{})
	return c.head(pooled(features...), 0.5, nn.Linear{Name: "fc", Init: nn.TorchDefault{}})
}

// block adds separable convolutions of the given widths to x or, where the stride is 2, to a 1×1 convolution
// of x. A ReLU comes before each convolution but, where relu is false, the first.
func (r xception) block(number, stride int, relu bool, widths ...int) nn.Layer {
	var body []nn.Layer
	for i, w := range widths {
		if i > 0 || relu {
			body = append(body, nn.ReLU{})
		}
		body = append(body, r.separable("", w), r.norm(""))
	}
	b := residual{}
	if stride > 1 {
		pool := nn.MaxPool2D{Kernel: 3, Stride: 2, Pad: 1}
		if r.style == keras {
			pool = nn.MaxPool2D{Kernel: 3, Stride: 2, Same: true}
		}
		body = append(body, pool)
		b.shortcut = nn.Sequential{
			nn.Conv2D{Name: "skip", Filters: widths[len(widths)-1], Kernel: 1, Stride: 2, NoBias: true, Init: nn.HeNormal{FanOut: true}},
			r.norm("skipbn"),
		}
	}
	b.body = list("rep", body...)
	return stage("block"+strconv.Itoa(number), b)
}

// separable is a depthwise 3×3 and a 1×1 convolution: NAME.conv1 and NAME.pointwise.
func (xception) separable(name string, filters int) nn.Layer {
	s := nn.Sequential{
		nn.DepthwiseConv2D{Name: "conv1", Kernel: 3, Pad: 1, NoBias: true, Init: nn.HeNormal{FanOut: true}},
		nn.Conv2D{Name: "pointwise", Filters: filters, Kernel: 1, NoBias: true, Init: nn.HeNormal{FanOut: true}},
	}
	if name == "" {
		return s
	}
	return nn.Named{Name: name, Layer: s}
}

func (r xception) norm(name string) nn.BatchNorm {
	if r.style == keras {
		return nn.BatchNorm{Name: name, Eps: 1e-3, Momentum: 0.01, Biased: true}
	}
	return nn.BatchNorm{Name: name}
}
