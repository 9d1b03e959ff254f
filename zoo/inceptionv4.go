package zoo

import "github.com/stheno-ml/stheno/nn"

const szegedyV4 = "Szegedy et al. 2016, Inception-v4, Inception-ResNet and the Impact of Residual Connections on Learning, arXiv:1602.07261"

// inceptionV4 is Inception v4 (figure 9 of the paper). Names are timm's: features.0 to features.21.
type inceptionV4 struct{ Info }

var inceptionV4s = []inceptionV4{
	{imagenet("inception_v4", 299, 42679816, 12253974624, 80.138, szegedyV4)},
}

func (inceptionV4) net(c Config) nn.Layer {
	f := v4Blocks{convs{init: nn.TorchDefault{}, norm: nn.BatchNorm{Eps: 1e-3}}}
	// In training, what the first blocks round away comes out thousands of times as large: it goes through some forty
	// batch norms one after another, with no shortcut around them.
	first := f
	first.careful = true
	layers := []nn.Layer{
		first.valid("", 32, 3, 2), // [N, 32, 149, 149]
		first.valid("", 32, 3, 1),
		first.same("", 64, 3, 3),
		nn.Parallel{nn.MaxPool2D{Kernel: 3, Stride: 2}, first.valid("conv", 96, 3, 2)}, // [N, 160, 73, 73]
		first.stem4(), // [N, 192, 71, 71]
		nn.Mark{Name: "stem", Layer: nn.Parallel{first.valid("conv", 192, 3, 2), nn.MaxPool2D{Kernel: 3, Stride: 2}}}, // [N, 384, 35, 35]
		first.a(), first.a(), first.a(), nn.Mark{Name: "inception_a", Layer: first.a()},
		f.reductionA(), // [N, 1024, 17, 17]
		f.b(), f.b(), f.b(), f.b(), f.b(), f.b(), nn.Mark{Name: "inception_b", Layer: f.b()},
		f.reductionB(), // [N, 1536, 8, 8]
		f.c(), f.c(), nn.Mark{Name: "inception_c", Layer: f.c()},
	}
	return c.head(pooled(list("features", layers...)), 0.2, nn.Linear{Name: "last_linear", Init: nn.TorchDefault{}})
}

// v4Blocks makes the blocks of Inception v4.
type v4Blocks struct{ convs }

// pool is the pooling branch with its projection: leaving padding out of the mean.
func (f v4Blocks) pool(filters int) nn.Layer {
	return list("branch3", nn.AvgPool2D{Kernel: 3, Stride: 1, Pad: 1}, f.same("", filters, 1, 1))
}

// stem4 is the second branching of the stem (figure 3).
func (f v4Blocks) stem4() nn.Layer {
	return nn.Parallel{
		list("branch0", f.same("", 64, 1, 1), f.valid("", 96, 3, 1)),
		list("branch1", f.same("", 64, 1, 1), f.same("", 64, 1, 7), f.same("", 64, 7, 1), f.valid("", 96, 3, 1)),
	}
}

// a is figure 4, for [N, 384, 35, 35].
func (f v4Blocks) a() nn.Layer {
	return nn.Parallel{
		f.same("branch0", 96, 1, 1),
		list("branch1", f.same("", 64, 1, 1), f.same("", 96, 3, 3)),
		list("branch2", f.same("", 64, 1, 1), f.same("", 96, 3, 3), f.same("", 96, 3, 3)),
		f.pool(96),
	}
}

// reductionA is figure 7 with k, l, m, n = 192, 224, 256, 384.
func (f v4Blocks) reductionA() nn.Layer {
	return nn.Parallel{
		f.valid("branch0", 384, 3, 2),
		list("branch1", f.same("", 192, 1, 1), f.same("", 224, 3, 3), f.valid("", 256, 3, 2)),
		nn.MaxPool2D{Kernel: 3, Stride: 2},
	}
}

// b is figure 5, for [N, 1024, 17, 17].
func (f v4Blocks) b() nn.Layer {
	return nn.Parallel{
		f.same("branch0", 384, 1, 1),
		list("branch1", f.same("", 192, 1, 1), f.same("", 224, 1, 7), f.same("", 256, 7, 1)),
		list("branch2", f.same("", 192, 1, 1), f.same("", 192, 7, 1), f.same("", 224, 1, 7), f.same("", 224, 7, 1), f.same("", 256, 1, 7)),
		f.pool(128),
	}
}

// reductionB is figure 8.
func (f v4Blocks) reductionB() nn.Layer {
	return nn.Parallel{
		list("branch0", f.same("", 192, 1, 1), f.valid("", 192, 3, 2)),
		list("branch1", f.same("", 256, 1, 1), f.same("", 256, 1, 7), f.same("", 320, 7, 1), f.valid("", 320, 3, 2)),
		nn.MaxPool2D{Kernel: 3, Stride: 2},
	}
}

// c is figure 6, for [N, 1536, 8, 8].
func (f v4Blocks) c() nn.Layer {
	return nn.Parallel{
		f.same("branch0", 256, 1, 1),
		nn.Sequential{f.same("branch1_0", 384, 1, 1), nn.Parallel{f.same("branch1_1a", 256, 1, 3), f.same("branch1_1b", 256, 3, 1)}},
		nn.Sequential{
			f.same("branch2_0", 384, 1, 1), f.same("branch2_1", 448, 3, 1), f.same("branch2_2", 512, 1, 3),
			nn.Parallel{f.same("branch2_3a", 256, 1, 3), f.same("branch2_3b", 256, 3, 1)},
		},
		f.pool(256),
	}
}
