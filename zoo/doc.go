// Package zoo has the published networks by name, ready for weights that were trained elsewhere:
//
//	m, err := zoo.New("resnet50", zoo.Config{Classes: 37})
//
// A family is a file, and a network is a row of the table in it. Models lists them all with what is published:
// parameters, multiply-adds, picture size, accuracy, paper.
//
//	file                families                                       names of variables are those of
//	resnet.go           ResNet (v1.5 and v1), ResNeXt, Wide ResNet     torchvision
//	resnetv2.go         pre-activation ResNet                          timm
//	resnetcifar.go      ResNet for 32×32 pictures, option A            akamaster/pytorch_resnet_cifar10
//	googlenet.go        Inception v1, with and without batch norm      torchvision
//	bninception.go      Inception v2                                   (none; made after torchvision's GoogLeNet)
//	inceptionv3.go      Inception v3                                   torchvision
//	inceptionv4.go      Inception v4                                   timm
//	inceptionresnet.go  Inception-ResNet v1 and v2, FaceNet            timm; facenet-pytorch for v1
//	xception.go         Xception                                       timm (legacy_xception)
//	dcgan.go            DCGAN's generator and discriminator            PyTorch's example
//	vgg.go              VGG, with and without batch norm               torchvision
//	squeezenet.go       SqueezeNet                                     torchvision
//	mobilenet.go        MobileNet v1 and v2                            timm; torchvision
//
// Rows whose names end in _keras are the same networks as Keras has them: other padding, epsilons, biases or
// missing scales, with the same names of variables.
//
// # What can be changed
//
// Config sets classes, channels, picture size (not square as well), dropout, and leaves the classifier or adds
// the auxiliary heads. Auxiliary heads want Model.Loss, which weighs them as published; in evaluation they cost
// nothing. Every network marks its stages: Model.Stages names them, nn.Model.Outputs computes them. "features"
// is the last feature map [N, D, H, W] and "pooled" its mean [N, D], which is also what a headless model gives.
//
// Model.Freeze freezes scopes of variables, batch norms' running statistics included.
//
// # How it is checked
//
// Against torchvision, timm and PyTorch's DCGAN in float64: outputs in evaluation and training, loss, the
// gradient of every variable and running statistics, to 1e-8 (reference_test.go). Most of these take minutes;
// STHENO_ZOO=all runs them all.
package zoo
