package main

import (
	"github.com/stheno-ml/stheno/nn"
	"github.com/stheno-ml/stheno/zoo"
)

// network is one of the zoo, or the small one below.
func network(name string, p *pictures, seed uint64) (*zoo.Model, error) {
	if name != "small" {
		return zoo.New(name, zoo.Config{Classes: len(p.classes), Channels: p.channels, InputSize: [2]int{p.side, p.side}, Seed: seed})
	}
	m, err := nn.NewModel(small(len(p.classes)), []int{p.channels, p.side, p.side}, nn.ModelConfig{Name: name, Seed: seed})
	return &zoo.Model{Model: m}, err
}

// small is a network for pictures of some 28 pixels, after the one with which David Page won DAWNBench (2018), at
// three eighths of its width: 0.9 million parameters, 36 million multiply-adds.
func small(classes int) nn.Layer {
	return nn.Sequential{
		conv("stem", 16),                           // [N, 16, 28, 28]
		conv("conv1", 48), nn.MaxPool2D{Kernel: 2}, // [N, 48, 14, 14]
		nn.Residual{Name: "res1", Body: nn.Sequential{conv("a", 48), conv("b", 48)}},
		conv("conv2", 96), nn.MaxPool2D{Kernel: 2}, // [N, 96, 7, 7]
		conv("conv3", 192), nn.MaxPool2D{Kernel: 2}, // [N, 192, 3, 3]
		nn.Residual{Name: "res3", Body: nn.Sequential{conv("a", 192), conv("b", 192)}},
		nn.GlobalAvgPool{}, nn.Linear{Name: "head", Units: classes},
	}
}

func conv(name string, filters int) nn.Layer {
	return nn.Sequential{nn.Conv2D{Name: name, Filters: filters, Kernel: 3, Pad: 1, NoBias: true}, nn.BatchNorm{Name: name + "_bn"}, nn.ReLU{}}
}
