// Package graph builds graphs over variables that outlive them, differentiates, and runs graphs on a tape.
//
// A Store keeps named variables. A Graph, made by New, is an ordinary Gorgonia graph over a store, built layer
// by layer (package nn has the layers); it keeps the first error, with the layer's path and the caller's line.
// Differentiate adds gradients. Compile makes a Tape, which runs what the outputs need in one block of memory
// that is planned beforehand. NewTape stands in for gorgonia.NewTapeMachine.
package graph
