package zoo

import (
	"strconv"

	"github.com/stheno-ml/stheno/nn"
)

const (
	howardMobile  = "Howard et al. 2017, MobileNets: Efficient Convolutional Neural Networks for Mobile Vision, arXiv:1704.04861"
	sandlerMobile = "Sandler et al. 2018, MobileNetV2: Inverted Residuals and Linear Bottlenecks, arXiv:1801.04381"
)

// mobilenet is a row of MobileNet v1. Names are those of timm's mobilenetv1_100. Keras's, with the same names,
// pads below and to the right only where the stride is 2, and has another epsilon.
type mobilenet struct {
	Info
	style style
}

// mobilenetV2 is a row of MobileNet v2. Names are torchvision's; Keras's differs as in v1, and has no dropout.
type mobilenetV2 struct {
	Info
	style style
}

var mobilenets = []mobilenet{
	{imagenet("mobilenet_v1", 224, 4231976, 568740352, 70.6, howardMobile), torch},
	{imagenet("mobilenet_v1_keras", 224, 4231976, 568740352, 70.4, howardMobile), keras},
}

var mobilenetV2s = []mobilenetV2{
	{imagenet("mobilenet_v2", 224, 3504872, 300774272, 71.878, sandlerMobile), torch},
	{imagenet("mobilenet_v2_keras", 224, 3504872, 300774272, 71.3, sandlerMobile), keras},
}

func (r mobilenet) net(c Config) nn.Layer {
	f := mobileLayers{r.style, 0.01}
	features := []nn.Layer{nn.Mark{Name: "stem", Layer: f.conv("conv_stem", "bn1", 32, 3, 2)}} // [N, 32, H/2, W/2]
	for i, n := range []int{1, 2, 2, 6, 2} {
		var blocks []nn.Layer
		for k := range n {
			stride := 1
			if i > 0 && k == 0 {
				stride = 2
			}
			blocks = append(blocks, nn.Sequential{
				f.depthwise("conv_dw", "bn1", stride, true),
				f.conv("conv_pw", "bn2", 64<<i, 1, 1),
			})
		}
		features = append(features, stage("blocks."+strconv.Itoa(i), numbered(blocks)))
	}
	drop := 0.2
	if r.style == keras {
		drop = 1e-3
	}
	return c.head(pooled(features...), drop, nn.Linear{Name: "classifier", Init: nn.TorchDefault{}})
}

// inverted is a row of the paper's table 2: n blocks to c channels through t times their input's, the first
// with stride s.
type inverted struct{ t, c, n, s int }

func (r mobilenetV2) net(c Config) nn.Layer {
	f := mobileLayers{r.style, 0.001}
	layers := []nn.Layer{nn.Mark{Name: "stem", Layer: f.conv("0", "1", 32, 3, 2)}}
	from := 32
	for _, b := range []inverted{{1, 16, 1, 1}, {6, 24, 2, 2}, {6, 32, 3, 2}, {6, 64, 4, 2}, {6, 96, 3, 1}, {6, 160, 3, 2}, {6, 320, 1, 1}} {
		for k := range b.n {
			stride := 1
			if k == 0 {
				stride = b.s
			}
			layers = append(layers, f.inverted(c, from, b.c, b.t, stride))
			from = b.c
		}
		last := len(layers) - 1
		layers[last] = nn.Mark{Name: "features." + strconv.Itoa(last), Layer: layers[last]}
	}
	layers = append(layers, f.conv("0", "1", 1280, 1, 1)) // [N, 1280, H/32, W/32]
	drop := 0.2
	if r.style == keras {
		drop = 0
	}
	return c.head(pooled(list("features", layers...)), drop, nn.Linear{Name: "classifier.1", Init: nn.Normal{Std: 0.01}})
}

// mobileLayers makes the layers of both versions.
type mobileLayers struct {
	style    style
	momentum float64 // of Keras's batch norms
}

// inverted is an inverted residual: 1×1 to t times the channels, depthwise 3×3, and 1×1 without activation (figure 3).
func (f mobileLayers) inverted(c Config, from, to, t, stride int) nn.Layer {
	var body []nn.Layer
	if t != 1 {
		body = append(body, f.conv("0", "1", t*from, 1, 1))
	}
	last := f.norm("")
	residualBlock := stride == 1 && from == to
	last.ZeroInit = c.ZeroInit && residualBlock
	body = append(body, f.depthwise("0", "1", stride, false), nn.Conv2D{Filters: to, Kernel: 1, NoBias: true, Init: nn.HeNormal{FanOut: true}}, last)
	layer := list("conv", body...)
	if residualBlock {
		return residual{body: layer}
	}
	return layer
}

// conv is a convolution, a batch norm and a ReLU6.
func (f mobileLayers) conv(name, norm string, filters, kernel, stride int) nn.Layer {
	conv := nn.Conv2D{Name: name, Filters: filters, Kernel: kernel, Stride: stride, Pad: kernel / 2, NoBias: true, Init: nn.HeNormal{FanOut: true}}
	if f.style == keras {
		conv.Pad, conv.Same = 0, true
	}
	return nn.Sequential{conv, f.norm(norm), nn.ReLU6{}}
}

// depthwise is a depthwise 3×3 convolution, a batch norm and a ReLU6. Where the stride is 2, Keras pads v1
// below and to the right, whatever the size, and v2 as TensorFlow does.
func (f mobileLayers) depthwise(name, norm string, stride int, v1 bool) nn.Layer {
	conv := nn.DepthwiseConv2D{Name: name, Kernel: 3, Stride: stride, Pad: 1, NoBias: true, Init: nn.HeNormal{FanOut: true}}
	switch {
	case f.style == keras && v1 && stride == 2:
		conv.Padding = [4]int{0, 1, 0, 1}
	case f.style == keras:
		conv.Pad, conv.Same = 0, true
	}
	return nn.Sequential{conv, f.norm(norm), nn.ReLU6{}}
}

func (f mobileLayers) norm(name string) nn.BatchNorm {
	if f.style == keras {
		return nn.BatchNorm{Name: name, Eps: 1e-3, Momentum: f.momentum, Biased: true}
	}
	return nn.BatchNorm{Name: name}
}
