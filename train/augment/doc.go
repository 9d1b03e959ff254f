// Package augment changes training pictures by chance, and prepares them for a network. The operations have
// the names, the defaults and, where there is no chance in them, the results of torchvision's transforms on
// PIL pictures.
//
//	augment.Pipeline{
//		Channels: 3, Height: 224, Width: 224,
//		Ops:    []augment.Op{augment.RandomResizedCrop{Height: 224, Width: 224}, augment.RandomHorizontalFlip{}, augment.RandAugment{}},
//		Floats: []augment.FloatOp{augment.ImageNet, augment.RandomErasing{P: 0.1}},
//	}
//
// A Pipeline is a data.Transform: its chance is seeded by example and epoch, so that the same seed gives the
// same pictures whatever the number of workers. MixUp and CutMix are data.Mixers, for whole batches.
package augment
