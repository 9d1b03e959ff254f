// Package resample resizes 8-bit pictures as the Python Imaging Library does, bit for bit: a separable
// convolution whose filter grows with the reduction (antialiasing), horizontally first, with coefficients in
// fixed point of 22 bits and a rounding to 8 bits between the two passes (Pillow, src/libImaging/Resample.c;
// nearest neighbour: src/libImaging/Geometry.c). The weights of published networks were evaluated on pictures
// that were made small in this way.
package resample
