// Package data brings pictures to a network: data sets that can be read in any order, and a loader that
// shuffles, decodes and batches them ahead of the training step.
//
// A Dataset yields pictures, a Transform turns a picture into numbers, a Loader puts numbers into batches.
// The same seed gives the same batches, to the bit, whatever the number of workers.
package data
