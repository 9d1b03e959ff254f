package zoo

import "github.com/stheno-ml/stheno/nn"

const ioffeNorm = "Ioffe and Szegedy 2015, Batch Normalization: Accelerating Deep Network Training, arXiv:1502.03167"

// bnInception is Inception v2: the 5×5 convolutions of v1 have become two of 3×3, every convolution has a batch
// norm, and two blocks halve the picture themselves (its figure 5). Names are made after torchvision's GoogLeNet.
type bnInception struct{ Info }

var bnInceptions = []bnInception{
	{imagenet("bn_inception", 224, 11194984, 2018851840, 74.8, ioffeNorm)},
}

// v2Block is the widths of a block: 1×1; 3×3 and its reduction; two 3×3 and their reduction; pooling's
// projection. Where one and pool are 0 the block has stride 2.
type v2Block struct {
	one, three0, three, double0, double, pool int
	max                                       bool // the largest instead of the mean in front of the projection
}

func (bnInception) net(c Config) nn.Layer {
	f := convs{init: nn.TruncatedNormal{Std: 0.1}, norm: nn.BatchNorm{Eps: 1e-3}}
	half := nn.MaxPool2D{Kernel: 3, Stride: 2, Ceil: true}
	features := pooled(
		nn.Mark{Name: "conv1", Layer: f.unit("conv1", nn.Conv2D{Filters: 64, Kernel: 7, Stride: 2, Pad: 3})}, half,
		f.same("conv2", 64, 1, 1),
		nn.Mark{Name: "conv3", Layer: f.same("conv3", 192, 3, 3)}, half, // [N, 192, H/8, W/8]
		v2Block{64, 64, 64, 64, 96, 32, false}.layer(f, "inception3a"),
		v2Block{64, 64, 96, 64, 96, 64, false}.layer(f, "inception3b"),
		v2Block{0, 128, 160, 64, 96, 0, true}.layer(f, "inception3c"),
		v2Block{224, 64, 96, 96, 128, 128, false}.layer(f, "inception4a"),
		v2Block{192, 96, 128, 96, 128, 128, false}.layer(f, "inception4b"),
		v2Block{160, 128, 160, 128, 160, 96, false}.layer(f, "inception4c"),
		v2Block{96, 128, 192, 160, 192, 96, false}.layer(f, "inception4d"),
		v2Block{0, 128, 192, 192, 256, 0, true}.layer(f, "inception4e"),
		v2Block{352, 192, 320, 160, 224, 128, false}.layer(f, "inception5a"),
		v2Block{352, 192, 320, 192, 224, 128, true}.layer(f, "inception5b"),
	)
	return c.head(features, 0.2, nn.Linear{Name: "fc", Init: nn.TruncatedNormal{Std: 0.01}})
}

func (b v2Block) layer(f convs, scope string) nn.Layer {
	stride := 1
	if b.one == 0 {
		stride = 2
	}
	last := func(filters int) nn.Layer {
		return f.unit("", nn.Conv2D{Filters: filters, Kernel: 3, Stride: stride, Pad: 1})
	}
	three := list("branch2", f.same("", b.three0, 1, 1), last(b.three))
	double := list("branch3", f.same("", b.double0, 1, 1), f.same("", b.double, 3, 3), last(b.double))
	if stride == 2 {
		return stage(scope, nn.Parallel{three, double, nn.MaxPool2D{Kernel: 3, Stride: 2, Pad: 1}})
	}
	var pool nn.Layer = nn.AvgPool2D{Kernel: 3, Stride: 1, Pad: 1}
	if b.max {
		pool = nn.MaxPool2D{Kernel: 3, Stride: 1, Pad: 1}
	}
	return stage(scope, nn.Parallel{f.same("branch1", b.one, 1, 1), three, double, list("branch4", pool, f.same("", b.pool, 1, 1))})
}
