// Package weights reads and writes named tensors in the safetensors format
// (https://github.com/huggingface/safetensors, section "Format"): eight bytes that hold the length of a
// JSON header, the header with dtype, shape and place of every tensor, then the bytes of the tensors,
// little-endian and in C order, one straight after another.
//
// A file is taken for hostile until checked: the header's length is compared with the file's before a
// byte is allocated, and Open accepts only files whose tensors fill the data exactly, with no hole, no
// overlap and no byte left over. Tensors are then read one at a time from where they lie, so that a file
// larger than memory can be opened, and no more is allocated than the file has bytes for.
package weights
