package zoo

import (
	"strconv"

	"github.com/stheno-ml/stheno/nn"
)

const simonyanVGG = "Simonyan and Zisserman 2014, Very Deep Convolutional Networks for Large-Scale Image Recognition, arXiv:1409.1556"

// vgg is a row of the VGG family: five stages of 3×3 convolutions of 64, 128, 256, 512 and 512 channels, each
// followed by a pooling that halves the picture. Names are torchvision's. Keras's computes the same in evaluation;
// its preprocessing is another, and it has no dropout.
type vgg struct {
	Info
	convs [5]int // in each stage
	norm  bool   // a batch norm after each convolution
	style style
}

var vggs = []vgg{
	{imagenet("vgg11", 224, 132863336, 7609090048, 69.020, simonyanVGG), [5]int{1, 1, 2, 2, 2}, false, torch},
	{imagenet("vgg13", 224, 133047848, 11308466176, 69.928, simonyanVGG), [5]int{2, 2, 2, 2, 2}, false, torch},
	{imagenet("vgg16", 224, 138357544, 15470264320, 71.592, simonyanVGG), [5]int{2, 2, 3, 3, 3}, false, torch},
	{imagenet("vgg19", 224, 143667240, 19632062464, 72.376, simonyanVGG), [5]int{2, 2, 4, 4, 4}, false, torch},
	{imagenet("vgg11_bn", 224, 132868840, 7609090048, 70.370, simonyanVGG), [5]int{1, 1, 2, 2, 2}, true, torch},
	{imagenet("vgg13_bn", 224, 133053736, 11308466176, 71.586, simonyanVGG), [5]int{2, 2, 2, 2, 2}, true, torch},
	{imagenet("vgg16_bn", 224, 138365992, 15470264320, 73.360, simonyanVGG), [5]int{2, 2, 3, 3, 3}, true, torch},
	{imagenet("vgg19_bn", 224, 143678248, 19632062464, 74.218, simonyanVGG), [5]int{2, 2, 4, 4, 4}, true, torch},
	{imagenet("vgg16_keras", 224, 138357544, 15470264320, 71.3, simonyanVGG), [5]int{2, 2, 3, 3, 3}, false, keras},
	{imagenet("vgg19_keras", 224, 143667240, 19632062464, 71.3, simonyanVGG), [5]int{2, 2, 4, 4, 4}, false, keras},
}

func (r vgg) net(c Config) nn.Layer {
	var layers []nn.Layer
	for i, n := range r.convs {
		for range n {
			layers = append(layers, nn.Conv2D{Filters: min(64<<i, 512), Kernel: 3, Pad: 1, Init: nn.HeNormal{FanOut: true}})
			if r.norm {
				layers = append(layers, nn.BatchNorm{})
			}
			layers = append(layers, nn.ReLU{})
		}
		layers[len(layers)-1] = nn.Mark{Name: "stage" + strconv.Itoa(i+1), Layer: nn.ReLU{}}
		layers = append(layers, nn.MaxPool2D{Kernel: 2, Stride: 2})
	}
	features := nn.Mark{Name: "features", Layer: list("features", layers...)}
	if c.Headless {
		return nn.Sequential{features, nn.Mark{Name: "pooled", Layer: nn.GlobalAvgPool{}}}
	}
	drop := 0.5
	if r.style == keras {
		drop = 0
	}
	linear := func(units int) nn.Layer { return nn.Linear{Units: units, Init: nn.Normal{Std: 0.01}} }
	return nn.Sequential{
		features, nn.AdaptiveAvgPool2D{Size: [2]int{7, 7}}, nn.Flatten{},
		list("classifier",
			linear(4096), nn.ReLU{}, c.dropout(drop),
			linear(4096), nn.ReLU{}, c.dropout(drop),
			linear(c.Classes)),
	}
}
