//go:build race

package zoo_test

// raceDetector says that the race detector is in the program: it allocates, and times mean nothing.
const raceDetector = true
