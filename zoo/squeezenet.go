package zoo

import (
	"strconv"

	"github.com/stheno-ml/stheno/nn"
)

const iandolaSqueeze = "Iandola et al. 2016, SqueezeNet: AlexNet-level accuracy with 50x fewer parameters, arXiv:1602.07360"

// squeezenet is a row of the SqueezeNet family. Names are torchvision's.
type squeezenet struct {
	Info
	filters, kernel int    // of the first convolution
	fires           [3]int // fire modules between poolings; there are eight, of widths that do not differ
}

var squeezenets = []squeezenet{
	{imagenet("squeezenet1_0", 224, 1248424, 818924576, 58.092, iandolaSqueeze), 96, 7, [3]int{3, 4, 1}},
	{imagenet("squeezenet1_1", 224, 1235496, 349151936, 58.178, iandolaSqueeze), 64, 3, [3]int{2, 2, 4}},
}

func (r squeezenet) net(c Config) nn.Layer {
	half := nn.MaxPool2D{Kernel: 3, Stride: 2, Ceil: true}
	layers := []nn.Layer{
		nn.Conv2D{Filters: r.filters, Kernel: r.kernel, Stride: 2, Init: nn.HeUniform{}},
		nn.Mark{Name: "stem", Layer: nn.ReLU{}},
	}
	width := 0
	for i, n := range r.fires {
		layers = append(layers, half)
		for range n {
			squeeze := 16 * (width/2 + 1) // 16, 16, 32, 32, 48, 48, 64, 64
			layers = append(layers, fire(squeeze, 4*squeeze))
			width++
		}
		last := len(layers) - 1
		layers[last] = nn.Mark{Name: "stage" + strconv.Itoa(i+1), Layer: layers[last]}
	}
	features := nn.Mark{Name: "features", Layer: list("features", layers...)}
	if c.Headless {
		return nn.Sequential{features, nn.Mark{Name: "pooled", Layer: nn.GlobalAvgPool{}}}
	}
	return nn.Sequential{features, list("classifier",
		c.dropout(0.5), nn.Conv2D{Filters: c.Classes, Kernel: 1, Init: nn.Normal{Std: 0.01}}, nn.ReLU{}, nn.GlobalAvgPool{})}
}

// fire squeezes by a 1×1 convolution and expands by a 1×1 and a 3×3 one, side by side (figure 1).
func fire(squeeze, expand int) nn.Layer {
	conv := func(name string, filters, kernel int) nn.Layer {
		return nn.Sequential{nn.Conv2D{Name: name, Filters: filters, Kernel: kernel, Pad: kernel / 2, Init: nn.HeUniform{}}, nn.ReLU{}}
	}
	return nn.Sequential{
		conv("squeeze", squeeze, 1),
		nn.Parallel{conv("expand1x1", expand, 1), conv("expand3x3", expand, 3)},
	}
}
