package zoo

import "github.com/stheno-ml/stheno/nn"

// inceptionResnet is a row of Inception-ResNet. Version 2's names are timm's; Keras's, with the same names, has
// batch norms without γ and no dropout. Version 1's trunk has facenet-pytorch's names, and its classifier version 2's; facenet
// is version 1 with an embedding of 512 numbers in front of the classifier, for faces.
type inceptionResnet struct {
	Info
	kind irKind
}

type irKind uint8

const (
	irV2 irKind = iota
	irV2Keras
	irV1
	irFacenet
)

var inceptionResnets = []inceptionResnet{
	{imagenet("inception_resnet_v1", 299, 24357096, 6308597856, 78.7, szegedyV4), irV1},
	{facenet(), irFacenet},
	{imagenet("inception_resnet_v2", 299, 55843464, 13155794016, 80.459, szegedyV4), irV2},
	{imagenet("inception_resnet_v2_keras", 299, 55813192, 13155794016, 80.3, szegedyV4), irV2Keras},
}

// facenet is named after Schroff et al. 2015; its weights know the 8631 people of VGGFace2.
func facenet() Info {
	i := imagenet("facenet", 160, 27910327, 1422081376, 0, szegedyV4)
	i.classes = 8631
	return i
}

func (r inceptionResnet) net(c Config) nn.Layer {
	f := irBlocks{convs{init: nn.TorchDefault{}, norm: nn.BatchNorm{Eps: 1e-3}}}
	switch r.kind {
	case irV1, irFacenet:
		return r.version1(c, f)
	case irV2Keras:
		f.norm = nn.BatchNorm{Eps: 1e-3, Momentum: 0.01, Biased: true, NoScale: true}
	}
	features := pooled(
		f.valid("conv2d_1a", 32, 3, 2), // [N, 32, 149, 149]
		f.valid("conv2d_2a", 32, 3, 1),
		nn.Mark{Name: "conv2d_2b", Layer: f.same("conv2d_2b", 64, 3, 3)},
		nn.MaxPool2D{Kernel: 3, Stride: 2}, // [N, 64, 73, 73]
		f.valid("conv2d_3b", 80, 1, 1),
		nn.Mark{Name: "conv2d_4a", Layer: f.valid("conv2d_4a", 192, 3, 1)},
		nn.MaxPool2D{Kernel: 3, Stride: 2}, // [N, 192, 35, 35]
		stage("mixed_5b", f.mixed5b()),
		stage("repeat", repeat(10, f.block35(320, 48, 64, 0.17))),
		stage("mixed_6a", f.mixed6a(256, 256, 384)), // [N, 1088, 17, 17]
		stage("repeat_1", repeat(20, f.block17(1088, 192, 160, 192, 0.10))),
		stage("mixed_7a", f.mixed7a(288, 288, 320)), // [N, 2080, 8, 8]
		stage("repeat_2", repeat(9, f.block8(2080, 224, 256, 0.20, nn.ReLU{}))),
		in("block8", f.block8(2080, 224, 256, 1, nil)),
		f.same("conv2d_7b", 1536, 1, 1),
	)
	drop := 0.2
	if r.kind == irV2Keras {
		drop = 0
	}
	return c.head(features, drop, nn.Linear{Name: "classif", Init: nn.TorchDefault{}})
}

// version1 is the smaller network, as costly as Inception v3 (figures 10 to 15).
func (r inceptionResnet) version1(c Config, f irBlocks) nn.Layer {
	features := pooled(
		f.valid("conv2d_1a", 32, 3, 2),
		f.valid("conv2d_2a", 32, 3, 1),
		nn.Mark{Name: "conv2d_2b", Layer: f.same("conv2d_2b", 64, 3, 3)},
		nn.MaxPool2D{Kernel: 3, Stride: 2},
		f.valid("conv2d_3b", 80, 1, 1),
		f.valid("conv2d_4a", 192, 3, 1),
		nn.Mark{Name: "conv2d_4b", Layer: f.valid("conv2d_4b", 256, 3, 2)},
		stage("repeat_1", repeat(5, f.block35(256, 32, 32, 0.17))),
		stage("mixed_6a", f.mixed6a(192, 192, 256)), // 896 channels
		stage("repeat_2", repeat(10, f.block17(896, 128, 128, 128, 0.10))),
		stage("mixed_7a", f.mixed7a(256, 256, 256)), // 1792 channels
		stage("repeat_3", repeat(5, f.block8(1792, 192, 192, 0.20, nn.ReLU{}))),
		in("block8", f.block8(1792, 192, 192, 1, nil)),
	)
	if r.kind == irV1 {
		return c.head(features, 0.2, nn.Linear{Name: "classif", Init: nn.TorchDefault{}})
	}
	embedded := append(features, c.dropout(0.6), nn.Linear{Name: "last_linear", Units: 512, NoBias: true, Init: nn.TorchDefault{}},
		nn.Mark{Name: "embedding", Layer: nn.BatchNorm{Name: "last_bn", Eps: 1e-3}})
	return c.head(embedded, 0, nn.Linear{Name: "logits", Init: nn.TorchDefault{}})
}

