package preprocess

// Means and deviations of ImageNet's training pictures, on a scale of 0 to 1 (torchvision).
var (
	ImageNetMean = []float64{0.485, 0.456, 0.406}
	ImageNetStd  = []float64{0.229, 0.224, 0.225}
)

// half brings samples to −1 to 1.
func half() []float64 { return []float64{0.5, 0.5, 0.5} }

// Torchvision is the evaluation of torchvision's weights (transforms.ImageClassification): the shorter side to
// resize by bilinear interpolation, and the middle. Its first weights have 224 of 256, its newer ones
// (IMAGENET1K_V2) 224 of 232.
func Torchvision(size, resize int) Config {
	return Config{Size: [2]int{size, size}, Resize: resize, Filter: Bilinear, Mean: ImageNetMean, Std: ImageNetStd}
}

// TorchvisionInception is for torchvision's GoogLeNet (224 of 256) and Inception v3 (299 of 342). Their weights
// came from TensorFlow, and torchvision's modules change the picture's range inside (transform_input); here it is
// part of the preprocessing: −1 to 1.
func TorchvisionInception(size, resize int) Config {
	return Config{Size: [2]int{size, size}, Resize: resize, Filter: Bilinear, Mean: half(), Std: half()}
}

// Timm is the evaluation of timm's weights: the shorter side to ⌊size / fraction⌋, and the middle (timm.data,
// create_transform, crop_mode "center").
func Timm(size int, fraction float64, filter Filter, mean, std []float64) Config {
	return Config{Size: [2]int{size, size}, Resize: int(float64(size) / fraction), Filter: filter, Mean: mean, Std: std}
}

// TimmInception is timm's Inception-v4: 299 of 341, bicubic, −1 to 1.
func TimmInception() Config { return Timm(299, 0.875, Bicubic, half(), half()) }

// TimmXception is timm's Xception and Inception-ResNet-v2: 299 of 333, bicubic, −1 to 1.
func TimmXception() Config { return Timm(299, 0.8975, Bicubic, half(), half()) }

// TimmResNetV2 is timm's ResNetV2 with the recipe a1h: 224 of 235, bicubic, −1 to 1.
func TimmResNetV2() Config { return Timm(224, 0.95, Bicubic, half(), half()) }

// KerasCaffe is Keras's mode "caffe" (ResNet, VGG): blue, green and red from 0 to 255 without their means.
// Keras's load_img resizes to the size, whatever the proportions, without interpolation.
func KerasCaffe(size int) Config {
	return Config{Size: [2]int{size, size}, Squash: true, Filter: Nearest, Scale: 1, Mean: []float64{103.939, 116.779, 123.68}, BGR: true}
}

// KerasTF is Keras's mode "tf" (Inception v3, Inception-ResNet, Xception, MobileNet, ResNetV2): −1 to 1.
func KerasTF(size int) Config {
	return Config{Size: [2]int{size, size}, Squash: true, Filter: Nearest, Scale: 1 / 127.5, Mean: []float64{1, 1, 1}}
}

// KerasTorch is Keras's mode "torch" (ResNeXt, DenseNet).
func KerasTorch(size int) Config {
	return Config{Size: [2]int{size, size}, Squash: true, Filter: Nearest, Mean: ImageNetMean, Std: ImageNetStd}
}
