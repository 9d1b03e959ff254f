//go:build race

package graph

// raceDetector is set when times mean nothing.
const raceDetector = true
