package main

import (
	"github.com/stheno-ml/stheno/nn"
)

// network is a small residual network for 28×28 digits: a stem, two residual blocks that halve the picture,
// and a linear layer on the mean over what is left of it.
func network() nn.Layer {
	return nn.Sequential{
		nn.Named{Name: "stem", Layer: convolution("conv", 16, 3, 1)},
		block("layer1", 32, 2), // [N, 32, 14, 14]
		block("layer2", 64, 2), // [N, 64, 7, 7]
		nn.GlobalAvgPool{},     // [N, 64]
		nn.Linear{Name: "fc", Units: 10},
	}
}

// convolution is a convolution with batch norm and ReLU.
func convolution(name string, filters, kernel, stride int) nn.Layer {
	return nn.Sequential{
		nn.Conv2D{Name: name, Filters: filters, Kernel: kernel, Stride: stride, Pad: kernel / 2, NoBias: true},
		nn.BatchNorm{Name: name + "_bn"},
		nn.ReLU{},
	}
}

// block adds two convolutions to a 1×1 convolution of its input (He et al. 2016, figure 2).
func block(name string, filters, stride int) nn.Layer {
	return nn.Residual{
		Name: name,
		Body: nn.Sequential{
			convolution("conv1", filters, 3, stride),
			nn.Conv2D{Name: "conv2", Filters: filters, Kernel: 3, Pad: 1, NoBias: true},
			nn.BatchNorm{Name: "conv2_bn"},
		},
		Shortcut: nn.Sequential{
			nn.Conv2D{Name: "shortcut", Filters: filters, Kernel: 1, Stride: stride, NoBias: true},
			nn.BatchNorm{Name: "shortcut_bn"},
		},
		After: nn.ReLU{},
	}
}
