// Package preprocess makes a network's input of pictures, as the ones who trained its weights did: how large, which
// part, by which interpolation, in which order of channels, and with which mean and deviation. Wrong
// preprocessing costs accuracy and says nothing, so every published set of weights in zoo/hub carries its own.
//
// Resizing equals Pillow's bit for bit, and so do the tensors of torchvision's and timm's evaluation transforms
// but for the rounding of the last division.
package preprocess