// repeat is n equal blocks.
func repeat(n int, block nn.Layer) nn.Layer {
	blocks := make([]nn.Layer, n)
	for i := range blocks {
		blocks[i] = block
	}
	return numbered(blocks)
}

// irBlocks makes the blocks of Inception-ResNet.
type irBlocks struct{ convs }

// join is a residual block: the branches, a 1×1 convolution with a bias back to the channels of x, scaled.
func (f irBlocks) join(channels int, scale float64, after nn.Layer, branches ...nn.Layer) nn.Layer {
	return scaledResidual(scale, nn.Sequential{nn.Parallel(branches), nn.Conv2D{Name: "conv2d", Filters: channels, Kernel: 1, Init: f.init}}, after)
}

// mixed5b is an Inception block of version 2's stem, to 320 channels.
func (f irBlocks) mixed5b() nn.Layer {
	return nn.Parallel{
		f.same("branch0", 96, 1, 1),
		list("branch1", f.same("", 48, 1, 1), f.same("", 64, 5, 5)),
		list("branch2", f.same("", 64, 1, 1), f.same("", 96, 3, 3), f.same("", 96, 3, 3)),
		list("branch3", nn.AvgPool2D{Kernel: 3, Stride: 1, Pad: 1}, f.same("", 64, 1, 1)),
	}
}

// block35 is Inception-ResNet-A (figures 10 and 16).
func (f irBlocks) block35(channels, mid, last int, scale float64) nn.Layer {
	return f.join(channels, scale, nn.ReLU{},
		f.same("branch0", 32, 1, 1),
		list("branch1", f.same("", 32, 1, 1), f.same("", 32, 3, 3)),
		list("branch2", f.same("", 32, 1, 1), f.same("", mid, 3, 3), f.same("", last, 3, 3)))
}

// block17 is Inception-ResNet-B (figures 11 and 17).
func (f irBlocks) block17(channels, one, mid, last int, scale float64) nn.Layer {
	return f.join(channels, scale, nn.ReLU{},
		f.same("branch0", one, 1, 1),
		list("branch1", f.same("", 128, 1, 1), f.same("", mid, 1, 7), f.same("", last, 7, 1)))
}

// block8 is Inception-ResNet-C (figures 13 and 19); the last one has no ReLU.
func (f irBlocks) block8(channels, mid, last int, scale float64, after nn.Layer) nn.Layer {
	return f.join(channels, scale, after,
		f.same("branch0", 192, 1, 1),
		list("branch1", f.same("", 192, 1, 1), f.same("", mid, 1, 3), f.same("", last, 3, 1)))
}

// mixed6a is Reduction-A (figure 7) with k, l, m and n = 384.
func (f irBlocks) mixed6a(k, l, m int) nn.Layer {
	return nn.Parallel{
		f.valid("branch0", 384, 3, 2),
		list("branch1", f.same("", k, 1, 1), f.same("", l, 3, 3), f.valid("", m, 3, 2)),
		nn.MaxPool2D{Kernel: 3, Stride: 2},
	}
}

// mixed7a is Reduction-B (figures 12 and 18).
func (f irBlocks) mixed7a(one, mid, last int) nn.Layer {
	return nn.Parallel{
		list("branch0", f.same("", 256, 1, 1), f.valid("", 384, 3, 2)),
		list("branch1", f.same("", 256, 1, 1), f.valid("", one, 3, 2)),
		list("branch2", f.same("", 256, 1, 1), f.same("", mid, 3, 3), f.valid("", last, 3, 2)),
		nn.MaxPool2D{Kernel: 3, Stride: 2},
	}
}
