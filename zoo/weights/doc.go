// Package weights reads and writes named tensors: safetensors files both ways, PyTorch's state dicts, Keras's files
// and NumPy's arrays for reading, and Keras's variables under the names and in the layout of a network here.
//
//   - safetensors (https://github.com/huggingface/safetensors, section "Format"): eight bytes that hold the
//     length of a JSON header, the header with dtype, shape and place of every tensor, then the bytes of the
//     tensors, little-endian and in C order, one straight after another.
//   - PyTorch's .pth and .pt: a zip file with a pickle, or the format before PyTorch 1.6. The pickle is interpreted
//     by a reader that runs nothing: it knows the names of the few functions that a state dict needs, and a file
//     that calls any other is refused. A dict under "state_dict" or "model" is found, and the prefix "module."
//     of DataParallel is taken off.
//   - Keras's .h5, .weights.h5 and .keras, in each of the forms that Keras 1 to 3 have written (internal/hdf5).
//   - NumPy's .npz, compressed or not.
//
// A file is taken for hostile until checked: sizes are compared with the file's before a byte is allocated, views
// must lie inside their storage, and compressed data may not claim more than compression can do. Of a safetensors
// file the tensors must fill the data exactly, with no hole, no overlap and no byte left over. Tensors are then
// read one at a time from where they lie, so that a file larger than memory can be opened.
package weights
