package par

import "runtime"

// pause lets some time pass in a spin loop. Every so often it also lets another goroutine run.
func pause(i int) {
	if i&63 == 63 {
		runtime.Gosched()
		return
	}
	for range 8 {
		relax()
	}
}

//go:noinline
func relax() {}
