//go:build race

package graph

// RaceDetector is set when the race detector is in the program: it takes time and allocates.
const RaceDetector = true
