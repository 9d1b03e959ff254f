package ops

// RNG drives the random ops of a graph: dropout, noise. What they draw depends on Seed, Step, the op's own
// stream and the element, and on nothing else, so it is the same under any number of workers.
// A training loop adds one to Step after each training step and keeps both numbers in its checkpoints.
type RNG struct {
	Seed, Step uint64
}
