package zoo

import "github.com/stheno-ml/stheno/nn"

const szegedyDeeper = "Szegedy et al. 2014, Going Deeper with Convolutions, arXiv:1409.4842"

// googlenet is a row of Inception v1. Names are torchvision's. torchvision's network has batch norms, and a 3×3
// kernel where the paper has 5×5; the published one (BVLC's GoogLeNet) has biases and local response norms.
type googlenet struct {
	Info
	published bool
}

var googlenets = []googlenet{
	{withAux(imagenet("googlenet", 224, 6624904, 1498376192, 69.778, szegedyDeeper), 6379984, auxHead{"aux1", 0.3}, auxHead{"aux2", 0.3}), false},
	{withAux(imagenet("googlenet_bvlc", 224, 6998552, 1582671872, 68.7, szegedyDeeper), 6379728, auxHead{"aux1", 0.3}, auxHead{"aux2", 0.3}), true},
}

// v1Block is the widths of an Inception block: 1×1; 3×3 and its reduction; 5×5 and its; pooling's projection.
type v1Block struct{ one, three0, three, five0, five, pool int }

func (r googlenet) net(c Config) nn.Layer {
	f := convs{init: nn.TruncatedNormal{Std: 0.01}, norm: nn.BatchNorm{Eps: 1e-3}}
	var lrn nn.Layer = nn.Identity{}
	drop, last := 0.2, 2 // dropout, and the kernel of the last pooling
	if r.published {
		f = convs{init: nn.GlorotUniform{}, plain: true}
		lrn = nn.LRN{Size: 5}
		drop, last = 0.4, 3
	}
	half := func(kernel int) nn.Layer { return nn.MaxPool2D{Kernel: kernel, Stride: 2, Ceil: true} }
	block := func(scope string, b v1Block) nn.Layer { return r.block(f, scope, b) }
	features := pooled(
		nn.Mark{Name: "conv1", Layer: f.unit("conv1", nn.Conv2D{Filters: 64, Kernel: 7, Stride: 2, Pad: 3})},
		half(3), lrn,
		f.same("conv2", 64, 1, 1),
		nn.Mark{Name: "conv3", Layer: f.same("conv3", 192, 3, 3)},
		lrn, half(3), // [N, 192, H/8, W/8]
		block("inception3a", v1Block{64, 96, 128, 16, 32, 32}),
		block("inception3b", v1Block{128, 128, 192, 32, 96, 64}),
		half(3),
		block("inception4a", v1Block{192, 96, 208, 16, 48, 64}),
		r.aux(c, f, "aux1"),
		block("inception4b", v1Block{160, 112, 224, 24, 64, 64}),
		block("inception4c", v1Block{128, 128, 256, 24, 64, 64}),
		block("inception4d", v1Block{112, 144, 288, 32, 64, 64}),
		r.aux(c, f, "aux2"),
		block("inception4e", v1Block{256, 160, 320, 32, 128, 128}),
		half(last),
		block("inception5a", v1Block{256, 160, 320, 32, 128, 128}),
		block("inception5b", v1Block{384, 192, 384, 48, 128, 128}),
	)
	return c.head(features, drop, nn.Linear{Name: "fc", Init: f.init})
}

func (r googlenet) block(f convs, scope string, b v1Block) nn.Layer {
	five := 3
	if r.published {
		five = 5
	}
	return stage(scope, nn.Parallel{
		f.same("branch1", b.one, 1, 1),
		list("branch2", f.same("", b.three0, 1, 1), f.same("", b.three, 3, 3)),
		list("branch3", f.same("", b.five0, 1, 1), f.same("", b.five, five, five)),
		list("branch4", nn.MaxPool2D{Kernel: 3, Stride: 1, Pad: 1}, f.same("", b.pool, 1, 1)),
	})
}

// aux is the auxiliary classifier on [N, C, 14, 14]. The published one's linear layer depends on the size of
// the pictures.
func (r googlenet) aux(c Config, f convs, scope string) nn.Layer {
	var pool nn.Layer = nn.AdaptiveAvgPool2D{Size: [2]int{4, 4}}
	if r.published {
		pool = nn.AvgPool2D{Kernel: 5, Stride: 3, Ceil: true}
	}
	return c.aux(scope, pool, f.same("conv", 128, 1, 1), nn.Flatten{},
		nn.Linear{Name: "fc1", Units: 1024, Init: f.init}, nn.ReLU{}, c.dropout(0.7),
		nn.Linear{Name: "fc2", Units: c.Classes, Init: f.init})
}
