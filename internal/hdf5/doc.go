// Package hdf5 reads HDF5 files as Keras writes them: groups, datasets of numbers, attributes of strings. It is
// written from the "HDF5 File Format Specification", version 3.0 (The HDF Group), to whose sections comments refer.
//
//   - superblocks 0 to 3; object headers 1 and 2; groups as symbol tables, as link messages, and in a fractal heap;
//   - datasets that are compact, contiguous or in chunks under any index and, of filters,
//     deflate, shuffle and Fletcher's checksum;
//   - integers and IEEE floating point of either byte order, bfloat16, strings of fixed and of variable length.
//
// What is left out is an error that names it: external files, virtual datasets, soft links, shared messages other
// than a committed datatype, filters that HDF5 does not define.
//
// A file is taken for hostile. Every address and size is compared with the file's before a byte is allocated, and
// the metadata that is read of one file, all in all, is bounded, so that no cycle and no list that many objects share
// takes more. Checksums are compared, but for the blocks of heaps, of which only parts are read.
package hdf5
