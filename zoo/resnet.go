package zoo

import "github.com/stheno-ml/stheno/nn"

const (
	heDeep    = "He et al. 2015, Deep Residual Learning for Image Recognition, arXiv:1512.03385"
	xieGroups = "Xie et al. 2017, Aggregated Residual Transformations for Deep Neural Networks, arXiv:1611.05431"
	zagoWide  = "Zagoruyko and Komodakis 2016, Wide Residual Networks, arXiv:1605.07146"
)

// resnet is a row of the ResNet family. Names and arithmetic are torchvision's ("v1.5": the 3×3 convolution of
// a bottleneck takes the stride), those with _v1 take it in the first 1×1 as the paper does, and those with
// _keras do so too, have biases in their convolutions and another epsilon, and the same names of variables.
type resnet struct {
	Info
	block  resnetBlock
	blocks [4]int // in layer1 to layer4
	groups int    // of a bottleneck's 3×3 convolution
	width  int    // channels a group in layer1
	style  style
}

// style is whose version of a network it is.
type style uint8

const (
	torch style = iota
	paper
	keras
)

type resnetBlock uint8

const (
	basic      resnetBlock = iota // two 3×3 convolutions
	bottleneck                    // 1×1, 3×3 and 1×1 to four times the planes
)

var resnets = []resnet{
	{imagenet("resnet18", 224, 11689512, 1814073344, 69.758, heDeep), basic, [4]int{2, 2, 2, 2}, 1, 64, torch},
	{imagenet("resnet34", 224, 21797672, 3663761408, 73.314, heDeep), basic, [4]int{3, 4, 6, 3}, 1, 64, torch},
	{imagenet("resnet50", 224, 25557032, 4089184256, 76.130, heDeep), bottleneck, [4]int{3, 4, 6, 3}, 1, 64, torch},
	{imagenet("resnet101", 224, 44549160, 7801405440, 77.374, heDeep), bottleneck, [4]int{3, 4, 23, 3}, 1, 64, torch},
	{imagenet("resnet152", 224, 60192808, 11513626624, 78.312, heDeep), bottleneck, [4]int{3, 8, 36, 3}, 1, 64, torch},
	{imagenet("resnet50_v1", 224, 25557032, 3857973248, 75.3, heDeep), bottleneck, [4]int{3, 4, 6, 3}, 1, 64, paper},
	{imagenet("resnet101_v1", 224, 44549160, 7570194432, 76.4, heDeep), bottleneck, [4]int{3, 4, 23, 3}, 1, 64, paper},
	{imagenet("resnet152_v1", 224, 60192808, 11282415616, 77.0, heDeep), bottleneck, [4]int{3, 8, 36, 3}, 1, 64, paper},
	{imagenet("resnet50_keras", 224, 25583592, 3857973248, 74.9, heDeep), bottleneck, [4]int{3, 4, 6, 3}, 1, 64, keras},
	{imagenet("resnet101_keras", 224, 44601832, 7570194432, 76.4, heDeep), bottleneck, [4]int{3, 4, 23, 3}, 1, 64, keras},
	{imagenet("resnet152_keras", 224, 60268520, 11282415616, 76.6, heDeep), bottleneck, [4]int{3, 8, 36, 3}, 1, 64, keras},
	{imagenet("resnext50_32x4d", 224, 25028904, 4230479872, 77.618, xieGroups), bottleneck, [4]int{3, 4, 6, 3}, 32, 4, torch},
	{imagenet("resnext101_32x8d", 224, 88791336, 16414015488, 79.312, xieGroups), bottleneck, [4]int{3, 4, 23, 3}, 32, 8, torch},
	{imagenet("resnext101_64x4d", 224, 83455272, 15460270080, 83.246, xieGroups), bottleneck, [4]int{3, 4, 23, 3}, 64, 4, torch},
	{imagenet("wide_resnet50_2", 224, 68883240, 11398021120, 78.468, zagoWide), bottleneck, [4]int{3, 4, 6, 3}, 1, 128, torch},
	{imagenet("wide_resnet101_2", 224, 126886696, 22753050624, 78.848, zagoWide), bottleneck, [4]int{3, 4, 23, 3}, 1, 128, torch},
}

func (r resnet) net(c Config) nn.Layer {
	features := []nn.Layer{
		r.conv("conv1", 64, 7, 2, 1), r.norm("bn1"), nn.Mark{Name: "stem", Layer: nn.ReLU{}},
		nn.MaxPool2D{Kernel: 3, Stride: 2, Pad: 1}, // [N, 64, H/4, W/4]
	}
	for i, n := range r.blocks {
		scope := "layer" + string(rune('1'+i))
		var layer []nn.Layer
		for k := range n {
			stride := 1
			if i > 0 && k == 0 {
				stride = 2
			}
			layer = append(layer, r.residual(c, 64<<i, stride, k == 0 && (i > 0 || r.block == bottleneck)))
		}
		features = append(features, stage(scope, numbered(layer)))
	}
	return c.head(pooled(features...), 0, nn.Linear{Name: "fc", Init: nn.TorchDefault{}})
}

// residual is one block; project says whether its shortcut is a convolution.
func (r resnet) residual(c Config, planes, stride int, project bool) nn.Layer {
	last := r.norm("bn2")
	last.ZeroInit = c.ZeroInit
	body := nn.Sequential{
		r.conv("conv1", planes, 3, stride, 1), r.norm("bn1"), nn.ReLU{},
		r.conv("conv2", planes, 3, 1, 1), last,
	}
	out := planes
	if r.block == bottleneck {
		first, second := 1, stride
		if r.style != torch {
			first, second = stride, 1
		}
		width := planes * r.width / 64 * r.groups
		out = 4 * planes
		last.Name = "bn3"
		body = nn.Sequential{
			r.conv("conv1", width, 1, first, 1), r.norm("bn1"), nn.ReLU{},
			r.conv("conv2", width, 3, second, r.groups), r.norm("bn2"), nn.ReLU{},
			r.conv("conv3", out, 1, 1, 1), last,
		}
	}
	var shortcut nn.Layer
	if project {
		shortcut = in("downsample", r.conv("0", out, 1, stride, 1), r.norm("1"))
	}
	return residual{body: body, shortcut: shortcut, after: nn.ReLU{}}
}

// conv is a convolution with an odd kernel, padded so that stride 1 keeps the size.
func (r resnet) conv(name string, filters, kernel, stride, groups int) nn.Conv2D {
	return nn.Conv2D{Name: name, Filters: filters, Kernel: kernel, Stride: stride, Pad: kernel / 2, Groups: groups,
		NoBias: r.style != keras, Init: nn.HeNormal{FanOut: true}}
}

func (r resnet) norm(name string) nn.BatchNorm {
	if r.style == keras {
		return nn.BatchNorm{Name: name, Eps: 1.001e-5, Momentum: 0.01, Biased: true}
	}
	return nn.BatchNorm{Name: name}
}
