package zoo

import "github.com/stheno-ml/stheno/nn"

const szegedyRethinking = "Szegedy et al. 2015, Rethinking the Inception Architecture for Computer Vision, arXiv:1512.00567"

// inceptionV3 is a row of Inception v3. Names are torchvision's. Keras's version, with the same names, has batch
// norms without γ, leaves padding out of the means in its pooling branches and has no auxiliary head.
type inceptionV3 struct {
	Info
	style style
}

var inceptionV3s = []inceptionV3{
	{withAux(imagenet("inception_v3", 299, 23834568, 5713216096, 77.294, szegedyRethinking), 3326696, auxHead{"AuxLogits", 0.4}), torch},
	{imagenet("inception_v3_keras", 299, 23817352, 5713216096, 77.9, szegedyRethinking), keras},
}

func (r inceptionV3) net(c Config) nn.Layer {
	f := v3Blocks{
		convs: convs{init: nn.TruncatedNormal{Std: 0.1}, norm: nn.BatchNorm{Eps: 1e-3}},
		mean:  nn.AvgPool2D{Kernel: 3, Stride: 1, Pad: 1, CountPad: true},
	}
	if r.style == keras {
		f.norm = nn.BatchNorm{Eps: 1e-3, Momentum: 0.01, Biased: true, NoScale: true}
		f.mean.CountPad = false
	}
	features := pooled(
		f.valid("Conv2d_1a_3x3", 32, 3, 2), // [N, 32, 149, 149]
		f.valid("Conv2d_2a_3x3", 32, 3, 1),
		nn.Mark{Name: "Conv2d_2b_3x3", Layer: f.same("Conv2d_2b_3x3", 64, 3, 3)},
		nn.MaxPool2D{Kernel: 3, Stride: 2}, // [N, 64, 73, 73]
		f.valid("Conv2d_3b_1x1", 80, 1, 1),
		nn.Mark{Name: "Conv2d_4a_3x3", Layer: f.valid("Conv2d_4a_3x3", 192, 3, 1)},
		nn.MaxPool2D{Kernel: 3, Stride: 2}, // [N, 192, 35, 35]
		f.a("Mixed_5b", 32), f.a("Mixed_5c", 64), f.a("Mixed_5d", 64),
		f.b("Mixed_6a"), // [N, 768, 17, 17]
		f.c("Mixed_6b", 128), f.c("Mixed_6c", 160), f.c("Mixed_6d", 160), f.c("Mixed_6e", 192),
		f.aux(c, r.aux != nil),
		f.d("Mixed_7a"), // [N, 1280, 8, 8]
		f.e("Mixed_7b"), f.e("Mixed_7c"),
	)
	return c.head(features, 0.5, nn.Linear{Name: "fc", Init: nn.TruncatedNormal{Std: 0.1}})
}

// v3Blocks makes the blocks of Inception v3, which torchvision calls A to E.
type v3Blocks struct {
	convs
	mean nn.AvgPool2D // of the branches that pool
}

// a is the paper's figure 5, for [N, C, 35, 35].
func (f v3Blocks) a(scope string, pool int) nn.Layer {
	return stage(scope, nn.Parallel{
		f.same("branch1x1", 64, 1, 1),
		nn.Sequential{f.same("branch5x5_1", 48, 1, 1), f.same("branch5x5_2", 64, 5, 5)},
		nn.Sequential{f.same("branch3x3dbl_1", 64, 1, 1), f.same("branch3x3dbl_2", 96, 3, 3), f.same("branch3x3dbl_3", 96, 3, 3)},
		nn.Sequential{f.mean, f.same("branch_pool", pool, 1, 1)},
	})
}

// b halves the picture (figure 10).
func (f v3Blocks) b(scope string) nn.Layer {
	return stage(scope, nn.Parallel{
		f.valid("branch3x3", 384, 3, 2),
		nn.Sequential{f.same("branch3x3dbl_1", 64, 1, 1), f.same("branch3x3dbl_2", 96, 3, 3), f.valid("branch3x3dbl_3", 96, 3, 2)},
		nn.MaxPool2D{Kernel: 3, Stride: 2},
	})
}

// c is figure 6 with n = 7, for [N, 768, 17, 17].
func (f v3Blocks) c(scope string, width int) nn.Layer {
	return stage(scope, nn.Parallel{
		f.same("branch1x1", 192, 1, 1),
		nn.Sequential{f.same("branch7x7_1", width, 1, 1), f.same("branch7x7_2", width, 1, 7), f.same("branch7x7_3", 192, 7, 1)},
		nn.Sequential{
			f.same("branch7x7dbl_1", width, 1, 1), f.same("branch7x7dbl_2", width, 7, 1), f.same("branch7x7dbl_3", width, 1, 7),
			f.same("branch7x7dbl_4", width, 7, 1), f.same("branch7x7dbl_5", 192, 1, 7),
		},
		nn.Sequential{f.mean, f.same("branch_pool", 192, 1, 1)},
	})
}

// d halves the picture again.
func (f v3Blocks) d(scope string) nn.Layer {
	return stage(scope, nn.Parallel{
		nn.Sequential{f.same("branch3x3_1", 192, 1, 1), f.valid("branch3x3_2", 320, 3, 2)},
		nn.Sequential{
			f.same("branch7x7x3_1", 192, 1, 1), f.same("branch7x7x3_2", 192, 1, 7), f.same("branch7x7x3_3", 192, 7, 1),
			f.valid("branch7x7x3_4", 192, 3, 2),
		},
		nn.MaxPool2D{Kernel: 3, Stride: 2},
	})
}

// e is figure 7, for [N, C, 8, 8].
func (f v3Blocks) e(scope string) nn.Layer {
	return stage(scope, nn.Parallel{
		f.same("branch1x1", 320, 1, 1),
		nn.Sequential{f.same("branch3x3_1", 384, 1, 1), nn.Parallel{f.same("branch3x3_2a", 384, 1, 3), f.same("branch3x3_2b", 384, 3, 1)}},
		nn.Sequential{
			f.same("branch3x3dbl_1", 448, 1, 1), f.same("branch3x3dbl_2", 384, 3, 3),
			nn.Parallel{f.same("branch3x3dbl_3a", 384, 1, 3), f.same("branch3x3dbl_3b", 384, 3, 1)},
		},
		nn.Sequential{f.mean, f.same("branch_pool", 192, 1, 1)},
	})
}

// aux is the auxiliary classifier on [N, 768, 17, 17].
func (f v3Blocks) aux(c Config, has bool) nn.Layer {
	c.Aux = c.Aux && has
	narrow := f.convs
	narrow.init = nn.TruncatedNormal{Std: 0.01}
	return c.aux("AuxLogits", nn.AvgPool2D{Kernel: 5, Stride: 3}, f.valid("conv0", 128, 1, 1), narrow.valid("conv1", 768, 5, 1),
		nn.GlobalAvgPool{}, nn.Linear{Name: "fc", Units: c.Classes, Init: nn.TruncatedNormal{Std: 0.001}})
}
