package zoo

import (
	"github.com/stheno-ml/stheno/graph"
	"github.com/stheno-ml/stheno/nn"
	"github.com/stheno-ml/stheno/ops"
)

const heIdentity = "He et al. 2016, Identity Mappings in Deep Residual Networks, arXiv:1603.05027"

// resnetV2 is a row of the pre-activation ResNets. Names and arithmetic are those of timm's resnetv2_50. Keras's
// take the stride in a stage's last block, put zeros around the first pooling, whose input may be below 0, have other
// biases and another epsilon, and the same names.
type resnetV2 struct {
	Info
	blocks [4]int // in stages.0 to stages.3
	style  style
}

var resnetV2s = []resnetV2{
	{imagenet("resnetv2_50", 224, 25549352, 4089184256, 75.6, heIdentity), [4]int{3, 4, 6, 3}, torch},
	{imagenet("resnetv2_101", 224, 44541480, 7801405440, 77.0, heIdentity), [4]int{3, 4, 23, 3}, torch},
	{imagenet("resnetv2_152", 224, 60185128, 11513626624, 77.8, heIdentity), [4]int{3, 8, 36, 3}, torch},
	{imagenet("resnet50v2_keras", 224, 25568360, 3482255360, 76.0, heIdentity), [4]int{3, 4, 6, 3}, keras},
	{imagenet("resnet101v2_keras", 224, 44577896, 7194476544, 77.2, heIdentity), [4]int{3, 4, 23, 3}, keras},
	{imagenet("resnet152v2_keras", 224, 60236904, 10906697728, 78.0, heIdentity), [4]int{3, 8, 36, 3}, keras},
}

func (r resnetV2) net(c Config) nn.Layer {
	features := []nn.Layer{
		in("stem", r.conv("conv", 64, 7, 2, true)),
		r.pool(), // [N, 64, H/4, W/4]
	}
	for i, n := range r.blocks {
		scope := "stages." + string(rune('0'+i))
		var blocks []nn.Layer
		for k := range n {
			stride := 1
			if r.style == torch && i > 0 && k == 0 || r.style == keras && i < 3 && k == n-1 {
				stride = 2
			}
			blocks = append(blocks, r.block(64<<i, stride, k == 0))
		}
		features = append(features, stage(scope, list("blocks", blocks...)))
	}
	features = append(features, r.norm("norm"), nn.ReLU{})
	if c.Headless {
		return pooled(features...)
	}
	// timm's classifier is a 1×1 convolution.
	return append(pooled(features...), c.dropout(0), unflatten{},
		in("head", nn.Conv2D{Name: "fc", Filters: c.Classes, Kernel: 1, Init: nn.Normal{Std: 0.01}}), nn.Flatten{})
}

// pool is the stem's pooling.
func (r resnetV2) pool() nn.Layer {
	if r.style != keras {
		return nn.MaxPool2D{Kernel: 3, Stride: 2, Pad: 1}
	}
	zeros := nn.Func(func(g *graph.Graph, x *nn.Node) *nn.Node {
		return g.Apply("pad", "", func(*graph.Graph) (*nn.Node, error) {
			return ops.Pad(x, ops.PadConfig{Before: []int{0, 0, 1, 1}, After: []int{0, 0, 1, 1}})
		}, x)
	})
	return nn.Sequential{zeros, nn.MaxPool2D{Kernel: 3, Stride: 2}}
}

// unflatten makes pictures of one pixel, [N, D, 1, 1], of [N, D].
type unflatten struct{}

func (unflatten) Apply(g *graph.Graph, x *nn.Node) *nn.Node {
	return g.Apply("unflatten", "", func(*graph.Graph) (*nn.Node, error) { return ops.Unsqueeze(x, 2, 3) }, x)
}

// block adds 1×1, 3×3 and 1×1 convolutions of the activated x to x, or to a convolution of the activated x.
func (r resnetV2) block(planes, stride int, project bool) nn.Layer {
	body := nn.Sequential{
		r.conv("conv1", planes, 1, 1, false), r.norm("norm2"), nn.ReLU{},
		r.conv("conv2", planes, 3, stride, false), r.norm("norm3"), nn.ReLU{},
		r.conv("conv3", 4*planes, 1, 1, true),
	}
	activated := nn.Sequential{r.norm("norm1"), nn.ReLU{}}
	if project {
		return nn.Sequential{activated, residual{body: body, shortcut: in("downsample", r.conv("conv", 4*planes, 1, stride, true))}}
	}
	var shortcut nn.Layer
	if stride > 1 {
		shortcut = nn.MaxPool2D{Kernel: 1, Stride: stride}
	}
	return residual{body: append(activated, body...), shortcut: shortcut}
}

// conv is a convolution; bias says whether it has one in Keras, as it has none in timm.
func (r resnetV2) conv(name string, filters, kernel, stride int, bias bool) nn.Conv2D {
	return nn.Conv2D{Name: name, Filters: filters, Kernel: kernel, Stride: stride, Pad: kernel / 2,
		NoBias: r.style == torch || !bias, Init: nn.HeNormal{FanOut: true}}
}

func (r resnetV2) norm(name string) nn.BatchNorm {
	if r.style == keras {
		return nn.BatchNorm{Name: name, Eps: 1.001e-5, Momentum: 0.01, Biased: true}
	}
	return nn.BatchNorm{Name: name}
}
